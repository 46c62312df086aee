"""The outbox: records to produce, written with the effect that causes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.core import db
from services.core.db import Connection
from services.core.store import columns

_SQL = db.queries("outbox")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record that waits to be produced; topics without the cluster's prefix."""

    sequence: int
    topic: str
    key: bytes
    value: bytes | None
    created_at: datetime


async def add(
    connection: Connection,
    topic: str,
    partition: int,
    records: Sequence[tuple[str, bytes, bytes | None]],
) -> None:
    """Writes `(topic, key, value)` records caused by the source partition (topic, partition).

    They leave in the order given. `produce.Outgoing` is such a tuple.
    """
    if not records:
        return
    await connection.execute(
        _SQL["add"],
        topic,
        partition,
        columns.texts([record[0] for record in records]),
        [record[1] for record in records],
        [record[2] for record in records],
    )


async def take(connection: Connection, topic: str, partition: int, limit: int) -> list[Waiting]:
    """The oldest records of one source partition, in order; they stay until `remove`."""
    rows = await connection.fetch(_SQL["take"], topic, partition, limit)
    return [
        Waiting(row["sequence"], row["topic"], row["key"], row["value"], row["created_at"])
        for row in rows
    ]


async def remove(
    connection: Connection, topic: str, partition: int, sequences: Sequence[int]
) -> None:
    """Forgets records that Kafka has acknowledged."""
    await connection.execute(_SQL["remove"], topic, partition, list(sequences))


async def waiting(connection: Connection) -> dict[tuple[str, int], tuple[int, datetime]]:
    """(source topic, partition) → (records, the oldest's time), where any wait."""
    return {
        (row["source_topic"], row["source_partition"]): (row["records"], row["oldest"])
        for row in await connection.fetch(_SQL["waiting"])
    }
