"""The publisher's cycle: fold, relay, send, clear; strips first, then the feeds that they changed.

One cycle serves all shards of the process, at most two a second while there is work: so a viral
discussion, and every feed, costs two records a second whatever the event rate, and a change waits
for one cycle only, strip and feed together. An idle publisher looks every 0.1 s.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime

from services.core import metrics, topics
from services.core.db import UNAVAILABLE, Pool
from services.core.errors import Retryable
from services.core.feed import FeedKey
from services.core.produce import Producer
from services.core.store import dirty, outbox, strips
from services.core.store import feeds as store_feeds
from services.publisher import shards
from services.publisher.feeds import Feeds
from services.publisher.leases import Leases
from services.publisher.relay import relay
from services.publisher.strips import fold, publish

PACE_SECONDS = 0.5
POLL_SECONDS = 0.1
CYCLE_DEADLINE_SECONDS = 30.0
STUCK_SECONDS = 60.0
BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0)
DISCUSSIONS_AT_ONCE = 500
FEEDS_AT_ONCE = 20
MAX_REMEMBERED_FEEDS = 50_000
FEEDS_BUDGET_SECONDS = 0.25
"""Feeds that do not fit into it come first in the next cycle."""

_log = logging.getLogger(__name__)


class Publisher:
    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        leases: Leases,
        *,
        pace_seconds: float = PACE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._leases = leases
        self._pace_seconds = pace_seconds
        self._poll_seconds = poll_seconds
        self._feeds = Feeds(pool)
        self._folded_at: dict[FeedKey, float] = {}
        self._failures = 0
        self._more = False
        self._attempt_ended = time.monotonic()
        self._began = False
        self._succeeded = False

    async def run(self, stop: asyncio.Event) -> None:
        """Cycles until stopped; what Kafka or Postgres refuse stays dirty and is tried again."""
        ended = threading.Event()
        threading.Thread(target=self.watch, args=(ended,), name="watchdog", daemon=True).start()
        try:
            await self._cycle_until(stop)
        finally:
            ended.set()

    async def _cycle_until(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            try:
                async with asyncio.timeout(CYCLE_DEADLINE_SECONDS):
                    worked = await self.cycle()
            except (Retryable, *UNAVAILABLE) as error:
                pause = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
                if self._failures in (0, 10, 100):
                    _log.warning(
                        "a cycle failed, trying again: %s: %s", type(error).__name__, error
                    )
                self._failures += 1
                self._succeeded = False
            else:
                if self._failures:
                    _log.info("publishes again after %d failed cycles", self._failures)
                self._failures = 0
                self._succeeded = True
                pace = self._pace_seconds if worked and not self._more else self._poll_seconds
                pause = max(0.0, began + pace - loop.time())
            self._attempt_ended = time.monotonic()
            self._began = True
            metrics.LAST_ATTEMPT.set_to_current_time()
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue

    async def cycle(self) -> bool:
        """One pass over the held shards; returns whether any strip or feed was folded.

        Raises Retryable, or one of db.UNAVAILABLE, where a part failed; the other parts were done.
        """
        async with self._pool.acquire(timeout=5.0) as connection:
            waiting = await dirty.waiting(connection)
            outboxes = await outbox.waiting(connection)
            incarnation = await strips.current_incarnation(connection)
            _report(waiting, outboxes, await strips.clock(connection))
        held = self._leases.held()
        if not held:
            return False
        work = []
        for shard in held:
            sources = [source for source in shards.sources(shard) if source in outboxes]
            if shard in waiting or sources:
                work.append(self._shard(shard, sources, is_dirty=shard in waiting))
        results = await asyncio.gather(*work, return_exceptions=True)
        _raise_bugs(results)
        folded = sum(result for result in results if isinstance(result, int))
        self._more = any(
            isinstance(result, int) and result >= DISCUSSIONS_AT_ONCE for result in results
        )
        fed = await self._publish_feeds(held, incarnation)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return folded + fed > 0

    async def _shard(self, shard: int, sources: list[tuple[str, int]], *, is_dirty: bool) -> int:
        """Returns how many discussions were folded."""
        if not is_dirty:
            await relay(self._pool, self._producer, sources)
            return 0
        with metrics.PUBLISH_SECONDS.labels("strip").time():
            marks = await self._take(shard)
            folded = await fold(self._pool, marks)
            # What the strips show was committed by now, its outcomes with it: they go first.
            await relay(self._pool, self._producer, sorted({(topics.COMMENTS, shard), *sources}))
            await publish(self._pool, self._producer, folded)
        return len({mark.discussion for mark in marks})

    async def _take(self, shard: int) -> list[dirty.Mark]:
        async with self._pool.acquire(timeout=5.0) as connection:
            return await dirty.take(connection, shard, DISCUSSIONS_AT_ONCE)

    async def _publish_feeds(self, held: list[int], incarnation: int) -> int:
        """Folds the feeds that are due, those that waited longest first; returns how many."""
        loop = asyncio.get_running_loop()
        async with self._pool.acquire(timeout=5.0) as connection:
            due = await store_feeds.due(connection, held, incarnation)
        if not due:
            return 0
        due.sort(key=lambda key: (self._folded_at.get(key, 0.0), key))
        began = loop.time()
        done = 0
        while done < len(due) and loop.time() < began + FEEDS_BUDGET_SECONDS:
            keys = due[done : done + FEEDS_AT_ONCE]
            # Noted first: feeds that fail are behind the others in the next cycle.
            self._folded_at |= dict.fromkeys(keys, loop.time())
            with metrics.PUBLISH_SECONDS.labels("feed").time():
                await self._feeds.publish(self._producer, keys)
            done += len(keys)
        if len(self._folded_at) > MAX_REMEMBERED_FEEDS:
            self._folded_at.clear()
        return done

    def live(self) -> str | None:
        """Why this process should be restarted: no attempt has ended, well or badly, for 60 s."""
        silent_seconds = time.monotonic() - self._attempt_ended
        if silent_seconds > STUCK_SECONDS:
            return f"no cycle has ended for {silent_seconds:.0f} s"
        return None

    def watch(self, ended: threading.Event) -> None:
        """The watchdog: ends a process whose event loop does not come round. Runs in a thread.

        It counts its own seconds: a process that was suspended as a whole has lost none.
        """
        silent_seconds, last = 0, self._attempt_ended
        while not ended.wait(1.0):
            silent_seconds = silent_seconds + 1 if self._attempt_ended == last else 0
            last = self._attempt_ended
            if silent_seconds > STUCK_SECONDS:
                _log.critical("ending the process: no cycle ended for %d s", silent_seconds)
                os._exit(70)

    def ready(self) -> str | None:
        if not self._began:
            return "the first cycle has not ended"
        if not self._succeeded:
            return "the last cycle failed: Kafka or Postgres does not answer"
        return None


def _report(
    waiting: Mapping[int, tuple[int, datetime]],
    outboxes: Mapping[tuple[str, int], tuple[int, datetime]],
    now: datetime,
) -> None:
    """Every publisher reports every shard: one that nobody works on must show."""
    for shard in range(shards.SHARDS):
        discussions, since = waiting.get(shard, (0, now))
        records = [outboxes[source][0] for source in shards.sources(shard) if source in outboxes]
        metrics.DIRTY.labels(shard).set(discussions)
        metrics.OLDEST_DIRTY_SECONDS.labels(shard).set(max(0.0, (now - since).total_seconds()))
        metrics.OUTBOX.labels(shard).set(sum(records))


def _raise_bugs(results: Iterable[object]) -> None:
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, (Retryable, *UNAVAILABLE)):
            raise result
