"""Outcomes: what became of every event; a row also claims the event's id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import astuple

from services.core import codec, db
from services.core.db import Connection
from services.core.discussion import Judged, State
from services.core.events import DiscussionKey, Outcome, VerdictGiven
from services.core.store import columns

_SQL = db.queries("outcomes")


async def load_digests(
    connection: Connection,
    states: Mapping[DiscussionKey, State],
    named: Collection[tuple[str, str]],
) -> None:
    """For (discussion, event id): under which digests there is an outcome, into their states."""
    if not named:
        return
    rows = await connection.fetch(_SQL["digests_named"], *columns.text_columns(named))
    for row in rows:
        digests = states[row["discussion"]].digests
        digests.setdefault(row["event_id"], set()).add(row["event_digest"])


async def load_judged(
    connection: Connection,
    states: Mapping[DiscussionKey, State],
    named: Collection[tuple[str, str, int]],
) -> None:
    """For (discussion, comment, revision): what verdicts stood on, into their states."""
    if not named:
        return
    rows = await connection.fetch(_SQL["judged_named"], *map(list, zip(*named, strict=True)))
    for row in rows:
        judged = states[row["discussion"]].judged
        name = (row["comment"], row["revision"])
        facts = codec.decode(row["facts"] or "{}", dict[str, Any])
        before = judged.get(name)
        judged[name] = (
            Judged(before.recorded_at, {**before.facts, **facts})
            if before
            else Judged(row["recorded_at"], facts)
        )


async def load_verdicts(
    connection: Connection,
    states: Mapping[DiscussionKey, State],
    named: Collection[tuple[str, str, int]],
) -> None:
    """For (discussion, comment, revision): the verdicts, and what was undone of them."""
    if not named:
        return
    rows = await connection.fetch(_SQL["verdicts_named"], *map(list, zip(*named, strict=True)))
    for row in rows:
        state = states[row["discussion"]]
        name = (row["comment"], row["revision"])
        if row["rule"] is not None:
            state.undone.setdefault(name, set()).add((row["rule"], row["version"]))
        else:
            verdict = codec.decode(row["verdict"], VerdictGiven)
            state.verdicts.setdefault(name, []).append(verdict)


async def add(
    connection: Connection, rows: Sequence[tuple[DiscussionKey, Outcome, datetime]]
) -> None:
    """(discussion, outcome, when it was recorded); each event has one."""
    if not rows:
        return
    keys, found, recorded_at = zip(*rows, strict=True)
    events, digests, causes, results, comments, revisions, reasons, statuses, verdicts, facts = zip(
        *map(astuple, found), strict=True
    )
    await connection.execute(
        _SQL["add"],
        columns.texts(keys),
        *map(columns.texts, (events, digests, causes, comments, results, reasons, statuses)),
        columns.maybe_texts([_json(verdict) for verdict in verdicts]),
        columns.maybe_texts([_json(each or None) for each in facts]),
        columns.numbers(revisions),
        *columns.instants(recorded_at),
    )


def _json(value: object) -> str | None:
    return None if value is None else codec.encode(value).decode()
