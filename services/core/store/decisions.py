"""Decisions in Postgres: the state that one is conditional on, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from services.core.db import Connection, queries
from services.core.store.columns import arrays

Item: TypeAlias = tuple[str, str]
"""(discussion key, comment id)."""

EventName: TypeAlias = tuple[str, str, bytes]
"""(discussion key, event id, digest): another digest under the same id is another event."""


class State(Struct, frozen=True, kw_only=True):
    """How a comment stands now: what a decision is conditional on, and who ruled last."""

    discussion: str
    comment: str
    status: str
    revision: int
    published_revision: int | None
    held_revision: int | None
    held_reason: str | None
    deleted_at: datetime | None
    ruling: str | None
    ruled_revision: int | None
    ruled_by: str | None
    ruled_at: datetime | None
    ruling_reason: str | None


class EventOutcome(Struct, frozen=True):
    discussion: str
    event_id: str
    event_digest: bytes
    comment: str
    revision: int
    result: str
    reason: str
    status: str

    @property
    def name(self) -> EventName:
        return (self.discussion, self.event_id, self.event_digest)


_SQL = queries("decisions")


async def states(connection: Connection, items: Iterable[Item]) -> Mapping[Item, State]:
    """How each comment stands now; an unknown comment is missing from the answer."""
    rows = await connection.fetch(_SQL["states"], *arrays(items, 2))
    return {(row["discussion"], row["comment"]): State(**row) for row in rows}


async def outcomes_named(
    connection: Connection, events: Iterable[EventName]
) -> Mapping[EventName, EventOutcome]:
    """What became of each event; one that still waits is missing from the answer."""
    rows = await connection.fetch(_SQL["outcomes_named"], *arrays(events, 3))
    return {outcome.name: outcome for outcome in (EventOutcome(**row) for row in rows)}


async def known_ids(
    connection: Connection, names: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Of (discussion, event id) those that have an outcome."""
    rows = await connection.fetch(
        _SQL["known_ids"], [key for key, _ in names], [event for _, event in names]
    )
    return {(row["discussion"], row["event_id"]) for row in rows}
