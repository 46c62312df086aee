"""What waits for acknowledgements: calls, each with one deadline for all of its records."""

from __future__ import annotations

import asyncio
import time

from services.core.errors import Misconfigured, Retryable
from services.core.produce.records import Sent

SWEEP_SECONDS = 0.05
"""How late a deadline may be noticed."""

Answer = Sent | Retryable | Misconfigured


class Call:
    """One `send_all`. An answer that is still None at the end did not come in time."""

    __slots__ = ("_missing", "answers", "done", "until")

    def __init__(self, records: int, until: float) -> None:
        self.answers: list[Answer | None] = [None] * records
        self.until = until
        self._missing = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, place: int, answer: Answer) -> None:
        self.answers[place] = answer
        self._missing -= 1
        if not self._missing:
            self.end()

    def end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Calls:
    """Every call that waits. One timer looks at them all: a timer for each cost a record 6 µs."""

    def __init__(self) -> None:
        self._waiting: set[Call] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Call) -> None:
        """Its future `done` is set when every record is answered, or its time is over."""
        self._waiting.add(call)
        if self._timer is None:
            self._sweep_later()

    def discard(self, call: Call) -> None:
        self._waiting.discard(call)

    def _sweep_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = time.monotonic()
        for call in self._waiting:
            if now >= call.until:
                call.end()
        if self._waiting:
            self._sweep_later()
