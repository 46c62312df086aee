"""A record on its way through the loop: what Kafka gave, and what decoding made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from aiokafka import ConsumerRecord

from services.core.consume.batch import AnySource, Record
from services.core.consume.letters import Raw, letter
from services.core.errors import BadEvent


class Entry(msgspec.Struct, gc=False):
    """Either `record`, or the reason `why` there is none; neither where it was told before."""

    raw: ConsumerRecord
    recorded_at: datetime
    record: Record[Any] | None
    why: BadEvent | None

    def condemn(self, error: Exception) -> None:
        """Its effect was refused, and it alone is the cause: it becomes a dead letter."""
        self.record = None
        self.why = (
            error
            if isinstance(error, BadEvent)
            else BadEvent("bad_data", f"{type(error).__name__}: {error}")
        )

    def letter(self, topic: str, partition: int) -> bytes:
        """The value of its dead letter."""
        assert self.why is not None
        raw = Raw(self.raw.offset, self.recorded_at, self.raw.key, self.raw.value)
        return letter(topic, partition, raw, self.why)


def decoded(source: AnySource, raws: Sequence[ConsumerRecord]) -> list[Entry]:
    """Never raises: no input may hold a partition up."""
    events = _at_once(source, raws)
    if events is None:
        return [_decoded(source, raw) for raw in raws]
    return [
        Entry(raw, at := _instant(raw.timestamp), Record(raw.offset, at, event), None)
        for raw, event in zip(raws, events, strict=True)
    ]


def _at_once(source: AnySource, raws: Sequence[ConsumerRecord]) -> Sequence[Any] | None:
    values = [raw.value for raw in raws]
    if source.decode_all is None or None in values:
        return None
    try:
        return source.decode_all(values)
    except Exception:  # noqa: BLE001 - one by one, each of them is caught
        return None


def _decoded(source: AnySource, raw: ConsumerRecord) -> Entry:
    recorded_at = _instant(raw.timestamp)
    if raw.value is None:
        return Entry(raw, recorded_at, None, BadEvent("no_value", "the record has no value"))
    try:
        event = source.decode(raw.value)
    except BadEvent as why:
        return Entry(raw, recorded_at, None, why)
    except Exception as error:  # noqa: BLE001
        odd = BadEvent("undecodable", f"{type(error).__name__}: {error}")
        return Entry(raw, recorded_at, None, odd)
    return Entry(raw, recorded_at, Record(raw.offset, recorded_at, event), None)


@lru_cache(maxsize=64)
def _instant(milliseconds: int) -> datetime:
    """Kept, since the broker stamps a batch of records at once."""
    return datetime.fromtimestamp(max(0, milliseconds) / 1000, UTC)
