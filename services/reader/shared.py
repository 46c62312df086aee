"""One query for all who ask the same at the same moment, and for a second after."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Shared(Generic[V]):
    """Answers by key, for `seconds` after they were made; `bound` of them at most.

    A failed attempt fails for all who wait for it and is forgotten. `clock` never goes back.
    """

    def __init__(self, seconds: float, bound: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._bound = bound
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, asyncio.Future[V]]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[V]]) -> V:
        now = self._clock()
        kept = self._kept.get(key)
        if kept is None or (kept[1].done() and now - kept[0] >= self._seconds):
            answer = asyncio.ensure_future(make())
            answer.add_done_callback(lambda done: self._made(key, done))
            kept = (now, answer)
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._forget(now)
        # Shielded: one client that leaves does not cancel the others' query.
        return await asyncio.shield(kept[1])

    def _forget(self, now: float) -> None:
        """What expired, and the oldest where there are too many."""
        while self._kept:
            made_at, oldest = next(iter(self._kept.values()))
            expired = oldest.done() and now - made_at >= self._seconds
            if not expired and len(self._kept) <= self._bound:
                return
            self._kept.popitem(last=False)

    def _made(self, key: Hashable, answer: asyncio.Future[V]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        kept = self._kept.get(key)
        if kept is None or kept[1] is not answer:
            return
        if failed:
            del self._kept[key]
        else:
            self._kept[key] = (self._clock(), answer)
