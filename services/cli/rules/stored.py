"""Comments of the database as lines for a backtest: what was judged in the last days."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click

from services.cli import target
from services.core import codec, db
from services.core.errors import Misconfigured, Retryable
from services.core.rules import Ruleset
from services.core.store import judged
from services.core.store.judged import Judged

STATEMENT_SECONDS = 120.0
_DAY = timedelta(days=1)

days_option = click.option(
    "--days", type=click.FloatRange(min=0, min_open=True, max=366),
    help="Instead of FILES: the comments of the last days, from VECHE_POSTGRES_DSN.",
)  # fmt: skip
site_option = click.option("--site", default="", help="With --days: of one site.")
recorded_option = click.option(
    "--recorded", is_flag=True,
    help="With --days: judge on the facts that were recorded, not on windows computed anew.",
)  # fmt: skip


class Stored(NamedTuple):
    """The lines of a backtest, and what its report says that they were judged on."""

    raw: list[bytes]
    facts: str


def comments(
    days: float,
    rulesets: tuple[Ruleset, ...],
    *,
    site: str = "",
    recorded: bool = False,
    limit: int | None = None,
) -> Stored:
    """The newest `limit` of the last days, by time, and before them what their windows reach.

    Raises Misconfigured where there are none, Retryable where Postgres does not answer.
    """
    reach = max((_reach(ruleset) for ruleset in rulesets), default=timedelta())
    if recorded:
        reach = timedelta()
    try:
        raw, before = asyncio.run(_read(days, site, recorded, limit, reach))
    except db.UNAVAILABLE as error:
        raise Retryable(f"Postgres does not answer: {error or type(error).__name__}") from None
    if len(raw) == before:
        raise Misconfigured(f"nothing was judged in the last {days:g} days")
    if recorded:
        return Stored(raw, "as recorded with each comment; what was not recorded, computed anew")
    warm = f", {before} comments before them read for that" if before else ""
    said = f"windows computed anew in event-time order{warm}; authors' standing and scores recorded"
    return Stored(raw, said)


def _reach(ruleset: Ruleset) -> timedelta:
    return max((query.window for query in ruleset.windows.queries), default=timedelta())


async def _read(
    days: float, site: str, recorded: bool, limit: int | None, reach: timedelta
) -> tuple[list[bytes], int]:
    """The lines, and how many of them are only read for what windows count."""
    pool = await db.connect_pool(
        target.postgres_dsn(), 1, statement_timeout_seconds=STATEMENT_SECONDS
    )
    try:
        async with db.transaction(pool) as connection:
            since = datetime.now(UTC) - timedelta(days=days)
            if limit is not None:
                newest = await judged.since_of_newest(connection, limit, site)
                since = max(since, newest) if newest is not None else since
            raw, before = [], 0
            async for one in judged.stream(connection, since - reach, site):
                warm = one.recorded_at < since
                before += warm
                raw.append(line(one, recorded=recorded, warm=warm))
            return raw, before
    finally:
        await pool.close()


def line(one: Judged, *, recorded: bool = False, warm: bool = False) -> bytes:
    """As a file's line; its id names site, discussion and comment."""
    return codec.encode(
        {
            "id": f"{one.discussion}/{one.comment}",
            "revision": one.revision,
            "body": one.body,
            "author": one.author,
            "at": one.written_at.timestamp(),
            "discussion": one.discussion.partition("/")[2],
            "site": one.site,
            "section": one.section,
            "language": one.language,
            "decision": one.ruling or "",
            "facts": one.facts if recorded else _standing(one),
            "warm": warm,
        }
    )


def _standing(one: Judged) -> Mapping[str, Any]:
    """What no line of the last days tells: an author's standing and age, what classifiers said."""
    stated = {
        name: value
        for name, value in one.facts.items()
        if "(" not in name or name.startswith("score(")
    }
    if one.author_since is not None:
        age = max((one.written_at - one.author_since) / _DAY, 0.0)
        stated["author.age_days"] = round(age, 4)
    return stated
