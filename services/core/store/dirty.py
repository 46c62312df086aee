"""Dirty discussions: whose strip is older than their state, marked by the effect's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.core import db
from services.core.db import Connection
from services.core.store import columns

_SQL = db.queries("dirty")


@dataclass(frozen=True, slots=True)
class Mark:
    """One writer's mark on a discussion. `mark` grows with every change and never repeats."""

    discussion: str
    topic: str
    partition: int
    mark: int
    since: datetime


async def mark(
    connection: Connection, topic: str, partition: int, discussions: Mapping[str, int]
) -> None:
    """Marks discussions dirty: `site/discussion` → the discussion's home partition (its shard)."""
    if not discussions:
        return
    names = sorted(discussions)
    await connection.execute(
        _SQL["mark"],
        topic,
        partition,
        columns.texts(names),
        columns.numbers([discussions[name] for name in names]),
    )


async def take(connection: Connection, shard: int, limit: int) -> list[Mark]:
    """Marks on the `limit` discussions of a shard that wait longest, grouped by discussion."""
    return [
        Mark(row["discussion"], row["topic"], row["partition"], row["mark"], row["since"])
        for row in await connection.fetch(_SQL["take"], shard, limit)
    ]


async def clear(connection: Connection, marks: Sequence[Mark]) -> None:
    """Forgets exactly these marks; a newer one on the same discussion stays."""
    await connection.execute(
        _SQL["clear"],
        [seen.discussion for seen in marks],
        [seen.topic for seen in marks],
        [seen.partition for seen in marks],
        [seen.mark for seen in marks],
    )


async def waiting(connection: Connection) -> dict[int, tuple[int, datetime]]:
    """shard → (dirty discussions, since when the oldest waits), where any wait."""
    return {
        row["shard"]: (row["discussions"], row["oldest"])
        for row in await connection.fetch(_SQL["waiting"])
    }
