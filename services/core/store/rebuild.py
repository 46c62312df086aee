"""A rebuild's notes: what outcomes.v1 and dead letters recorded, where to stop, what to check."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from services.core import codec, db
from services.core.db import Connection
from services.core.events import Outcome

_SQL = db.queries("rebuild")

Place = tuple[str, int]
"""(topic, partition)"""
Recorded = dict[tuple[str, str, str], Outcome]
"""(discussion, event id, hex digest) → the first recorded outcome."""

CHECKS = {
    "check_ends": "partitions did not reach the end",
    "check_outcomes": "recorded outcomes did not come out again",
    "check_visible_comments": "discussions count other comments than are visible",
    "check_visible_descendants": "comments count other replies than are visible",
    "check_revisions": "comments lack revisions",
    "check_reports": "comments count other reports than were filed",
    "check_author_totals": "authors' totals are not those of their comments",
    "check_reporter_totals": "reporters' records are not those of their reports",
    "check_vote_totals": "totals of votes are not those of the votes",
}


async def add_outcomes(connection: Connection, outcomes: Sequence[tuple[str, Outcome]]) -> None:
    """(discussion, outcome) in the log's order: the first of an event stays."""
    first: dict[tuple[str, str, str], Outcome] = {}
    for discussion, outcome in outcomes:
        first.setdefault((discussion, outcome.event, outcome.digest), outcome)
    await connection.execute(
        _SQL["add_outcomes"],
        [discussion for discussion, _, _ in first],
        [event for _, event, _ in first],
        [bytes.fromhex(digest) for _, _, digest in first],
        [codec.encode(outcome).decode() for outcome in first.values()],
    )


async def add_dead_letters(connection: Connection, letters: Sequence[tuple[str, int, int]]) -> None:
    """(topic, partition, offset) of records that never took effect."""
    await connection.execute(
        _SQL["add_dead_letters"],
        [topic for topic, _, _ in letters],
        [partition for _, partition, _ in letters],
        [offset for _, _, offset in letters],
    )


async def put_ends(connection: Connection, ends: Mapping[Place, int]) -> None:
    await connection.execute(
        _SQL["put_ends"],
        [topic for topic, _ in ends],
        [partition for _, partition in ends],
        list(ends.values()),
    )


async def ends(connection: Connection) -> dict[str, dict[int, int]]:
    """topic → partition → the first offset that the rebuild does not apply."""
    found: dict[str, dict[int, int]] = {}
    for row in await connection.fetch(_SQL["ends"]):
        found.setdefault(row["topic"], {})[row["partition"]] = row["end_offset"]
    return found


async def recorded(connection: Connection, names: Collection[tuple[str, str, bytes]]) -> Recorded:
    """What was recorded of these (discussion, event id, digest)."""
    rows = await connection.fetch(
        _SQL["recorded"],
        [discussion for discussion, _, _ in names],
        [event for _, event, _ in names],
        [digest for _, _, digest in names],
    )
    return _recorded(rows)


async def recorded_of_parked(connection: Connection, slot: int) -> Recorded:
    """What was recorded of the votes that wait in this slot."""
    return _recorded(await connection.fetch(_SQL["recorded_of_parked"], slot))


def _recorded(rows: Sequence[Mapping[str, Any]]) -> Recorded:
    return {
        (row["discussion"], row["event_id"], row["event_digest"].hex()): codec.decode(
            row["outcome"], Outcome
        )
        for row in rows
    }


async def dead_offsets(
    connection: Connection, topic: str, partition: int, first: int, last: int
) -> set[int]:
    rows = await connection.fetch(_SQL["dead_offsets"], topic, partition, first, last)
    return {row["source_offset"] for row in rows}


async def analyze(connection: Connection) -> None:
    """To be called when all notes are there."""
    await connection.execute(_SQL["analyze"])


async def forget(connection: Connection) -> None:
    """Drops the notes: the rebuild is over, or begins anew."""
    await connection.execute(_SQL["forget"])


async def holds(connection: Connection) -> Literal["nothing", "veche", "other"]:
    """What a database holds; Veche's own tables without any rows are nothing."""
    if not await connection.fetchval(_SQL["holds_fences"]):
        return "other" if await connection.fetchval(_SQL["holds_tables"]) else "nothing"
    return "veche" if await connection.fetchval(_SQL["holds_rows"]) else "nothing"


async def services_connected(connection: Connection) -> int:
    """Connections of other processes of Veche to this database."""
    return int(await connection.fetchval(_SQL["others_connected"]))


async def hold_publishers(connection: Connection, shards: int) -> None:
    """Takes every publisher's lease for as long as the rebuild is not verified."""
    await connection.execute(_SQL["hold_publishers"], shards)


async def unsettled(connection: Connection) -> tuple[int, int]:
    """(outbox rows, parked votes that the next sweep settles) of live services."""
    row = await connection.fetchrow(_SQL["unsettled"])
    assert row is not None
    return row["outbox"], row["parked"]


async def outbox_topics(connection: Connection) -> dict[str, int]:
    """topic → records that wait for it."""
    rows = await connection.fetch(_SQL["outbox_topics"])
    return {row["topic"]: row["records"] for row in rows}


async def outbox_page(connection: Connection, topic: str, after: int) -> list[tuple[int, bytes]]:
    """(sequence, value) of records to `topic` that wait in the outbox, a thousand at most."""
    rows = await connection.fetch(_SQL["outbox_page"], topic, after)
    return [(row["sequence"], row["value"] or b"") for row in rows]


async def drop_outbox(connection: Connection, sequences: Sequence[int]) -> None:
    await connection.execute(_SQL["drop_outbox"], list(sequences))


async def discussions_after(connection: Connection, last: str) -> list[str]:
    """The next 5,000 discussions after this key."""
    return [row["discussion"] for row in await connection.fetch(_SQL["discussions_after"], last)]


async def mark_dirty(connection: Connection, topic: str, homes: Mapping[str, int]) -> None:
    """Every discussion gets a strip of the new incarnation: discussion → its home partition."""
    names = sorted(homes)
    await connection.execute(_SQL["mark_dirty"], topic, names, [homes[name] for name in names])


async def newest_incarnation(connection: Connection) -> int:
    return int(await connection.fetchval(_SQL["newest_incarnation"]))


async def begin(connection: Connection, incarnation: int, cause: str) -> None:
    """Begins the incarnation and lets publishers in."""
    await connection.execute(_SQL["clear_changed"])
    await connection.execute(_SQL["begin_incarnation"], incarnation, cause)
    await connection.execute(_SQL["release_publishers"])


async def check(connection: Connection, name: str) -> int:
    """One of CHECKS: how many rows fail it."""
    return int(await connection.fetchval(_SQL[name]))


async def counts(connection: Connection) -> dict[str, int]:
    row = await connection.fetchrow(_SQL["counts"])
    assert row is not None
    return dict(row)
