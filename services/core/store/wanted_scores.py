"""Comments that a portal's own classifier is to be asked about, shared by the scorer's copies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.core import db
from services.core.db import Connection

_SQL = db.queries("wanted_scores")


class Wanted(NamedTuple):
    discussion: str
    comment: str
    revision: int
    site: str
    names: Sequence[str]
    recorded_at: datetime


class Taken(NamedTuple):
    """One to ask about; without a body where the text is not there any more."""

    discussion: str
    comment: str
    revision: int
    site: str
    names: Sequence[str]
    recorded_at: datetime
    body: str | None
    language: str | None


async def want(connection: Connection, wanted: Sequence[Wanted]) -> None:
    """A repeat changes nothing."""
    if wanted:
        joined = [one._replace(names=",".join(one.names)) for one in wanted]
        await connection.execute(_SQL["want"], *map(list, zip(*joined, strict=True)))


async def take(connection: Connection, now: datetime, until: datetime, most: int) -> list[Taken]:
    """At most `most` that no other copy works on now; the caller's until `until`."""
    return [Taken(*row) for row in await connection.fetch(_SQL["take"], now, until, most)]


async def forget(connection: Connection, one: Taken) -> None:
    await connection.execute(_SQL["forget"], one.discussion, one.comment, one.revision)


async def forget_late(connection: Connection, since: datetime) -> int:
    """Drops what was recorded before; answers how many."""
    count: int = await connection.fetchval(_SQL["forget_late"], since)
    return count


async def waiting(connection: Connection) -> int:
    count: int = await connection.fetchval(_SQL["waiting"])
    return count
