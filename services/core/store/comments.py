"""Discussions, comments, revisions and reports: what moderation loads before a batch and writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.core import db
from services.core.db import Connection
from services.core.discussion import Comment, Discussion, Report, Revision, State
from services.core.discussion.reports import SETTLED_MOST
from services.core.events import DiscussionKey

_SQL = db.queries("comments")

Named = tuple[str, str]
"""(discussion, comment)."""


async def discussions(connection: Connection, keys: Collection[str]) -> list[Discussion]:
    return [
        Discussion(key=row["discussion"], **{k: v for k, v in row.items() if k != "discussion"})
        for row in await connection.fetch(_SQL["discussions_named"], sorted(keys))
    ]


async def comments(connection: Connection, named: Collection[Named]) -> list[Comment]:
    """The comments named and all their ancestors."""
    if not named:
        return []
    return [
        Comment(**dict(row) | {"path": tuple(row["path"]), "labels": tuple(row["labels"])})
        for row in await connection.fetch(_SQL["comments_named"], *_columns(named))
    ]


async def load_bodies(
    connection: Connection, states: Mapping[DiscussionKey, State], named: Collection[Named]
) -> None:
    """The first and the newest text of the comments named, into their states."""
    if not named:
        return
    for row in await connection.fetch(_SQL["bodies_named"], *_columns(named)):
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
        await connection.execute(
            _SQL["put_discussions"],
            *_columns(
                (
                    d.key, d.site, d.revision, d.url, d.title, d.language, d.section, d.state,
                    d.policy, d.opened_at, d.visible_comments,
                )
                for d in rows
            ),
        )  # fmt: skip


async def put_comments(connection: Connection, rows: Sequence[Comment]) -> None:
    """Inserts, or updates what events can change: who wrote it, where and when stays."""
    if rows:
        await connection.execute(
            _SQL["put_comments"],
            *_columns(
                (
                    c.discussion, c.comment, c.site, c.author, c.author_name, c.parent,
                    "/".join(c.path), c.submitted_at, c.status, c.revision, c.published_revision,
                    c.held_revision, c.held_reason, c.held_since, c.deleted_at, c.ruling,
                    c.ruled_revision, c.ruled_by, c.ruled_at, c.ruling_reason, c.reports,
                    c.visible_descendants, ",".join(c.labels),
                )
                for c in rows
            ),
        )  # fmt: skip


async def add_revisions(connection: Connection, rows: Sequence[Revision]) -> None:
    if rows:
        await connection.execute(
            _SQL["add_revisions"],
            *_columns(
                (
                    r.discussion, r.comment, r.revision, r.site, r.author, r.body, r.body_hash,
                    r.event_id, r.written_at,
                )
                for r in rows
            ),
        )  # fmt: skip


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
        await connection.execute(_SQL["mark_changed"], *_columns(sorted(named)))


async def held_by_site(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """site → (comments that wait for a moderator, since when the oldest does)."""
    return {
        row["site"]: (row["held"], row["oldest"])
        for row in await connection.fetch(_SQL["held_by_site"])
    }


def _columns(rows: Any) -> list[list[Any]]:
    """Rows to the columns that `unnest` takes; there must be at least one row."""
    return [list(column) for column in zip(*rows, strict=True)]
