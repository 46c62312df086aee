"""What became of one event: how far its partition is, its outcome, its comment or vote now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.core import codec, db
from services.core.db import Connection
from services.core.events import VerdictGiven

_SQL = db.queries("receipts")


@dataclass(frozen=True, slots=True)
class Progress:
    next_offset: int
    stopped_reason: str | None


@dataclass(frozen=True, slots=True)
class Recorded:
    comment: str
    revision: int
    result: str
    reason: str
    status: str
    verdict: VerdictGiven | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class CommentNow:
    status: str
    revision: int
    published_revision: int | None
    held_revision: int | None
    held_reason: str | None
    deleted_at: datetime | None
    ruling: str | None
    ruled_revision: int | None
    ruling_reason: str | None


@dataclass(frozen=True, slots=True)
class VoteNow:
    value: int
    changes: list[str]
    """The last few, newest first, as `event id:value`."""


async def progress(
    connection: Connection, group: str, topic: str, partition: int
) -> Progress | None:
    """None where nobody worked on the partition yet."""
    row = await connection.fetchrow(_SQL["progress"], group, topic, partition)
    return Progress(**row) if row else None


async def outcome(
    connection: Connection, discussion: str, event_id: str, digest: bytes
) -> Recorded | None:
    row = await connection.fetchrow(_SQL["outcome"], discussion, event_id, digest)
    if row is None:
        return None
    return Recorded(
        comment=row["comment"],
        revision=row["revision"],
        result=row["result"],
        reason=row["reason"],
        status=row["status"],
        verdict=codec.decode(row["verdict"], VerdictGiven) if row["verdict"] else None,
        recorded_at=row["recorded_at"],
    )


async def comment_now(connection: Connection, discussion: str, comment: str) -> CommentNow | None:
    row = await connection.fetchrow(_SQL["comment_now"], discussion, comment)
    return CommentNow(**row) if row else None


async def vote_now(
    connection: Connection, discussion: str, target: str, voter: str
) -> VoteNow | None:
    row = await connection.fetchrow(_SQL["vote_now"], discussion, target, voter)
    return VoteNow(**row) if row else None


async def is_parked(
    connection: Connection, discussion: str, target: str, voter: str, event_id: str
) -> bool:
    """True while the vote waits for its comment."""
    return bool(await connection.fetchval(_SQL["parked"], discussion, target, voter, event_id))
