"""Votes, their totals, and the votes that wait for their comment. Counters is the only writer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from services.core import codec, db, topics
from services.core.db import Connection
from services.core.events import VoteCast
from services.core.store import columns

_SQL = db.queries("votes")


class Ballot(NamedTuple):
    """Where a vote counts: `target` is a comment's id, or "" for the discussion itself."""

    discussion: str
    target: str
    voter: str


class Cast(NamedTuple):
    """One vote as it was cast: `recorded_at` by the broker, `offset` its place in the log."""

    ballot: Ballot
    value: int
    event_id: str
    said: bytes | VoteCast
    """The event's digest, or the event: few votes are ever asked for it."""
    at: datetime
    recorded_at: datetime
    offset: int

    @property
    def digest(self) -> bytes:
        return self.said if isinstance(self.said, bytes) else codec.digest(self.said)


class Standing(NamedTuple):
    """The vote that counts now. `changes`: the last few as `id:value`, newest first."""

    value: int
    changes: tuple[str, ...]
    voted_at: datetime


class Comment(NamedTuple):
    author: str
    submitted_at: datetime


class Waiting(NamedTuple):
    """A parked vote as a sweep sees it. `overdue`: its comment can no longer come in time."""

    ballot: Ballot
    offset: int
    known: bool
    overdue: bool


@dataclass(frozen=True, slots=True)
class Refused:
    cast: Cast
    reason: str


async def standings(connection: Connection, ballots: Collection[Ballot]) -> dict[Ballot, Standing]:
    """The stored votes, where there are any."""
    if not ballots:
        return {}
    rows = await connection.fetch(_SQL["standing_votes"], *_texts(ballots, 3))
    return {
        Ballot(discussion, target, voter): Standing(value, tuple(changes), voted_at)
        for discussion, target, voter, value, changes, voted_at in rows
    }


async def comments(
    connection: Connection, names: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Comment]:
    """(discussion, comment) → the comment, where it exists; deleted and rejected ones too."""
    if not names:
        return {}
    rows = await connection.fetch(_SQL["known_comments"], *_texts(names, 2))
    return {
        (discussion, comment): Comment(author, submitted_at)
        for discussion, comment, author, submitted_at in rows
    }


async def refused_before(
    connection: Connection, events: Collection[tuple[str, str]]
) -> set[tuple[str, str, bytes]]:
    """(discussion, event id, digest) of those of these (discussion, event id) once refused."""
    if not events:
        return set()
    rows = await connection.fetch(_SQL["recorded_refusals"], *_texts(events, 2))
    return {(discussion, event_id, digest) for discussion, event_id, digest in rows}


async def any_parked(connection: Connection, slot: int) -> bool:
    """Nearly always nobody in the slot waits, which is cheaper to ask than each voter."""
    return bool(await connection.fetchval(_SQL["any_parked_vote"], slot))


async def parked(
    connection: Connection, voters: Collection[tuple[str, str]]
) -> dict[tuple[str, str], list[Cast]]:
    """(discussion, voter) → their parked votes on any comment, oldest first."""
    if not voters:
        return {}
    found: dict[tuple[str, str], list[Cast]] = {}
    for row in await connection.fetch(_SQL["parked_votes_of"], *_columns(voters, 2)):
        cast = Cast(Ballot(*row[:3]), *row[3:])
        found.setdefault((cast.ballot.discussion, cast.ballot.voter), []).append(cast)
    return found


async def examine_parked(
    connection: Connection, slot: int, after: int, limit: int, patience: timedelta
) -> list[Waiting]:
    """A page of the slot's parked votes beyond offset `after`, oldest first."""
    rows = await connection.fetch(
        _SQL["examine_parked_votes"],
        slot,
        after,
        limit,
        topics.MODERATION_GROUP,
        topics.COMMENTS,
        patience,
    )
    return [
        Waiting(Ballot(discussion, target, voter), offset, known, overdue)
        for discussion, target, voter, offset, known, overdue in rows
    ]


async def count_parked(connection: Connection, slot: int) -> int:
    return int(await connection.fetchval(_SQL["count_parked_votes"], slot))


async def count_first(
    connection: Connection,
    slot: int,
    ballots: Collection[tuple[str, str, str]],
    values: Collection[int],
    event_ids: Collection[str],
    ats: Sequence[datetime],
) -> set[tuple[str, str, str]]:
    """Stores a vote for each of these (discussion, target, voter) that had none.

    Answers the others, which stay as they are: a vote stands, or the event was refused before.
    """
    if not ballots:
        return set()
    rows = await connection.fetch(
        _SQL["count_first_votes"],
        slot,
        *[columns.texts(column) for column in zip(*ballots, strict=True)],
        columns.numbers(values),
        columns.texts(event_ids),
        *columns.instants(ats),
    )
    return {(discussion, target, voter) for discussion, target, voter in rows}


async def count(
    connection: Connection, slot: int, votes: Mapping[Ballot, Standing]
) -> set[tuple[str, str]]:
    """Replaces these votes; answers the (discussion, target) whose totals moved."""
    if not votes:
        return set()
    rows = await connection.fetch(_SQL["count_votes"], slot, *_votes(votes))
    return {(discussion, target) for discussion, target in rows}


async def park(
    connection: Connection, slot: int, casts: Sequence[Cast], shards: Sequence[int]
) -> None:
    """`shards`: of each vote's discussion, its partition of comments.v1."""
    if not casts:
        return
    await connection.execute(
        _SQL["park_votes"],
        slot,
        *_names(casts),
        list(shards),
        [cast.event_id for cast in casts],
        [cast.digest for cast in casts],
        [cast.value for cast in casts],
        [cast.at for cast in casts],
        [cast.recorded_at for cast in casts],
    )


async def unpark(connection: Connection, casts: Sequence[Cast]) -> None:
    if casts:
        await connection.execute(_SQL["unpark_votes"], *_names(casts))


async def refuse(
    connection: Connection, cause: str, refusals: Sequence[Refused]
) -> set[tuple[str, str, bytes]]:
    """Records refusals; answers the (discussion, event id, digest) that had no outcome before."""
    if not refusals:
        return set()
    casts = [refused.cast for refused in refusals]
    rows = await connection.fetch(
        _SQL["refuse_votes"],
        cause,
        [cast.ballot.discussion for cast in casts],
        [cast.event_id for cast in casts],
        [cast.digest for cast in casts],
        [cast.ballot.target for cast in casts],
        [refused.reason for refused in refusals],
        [cast.recorded_at for cast in casts],
    )
    return {(discussion, event_id, digest) for discussion, event_id, digest in rows}


def _votes(votes: Mapping[Ballot, Standing]) -> list[Any]:
    """Discussions, targets, voters, values, changes, instants, places of the instants."""
    standings = votes.values()
    return [
        *_texts(votes, 3),
        columns.numbers([vote.value for vote in standings]),
        columns.texts([" ".join(vote.changes) for vote in standings]),
        *columns.instants([vote.voted_at for vote in standings]),
    ]


def _texts(rows: Collection[tuple[str, ...]], width: int) -> list[str]:
    return [columns.texts([row[column] for row in rows]) for column in range(width)]


def _columns(rows: Collection[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as the arrays that `unnest` takes."""
    return [[row[column] for row in rows] for column in range(width)]


def _names(casts: Sequence[Cast]) -> list[list[Any]]:
    """What names a parked vote: discussion, voter, target, offset."""
    return [
        [cast.ballot.discussion for cast in casts],
        [cast.ballot.voter for cast in casts],
        [cast.ballot.target for cast in casts],
        [cast.offset for cast in casts],
    ]
