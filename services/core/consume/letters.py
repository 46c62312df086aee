"""Dead letters: what is said of a record that can never be applied, and how many are too many."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.core import codec
from services.core.errors import BadEvent

MAX_VALUE_BYTES = 1024 * 1024
"""Beyond this the letter does not repeat the value: the topic could not take it."""

IN_A_ROW = 100
WINDOW = 10_000
WINDOW_SHARE = 0.01
WINDOW_LEAST = 1_000
"""The share is not judged on fewer records than this."""


class DeadLetter(msgspec.Struct, frozen=True):
    """The value of a record of `<topic>.dead`; its key is the source record's."""

    topic: str
    """As in schemas/topics.toml."""
    partition: int
    offset: int
    timestamp: datetime
    """The source record's, as the broker keeps it."""
    key: str | None
    """base64"""
    value: str | None
    """base64; null where the source had none, or was too large to repeat (`value_bytes` tells)."""
    value_bytes: int
    reason: str
    detail: str
    field: str


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as Kafka gave it."""

    offset: int
    recorded_at: datetime
    key: bytes | None
    value: bytes | None


def letter(topic: str, partition: int, raw: Raw, why: BadEvent) -> bytes:
    """The dead letter's value."""
    repeated = raw.value is not None and len(raw.value) <= MAX_VALUE_BYTES
    return codec.encode(
        DeadLetter(
            topic=topic,
            partition=partition,
            offset=raw.offset,
            timestamp=raw.recorded_at,
            key=None if raw.key is None else b64encode(raw.key).decode(),
            value=b64encode(raw.value).decode() if repeated and raw.value is not None else None,
            value_bytes=len(raw.value or b""),
            reason=why.code,
            detail=_sayable(why.detail[:1_000]),
            field=_sayable(why.field[:200]),
        )
    )


def _sayable(text: str) -> str:
    """What it quotes may be why the record cannot be applied: the letter must not fail as well."""
    return text.encode("utf-8", "replace").decode()


class Limit:
    """How many dead letters a partition may write: a bad deploy must stop, not drain the topic.

    More than 100 in a row, or more than 1 % of the last 10,000 records (judged from 1,000 on).
    """

    def __init__(self) -> None:
        self._row = 0
        self._window: deque[bool] = deque(maxlen=WINDOW)
        self._bad = 0

    def admit(self, bad: Sequence[bool]) -> int:
        """How many leading records may be applied before the limit is reached; changes nothing."""
        if not any(bad):
            return len(bad)
        trial = self._copy()
        for place, is_bad in enumerate(bad):
            trial._note(is_bad)
            if is_bad and trial._exceeded():
                return place
        return len(bad)

    def note(self, bad: Sequence[bool]) -> None:
        """Records that were committed."""
        if not self._bad and not any(bad):  # nearly always
            self._window.extend(bad)
            self._row = 0
            return
        for is_bad in bad:
            self._note(is_bad)

    def _copy(self) -> Limit:
        other = Limit()
        other._row, other._bad = self._row, self._bad
        other._window = self._window.copy()
        return other

    def _note(self, is_bad: bool) -> None:
        if len(self._window) == WINDOW:
            self._bad -= self._window[0]
        self._window.append(is_bad)
        self._bad += is_bad
        self._row = self._row + 1 if is_bad else 0

    def _exceeded(self) -> bool:
        seen = len(self._window)
        return self._row > IN_A_ROW or (seen >= WINDOW_LEAST and self._bad > seen * WINDOW_SHARE)
