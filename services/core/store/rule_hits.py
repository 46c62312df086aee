"""What rules did, hour by hour and slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.core import db
from services.core.db import Connection
from services.core.rules.brakes import ALL, DAY, Counts, Tallies, Version, hour_of

_SQL = db.queries("rule_hits")

_FORGOTTEN = 10_000
"""Rows that are dropped at once, at most."""


class Hourly(NamedTuple):
    rule: str
    version: str
    hour: datetime
    hits: int


async def lately(
    connection: Connection, versions: Sequence[Version], times: Sequence[datetime]
) -> Tallies:
    """What brakes on these versions need to know at `times`: one statement, none for no rules."""
    tallies = Tallies()
    if not versions or not times:
        return tallies
    asked = [(ALL, ""), *versions]
    rows = await connection.fetch(
        _SQL["lately"],
        [rule for rule, _ in asked],
        [version for _, version in asked],
        hour_of(min(times)) - DAY,
        hour_of(max(times)),
    )
    for row in rows:
        counts = Counts(row["hits"], row["holds"], row["rejects"], row["acts"])
        tallies.found(row["rule"], row["version"], row["hour"], counts)
    return tallies


async def add(connection: Connection, partition: int, tallies: Tallies) -> None:
    """Writes what the batch adds, in key order."""
    if not tallies.deltas:
        return
    rows = sorted(tallies.deltas.items(), key=lambda item: (item[0][0], item[0][2], item[0][1]))
    await connection.execute(
        _SQL["add"],
        [rule for (rule, _, _), _ in rows],
        [hour for (_, _, hour), _ in rows],
        [version for (_, version, _), _ in rows],
        [partition] * len(rows),
        [counts.hits for _, counts in rows],
        [counts.holds for _, counts in rows],
        [counts.rejects for _, counts in rows],
        [counts.acts for _, counts in rows],
    )


async def forget(connection: Connection) -> None:
    """Drops what is older than 90 days of the log's own time, a piece of it."""
    await connection.execute(_SQL["forget"], _FORGOTTEN)


async def hourly(
    connection: Connection, versions: Sequence[Version], since: datetime, until: datetime
) -> list[Hourly]:
    """Hits of these versions, and of (ALL, "") all comments, from `since` to before `until`."""
    asked = [(ALL, ""), *versions]
    rows = await connection.fetch(
        _SQL["hourly"],
        [rule for rule, _ in asked], [version for _, version in asked], since, until,
    )  # fmt: skip
    return [Hourly(*row) for row in rows]
