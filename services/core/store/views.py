"""Views: keys that make them count once, totals, and sketches of their viewers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from services.core import db, topics
from services.core.db import Connection
from services.core.store import columns
from services.core.viewers import KEY_BYTES

_SQL = db.queries("views")


ViewKey: TypeAlias = tuple[datetime, str, bytes]
"""(window's start, discussion, viewer): a viewer, a keyed hash, counts once per discussion and
30-minute window. A plain tuple, since thousands are made for each batch."""


class Seen(NamedTuple):
    """What a batch adds to a discussion: its new views, and the sketch with their viewers in it."""

    views: int
    viewers: bytes


async def open_hours(connection: Connection, hours: Collection[datetime]) -> None:
    """Makes room for keys of windows that begin in these hours (full hours, UTC).

    Call it before the transaction writes any key: that keeps partitions' owners out of deadlocks.
    """
    await connection.execute(_SQL["open_view_hours"], sorted(hours))


async def close_hours(connection: Connection, margin: timedelta) -> int:
    """Drops hours that ended `margin` before what every partition has read; answers how many."""
    return (
        await connection.fetchval(
            _SQL["close_view_hours"], topics.COUNTERS_GROUP, topics.VIEWS, margin
        )
        or 0
    )


async def claim(
    connection: Connection, keys: Collection[ViewKey], *, imported: bool = False
) -> list[ViewKey]:
    """Claims keys; answers those that were new. `imported`: of windows long over."""
    if not keys:
        return []
    windows, discussions, viewers = zip(*keys, strict=True)
    rows = await connection.fetch(
        _SQL["claim_imported_views" if imported else "claim_views"],
        *columns.instants(windows),
        columns.texts(discussions),
        b"".join(viewers),
        KEY_BYTES,
    )
    repeated = {place - 1 for (place,) in rows}
    return [key for place, key in enumerate(keys) if place not in repeated]


async def viewers(
    connection: Connection, slot: int, discussions: Collection[str]
) -> dict[str, bytes]:
    """The slot's sketch of each of these discussions, where there is one."""
    rows = await connection.fetch(_SQL["viewers_of"], slot, columns.texts(discussions))
    return dict(rows)


async def add(connection: Connection, slot: int, seen: Mapping[str, Seen]) -> None:
    """Adds the new views of each discussion and replaces its sketch of viewers."""
    await connection.execute(
        _SQL["add_views"],
        slot,
        columns.texts(seen),
        columns.numbers([new.views for new in seen.values()]),
        [new.viewers for new in seen.values()],
    )
