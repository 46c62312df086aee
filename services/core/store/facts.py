"""Facts about authors and texts, gathered for a whole batch into one history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from services.core import db
from services.core.db import Connection
from services.core.discussion import Cause
from services.core.events import DiscussionKey
from services.core.rules import History, Windows
from services.core.rules.facts import Use
from services.core.rules.history import KARMA_MOST, Author, Band, NearUse, Rated, Record, Totals
from services.core.rules.near import BITS
from services.core.rules.reading import Reading

_SQL = db.queries("facts")

_SIGNATURE = BITS // 8
_SWEPT = 10_000
"""Rows that one sweep removes, at most."""


class Asked(NamedTuple):
    """A revision to be judged: its own event's, or that of a report."""

    site: str
    author: str
    discussion: DiscussionKey
    comment: str
    reading: Reading
    at: datetime


async def history(
    connection: Connection,
    causes: Sequence[Cause],
    windows: Windows,
    reported: Sequence[Asked] = (),
) -> History:
    """What events with a body and what is `reported` are judged on: seven statements at most."""
    history = History(windows)
    asked = [*map(_asked, (cause for cause in causes if cause.reading is not None)), *reported]
    if not asked:
        return history
    sites = [one.site for one in asked]
    authors = [one.author for one in asked]
    keys = [one.discussion for one in asked]
    comments = [one.comment for one in asked]
    hashes = [one.reading.body_hash for one in asked]
    times = [one.at for one in asked]
    await _load_totals(connection, history, set(zip(sites, authors, strict=True)))
    if windows.first:
        rows = await connection.fetch(_SQL["first"], sites, authors)
        for row in rows:
            history.found_first((row["site"], row["author"]), row["at"])
    if windows.karma:
        rated: dict[Author, list[Rated]] = {(one.site, one.author): [] for one in asked}
        for row in await connection.fetch(_SQL["rated"], sites, authors, KARMA_MOST):
            rated[row["site"], row["author"]].append(
                Rated(row["at"], row["discussion"], row["comment"], row["rating"])
            )
        for author, comments_of in rated.items():
            history.found_rated(author, comments_of)
    if windows.recent_most:
        rows = await connection.fetch(
            _SQL["recent"], sites, authors, keys, comments, times,
            windows.recent, windows.recent_most,
        )  # fmt: skip
        for author, uses in _by(rows, "site", "author").items():
            history.found_recent(author, uses)
    if windows.own_copies_most:
        rows = await connection.fetch(
            _SQL["own_copies"], sites, authors, hashes, keys, comments, times,
            windows.copies, windows.own_copies_most,
        )  # fmt: skip
        for (site, author, body_hash), uses in _by(rows, "site", "author", "body_hash").items():
            history.found_own_copies((site, author), body_hash, uses)
    if windows.site_copies_most:
        rows = await connection.fetch(
            _SQL["site_copies"], sites, hashes, keys, comments, times,
            windows.copies, windows.site_copies_most,
        )  # fmt: skip
        for text, uses in _by(rows, "site", "body_hash").items():
            history.found_site_copies(text, uses)
    if windows.near_most:
        await _load_near(connection, history, asked)
    return history


async def load_reporters(
    connection: Connection, history: History, reporters: Collection[Author]
) -> None:
    """The records of these readers, by (site, reader)."""
    if not reporters:
        return
    named = sorted(reporters)
    rows = await connection.fetch(
        _SQL["reporters"], [site for site, _ in named], [reporter for _, reporter in named]
    )
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
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_SQL["add_reporters"], *columns)


async def add_near(
    connection: Connection, partition: int, history: History, recorded_at: datetime
) -> None:
    """Writes the bands of what the batch wrote; `recorded_at` is that of its newest record."""
    if not history.new_near:
        return
    rows = history.new_near
    await connection.execute(
        _SQL["add_near"],
        [site for (site, _), _ in rows],
        [band for (_, band), _ in rows],
        [use.at for _, use in rows],
        [use.discussion for _, use in rows],
        [use.comment for _, use in rows],
        [use.revision for _, use in rows],
        [use.author for _, use in rows],
        [use.bits.to_bytes(_SIGNATURE) for _, use in rows],
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
        [site for (site, _), _ in changed],
        [author for (_, author), _ in changed],
        [partition] * len(changed),
        [totals.published for _, totals in changed],
        [totals.rejected for _, totals in changed],
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


async def _load_totals(connection: Connection, history: History, authors: set[Author]) -> None:
    rows = await connection.fetch(
        _SQL["totals"], [site for site, _ in authors], [author for _, author in authors]
    )
    for row in rows:
        history.totals[row["site"], row["author"]] = Totals(row["published"], row["rejected"])
        if row["until"] is not None:
            history.limits[row["site"], row["author"]] = row["until"]


def _asked(cause: Cause) -> Asked:
    assert cause.reading is not None
    comment = getattr(cause.event.data, "comment", "")
    event = cause.event
    return Asked(event.site, event.actor, cause.key, comment, cause.reading, cause.at)


async def _load_near(connection: Connection, history: History, asked: Sequence[Asked]) -> None:
    windows = history.windows
    bands = {
        (one.site, band, one.discussion, one.comment, one.at)
        for one in asked
        for band in history.signature(one.reading).bands
    }
    columns = [list(column) for column in zip(*bands, strict=True)]
    rows = await connection.fetch(_SQL["near"], *columns, windows.near, windows.near_most)
    grouped: dict[Band, list[NearUse]] = defaultdict(list)
    for row in rows:
        grouped[row["site"], row["band"]].append(
            NearUse(
                row["at"],
                row["discussion"],
                row["comment"],
                row["revision"],
                row["author"],
                int.from_bytes(row["bits"]),
            )
        )
    for band, uses in grouped.items():
        history.found_near(band, uses)


def _by(rows: Sequence[Any], *names: str) -> dict[Any, list[Use]]:
    """Uses by the columns named."""
    grouped: dict[Any, list[Use]] = defaultdict(list)
    for row in rows:
        use = Use(row["at"], row["discussion"], row["comment"], row["author"])
        grouped[tuple(row[name] for name in names)].append(use)
    return grouped
