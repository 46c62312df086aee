"""One open stream on the wire, until the client leaves, stalls or falls behind.

A chunk is written from the loop that publishes it, with no task in between: 10,000 streams get
every version. Only a write that has to wait, since the client does not read, gets a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

from services.core.headers import SECURITY, Headers
from services.reader.broadcast import Subscriber, nobody, retry

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEARTBEAT = b": still here\n\n"
HEARTBEAT_SECONDS = 15.0
STALL_SECONDS = 10.0
"""A write that the client does not take for so long ends the stream."""

ABORT = "veche.abort"
"""ASGI extension: closes the connection without waiting for what is unsent."""
SEND = "veche.send"
"""ASGI extension: the server's own `send`. Chunks need nothing of the layers around it."""

HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"origin"),
    # Proxies must pass events on at once.
    (b"x-accel-buffering", b"no"),
    *SECURITY,
]


async def serve(
    scope: Scope,
    receive: Receive,
    send: Send,
    subscriber: Subscriber,
    first: bytes,
    headers: Headers,
    *,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Writes `first`, then every chunk that the subscriber gets."""
    extensions = scope.get("extensions", {})
    write: Send = extensions.get(SEND, send)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    try:
        # Has no end of its own: the writer calls it when there is nothing left to write.
        async with asyncio.timeout(None) as reading:
            writer = _Writer(write, subscriber, heartbeat_seconds, stall_seconds, reading)
            try:
                writer.begin(retry() + first)
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                writer.stop()
    except TimeoutError:
        if not subscriber.dropped:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        # The unsent rest would wait for this client for ever.
        abort = extensions.get(ABORT)
        if abort is not None:
            abort()
            await receive()


class _Writer:
    """Writes what its subscriber has: at once while the connection takes it."""

    __slots__ = (
        "_heart", "_heartbeat_seconds", "_reading", "_send", "_slow", "_stall_seconds",
        "_subscriber",
    )  # fmt: skip

    def __init__(
        self,
        send: Send,
        subscriber: Subscriber,
        heartbeat_seconds: float,
        stall_seconds: float,
        reading: asyncio.Timeout,
    ) -> None:
        self._send = send
        self._subscriber = subscriber
        self._heartbeat_seconds = heartbeat_seconds
        self._stall_seconds = stall_seconds
        self._reading: asyncio.Timeout | None = reading
        self._slow: asyncio.Task[None] | None = None
        self._heart: asyncio.TimerHandle | None = None

    def begin(self, first: bytes) -> None:
        self._write(first)
        self._subscriber.when_woken(self.wake)
        self._await_heartbeat()

    def wake(self) -> None:
        """Writes what waits, in order; behind it, says that the stream is over."""
        subscriber = self._subscriber
        while self._slow is None and not subscriber.dropped:
            if (chunk := subscriber.take()) is None:
                break
            self._write(chunk)
        over = subscriber.dropped or (subscriber.ended and self._slow is None)
        if over and self._reading is not None:
            self._reading.reschedule(0)
            self._reading = None

    def stop(self) -> None:
        self._reading = None
        # Both would keep each other, and the connection, until Python's collector comes by.
        self._subscriber.when_woken(nobody)
        if self._heart is not None:
            self._heart.cancel()
        if self._slow is not None:
            self._slow.cancel()

    def _write(self, chunk: bytes) -> None:
        message = {"type": "http.response.body", "body": chunk, "more_body": True}
        steps = self._send(message).__await__()
        try:
            waits_for = next(steps)
        except StopIteration:
            return  # the connection took it
        except Exception:  # noqa: BLE001 - of this connection alone
            self._subscriber.drop()
            return
        self._slow = asyncio.create_task(self._write_slowly(_Rest(waits_for, steps)))

    async def _write_slowly(self, rest: _Rest) -> None:
        try:
            async with asyncio.timeout(self._stall_seconds):
                await rest
        except Exception:  # noqa: BLE001 - a stall, or whatever became of the connection
            self._subscriber.drop()
        else:
            self._slow = None
            self.wake()

    def _await_heartbeat(self) -> None:
        loop = asyncio.get_running_loop()
        self._heart = loop.call_later(self._heartbeat_seconds, self._beat)

    def _beat(self) -> None:
        if self._slow is None:
            self._write(HEARTBEAT)
        self._await_heartbeat()


class _Rest:
    """What is left of an awaitable whose first step was taken: it waits for `waits_for`."""

    __slots__ = ("_steps", "_waits_for")

    def __init__(self, waits_for: Any, steps: Generator[Any, None, None]) -> None:
        self._waits_for = waits_for
        self._steps = steps

    def __await__(self) -> Generator[Any, None, None]:
        yield self._waits_for
        yield from self._steps
