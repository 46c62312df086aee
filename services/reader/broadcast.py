"""Fan-out to streams: each event is encoded once; who is too slow is dropped, never waited for."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.core.events import Version
from services.core.metrics import SSE_CLIENTS, SSE_DROPPED, SSE_EVENTS
from services.core.problems import Problem, away

HISTORY = 32
"""Events that a channel keeps for those who come back."""
HISTORY_BYTES = 256 * 1024
"""And of so many bytes at most: an event may carry 200 comments."""
WRITES_A_TURN = 250
"""Requests are served between so many writes of one event: each of them takes some 20 µs."""


def event(name: str, data: bytes, version: str = "") -> bytes:
    """One server-sent event. `data` is JSON, so it has no line break."""
    identity = f"id: {version}\n".encode() if version else b""
    return b"event: " + name.encode() + b"\n" + identity + b"data: " + data + b"\n\n"


class Places:
    """How many streams one process holds, of all kinds together."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._taken = 0

    @property
    def left(self) -> int:
        return self._bound - self._taken

    @contextmanager
    def take(self) -> Iterator[None]:
        """Raises a Problem (503) where all are taken: a newcomer never pushes anybody out."""
        if self._taken >= self._bound:
            raise self.full()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def full(self) -> Problem:
        return away("all streams are taken; poll, or come back later", seconds=(5, 30))


def nobody() -> None:
    """Nobody writes: not yet, or no more."""


class Subscriber:
    """What one open stream has yet to write, until its reader is too slow and dropped.

    `holds` is the version that its client has whole, from whichever reader process: only newer ones
    are offered, also while this process still reads what was published before.
    """

    __slots__ = ("_bound", "_stream", "_waiting", "_wake", "dropped", "ended", "holds")

    def __init__(self, stream: str, bound: int) -> None:
        self._stream = stream
        self._bound = bound
        # Short where it is full, and nearly always empty: a deque would be ten times as large.
        self._waiting: list[bytes] = []
        self._wake: Callable[[], object] = nobody
        self.dropped = False
        self.ended = False
        """Nothing comes behind what waits already."""
        self.holds: Version | None = None

    def when_woken(self, wake: Callable[[], object]) -> None:
        """`wake()` is called whenever there is something to write, or nothing any more."""
        self._wake = wake
        wake()

    def offer(self, chunk: bytes) -> bool:
        """False where too much waits already: this reader gets no more."""
        if self.dropped:
            return False
        if len(self._waiting) >= self._bound:
            self.drop()
            return False
        self._waiting.append(chunk)
        self._wake()
        return True

    def take(self) -> bytes | None:
        """The next chunk to write; None where none waits."""
        return self._waiting.pop(0) if self._waiting else None

    def drop(self) -> None:
        """This reader is too slow: counted once, and told to whoever writes to it."""
        if not self.dropped:
            self.dropped = True
            SSE_DROPPED.labels(self._stream).inc()
            self._wake()

    def end(self) -> None:
        """Ends the stream behind what waits already."""
        self.ended = True
        self._wake()


class Channel:
    """The streams of one feed or discussion, and its last events."""

    def __init__(self, history: int = HISTORY) -> None:
        self.subscribers: set[Subscriber] = set()
        self._history: deque[tuple[Version, bytes]] = deque()
        self._most = history
        self._bytes = 0

    def keep(self, version: Version, chunk: bytes) -> None:
        self._history.append((version, chunk))
        self._bytes += len(chunk)
        while len(self._history) > self._most or self._bytes > HISTORY_BYTES:
            self._bytes -= len(self._history.popleft()[1])

    def since(self, version: Version) -> bytes | None:
        """What came after `version`; None where that is not known any more."""
        chunks: list[bytes] = []
        for known, chunk in reversed(self._history):
            if known == version:
                return b"".join(reversed(chunks))
            chunks.append(chunk)
        return None


class Broadcaster:
    """Channels by key; one exists while somebody listens. `history`: events that each keeps."""

    def __init__(self, stream: str, queue_bound: int, history: int = HISTORY) -> None:
        self._stream = stream
        self._history = history
        self._queue_bound = queue_bound
        self._channels: dict[str, Channel] = {}
        self._ended = False

    def channel(self, key: str) -> Channel | None:
        return self._channels.get(key)

    @contextmanager
    def subscribe(self, key: str) -> Iterator[tuple[Channel, Subscriber]]:
        channel = self._channels.setdefault(key, Channel(self._history))
        subscriber = Subscriber(self._stream, self._queue_bound)
        channel.subscribers.add(subscriber)
        SSE_CLIENTS.labels(self._stream).inc()
        if self._ended:
            subscriber.end()
        try:
            yield channel, subscriber
        finally:
            SSE_CLIENTS.labels(self._stream).dec()
            channel.subscribers.discard(subscriber)
            # Who was dropped leaves late: another channel may be there by now.
            if not channel.subscribers and self._channels.get(key) is channel:
                del self._channels[key]

    async def publish(self, key: str, version: Version, chunk: bytes) -> None:
        """To all who listen now. Versions of one key one after another: await each."""
        channel = self._channels.get(key)
        if channel is None:
            return
        # Who comes from here on finds the version there.
        channel.keep(version, chunk)
        written = 0
        for place, subscriber in enumerate(tuple(channel.subscribers), 1):
            if place % WRITES_A_TURN == 0:
                await asyncio.sleep(0)
            if subscriber not in channel.subscribers:
                continue  # left meanwhile
            if subscriber.holds is not None and version <= subscriber.holds:
                continue
            if subscriber.offer(chunk):
                subscriber.holds = version
                written += 1
            else:
                channel.subscribers.discard(subscriber)
        SSE_EVENTS.labels(self._stream).inc(written)

    def end(self) -> None:
        """Ends every stream, now and later: the process stops."""
        self._ended = True
        for channel in self._channels.values():
            for subscriber in channel.subscribers:
                subscriber.end()


def retry() -> bytes:
    """When a client should come back, spread so that 10,000 do not return at once."""
    return b"retry: %d\n\n" % (3_000 + secrets.randbelow(12_000))
