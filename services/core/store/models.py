"""Models that learn from decisions, and the lessons that wait for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.core import db
from services.core.db import Connection
from services.core.model import Learner
from services.core.model.stored import pack_learner

_SQL = db.queries("models")


class Lesson(NamedTuple):
    """An applied decision, by the comment's revision that it was about."""

    discussion: str
    event_id: str
    site: str
    comment: str
    revision: int
    rejected: bool


class Told(NamedTuple):
    """A lesson with its text; None where the text is not there any more."""

    discussion: str
    event_id: str
    rejected: bool
    body: str | None


class Kept(NamedTuple):
    version: int
    state: bytes
    enough: bool


async def add_lessons(connection: Connection, lessons: Sequence[Lesson]) -> None:
    """In the transaction of the decisions' effects; a repeat changes nothing."""
    if lessons:
        await connection.execute(
            _SQL["add_lessons"], *map(list, zip(*sorted(lessons), strict=True))
        )


async def sites_with_lessons(connection: Connection) -> list[str]:
    return [row["site"] for row in await connection.fetch(_SQL["sites_with_lessons"])]


async def lessons_of(connection: Connection, site: str, most: int) -> list[Told]:
    """The oldest first."""
    return [Told(*row) for row in await connection.fetch(_SQL["lessons_of"], site, most)]


async def forget(connection: Connection, lessons: Iterable[Told]) -> None:
    names = [(lesson.discussion, lesson.event_id) for lesson in lessons]
    await connection.execute(
        _SQL["forget_lessons"], [name[0] for name in names], [name[1] for name in names]
    )


async def versions(connection: Connection) -> dict[tuple[str, str], int]:
    """(site, label) → version, of the models that have seen enough."""
    rows = await connection.fetch(_SQL["versions"])
    return {(row["site"], row["label"]): row["version"] for row in rows if row["enough"]}


async def state(connection: Connection, site: str, label: str) -> Kept | None:
    row = await connection.fetchrow(_SQL["state"], site, label)
    return Kept(*row) if row else None


async def keep(connection: Connection, site: str, learner: Learner, version: int) -> int | None:
    """Stores what was learned on top of `version` (0: nothing); None where that is not current."""
    label = learner.settings.label
    said = (pack_learner(learner), learner.positives, learner.negatives, learner.enough)
    kept: int | None = await (
        connection.fetchval(_SQL["replace"], site, label, version, *said)
        if version
        else connection.fetchval(_SQL["make"], site, label, *said)
    )
    return kept
