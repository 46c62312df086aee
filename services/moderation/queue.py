"""How long the moderators' queue is, measured every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from services.core import db, metrics
from services.core.store import comments

log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0


async def watch(pool: db.Pool, stop: asyncio.Event, now: Callable[[], datetime]) -> None:
    """Until `stop`. A database that is away leaves the last values: its own alert tells that."""
    sites: set[str] = set()
    while not stop.is_set():
        try:
            async with db.transaction(pool) as connection:
                held = await comments.held_by_site(connection)
        except db.UNAVAILABLE as error:
            log.warning("could not measure the queue: %r", error)
        else:
            instant = now()
            for site in sites - held.keys():
                metrics.HELD.labels(site).set(0)
                metrics.OLDEST_HELD_SECONDS.labels(site).set(0)
            for site, (count, oldest) in held.items():
                metrics.HELD.labels(site).set(count)
                age = max(0.0, (instant - oldest).total_seconds())
                metrics.OLDEST_HELD_SECONDS.labels(site).set(age)
            sites |= held.keys()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
