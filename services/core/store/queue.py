"""The moderators' queue in Postgres: what is held, and who looks at it.

Every function takes a connection that the caller holds and answers values. Discussions are named
by their key (`site/discussion`). Nothing here changes a comment: a decision is an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from services.core import codec
from services.core.db import Connection, queries
from services.core.events import VerdictGiven
from services.core.store.columns import arrays
from services.core.store.decisions import Item


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
    discussions, comments, numbers = arrays(revisions, 3)
    counts: dict[tuple[str, str, int], dict[str, int]] = {}
    for row in await connection.fetch(_SQL["reports_on"], discussions, comments, numbers):
        key = (row["discussion"], row["comment"], row["revision"])
        counts.setdefault(key, {})[row["reason"]] = row["count"]
    return counts


async def report_weights(
    connection: Connection, revisions: Iterable[tuple[str, str, int]]
) -> Mapping[tuple[str, str, int], float]:
    """What the open reports on each (discussion, comment, revision) weigh, where there are any."""
    rows = await connection.fetch(_SQL["report_weights"], *arrays(revisions, 3))
    return {
        (row["discussion"], row["comment"], row["revision"]): round(row["weight"], 4)
        for row in rows
    }


async def free_items(connection: Connection, site: str, moderator: str, limit: int) -> list[Item]:
    """The oldest held comments that nobody else looks at."""
    rows = await connection.fetch(_SQL["free_items"], site, moderator, limit)
    return [(row["discussion"], row["comment"]) for row in rows]


async def claim_items(
    connection: Connection, items: Sequence[Item], moderator: str, seconds: float
) -> list[Claim]:
    """Claims what is free, expired or this moderator's own; answers every live claim on `items`.

    A claim of somebody else comes back with their name: it is told, never taken.
    """
    columns = arrays(items, 2)
    await connection.execute(_SQL["forget_expired_claims"])
    await connection.fetch(_SQL["claim"], *columns, moderator, seconds)
    return [Claim(**row) for row in await connection.fetch(_SQL["claims_on"], *columns)]


async def release(connection: Connection, items: Iterable[Item], moderator: str) -> list[Item]:
    """Ends this moderator's claims on `items`; answers those that there were."""
    rows = await connection.fetch(_SQL["release"], *arrays(items, 2), moderator)
    return [(row["discussion"], row["comment"]) for row in rows]


async def release_all(connection: Connection, site: str, moderator: str) -> list[Item]:
    rows = await connection.fetch(_SQL["release_all"], f"{site}/", moderator)
    return [(row["discussion"], row["comment"]) for row in rows]


async def stats(connection: Connection, site: str) -> tuple[list[HeldByReason], int]:
    """Held comments by reason, and how many claims are live."""
    rows = await connection.fetch(_SQL["queue_stats"], site)
    claims: int = await connection.fetchval(_SQL["live_claims"], f"{site}/")
    return [HeldByReason(**row) for row in rows], claims


def _verdict(raw: str | None) -> VerdictGiven | None:
    return codec.decode(raw, VerdictGiven) if raw is not None else None
