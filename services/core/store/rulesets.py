"""Rulesets: those that control.v1 activated, one after the other, and the console's proposals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.core import codec, db
from services.core.db import Connection
from services.core.events import ActivatedRuleset

_SQL = db.queries("rulesets")

Files = Mapping[str, str]
"""Name within the folder → text."""

NEWEST = 2**31 - 1
"""Above every version."""

LOOKED_AT = 20_000
"""Outcomes that one page of `did` looks at."""


class Version(NamedTuple):
    version: int
    hash: str
    parent: str
    author: str
    approved_by: str
    reason: str
    effect: dict[str, Any]
    activated_at: datetime


class Proposal(NamedTuple):
    id: int
    hash: str
    parent: str
    """The ruleset that it was made for."""
    author: str
    reason: str
    rejects: Sequence[str]
    """Live rules whose reject is new or changed."""
    reach: Sequence[str]
    """Sites whose rules change; `*` for all."""
    effect: dict[str, Any]
    state: str
    """open, activated or withdrawn."""
    settled_by: str | None
    settled_at: datetime | None
    proposed_at: datetime


class Settled(NamedTuple):
    """What became of an activation: `version` is None where it took no effect, or not yet."""

    version: int | None
    passed: bool
    """Whether moderation has read its record."""


class Stopped(NamedTuple):
    """A revision that a rule's version held or rejected."""

    discussion: str
    comment: str
    revision: int


class Place(NamedTuple):
    """Among outcomes in the order of their records."""

    recorded_at: datetime
    discussion: str
    event: str


async def newest(connection: Connection) -> tuple[int, str] | None:
    """(version, hash) of the ruleset in use; None where none was ever activated."""
    row = await connection.fetchrow(_SQL["newest"])
    return (row["version"], row["hash"]) if row else None


async def activate(
    connection: Connection, event_id: str, said: ActivatedRuleset, at: datetime
) -> int | None:
    """The new version; None where another ruleset is in use than the one that it replaces."""
    version: int | None = await connection.fetchval(
        _SQL["activate"],
        said.hash,
        said.parent,
        codec.encode(said.files).decode(),
        said.author,
        said.approved_by,
        said.reason,
        codec.encode(said.effect).decode(),
        event_id,
        at,
        said.back_to is not None,
    )
    return version


async def versions(connection: Connection, below: int, most: int) -> list[Version]:
    """The newest first, of those below a version."""
    return [_version(row) for row in await connection.fetch(_SQL["versions"], below, most)]


async def one(connection: Connection, version: int) -> tuple[Version, dict[str, str]] | None:
    row = await connection.fetchrow(_SQL["one"], version)
    return (_version(row), codec.decode(row["files"], dict[str, str])) if row else None


async def settled(connection: Connection, event_id: str, offset: int, partition: int) -> Settled:
    return Settled(*await connection.fetchrow(_SQL["settled"], event_id, offset, partition))


async def propose(
    connection: Connection,
    files: Files,
    hash: str,
    parent: str,
    author: str,
    reason: str,
    rejects: Collection[str],
    reach: Collection[str],
    effect: Mapping[str, Any],
    at: datetime,
) -> int:
    """The proposal's id."""
    number: int = await connection.fetchval(
        _SQL["propose"],
        hash,
        parent,
        codec.encode(files).decode(),
        author,
        reason,
        sorted(rejects),
        sorted(reach),
        codec.encode(effect).decode(),
        at,
    )
    return number


async def proposals(connection: Connection, most: int) -> list[Proposal]:
    """The newest first."""
    return [_proposal(row) for row in await connection.fetch(_SQL["proposals"], most)]


async def proposal(connection: Connection, id: int) -> tuple[Proposal, dict[str, str]] | None:
    row = await connection.fetchrow(_SQL["proposal"], id)
    return (_proposal(row), codec.decode(row["files"], dict[str, str])) if row else None


async def settle(connection: Connection, id: int, state: str, by: str, at: datetime) -> bool:
    """False where it was settled before."""
    return await connection.fetchval(_SQL["settle"], id, state, by, at) is not None


async def did(
    connection: Connection, site: str, rule: str, version: str, after: Place, most: int
) -> tuple[list[Stopped], Place | None]:
    """What a rule's version stopped on a site behind `after`: `most` at most, in the order of the
    records; and the place to go on from, None at the end. A page looks at LOOKED_AT outcomes at
    most, so it may hold less, or nothing, and not be the last."""
    rows = await connection.fetch(_SQL["did"], site, rule, version, *after, LOOKED_AT, most)
    if not rows:
        return [], None
    found = [Stopped(r["discussion"], r["comment"], r["revision"]) for r in rows if r["comment"]]
    if len(found) == most:
        last = rows[-1]
        return found, Place(last["recorded_at"], last["discussion"], last["event_id"])
    if rows[0]["looked_at"] < LOOKED_AT:
        return found, None
    end = rows[0]
    return found, Place(end["end_at"], end["end_discussion"], end["end_event"])


def _version(row: Any) -> Version:
    stated = {name: row[name] for name in Version._fields}
    return Version(**stated | {"effect": codec.decode(row["effect"], dict[str, Any])})


def _proposal(row: Any) -> Proposal:
    stated = {name: row[name] for name in Proposal._fields}
    return Proposal(**stated | {"effect": codec.decode(row["effect"], dict[str, Any])})
