"""Discussions, comments, revisions and reports: what moderation loads before a batch and writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import astuple

from services.core import db
from services.core.db import Connection
from services.core.discussion import Comment, Discussion, Report, Revision, State
from services.core.discussion.reports import SETTLED_MOST
from services.core.events import DiscussionKey
from services.core.store import columns

_SQL = db.queries("comments")

Named = tuple[str, str]
"""(discussion, comment)."""


async def discussions(connection: Connection, keys: Collection[str]) -> list[Discussion]:
    return [
        Discussion(key=row["discussion"], **{k: v for k, v in row.items() if k != "discussion"})
        for row in await connection.fetch(_SQL["discussions_named"], columns.texts(keys))
    ]


async def comments(connection: Connection, named: Collection[Named]) -> list[Comment]:
    """The comments named and all their ancestors."""
    if not named:
        return []
    return [
        Comment(**dict(row) | {"path": tuple(row["path"]), "labels": tuple(row["labels"])})
        for row in await connection.fetch(_SQL["comments_named"], *columns.text_columns(named))
    ]


async def load_bodies(
    connection: Connection, states: Mapping[DiscussionKey, State], named: Collection[Named]
) -> None:
    """The first and the newest text of the comments named, into their states."""
    if not named:
        return
    for row in await connection.fetch(_SQL["bodies_named"], *columns.text_columns(named)):
        state = states[row["discussion"]]
        state.bodies[row["comment"], row["revision"]] = row["body"]


async def load_reports(
    connection: Connection,
    states: Mapping[DiscussionKey, State],
    named: Collection[tuple[str, str, int, str]],
) -> None:
    """For (discussion, comment, revision, reporter): who reported before, into their states."""
    if not named:
        return
    for row in await connection.fetch(_SQL["reports_named"], *_columns(named)):
        state = states[row["discussion"]]
        comment, revision = row["comment"], row["revision"]
        state.report_counts[comment, revision] = row["reports"]
        if row["reported"]:
            state.reported.add((comment, revision, row["reporter"]))


async def load_reporters(
    connection: Connection,
    states: Mapping[DiscussionKey, State],
    named: Collection[tuple[str, str, int]],
) -> None:
    """For (discussion, comment, revision): who reported and how that is settled, into states."""
    if not named:
        return
    rows = await connection.fetch(_SQL["reporters_named"], *_columns(named), SETTLED_MOST)
    for row in rows:
        reporters = states[row["discussion"]].reporters
        reporters.setdefault((row["comment"], row["revision"]), {})[row["reporter"]] = row[
            "settled"
        ]


async def settle_reports(
    connection: Connection, rows: Collection[tuple[str, str, int, str, str]]
) -> None:
    """(discussion, comment, revision, reporter, settled), each report once."""
    if rows:
        await connection.execute(_SQL["settle_reports"], *_columns(sorted(rows)))


async def put_discussions(connection: Connection, rows: Sequence[Discussion]) -> None:
    if rows:
        (
            keys, sites, revisions, urls, titles, languages, sections, states, policies, opened_at,
            visible,
        ) = zip(*map(astuple, rows), strict=True)  # fmt: skip
        await connection.execute(
            _SQL["put_discussions"],
            *map(columns.texts, (keys, sites, urls, titles, languages, sections, states)),
            columns.maybe_texts(policies),
            *map(columns.numbers, (revisions, visible)),
            *columns.instants(opened_at),
        )


async def put_comments(connection: Connection, rows: Sequence[Comment]) -> None:
    """Inserts, or updates what events can change: who wrote it, where and when stays."""
    if rows:
        (
            discussions, names, sites, authors, author_names, parents, paths, submitted_at,
            statuses, revisions, published, held, held_reasons, held_since, deleted_at, rulings,
            ruled, ruled_by, ruled_at, ruling_reasons, reports, descendants, labels,
        ) = zip(*map(astuple, rows), strict=True)  # fmt: skip
        await connection.execute(
            _SQL["put_comments"],
            *map(columns.texts, (discussions, names, sites, authors, author_names, statuses)),
            columns.texts(["/".join(path) for path in paths]),
            columns.texts([",".join(each) for each in labels]),
            *map(columns.maybe_texts, (parents, held_reasons, rulings, ruled_by, ruling_reasons)),
            *map(columns.numbers, (revisions, published, held, ruled, reports, descendants)),
            *columns.instants(submitted_at),
            *columns.instants(held_since),
            *columns.instants(deleted_at),
            *columns.instants(ruled_at),
        )


async def add_revisions(connection: Connection, rows: Sequence[Revision]) -> None:
    if rows:
        discussions, names, revisions, sites, authors, bodies, hashes, events, written_at = zip(
            *map(astuple, rows), strict=True
        )
        await connection.execute(
            _SQL["add_revisions"],
            *map(columns.texts, (discussions, names, sites, authors, bodies, events)),
            columns.texts([each.hex() for each in hashes]),
            columns.numbers(revisions),
            *columns.instants(written_at),
        )


async def add_reports(connection: Connection, rows: Sequence[Report]) -> None:
    if rows:
        await connection.execute(
            _SQL["add_reports"],
            *_columns(
                (
                    r.discussion, r.comment, r.revision, r.reporter, r.reason, r.note,
                    r.event_id, r.filed_at,
                )
                for r in rows
            ),
        )  # fmt: skip


async def mark_changed(connection: Connection, named: Collection[Named]) -> None:
    """Comments for the next strip of their discussion to name; in key order."""
    if named:
        await connection.execute(_SQL["mark_changed"], *columns.text_columns(sorted(named)))


async def held_by_site(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """site → (comments that wait for a moderator, since when the oldest does)."""
    return {
        row["site"]: (row["held"], row["oldest"])
        for row in await connection.fetch(_SQL["held_by_site"])
    }


def _columns(rows: Any) -> list[list[Any]]:
    """Rows to the columns that `unnest` takes; there must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]
