"""The watchdog: ends a process in which no attempt ends, well or badly, for a minute."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from services.core.consume.partition import PartitionLoop

log = logging.getLogger(__name__)


def end_process(reason: str) -> None:
    """The watchdog's last word: a process that makes no progress is better started again."""
    log.critical("ending the process: %s", reason)
    os._exit(70)


class Watchdog:
    """`on_stuck` is called once, from any thread, after `silence` seconds without an attempt."""

    def __init__(self, silence: int, on_stuck: Callable[[str], None]) -> None:
        self.stuck: str | None = None
        """Why the process was given up."""
        self._silence = silence
        self._on_stuck = on_stuck
        self._beats = 0
        self._silent: dict[PartitionLoop, tuple[int, float]] = {}

    def beat(self) -> None:
        """The event loop turns."""
        self._beats += 1

    def look(self, loops: Iterable[PartitionLoop], slept: float) -> None:
        """Adds up its caller's sleeps, not the clock's time: a process that was paused is not
        stuck."""
        silent: dict[PartitionLoop, tuple[int, float]] = {}
        for loop in loops:
            attempts, seconds = self._silent.get(loop, (-1, 0.0))
            seconds = seconds + slept if attempts == loop.attempts else 0.0
            silent[loop] = (loop.attempts, seconds)
            if seconds >= self._silence:
                self._give_up(f"{loop}: no attempt has ended for {seconds:.0f} s")
        self._silent = silent

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Looks after the event loop, in a thread of its own, until the block ends."""
        ended = threading.Event()
        threading.Thread(target=self._watch, args=(ended,), name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _watch(self, ended: threading.Event) -> None:
        beats, times = self._beats, 0
        while not ended.wait(1.0):
            times = times + 1 if beats == self._beats else 0
            beats = self._beats
            if times >= self._silence:
                self._give_up(f"the event loop has not turned for {times} s")
                return

    def _give_up(self, reason: str) -> None:
        if self.stuck is None:
            self.stuck = reason
            self._on_stuck(reason)
