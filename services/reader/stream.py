"""One open stream on the wire, until the client leaves, stalls or falls behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from services.core.deadlines import Deadlines
from services.core.headers import SECURITY, Headers
from services.reader.broadcast import Subscriber, retry

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

HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"origin"),
    # Proxies must pass events on at once.
    (b"x-accel-buffering", b"no"),
    *SECURITY,
]


_within = cache(Deadlines)
"""The deadlines of all streams alike: 10,000 of them get every version."""


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
    writing = asyncio.create_task(
        _write(send, subscriber, first, headers, heartbeat_seconds, stall_seconds)
    )
    leaving = asyncio.create_task(_left(receive))
    subscriber.when_dropped(writing.cancel)
    try:
        await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        left = leaving.done()
    finally:
        for task in (writing, leaving):
            task.cancel()
        await asyncio.wait((writing, leaving))
    if left:
        return
    if writing.cancelled() or writing.exception() is not None:
        # Too slow: the unsent rest would wait for this client for ever.
        subscriber.drop()
        abort = scope.get("extensions", {}).get(ABORT)
        if abort is not None:
            abort()
            await receive()
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(
    send: Send,
    subscriber: Subscriber,
    first: bytes,
    headers: Headers,
    heartbeat_seconds: float,
    stall_seconds: float,
) -> None:
    stalling, resting = _within(stall_seconds), _within(heartbeat_seconds)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    chunk: bytes | None = retry() + first
    while chunk is not None:
        with stalling:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        try:
            with resting:
                chunk = await subscriber.next()
        except TimeoutError:
            chunk = HEARTBEAT


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
