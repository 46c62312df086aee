"""`veche rules agreement`: how often moderators ruled as each rule says, in the shadow or live."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import click

from services.cli import target
from services.cli.rules.said import tell
from services.cli.rules.write import as_json, say
from services.core import db
from services.core.errors import Retryable
from services.core.store import judged

STATEMENT_SECONDS = 60.0


@click.command()
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=31),
    default=7,
    show_default=True,
    help="How far back; the newest 100,000 verdicts of them.",
)
@click.option("--site", default="", help="Of one site; all by default.")
@as_json
def agreement(days: float, site: str, as_json: bool) -> None:
    """How often moderators ruled as each rule says.

    From VECHE_POSTGRES_DSN, or of a running `veche up`. Per rule, version and action: comments
    that it matched, how many of them a moderator ruled on, and on how many of these they agreed,
    with the 95 % interval (Wilson).
    """
    since = datetime.now(UTC) - timedelta(days=days)
    try:
        found, reaches = asyncio.run(_read(since, site))
    except db.UNAVAILABLE as error:
        raise Retryable(f"Postgres does not answer: {error or type(error).__name__}") from None
    if as_json:
        rules = [one | {"last_at": one["last_at"].isoformat()} for one in judged.shown(found)]
        say({"since": reaches.isoformat(), "complete": reaches == since, "rules": rules})
        return
    if reaches != since:
        tell(f"of the newest {judged.MOST} verdicts only, since {reaches:%Y-%m-%d %H:%M}")
    for one in found:
        where = "shadow" if one.shadow else "live"
        share = "nobody ruled on them"
        if one.share is not None and one.interval is not None:
            low, high = one.interval
            share = f"{one.share:.1%} agreed ({low:.0%} to {high:.0%}) of {one.ruled} ruled on"
        tell(f"{one.rule:30} {one.version:12} {where:6} {one.says:7} {one.hits:7} hits", 2)
        tell(share, 6)
        known = "they did not on" if one.disagreed_on else "e.g."
        tell(f"{known} {', '.join((one.disagreed_on or one.samples)[:2])}", 6)
    if not found:
        tell(f"no rule said anything in the last {days:g} days")


async def _read(since: datetime, site: str) -> tuple[list[judged.Agreed], datetime]:
    pool = await db.connect_pool(
        target.postgres_dsn(), 1, statement_timeout_seconds=STATEMENT_SECONDS
    )
    try:
        async with db.transaction(pool) as connection:
            return await judged.agreement(connection, since, site)
    finally:
        await pool.close()
