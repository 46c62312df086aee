"""Notices: what `then.notify` of a rule tells people of, per revision and channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from services.core import db
from services.core.db import Connection

_SQL = db.queries("notices")


class Notice(NamedTuple):
    discussion: str
    comment: str
    revision: int
    channel: str
    site: str
    rule: str
    recorded_at: datetime


class Place(Struct, frozen=True):
    """A position in a channel: the page after it begins with the next notice."""

    written: int
    discussion: str
    comment: str
    revision: int


START = Place(0, "", "", 0)


class Told(NamedTuple):
    """A notice with its text, and how the comment stands now."""

    discussion: str
    comment: str
    revision: int
    channel: str
    rule: str
    recorded_at: datetime
    written: int
    status: str
    deleted_at: datetime | None
    newest_revision: int
    held_revision: int | None
    labels: Sequence[str]
    title: str
    url: str
    body: str

    @property
    def place(self) -> Place:
        return Place(self.written, self.discussion, self.comment, self.revision)


async def add(connection: Connection, notices: Sequence[Notice]) -> None:
    """A repeat changes nothing: the first rule stays named."""
    if notices:
        first = {notice[:4]: notice for notice in reversed(notices)}
        rows = [first[key] for key in sorted(first)]
        await connection.execute(_SQL["add"], *map(list, zip(*rows, strict=True)))


async def known(connection: Connection, place: Place) -> bool:
    """Whether this database can have shown it: one that was restored or rebuilt counts anew."""
    horizon: int = await connection.fetchval(_SQL["horizon"])
    return place.written < horizon


async def page(
    connection: Connection, site: str, channel: str, after: Place, limit: int
) -> list[Told]:
    rows = await connection.fetch(
        _SQL["page"], site, channel, after.written, after.discussion, after.comment,
        after.revision, limit,
    )  # fmt: skip
    return [Told(*row) for row in rows]
