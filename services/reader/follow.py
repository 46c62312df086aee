"""The reader's memory follows two compacted topics, and knows how current it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.core import metrics
from services.core.consume.tail import Tail
from services.reader.shelf import Shelf

Apply = Callable[[str, bytes | None, datetime], None]
"""(key, value, recorded_at) of one record."""

_RECORDS_A_TURN = 200
"""Requests are served between so many records while a topic is read from its beginning."""


class Followed:
    """One topic's tail. `clock` counts seconds and never goes back; `now` is the time of day."""

    def __init__(
        self,
        tail: Tail,
        topic: str,
        apply: Apply,
        kept: Shelf[Any],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._tail = tail
        self._topic = topic
        self._apply = apply
        self._kept = kept
        self._clock = clock
        self._now = now
        self._current_at = clock()

    @property
    def caught_up(self) -> bool:
        return self._tail.caught_up.is_set()

    def age_seconds(self) -> int:
        """0 while Kafka answers, else for how long it has not: newer snapshots may exist."""
        if self._tail.connected:
            return 0
        return int(self._clock() - self._current_at)

    async def run(self) -> None:
        """Applies records for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            async for records in self._tail:
                for place, record in enumerate(records, 1):
                    key = record.key.decode("utf-8", "replace")
                    self._apply(key, record.value, record.recorded_at)
                    if place % _RECORDS_A_TURN == 0:
                        await asyncio.sleep(0)

    async def _watch(self) -> None:
        while True:
            if self._tail.connected:
                self._current_at = self._clock()
            metrics.SNAPSHOT_CACHE.labels(self._topic).set(len(self._kept))
            metrics.SNAPSHOT_CACHE_BYTES.labels(self._topic).set(self._kept.bytes)
            if self._tail.last_record_at is not None:
                age = (self._now() - self._tail.last_record_at).total_seconds()
                metrics.SNAPSHOT_AGE_SECONDS.labels(self._topic).set(age)
            await asyncio.sleep(0.5)
