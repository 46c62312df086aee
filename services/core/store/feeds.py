"""Feeds in Postgres: what they rank by, which are due, and the version last given to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.core import feed
from services.core.db import Connection, queries
from services.core.events import Strip, Version
from services.core.feed import FeedKey, Scope

_SQL = queries("feeds")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Locked:
    """A feed's row under its lock. `now` is Postgres's."""

    version: Version
    published_version: int
    content_hash: bytes
    as_of: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Written:
    version: int
    content_hash: bytes
    as_of: datetime
    expires_at: datetime | None


async def rank(connection: Connection, strips: Mapping[str, Strip]) -> set[Scope]:
    """Writes what feeds rank these discussions by; returns the scopes that they left."""
    places = [
        (discussion, scope, strip)
        for discussion, strip in sorted(strips.items())
        for scope in sorted(feed.scopes(strip))
    ]
    discussions = [discussion for discussion, _, _ in places]
    languages = [scope.language for _, scope, _ in places]
    sections = [scope.section for _, scope, _ in places]
    left = await connection.fetch(
        _SQL["drop_entries"], list(strips), discussions, languages, sections
    )
    await connection.execute(
        _SQL["put_entries"],
        [scope.site for _, scope, _ in places],
        languages,
        sections,
        discussions,
        [strip.opened_at for _, _, strip in places],
        [strip.last_activity for _, _, strip in places],
        [feed.hot(strip) for _, _, strip in places],
        [feed.score(strip) for _, _, strip in places],
    )
    return {Scope(row["site"], row["language"], row["section"]) for row in left}


async def mark(connection: Connection, keys: Mapping[FeedKey, int]) -> None:
    """Makes these feeds dirty; the number is the publisher shard of the feed's site."""
    await connection.execute(_SQL["mark_feeds"], *_columns(keys), list(keys.values()))


async def due(connection: Connection, shards: Iterable[int], incarnation: int) -> list[FeedKey]:
    """Feeds to fold: dirty, not acknowledged, aged, or of an earlier incarnation."""
    return [
        _key(row) for row in await connection.fetch(_SQL["due_feeds"], list(shards), incarnation)
    ]


async def lock(connection: Connection, keys: Sequence[FeedKey]) -> dict[FeedKey, Locked]:
    return {
        _key(row): Locked(
            Version(row["incarnation"], row["version"]),
            row["published_version"],
            row["content_hash"],
            row["as_of"],
            row["now"],
        )
        for row in await connection.fetch(_SQL["lock_feeds"], *_columns(keys))
    }


async def candidates(
    connection: Connection, keys: Iterable[FeedKey], now: datetime
) -> dict[FeedKey, list[str]]:
    """The discussions that each feed may hold: as many as it has room for, the first ones."""
    found: dict[FeedKey, list[str]] = {key: [] for key in keys}
    for query in ("latest", "hot", "top"):
        asked = [key for key in found if key.feed.partition("-")[0] == query]
        if not asked:
            continue
        rows = await connection.fetch(
            _SQL[f"candidates_{query}"],
            [key.site for key in asked],
            [key.language for key in asked],
            [key.section for key in asked],
            [feed.since(key.feed, now) or _LONG_AGO for key in asked],
            feed.MAX_CANDIDATES,
        )
        for row in rows:
            found[asked[row["ordinal"] - 1]].append(row["discussion"])
    return found


async def write(
    connection: Connection, incarnation: int, written: Mapping[FeedKey, Written]
) -> None:
    """Gives versions. The caller holds the rows' locks."""
    await connection.execute(
        _SQL["write_feeds"],
        incarnation,
        *_columns(written),
        [one.version for one in written.values()],
        [one.content_hash for one in written.values()],
        [one.as_of for one in written.values()],
        [one.expires_at for one in written.values()],
    )


async def keep(connection: Connection, kept: Mapping[FeedKey, datetime | None]) -> None:
    """Feeds that were folded and say what they said; the instant is when an entry ages out."""
    await connection.execute(_SQL["keep_feeds"], *_columns(kept), list(kept.values()))


async def set_published(connection: Connection, published: Mapping[FeedKey, int]) -> None:
    """Remembers the highest version that Kafka acknowledged. The caller holds the rows' locks."""
    await connection.execute(_SQL["set_published"], *_columns(published), list(published.values()))


async def overtaken(
    connection: Connection, last: Mapping[FeedKey, Version]
) -> dict[FeedKey, Version]:
    """Of the versions that the last records of these feeds carry: where a higher one was sent."""
    rows = await connection.fetch(
        _SQL["overtaken"],
        *_columns(last),
        [version.incarnation for version in last.values()],
        [version.number for version in last.values()],
    )
    return {_key(row): Version(row["incarnation"], row["published_version"]) for row in rows}


async def send_again(connection: Connection, versions: Mapping[FeedKey, Version]) -> list[FeedKey]:
    """Makes feeds whose acknowledged version is still this one unsent; returns their keys."""
    rows = await connection.fetch(
        _SQL["send_again"],
        *_columns(versions),
        [version.number for version in versions.values()],
    )
    return [_key(row) for row in rows]


def _columns(keys: Iterable[FeedKey]) -> tuple[list[str], list[str], list[str], list[str]]:
    keys = list(keys)
    return (
        [key.site for key in keys],
        [key.feed for key in keys],
        [key.language for key in keys],
        [key.section for key in keys],
    )


def _key(row: Mapping[str, Any]) -> FeedKey:
    return FeedKey(row["site"], row["feed"], row["language"], row["section"])
