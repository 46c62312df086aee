"""A small HTTP load: kept-alive connections, one request at a time on each, no pipelining.

The client reads no more of an answer than its status and length, so that on two cores it is not
what is measured; both sides of a row meet the same one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from bench.figures import percentile


@dataclass
class Load:
    """What was answered. `latencies` in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    received: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def at(self, share: float) -> float:
        return percentile(self.latencies, share)

    def expect(self, *statuses: int) -> Load:
        """Anything else answered would make the figure worthless."""
        if odd := set(self.statuses) - set(statuses):
            raise RuntimeError(f"unexpected answers: {self.statuses} ({odd})")
        return self


class _Client(asyncio.Protocol):
    def __init__(
        self,
        load: Load,
        make: Callable[[], bytes],
        look: Callable[[bytes], None] | None,
        ended: asyncio.Future[None],
    ) -> None:
        self.load = load
        self.make = make
        self.look = look
        self.ended = ended
        self.until = float("inf")
        self._head = b""
        self._left = -1
        self._began = 0.0
        self.counting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def send(self) -> None:
        self._began = time.perf_counter()
        self.transport.write(self.make())

    def data_received(self, data: bytes) -> None:
        self.load.received += len(data)
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self.status = int(self._head[9:12])
            at = self._head.lower().find(b"content-length:", 0, end)
            length = 0 if at < 0 else int(self._head[at + 15 : self._head.find(b"\r\n", at)])
            self._left = length - (len(self._head) - end - 4)
            if self.look and self.status == 200:
                self.look(self._head[:end])
            self._head = b""
        else:
            self._left -= len(data)
        if self._left == 0:
            self._left = -1
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        if self.counting:
            self.load.latencies.append(now - self._began)
            self.load.statuses[self.status] = self.load.statuses.get(self.status, 0) + 1
        if now < self.until:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            if error is None and time.perf_counter() >= self.until:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error or ConnectionError("the server hung up"))


async def load(
    url: str,
    make: Callable[[], bytes],
    *,
    connections: int,
    seconds: float,
    warm_seconds: float = 1.0,
    look: Callable[[bytes], None] | None = None,
) -> Load:
    """Each connection sends `make()` as soon as the last answer is whole, for `seconds`.

    `look` sees the head of every answer that is a 200.
    """
    host, port = address(url)
    seen = Load()
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        ended: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(
            partial(_Client, seen, make, look, ended), host, port
        )
        clients.append(client)
    for client in clients:
        client.send()
    await asyncio.sleep(warm_seconds)
    began = time.perf_counter()
    for client in clients:
        client.counting = True
        client.until = began + seconds
    await asyncio.wait_for(asyncio.gather(*(client.ended for client in clients)), seconds + 120)
    seen.seconds = time.perf_counter() - began
    return seen


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def request(method: str, url: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; names of headers with underscores for hyphens."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    said = {"host": parts.netloc, **{n.replace("_", "-"): v for n, v in headers.items()}}
    if body or method == "POST":
        said["content-length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in said.items()), "", ""]
    return "\r\n".join(lines).encode() + body
