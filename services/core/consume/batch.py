"""What a consumer is given and what it is made of: records, batches, sources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from services.core.db import Connection

E = TypeVar("E")


class Record(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """One decoded record. `recorded_at` is the broker's LogAppendTime, UTC."""

    offset: int
    recorded_at: datetime
    event: E

    @property
    def at(self) -> datetime:
        """When it happened: what an importer stated, else when the broker recorded it."""
        stated = getattr(self.event, "occurredat", None)
        return stated if isinstance(stated, datetime) else self.recorded_at


@dataclass(frozen=True, slots=True)
class Batch(Generic[E]):
    """Records of one partition in offset order; `topic` as in schemas/topics.toml."""

    topic: str
    partition: int
    records: Sequence[Record[E]]


Handle: TypeAlias = Callable[[Connection, Batch[E]], Awaitable[None]]
"""Writes a batch's effects. Runs inside the transaction that advanced the fence; does no other I/O.

May run again with the same records after a failure: everything it did was rolled back.
"""

Sweep: TypeAlias = Callable[[Connection, str, int], Awaitable[None]]
"""Periodic work of a partition's owner: (connection, topic, partition), in a transaction that holds
the partition's fence row."""


@dataclass(frozen=True)
class Source(Generic[E]):
    """One topic to consume. `decode` raises BadEvent: the record becomes a dead letter.

    `decode_all` is the same for many at once, where that costs less: None sends them to `decode`.
    """

    topic: str
    decode: Callable[[bytes], E]
    handle: Handle[E]
    sweep: Sweep | None = None
    decode_all: Callable[[Sequence[bytes]], Sequence[E] | None] | None = None


AnySource: TypeAlias = Source[Any]
