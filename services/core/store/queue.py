"""The moderators' queue in Postgres: what is held, who looks at it, what became of a decision.

Every function takes a connection that the caller holds and answers values. Discussions are named
by their key (`site/discussion`). Nothing here changes a comment: a decision is an event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec import Struct

from services.core import codec
from services.core.db import Connection, queries
from services.core.events import SitePolicy, VerdictGiven

Item: TypeAlias = tuple[str, str]
"""(discussion key, comment id)."""

EventName: TypeAlias = tuple[str, str, bytes]
"""(discussion key, event id, digest): another digest under the same id is another event."""


class Place(Struct, frozen=True):
    """A position in the queue: the page after it begins with the next held comment."""

    held_since: datetime
    discussion: str
    comment: str


START = Place(datetime(1, 1, 1, tzinfo=UTC), "", "")


class Claim(Struct, frozen=True):
    discussion: str
    comment: str
    moderator: str
    expires_at: datetime


class State(Struct, frozen=True, kw_only=True):
    """How a comment stands now: what a decision is conditional on, and who ruled last."""

    discussion: str
    comment: str
    status: str
    revision: int
    published_revision: int | None
    held_revision: int | None
    held_reason: str | None
    deleted_at: datetime | None
    ruling: str | None
    ruled_revision: int | None
    ruled_by: str | None
    ruled_at: datetime | None
    ruling_reason: str | None


class Held(Struct, frozen=True, kw_only=True):
    """One held comment as a moderator reads it."""

    discussion: str
    comment: str
    author: str
    author_name: str
    parent: str | None
    submitted_at: datetime
    status: str
    revision: int
    published_revision: int | None
    held_revision: int
    held_reason: str
    held_since: datetime
    held_body: str
    held_written_at: datetime
    published_body: str | None
    title: str
    url: str
    language: str
    section: str
    labels: list[str]
    claimed_by: str | None
    claim_expires_at: datetime | None
    verdict: VerdictGiven | None
    """Of the revision itself, or of the newest score."""
    reported_verdict: VerdictGiven | None
    """Of the newest report that rules looked at."""

    @property
    def place(self) -> Place:
        return Place(self.held_since, self.discussion, self.comment)


class CommentFile(State, frozen=True, kw_only=True):
    """One comment with everything that was written, said and ruled about it."""

    author: str
    author_name: str
    parent: str | None
    submitted_at: datetime
    held_since: datetime | None
    labels: list[str]
    title: str
    url: str
    language: str
    section: str
    claimed_by: str | None
    claim_expires_at: datetime | None


class WrittenRevision(Struct, frozen=True):
    revision: int
    body: str
    written_at: datetime
    event_id: str


class RecordedOutcome(Struct, frozen=True):
    event_id: str
    cause: str
    revision: int
    result: str
    reason: str
    status: str
    verdict: VerdictGiven | None
    facts: dict[str, Any]
    recorded_at: datetime


class FiledReport(Struct, frozen=True):
    revision: int
    reporter: str
    reason: str
    note: str
    filed_at: datetime


class EventOutcome(Struct, frozen=True):
    discussion: str
    event_id: str
    event_digest: bytes
    comment: str
    revision: int
    result: str
    reason: str
    status: str

    @property
    def name(self) -> EventName:
        return (self.discussion, self.event_id, self.event_digest)


class AuthorCounts(Struct, frozen=True):
    name: str | None
    first_at: datetime | None
    last_at: datetime | None
    comments: int
    published: int
    rejected: int
    pending: int
    deleted: int
    held: int
    reports: int


class AuthorComment(State, frozen=True, kw_only=True):
    author_name: str
    submitted_at: datetime
    title: str
    body: str
    outcome_reason: str | None


class Ruled(Struct, frozen=True):
    discussion: str
    comment: str
    ruling: str
    ruled_revision: int
    ruled_by: str
    ruled_at: datetime
    ruling_reason: str | None
    status: str


class HeldByReason(Struct, frozen=True):
    reason: str
    held: int
    oldest_held_since: datetime


_SQL = queries("queue")


async def held_page(
    connection: Connection, site: str, after: Place, limit: int, reason: str = "", label: str = ""
) -> list[Held]:
    """Held comments of a site, oldest first; `reason` and `label` "" for all."""
    rows = await connection.fetch(
        _SQL["held_page"],
        site,
        after.held_since,
        after.discussion,
        after.comment,
        reason,
        label,
        limit,
    )
    return [
        Held(
            **{
                **row,
                "verdict": _verdict(row["verdict"]),
                "reported_verdict": _verdict(row["reported_verdict"]),
            }
        )
        for row in rows
    ]


async def reports_on(
    connection: Connection, revisions: Iterable[tuple[str, str, int]]
) -> Mapping[tuple[str, str, int], dict[str, int]]:
    """Reports by reason for each (discussion, comment, revision) that has any."""
    discussions, comments, numbers = _columns(revisions, 3)
    counts: dict[tuple[str, str, int], dict[str, int]] = {}
    for row in await connection.fetch(_SQL["reports_on"], discussions, comments, numbers):
        key = (row["discussion"], row["comment"], row["revision"])
        counts.setdefault(key, {})[row["reason"]] = row["count"]
    return counts


async def report_weights(
    connection: Connection, revisions: Iterable[tuple[str, str, int]]
) -> Mapping[tuple[str, str, int], float]:
    """What the open reports on each (discussion, comment, revision) weigh, where there are any."""
    rows = await connection.fetch(_SQL["report_weights"], *_columns(revisions, 3))
    return {
        (row["discussion"], row["comment"], row["revision"]): round(row["weight"], 4)
        for row in rows
    }


async def states(connection: Connection, items: Iterable[Item]) -> Mapping[Item, State]:
    """How each comment stands now; an unknown comment is missing from the answer."""
    rows = await connection.fetch(_SQL["held_state"], *_columns(items, 2))
    return {(row["discussion"], row["comment"]): State(**row) for row in rows}


async def one_comment(connection: Connection, item: Item) -> CommentFile | None:
    row = await connection.fetchrow(_SQL["one_comment"], *item)
    return CommentFile(**row) if row else None


async def revisions_of(connection: Connection, item: Item) -> list[WrittenRevision]:
    """The newest hundred, newest first."""
    rows = await connection.fetch(_SQL["revisions_of"], *item)
    return [WrittenRevision(**row) for row in rows]


async def outcomes_of(connection: Connection, item: Item) -> list[RecordedOutcome]:
    """What became of each event about one comment: the newest 200, newest first."""
    return [
        RecordedOutcome(
            **{
                **row,
                "verdict": _verdict(row["verdict"]),
                "facts": codec.decode(row["facts"] or "{}", dict[str, Any]),
            }
        )
        for row in await connection.fetch(_SQL["outcomes_of"], *item)
    ]


async def reports_of(connection: Connection, item: Item) -> list[FiledReport]:
    rows = await connection.fetch(_SQL["reports_of"], *item)
    return [FiledReport(**row) for row in rows]


async def known_ids(
    connection: Connection, names: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Of (discussion, event id) those that have an outcome."""
    rows = await connection.fetch(
        _SQL["known_ids"], [key for key, _ in names], [event for _, event in names]
    )
    return {(row["discussion"], row["event_id"]) for row in rows}


