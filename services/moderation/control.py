"""A batch of control.v1: policies of sites, and the ruleset of the installation."""

from __future__ import annotations

import logging

from services.core import metrics
from services.core.consume import Batch
from services.core.db import Connection
from services.core.events import ControlEvent, RulesetActivated, SitePolicySet
from services.core.store import policies, rulesets

log = logging.getLogger(__name__)


async def take_effect(connection: Connection, batch: Batch[ControlEvent]) -> None:
    """The newest policy of a site wins; a ruleset follows the one that it was made for."""
    await policies.put(
        connection,
        {
            record.event.site: record.event.data
            for record in batch.records
            if isinstance(record.event, SitePolicySet)
        },
    )
    for record in batch.records:
        if isinstance(event := record.event, RulesetActivated):
            version = await rulesets.activate(connection, event.id, event.data, record.at)
            result = "stale" if version is None else "activated"
            metrics.RULESETS.labels(result).inc()
            log.info("ruleset %s of %s: %s", event.data.hash[:12], event.actor, result)
