"""Watching the compacted topics: the last record of a key must be its highest version.

A publisher that was suspended between a commit and its send may put an older version behind a
newer one, and compaction would keep the older. Every publisher reads both topics from their
beginning, compares the last record of each key with the highest version that was acknowledged, and
makes a key whose last record stays behind unsent: its owner then sends it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
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
SUSPECT_SECONDS = 10.0
"""A key sent again says `reset` to all who listen: a tail that lags for a while is no reason."""
MAX_UNCHECKED = 20_000
"""Keys whose last record was not compared yet; beyond this no more is read until they are."""

_log = logging.getLogger(__name__)

K = TypeVar("K")
Overtaken = Callable[[Connection, Mapping[K, Version]], Awaitable[dict[K, Version]]]
SendAgain = Callable[[Connection, Mapping[K, Version]], Awaitable[Sequence[K]]]


class Survivors(Generic[K]):
    """The last records of one topic's keys, since they were last found to be the highest.

    A key is suspect when Postgres knows of a higher acknowledged version; it is sent again when it
    still is `suspect_seconds` later, since the higher record may just be on its way. `clock` counts
    seconds and never goes back.
    """

    def __init__(
        self,
        kind: str,
        pool: Pool,
        overtaken: Overtaken[K],
        again: SendAgain[K],
        suspect_seconds: float = SUSPECT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._suspect_seconds = suspect_seconds
        self._clock = clock
        self._kind = kind
        self._pool = pool
        self._overtaken = overtaken
        self._again = again
        self._unchecked: dict[K, Version] = {}
        self._one_at_a_time = asyncio.Lock()
        self._suspects: dict[K, tuple[float, Version]] = {}
        """Key → since when, and version of the last record, which was too low at a check."""

    def saw(self, key: K, version: Version) -> None:
        self._unchecked[key] = version
        self._suspects.pop(key, None)

    @property
    def full(self) -> bool:
        return len(self._unchecked) >= MAX_UNCHECKED

    async def check(self, *, current: bool) -> list[K]:
        """Compares; returns the keys that are sent again.

        Where the tail is not current (catching up, or away) it only suspects, each key anew.
        """
        async with self._one_at_a_time:
            now = self._clock()
            unchecked, self._unchecked = self._unchecked, {}
            suspects, self._suspects = self._suspects, {}
            ripe = {
                key: version
                for key, (since, version) in suspects.items()
                if current and now - since >= self._suspect_seconds
            }
            try:
                again, behind = await self._compare(unchecked, ripe)
            except BaseException:  # a cancellation too: nothing is forgotten, and it goes on up
                waiting = {key: version for key, (_, version) in suspects.items()}
                self._unchecked = unchecked | waiting | self._unchecked
                raise
            still = {
                key: (since if current else now, version)
                for key, (since, version) in suspects.items()
                if key not in ripe
            }
            # Records that came meanwhile speak for themselves.
            self._suspects = {
                key: suspect
                for key, suspect in (
                    still | {key: (now, version) for key, version in behind.items()}
                ).items()
                if key not in self._unchecked
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
            while survivors.full:
                await _checked(survivors, current=False)
                if survivors.full:  # Postgres is away
                    await asyncio.sleep(every_seconds)

    async def check() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await _checked(survivors, current=records.caught_up.is_set() and records.connected)

    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        group.create_task(check())


async def _checked(survivors: Survivors[K], *, current: bool) -> None:
    try:
        await survivors.check(current=current)
    except UNAVAILABLE as error:
        _log.warning("survivors were not compared: %s", type(error).__name__)


def of_strips(pool: Pool, suspect_seconds: float = SUSPECT_SECONDS) -> Survivors[str]:
    return Survivors("strip", pool, strips.overtaken, _strips_again, suspect_seconds)


def of_feeds(pool: Pool, suspect_seconds: float = SUSPECT_SECONDS) -> Survivors[FeedKey]:
    return Survivors("feed", pool, feeds.overtaken, feeds.send_again, suspect_seconds)


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
