"""The fence of a partition: how far its effects reach, and whose the partition is.

A row per (consumer group, topic, partition). Names are those of schemas/topics.toml: without the
prefix of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.core import db
from services.core.db import Connection

_SQL = db.queries("fences")


@dataclass(frozen=True, slots=True)
class Fence:
    """`next_offset` is the first offset whose effect is not in the database."""

    topic_id: UUID
    next_offset: int
    epoch: int
    owner: str
    stopped_reason: str | None
    stopped_detail: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """One row for an operator's eyes."""

    group: str
    topic: str
    partition: int
    topic_id: UUID
    next_offset: int
    epoch: int
    owner: str
    record_at: datetime | None
    stopped_reason: str | None
    stopped_detail: str | None
    stopped_at: datetime | None


async def claim(
    connection: Connection,
    group: str,
    topic: str,
    partition: int,
    *,
    topic_id: UUID,
    first_offset: int,
    owner: str,
) -> Fence:
    """Takes the partition: waits for a commit still in flight, then bumps the epoch.

    `topic_id` and `first_offset` count only where there is no row yet.
    """
    row = await connection.fetchrow(
        _SQL["claim"], group, topic, partition, topic_id, first_offset, owner
    )
    assert row is not None
    return _fence(row)


async def advance(
    connection: Connection,
    group: str,
    topic: str,
    partition: int,
    *,
    epoch: int,
    believed: int,
    next_offset: int,
    record_at: datetime | None,
) -> bool:
    """False where epoch or offset are not what the caller believes: drop the batch and look."""
    moved = await connection.fetchval(
        _SQL["advance"], group, topic, partition, epoch, believed, next_offset, record_at
    )
    return moved is not None


async def look(
    connection: Connection, group: str, topic: str, partition: int, *, lock: bool = False
) -> Fence | None:
    """With `lock`, waits for a commit in flight and holds the row to the end of the transaction."""
    row = await connection.fetchrow(
        _SQL["look_locked" if lock else "look"], group, topic, partition
    )
    return _fence(row) if row else None


async def stop(
    connection: Connection,
    group: str,
    topic: str,
    partition: int,
    *,
    epoch: int,
    reason: str,
    detail: str,
) -> bool:
    """Parks the partition for an operator; False where the epoch is not the caller's."""
    stopped = await connection.fetchval(
        _SQL["stop"], group, topic, partition, epoch, reason, detail
    )
    return stopped is not None


async def resume(
    connection: Connection,
    group: str,
    topic: str,
    partition: int,
    *,
    skip_to: int | None = None,
    topic_id: UUID | None = None,
) -> Fence | None:
    """Lets a stopped partition go on, from `skip_to` where given; None where it is not stopped."""
    row = await connection.fetchrow(_SQL["resume"], group, topic, partition, skip_to, topic_id)
    return _fence(row) if row else None


async def every(connection: Connection) -> list[Listed]:
    """All fences, by group, topic, partition."""
    return [
        Listed(
            group=row["consumer_group"],
            topic=row["topic"],
            partition=row["partition"],
            topic_id=row["topic_id"],
            next_offset=row["next_offset"],
            epoch=row["epoch"],
            owner=row["owner"],
            record_at=row["record_at"],
            stopped_reason=row["stopped_reason"],
            stopped_detail=row["stopped_detail"],
            stopped_at=row["stopped_at"],
        )
        for row in await connection.fetch(_SQL["every"])
    ]


def _fence(row: Mapping[str, Any]) -> Fence:
    return Fence(
        topic_id=row["topic_id"],
        next_offset=row["next_offset"],
        epoch=row["epoch"],
        owner=row["owner"],
        stopped_reason=row["stopped_reason"],
        stopped_detail=row["stopped_detail"],
    )
