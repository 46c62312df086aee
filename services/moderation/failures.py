"""Which rules fail too often: on five comments within a day of the records' time.

What a process saw itself counts at once; what is stored, and so what other processes saw and what
was before a restart, within a second. A comment counts once however often it is judged, so a batch
that is tried again counts nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from services.core import db
from services.core.rules import Submission
from services.core.rules.brakes import Version
from services.core.store import rule_failures

log = logging.getLogger(__name__)

FAILURES = 5
"""So many comments that a rule's version fails on switch it off."""

WITHIN = timedelta(days=1)
EVERY_SECONDS = 1.0


class Failures:
    """Of a process. A version that is off stays so until the rule is written anew."""

    def __init__(self) -> None:
        self.off: set[Version] = set()
        self._failed: dict[Version, dict[tuple[str, str], datetime]] = {}

    def failed(self, rule: str, version: str, comment: Submission) -> bool:
        """Whether this failure switches the version off."""
        of_version = self._failed.setdefault((rule, version), {})
        of_version.setdefault((comment.discussion, comment.comment), comment.at)
        for name in [n for n, at in of_version.items() if at < comment.at - WITHIN]:
            del of_version[name]
        if len(of_version) < FAILURES or (rule, version) in self.off:
            return False
        self.off.add((rule, version))
        return True

    async def refresh(self, pool: db.Pool) -> None:
        async with db.transaction(pool) as connection:
            self.off |= await rule_failures.often(connection, FAILURES, WITHIN)

    async def follow(self, pool: db.Pool, stop: asyncio.Event) -> None:
        """Until `stop`. A database that is away leaves what is known."""
        while not stop.is_set():
            try:
                await self.refresh(pool)
            except db.UNAVAILABLE as error:
                log.warning("could not look for rules that fail elsewhere: %r", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
