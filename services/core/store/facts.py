"""Facts about authors and texts, gathered for a whole batch into one history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.core import db
from services.core.db import Connection
from services.core.discussion import Cause
from services.core.rules import History, Windows
from services.core.rules.facts import Author, Band, NearUse, Totals, Use
from services.core.rules.near import BITS

_SQL = db.queries("facts")

_SIGNATURE = BITS // 8
_SWEPT = 10_000
"""Rows that one sweep removes, at most."""


async def history(connection: Connection, causes: Sequence[Cause], windows: Windows) -> History:
    """The history that every event with a body is judged on: six statements at most."""
    history = History(windows)
    written = [cause for cause in causes if cause.reading is not None]
    if not written:
        return history
    sites = [cause.event.site for cause in written]
    authors = [cause.event.actor for cause in written]
    keys = [cause.key for cause in written]
    comments = [getattr(cause.event.data, "comment", "") for cause in written]
    hashes = [cause.reading.body_hash for cause in written if cause.reading]
    times = [cause.at for cause in written]
    await _load_totals(connection, history, set(zip(sites, authors, strict=True)))
    if windows.first:
        rows = await connection.fetch(_SQL["first"], sites, authors)
        for row in rows:
            history.found_first((row["site"], row["author"]), row["at"])
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
        await _load_near(connection, history, written)
    return history


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


async def _load_near(connection: Connection, history: History, written: Sequence[Cause]) -> None:
    windows = history.windows
    asked = {
        (cause.event.site, band, cause.key, getattr(cause.event.data, "comment", ""), cause.at)
        for cause in written
        if cause.reading is not None
        for band in history.signature(cause.reading).bands
    }
    columns = [list(column) for column in zip(*asked, strict=True)]
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
