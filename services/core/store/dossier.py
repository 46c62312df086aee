"""The file of one comment, everything that was written, said and ruled about it; and of one author.

Discussions are named by their key (`site/discussion`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.core import codec
from services.core.db import Connection, queries
from services.core.events import VerdictGiven
from services.core.store.decisions import Item, State


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


_SQL = queries("dossier")


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


def _verdict(raw: str | None) -> VerdictGiven | None:
    return codec.decode(raw, VerdictGiven) if raw is not None else None
