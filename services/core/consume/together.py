"""What happens to many partitions at once, in one line of the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import pairwise

log = logging.getLogger("services.core.consume")

GATHER_SECONDS = 1.0


class Together:
    """Gathers what is said of partitions for a second; says each thing once, of all of them."""

    def __init__(self, seconds: float = GATHER_SECONDS) -> None:
        self._seconds = seconds
        self._said: dict[tuple[int, str], set[tuple[str, int]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def say(self, level: int, what: str, topic: str, partition: int) -> None:
        """`what` follows the names of partitions: "claimed", "goes on"."""
        self._said.setdefault((level, what), set()).add((topic, partition))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        said, self._said = self._said, {}
        for (level, what), places in said.items():
            log.log(level, f"{named(places)} {what}")


def named(places: Iterable[tuple[str, int]]) -> str:
    """Topics with their partitions: `comments.v1[0-5] votes.v1[0,2]`."""
    by_topic: dict[str, list[int]] = {}
    for topic, partition in sorted(places):
        by_topic.setdefault(topic, []).append(partition)
    return " ".join(f"{topic}[{_ranges(numbers)}]" for topic, numbers in by_topic.items())


def _ranges(numbers: list[int]) -> str:
    """Of growing numbers: `0-2,5`."""
    breaks = [at for at, (one, next) in enumerate(pairwise(numbers), 1) if next > one + 1]
    runs = [numbers[a:b] for a, b in pairwise([0, *breaks, len(numbers)])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
