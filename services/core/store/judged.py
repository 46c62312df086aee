"""What was judged and what moderators said of it: for backtests and for agreement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from services.core import codec, db
from services.core.db import Connection
from services.core.events import VerdictGiven
from services.core.rating import wilson_interval

_SQL = db.queries("judged")

FETCH = 2_000
"""Rows that one round trip brings."""

MOST = 100_000
"""Verdicts that agreement looks at."""


class Judged(NamedTuple):
    """One revision of a comment, as it was judged; its text may be offensive."""

    discussion: str
    comment: str
    revision: int
    site: str
    author: str
    body: str
    written_at: datetime
    """By which windows count: an importer may state it."""
    recorded_at: datetime
    section: str
    language: str
    ruling: str | None
    """The newest decision on this revision."""
    author_since: datetime | None
    facts: dict[str, Any]
    """As recorded with the verdict, scores that came since included."""


class Stood(NamedTuple):
    """One comment's newest judged revision; its text may be offensive."""

    revision: int
    author: str
    body: str
    written_at: datetime
    recorded_at: datetime
    section: str
    language: str
    result: str
    verdict: VerdictGiven
    """Of its own event, or of the report."""
    facts: dict[str, Any]
    """As recorded with the verdict, scores that came since included."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What one version of a rule said, and moderators of the same revisions."""

    rule: str
    version: str
    says: str
    """hold, reject or publish: what it did, or would have done in the shadow."""
    shadow: bool
    hits: int
    ruled: int
    """Of the hits, those that a moderator ruled on."""
    agreed: int
    """Of those, rejected where it holds or rejects, left where it publishes."""
    disagreed_on: Sequence[str]
    samples: Sequence[str]
    last_at: datetime

    @property
    def share(self) -> float | None:
        return self.agreed / self.ruled if self.ruled else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % of the share: Wilson, E. B. (1927), as in services/core/rating.py."""
        return wilson_interval(self.agreed, self.ruled) if self.ruled else None


async def stream(connection: Connection, since: datetime, site: str = "") -> AsyncIterator[Judged]:
    """Within a transaction: what was recorded from `since` on, the oldest first."""
    cursor = await connection.cursor(_SQL["stream"], since, site)
    coming = asyncio.ensure_future(cursor.fetch(FETCH))
    try:
        while rows := await coming:
            coming = asyncio.ensure_future(cursor.fetch(FETCH))
            await asyncio.sleep(0)  # sent: Postgres works on it while these are taken in
            for row in rows:
                *said, recorded, scored = row
                yield Judged._make([*said, _facts(recorded, scored)])
    finally:
        if not coming.done():
            await asyncio.wait({coming})


async def newest_of(
    connection: Connection, discussion: str, comment: str, *, reported: bool = False
) -> Stood | None:
    """`reported`: as rules looked at the newest report of it. None where nothing was judged."""
    row = await connection.fetchrow(_SQL["newest_of"], discussion, comment, reported)
    if row is None:
        return None
    *said, verdict, recorded, scored = row
    return Stood._make([*said, codec.decode(verdict, VerdictGiven), _facts(recorded, scored)])


def _facts(recorded: str | None, scored: str | None) -> dict[str, Any]:
    facts = codec.decode(recorded or "{}", dict[str, Any])
    if scored:
        facts |= codec.decode(scored, dict[str, Any])
    facts.pop("site_policy", None)
    return facts


async def since_of_newest(connection: Connection, count: int, site: str = "") -> datetime | None:
    """Since when the newest `count` revisions were recorded; None where there are fewer."""
    since: datetime | None = await connection.fetchval(_SQL["since_of_newest"], count, site)
    return since


async def agreement(
    connection: Connection, since: datetime, site: str = "", most: int = MOST
) -> tuple[list[Agreed], datetime]:
    """Per rule, version and action; and since when: later than `since` where `most` was reached."""
    rows = await connection.fetch(_SQL["agreement"], since, site, most)
    reaches: datetime | None = await connection.fetchval(_SQL["reaches"], since, site, most)
    found = [Agreed(**dict(row) | {"disagreed_on": row["disagreed_on"] or []}) for row in rows]
    return found, reaches or since


def shown(found: Sequence[Agreed]) -> list[dict[str, Any]]:
    """As the console and `veche rules agreement --json` answer."""
    return [
        {
            "rule": one.rule,
            "version": one.version,
            "says": one.says,
            "shadow": one.shadow,
            "hits": one.hits,
            "ruled": one.ruled,
            "agreed": one.agreed,
            "share": None if one.share is None else round(one.share, 4),
            "interval": None if one.interval is None else [round(end, 4) for end in one.interval],
            "last_at": one.last_at,
            "samples": list(one.samples),
            "disagreed_on": list(one.disagreed_on),
        }
        for one in found
    ]
