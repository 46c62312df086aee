"""Facts about authors and texts, gathered for a whole batch into one history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.core import db
from services.core.db import Connection
from services.core.discussion import Cause
from services.core.events import CommentEdited
from services.core.rules import History, Windows
from services.core.rules.facts import Use
from services.core.rules.history import (
    KARMA_MOST,
    Author,
    Band,
    Rated,
    Record,
    Text,
    Totals,
)
from services.core.rules.near import BITS
from services.core.rules.reading import Reading
from services.core.rules.uses import NearUse
from services.core.store import columns

_SQL = db.queries("facts")

_SIGNATURE = BITS // 8
_SWEPT = 10_000
"""Rows that one sweep removes, at most."""


class Asked(NamedTuple):
    """A revision to be judged: its own event's, or that of a report."""

    site: str
    author: str
    discussion: str
    comment: str
    """Whose other revisions do not count. Both are empty where there can be none yet, so that the
    records of a flood ask for the same."""
    reading: Reading
    at: datetime


async def history(
    connection: Connection,
    causes: Sequence[Cause],
    windows: Windows,
    reported: Sequence[Asked] = (),
) -> History:
    """What events with a body and what is `reported` are judged on: five statements at most."""
    history = History(windows)
    asked = [*map(_asked, (cause for cause in causes if cause.reading is not None)), *reported]
    if not asked:
        return history
    authors = {(one.site, one.author) for one in asked}
    named = columns.text_columns(authors)
    for site, name, published, rejected, until in await connection.fetch(_SQL["totals"], *named):
        history.totals[site, name] = Totals(published, rejected)
        if until is not None:
            history.limits[site, name] = until
    if windows.first:
        for site, name, at in await connection.fetch(_SQL["first"], *named):
            history.found_first((site, name), at)
    if windows.karma:
        rated: dict[Author, list[Rated]] = {author: [] for author in authors}
        for site, name, *comment in await connection.fetch(_SQL["rated"], *named, KARMA_MOST):
            rated[site, name].append(Rated(*comment))
        for author, comments_of in rated.items():
            history.found_rated(author, comments_of)
    if windows.recent_most or windows.own_copies_most or windows.site_copies_most:
        await _load_uses(connection, history, asked)
    if windows.near_most:
        await _load_near(connection, history, asked)
    return history


async def _load_uses(connection: Connection, history: History, asked: Sequence[Asked]) -> None:
    """An author's newest comments; the newest uses of a text by its author, and on the site."""
    windows = history.windows
    recent: dict[Author, list[Use]] = defaultdict(list)
    own: dict[tuple[Author, bytes], list[Use]] = defaultdict(list)
    copies: dict[Text, list[Use]] = defaultdict(list)
    rows = await connection.fetch(
        _SQL["uses"],
        *columns.text_columns([one[:4] for one in asked]),
        columns.texts([one.reading.body_hash.hex() for one in asked]),
        *columns.instants([one.at for one in asked]),
        windows.recent,
        windows.recent_most,
        windows.copies,
        windows.own_copies_most,
        windows.site_copies_most,
    )
    for kind, site, author, body_hash, *use in rows:
        match kind:
            case "recent":
                recent[site, author].append(Use(*use))
            case "own":
                own[(site, author), body_hash].append(Use(*use))
            case _:
                copies[site, body_hash].append(Use(*use))
    for name, uses in recent.items():
        history.found_recent(name, uses)
    for (name, body_hash), uses in own.items():
        history.found_own_copies(name, body_hash, uses)
    for text, uses in copies.items():
        history.found_site_copies(text, uses)


async def load_reporters(
    connection: Connection, history: History, reporters: Collection[Author]
) -> None:
    """The records of these readers, by (site, reader)."""
    if not reporters:
        return
    rows = await connection.fetch(_SQL["reporters"], *columns.arrays(sorted(reporters), 2))
    for row in rows:
        history.reporters[row["site"], row["reporter"]] = Record(row["upheld"], row["dismissed"])


