"""Watching the compacted topics: the last record of a key must be its highest version.

A publisher that was suspended between a commit and its send may put an older version behind a
newer one, and compaction would keep the older. Every publisher reads both topics from their
beginning, compares the last record of each key with the highest version that was acknowledged, and
makes a key whose last record stays behind unsent: its owner then sends it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from services.core import codec, metrics, topics
from services.core.consume import Tail
from services.core.db import UNAVAILABLE, Connection, Pool, transaction
from services.core.errors import BadEvent
from services.core.events import FeedPublished, StripPublished, Version
from services.core.feed import FeedKey
from services.core.produce import home_partition
from services.core.store import dirty, feeds, strips

CHECK_SECONDS = 1.0
MAX_UNCHECKED = 20_000
"""Keys whose last record was not compared yet; beyond this they are compared at once."""

_log = logging.getLogger(__name__)

K = TypeVar("K")
Overtaken = Callable[[Connection, Mapping[K, Version]], Awaitable[dict[K, Version]]]
SendAgain = Callable[[Connection, Mapping[K, Version]], Awaitable[Sequence[K]]]


class Survivors(Generic[K]):
    """The last records of one topic's keys, since they were last found to be the highest.

    A key is suspect when Postgres knows of a higher acknowledged version; it is sent again when it
    still is a check later, since the higher record may just be on its way.
    """

    def __init__(self, kind: str, pool: Pool, overtaken: Overtaken[K], again: SendAgain[K]) -> None:
        self._kind = kind
        self._pool = pool
        self._overtaken = overtaken
        self._again = again
        self._unchecked: dict[K, Version] = {}
        self._one_at_a_time = asyncio.Lock()
        self._suspects: dict[K, Version] = {}
        """Key → version of the last record, which was too low at the last check."""

    def saw(self, key: K, version: Version) -> None:
        self._unchecked[key] = version
        self._suspects.pop(key, None)

    @property
    def full(self) -> bool:
        return len(self._unchecked) >= MAX_UNCHECKED

    async def check(self, *, caught_up: bool) -> list[K]:
        """Compares; returns the keys that are sent again. While catching up it only suspects."""
        async with self._one_at_a_time:
            unchecked, self._unchecked = self._unchecked, {}
            suspects, self._suspects = self._suspects, {}
            try:
                again, behind = await self._compare(unchecked, suspects if caught_up else {})
            except BaseException:  # a cancellation too: nothing is forgotten, and it goes on up
                self._unchecked = unchecked | suspects | self._unchecked
                raise
            behind |= {} if caught_up else suspects
            # Records that came meanwhile speak for themselves.
            self._suspects = {
                key: version for key, version in behind.items() if key not in self._unchecked
            }
        if again:
            _log.warning("%d %ss had an older version last; sent again", len(again), self._kind)
            metrics.REPUBLISHED.labels(self._kind).inc(len(again))
        return again

    async def _compare(
        self, unchecked: Mapping[K, Version], suspects: Mapping[K, Version]
    ) -> tuple[list[K], dict[K, Version]]:
        if not unchecked and not suspects:
            return [], {}
        async with transaction(self._pool) as connection:
            confirmed = await self._overtaken(connection, suspects) if suspects else {}
            again = list(await self._again(connection, confirmed)) if confirmed else []
            higher = await self._overtaken(connection, unchecked) if unchecked else {}
        return again, {key: unchecked[key] for key in higher}


async def watch(
    survivors: Survivors[K],
    records: Tail,
    read: Callable[[bytes], tuple[K, Version] | None],
    *,
    every_seconds: float = CHECK_SECONDS,
) -> None:
    """Follows one topic and checks it once a second, until cancelled."""

    async def follow() -> None:
        async for batch in records:
            for record in batch:
                if record.value is not None and (seen := read(record.value)) is not None:
                    survivors.saw(*seen)
            if survivors.full:
                await _checked(survivors, caught_up=False)

    async def check() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await _checked(survivors, caught_up=records.caught_up.is_set())

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        group.create_task(check())


async def _checked(survivors: Survivors[K], *, caught_up: bool) -> None:
    try:
        await survivors.check(caught_up=caught_up)
    except UNAVAILABLE as error:
        _log.warning("survivors were not compared: %s", type(error).__name__)


def of_strips(pool: Pool) -> Survivors[str]:
    return Survivors("strip", pool, strips.overtaken, _strips_again)


def of_feeds(pool: Pool) -> Survivors[FeedKey]:
    return Survivors("feed", pool, feeds.overtaken, feeds.send_again)


async def _strips_again(connection: Connection, versions: Mapping[str, Version]) -> list[str]:
    """A mark of its own makes the shard's owner send the strip."""
    again = await strips.send_again(connection, versions)
    for discussion in again:
        home = home_partition(discussion)
        await dirty.mark(connection, topics.STRIPS, home, {discussion: home})
    return again


def read_strip(value: bytes) -> tuple[str, Version] | None:
    """Key and version of a record of strips.v1; None where it is not one."""
    try:
        published = codec.decode(value, StripPublished)
    except BadEvent:
        return None
    return f"{published.site}/{published.data.discussion}", published.data.version


def read_feed(value: bytes) -> tuple[FeedKey, Version] | None:
    """Key and version of a record of feeds.v1; None where it is not one."""
    try:
        feed = codec.decode(value, FeedPublished).data
    except BadEvent:
        return None
    return FeedKey(feed.site, feed.feed, feed.language, feed.section), feed.version