async def outcomes_named(
    connection: Connection, events: Iterable[EventName]
) -> Mapping[EventName, EventOutcome]:
    """What became of each event; one that still waits is missing from the answer."""
    rows = await connection.fetch(_SQL["outcomes_named"], *_columns(events, 3))
    return {outcome.name: outcome for outcome in (EventOutcome(**row) for row in rows)}


async def claim_items(
    connection: Connection, items: Sequence[Item], moderator: str, seconds: float
) -> list[Claim]:
    """Claims what is free, expired or this moderator's own; answers every live claim on `items`.

    A claim of somebody else comes back with their name: it is told, never taken.
    """
    columns = _columns(items, 2)
    await connection.execute(_SQL["forget_expired_claims"])
    await connection.fetch(_SQL["claim"], *columns, moderator, seconds)
    return [Claim(**row) for row in await connection.fetch(_SQL["claims_on"], *columns)]


async def free_items(connection: Connection, site: str, moderator: str, limit: int) -> list[Item]:
    """The oldest held comments that nobody else looks at."""
    rows = await connection.fetch(_SQL["free_items"], site, moderator, limit)
    return [(row["discussion"], row["comment"]) for row in rows]


async def release(connection: Connection, items: Iterable[Item], moderator: str) -> list[Item]:
    """Ends this moderator's claims on `items`; answers those that there were."""
    rows = await connection.fetch(_SQL["release"], *_columns(items, 2), moderator)
    return [(row["discussion"], row["comment"]) for row in rows]


async def release_all(connection: Connection, site: str, moderator: str) -> list[Item]:
    rows = await connection.fetch(_SQL["release_all"], f"{site}/", moderator)
    return [(row["discussion"], row["comment"]) for row in rows]


async def author_counts(connection: Connection, site: str, author: str) -> AuthorCounts:
    row = await connection.fetchrow(_SQL["author_counts"], site, author)
    assert row is not None
    return AuthorCounts(**row)


async def author_comments(
    connection: Connection, site: str, author: str, limit: int
) -> list[AuthorComment]:
    rows = await connection.fetch(_SQL["author_comments"], site, author, limit)
    return [AuthorComment(**row) for row in rows]


async def author_decisions(
    connection: Connection, site: str, author: str, limit: int
) -> list[Ruled]:
    rows = await connection.fetch(_SQL["author_decisions"], site, author, limit)
    return [Ruled(**row) for row in rows]


async def site_policy(connection: Connection, site: str) -> SitePolicy | None:
    """None where the site never set one: the defaults of SitePolicy hold."""
    row = await connection.fetchrow(_SQL["site_policy"], site)
    return SitePolicy(**row) if row else None


async def stats(connection: Connection, site: str) -> tuple[list[HeldByReason], int]:
    """Held comments by reason, and how many claims are live."""
    rows = await connection.fetch(_SQL["queue_stats"], site)
    claims: int = await connection.fetchval(_SQL["live_claims"], f"{site}/")
    return [HeldByReason(**row) for row in rows], claims


def _verdict(raw: str | None) -> VerdictGiven | None:
    return codec.decode(raw, VerdictGiven) if raw is not None else None


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as arrays for `unnest`; no rows are `width` empty arrays."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]