async def add_reporters(connection: Connection, partition: int, history: History) -> None:
    """Writes what the batch changed in reporters' records, in key order."""
    rows = [
        (site, reporter, partition, record.upheld, record.dismissed)
        for (site, reporter), record in sorted(history.settled.items(), key=lambda item: item[0])
        if record.upheld or record.dismissed
    ]
    if rows:
        await connection.execute(_SQL["add_reporters"], *columns.arrays(rows, 5))


async def add_near(
    connection: Connection, partition: int, history: History, recorded_at: datetime
) -> None:
    """Writes the bands of what the batch wrote; `recorded_at` is that of its newest record."""
    if not history.new_near:
        return
    sites, uses, bands = [], [], []
    for site, numbers, use in history.new_near:
        sites.append(site)
        uses.append(use)
        bands.append(",".join(map(str, numbers)))
    times, discussions, comments, revisions, authors, bits = zip(*uses, strict=True)
    await connection.execute(
        _SQL["add_near"],
        *map(columns.texts, (sites, discussions, comments, authors, bands)),
        columns.texts([each.to_bytes(_SIGNATURE).hex() for each in bits]),
        columns.numbers(revisions),
        *columns.instants(times),
        partition,
        recorded_at,
    )


async def sweep_near(connection: Connection, partition: int, kept: timedelta) -> None:
    """Removes bands that were recorded longer ago than `kept`, by the partition's own time."""
    await connection.execute(_SQL["sweep_near"], partition, kept, _SWEPT)


async def add_totals(connection: Connection, partition: int, history: History) -> None:
    """Writes what the batch changed in its authors' totals, in key order."""
    changed = sorted(
        (item for item in history.deltas.items() if item[1].published or item[1].rejected),
        key=lambda item: item[0],
    )
    if not changed:
        return
    await connection.execute(
        _SQL["add_totals"],
        partition,
        columns.texts([site for (site, _), _ in changed]),
        columns.texts([author for (_, author), _ in changed]),
        columns.numbers([totals.published for _, totals in changed]),
        columns.numbers([totals.rejected for _, totals in changed]),
    )


async def add_limits(connection: Connection, partition: int, history: History) -> None:
    """Writes until when the batch's findings slow authors down, in key order."""
    if history.new_limits:
        rows = sorted(history.new_limits.items())
        await connection.execute(
            _SQL["add_limits"],
            [site for (site, _), _ in rows],
            [author for (_, author), _ in rows],
            [partition] * len(rows),
            [until for _, until in rows],
        )


def _asked(cause: Cause) -> Asked:
    assert cause.reading is not None
    event = cause.event
    # A comment that is there already is not judged when it is submitted once more.
    edited = (cause.key, event.data.comment) if isinstance(event, CommentEdited) else ("", "")
    return Asked(event.site, event.actor, *edited, cause.reading, cause.at)


async def _load_near(connection: Connection, history: History, asked: Sequence[Asked]) -> None:
    windows = history.windows
    history.sign(one.reading for one in asked)
    bands = {
        (one.site, band, one.discussion, one.comment, one.at)
        for one in asked
        for band in history.signature(one.reading).bands
    }
    sites, numbers, discussions, comments, times = zip(*bands, strict=True)
    rows = await connection.fetch(
        _SQL["near"],
        columns.numbers(numbers),
        *map(columns.texts, (sites, discussions, comments)),
        *columns.instants(times),
        windows.near,
        windows.near_most,
    )
    grouped: dict[Band, list[NearUse]] = defaultdict(list)
    for shared, site, at, discussion, comment, revision, author, bits in rows:
        use = NearUse(at, discussion, comment, revision, author, int.from_bytes(bits))
        for number in set(shared):
            grouped[site, number].append(use)
    for band, uses in grouped.items():
        history.found_near(band, uses)
