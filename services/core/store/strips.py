"""Strips in Postgres: locked, folded from facts, written, and read by those who serve them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.core import codec, viewers
from services.core.db import Connection, queries
from services.core.events import DiscussionKey, Strip, Version
from services.core.feed import Facts

_SQL = queries("strips")

MAX_CHANGES_READ = 2_000
"""Changed comments taken at once per discussion; the rest stay for the next strip."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A strip's row under its lock. `strip` is None where none was written yet."""

    version: Version
    published_version: int
    strip: Strip | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Facts of one discussion, and the marks of its changed comments in the same snapshot."""

    facts: Facts
    changes: Mapping[str, int]


async def clock(connection: Connection) -> datetime:
    """Postgres's now: the clock that marks, leases and windows go by."""
    now: datetime = await connection.fetchval(_SQL["clock"])
    return now


async def current_incarnation(connection: Connection) -> int:
    return int(await connection.fetchval(_SQL["current_incarnation"]))


async def lock(connection: Connection, discussions: Iterable[str]) -> dict[str, Locked]:
    """Locks the strips of those of these discussions that are opened, in key order."""
    keys = sorted(discussions)
    await connection.execute(_SQL["open_strips"], keys)
    return {
        row["discussion"]: Locked(
            Version(row["incarnation"], row["version"]),
            row["published_version"],
            codec.decode(row["strip"], Strip) if row["version"] else None,
        )
        for row in await connection.fetch(_SQL["lock_strips"], keys)
    }


async def lock_versions(connection: Connection, discussions: Iterable[str]) -> dict[str, Version]:
    """Locks the strips that there are, in key order, and says which version each has now."""
    return {
        row["discussion"]: Version(row["incarnation"], row["version"])
        for row in await connection.fetch(_SQL["lock_versions"], sorted(discussions))
    }


async def read_facts(connection: Connection, discussions: Iterable[str]) -> list[Seen]:
    rows = await connection.fetch(_SQL["read_facts"], list(discussions), MAX_CHANGES_READ)
    return [
        Seen(
            Facts(
                discussion=DiscussionKey(row["discussion"]),
                state=row["state"],
                url=row["url"],
                title=row["title"],
                language=row["language"],
                section=row["section"],
                opened_at=row["opened_at"],
                last_activity=row["last_activity"],
                comments=row["comments"],
                views=row["views"],
                viewers=viewers.estimate(row["sketches"] or ()),
                up=row["up"],
                down=row["down"],
            ),
            dict(zip(row["changed_comments"] or (), row["changed_marks"] or (), strict=True)),
        )
        for row in rows
    ]


async def write(connection: Connection, incarnation: int, strips: Mapping[str, Strip]) -> None:
    await connection.execute(
        _SQL["write_strips"],
        incarnation,
        list(strips),
        [strip.version.number for strip in strips.values()],
        [codec.encode(strip).decode() for strip in strips.values()],
    )


async def set_published(connection: Connection, published: Mapping[str, Version]) -> None:
    """Remembers the highest version that Kafka acknowledged. The caller holds the rows' locks."""
    await connection.execute(
        _SQL["set_published"],
        list(published),
        [version.number for version in published.values()],
    )


async def clear_changed(connection: Connection, seen: Iterable[tuple[str, str, int]]) -> None:
    """Forgets (discussion, comment) where the mark is still the one that was seen."""
    rows = sorted(seen)
    await connection.execute(
        _SQL["clear_changed"],
        [discussion for discussion, _, _ in rows],
        [comment for _, comment, _ in rows],
        [mark for _, _, mark in rows],
    )


async def overtaken(connection: Connection, last: Mapping[str, Version]) -> dict[str, Version]:
    """Of the versions that the last records of these keys carry: where a higher one was sent."""
    rows = await connection.fetch(
        _SQL["overtaken"],
        list(last),
        [version.incarnation for version in last.values()],
        [version.number for version in last.values()],
    )
    return {
        row["discussion"]: Version(row["incarnation"], row["published_version"]) for row in rows
    }


async def send_again(connection: Connection, versions: Mapping[str, Version]) -> list[str]:
    """Makes strips whose acknowledged version is still this one unsent; returns their keys."""
    rows = await connection.fetch(
        _SQL["send_again"],
        list(versions),
        [version.number for version in versions.values()],
    )
    return [row["discussion"] for row in rows]


async def read_newer(connection: Connection, known: Mapping[str, Version]) -> dict[str, Strip]:
    """Those of these strips whose version is not the known one."""
    rows = await connection.fetch(
        _SQL["read_newer_strips"],
        list(known),
        [version.incarnation for version in known.values()],
        [version.number for version in known.values()],
    )
    return {row["discussion"]: codec.decode(row["strip"], Strip) for row in rows}
