"""Comments that rules failed on, so that every process and the next one know which are off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.core import db
from services.core.db import Connection
from services.core.rules.brakes import Version

_SQL = db.queries("rule_failures")


class Failure(NamedTuple):
    discussion: str
    comment: str
    rule: str
    version: str
    recorded_at: datetime


async def add(connection: Connection, failures: Sequence[Failure]) -> None:
    """A comment counts once for a version, however often the rule fails on it."""
    if failures:
        first = {one[:4]: one for one in reversed(failures)}
        rows = sorted(first.values())
        await connection.execute(_SQL["add"], *map(list, zip(*rows, strict=True)))


async def often(connection: Connection, times: int, within: timedelta) -> set[Version]:
    """The versions that failed on so many comments within so long, whenever that was."""
    rows = await connection.fetch(_SQL["often"], times, within)
    return {(row["rule"], row["version"]) for row in rows}
