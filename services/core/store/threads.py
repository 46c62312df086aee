"""Threads, strips and a reader's own rows, read for the reader; nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.core import codec, db
from services.core.db import Connection
from services.core.events import DiscussionKey, Strip, VerdictGiven, Version

_SQL = db.queries("threads")


@dataclass(frozen=True, slots=True)
class Listed:
    """A comment in a thread. Not `visible`: a tombstone, whose author and body nobody gets."""

    comment: str
    parent: str | None
    root: str
    """Itself where it answers nothing."""
    submitted_at: datetime
    visible: bool
    descendants: int
    """Visible ones, at any depth."""
    author: str
    author_name: str
    revision: int
    body: str
    written_at: datetime
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Own:
    """A comment of the asking author that waits or was rejected, or whose newest edit does."""

    comment: str
    parent: str | None
    submitted_at: datetime
    status: str
    revision: int
    published_revision: int | None
    held_revision: int | None
    held_reason: str | None
    ruling: str | None
    ruled_revision: int | None
    ruling_reason: str | None
    body: str
    written_at: datetime
    outcome_reason: str | None
    verdict: VerdictGiven | None
    """On the newest revision."""


@dataclass(frozen=True, slots=True)
class OwnVote:
    target: str
    """"" for the discussion itself."""
    value: int
    voted_at: datetime


Place = tuple[datetime, str]
"""(submitted_at, comment): where a page ended."""


async def discussion_state(connection: Connection, discussion: DiscussionKey) -> str | None:
    """open, closed or removed; None where nobody opened it."""
    state: str | None = await connection.fetchval(_SQL["discussion_state"], discussion)
    return state


async def strips(connection: Connection, keys: Sequence[DiscussionKey]) -> dict[str, Strip]:
    """Strips that the publisher wrote, by discussion; unknown ones are left out."""
    rows = await connection.fetch(_SQL["strips_by_key"], keys)
    return {row["discussion"]: codec.decode(row["strip"], Strip) for row in rows}


async def feed_version(
    connection: Connection, site: str, feed: str, language: str, section: str
) -> Version | None:
    """The version that the publisher wrote last; None where it wrote none."""
    row = await connection.fetchrow(_SQL["feed_version"], site, feed, language, section)
    return Version(row["incarnation"], row["version"]) if row else None


async def roots(
    connection: Connection,
    discussion: DiscussionKey,
    *,
    newest_first: bool,
    after: Place | None,
    limit: int,
    replies: int,
) -> list[Listed]:
    """Roots in order, then the first `replies` listed descendants of each in order of time."""
    query = _SQL["roots_newest" if newest_first else "roots_oldest"]
    submitted_at, comment = after or (None, None)
    return _listed(await connection.fetch(query, discussion, submitted_at, comment, limit, replies))


async def roots_by_id(
    connection: Connection, discussion: DiscussionKey, ids: Sequence[str], replies: int
) -> list[Listed]:
    """As `roots`, for these roots in this order; those that are listed no more are left out."""
    return _listed(await connection.fetch(_SQL["roots_by_id"], discussion, ids, replies))


async def replies(
    connection: Connection,
    discussion: DiscussionKey,
    root: str,
    comment: str,
    after: Place | None,
    limit: int,
) -> list[Listed]:
    """Listed descendants of `comment` (whose root is `root`) in order of time."""
    submitted_at, last = after or (None, None)
    return _listed(
        await connection.fetch(
            _SQL["replies"], discussion, root, comment, submitted_at, last, limit
        )
    )


async def root_of(connection: Connection, discussion: DiscussionKey, comment: str) -> str | None:
    """None where the comment is unknown or not listed."""
    root: str | None = await connection.fetchval(_SQL["root_of"], discussion, comment)
    return root


async def by_id(
    connection: Connection, discussion: DiscussionKey, ids: Sequence[str]
) -> list[Listed]:
    """These comments, in order of time; those that are not listed are left out."""
    return _listed(await connection.fetch(_SQL["by_id"], discussion, ids))


async def root_votes(
    connection: Connection, discussion: DiscussionKey
) -> list[tuple[datetime, str, int, int]]:
    """(submitted_at, comment, up, down) of every listed root, in no order."""
    rows = await connection.fetch(_SQL["root_votes"], discussion)
    return [(row["submitted_at"], row["comment"], row["up"], row["down"]) for row in rows]


async def own_comments(
    connection: Connection, discussion: DiscussionKey, author: str, limit: int
) -> list[Own]:
    """Newest first."""
    rows = await connection.fetch(_SQL["own_comments"], discussion, author, limit)
    return [
        Own(
            **{
                **row,
                "verdict": codec.decode(row["verdict"], VerdictGiven) if row["verdict"] else None,
            }
        )
        for row in rows
    ]


async def own_votes(
    connection: Connection, discussion: DiscussionKey, voter: str
) -> dict[str, OwnVote]:
    """By target; a vote that waits for its comment is there too. The later one wins."""
    rows = await connection.fetch(_SQL["own_votes"], discussion, voter)
    newest = {row["target"]: OwnVote(**row) for row in rows}
    return {target: vote for target, vote in newest.items() if vote.value != 0}


def _listed(rows: Sequence[Mapping[str, Any]]) -> list[Listed]:
    return [
        Listed(
            comment=row["comment"],
            parent=row["parent"],
            root=row["path"][0] if row["path"] else row["comment"],
            submitted_at=row["submitted_at"],
            visible=row["visible"],
            descendants=row["visible_descendants"],
            author=row["author"] if row["visible"] else "",
            author_name=row["author_name"] if row["visible"] else "",
            revision=row["published_revision"] or 0,
            body=row["body"] or "",
            written_at=row["written_at"] or row["submitted_at"],
            up=row["up"],
            down=row["down"],
        )
        for row in rows
    ]
