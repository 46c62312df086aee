"""TCP proxies that read the wire of Postgres and Kafka: where the harness sees that a transaction
is open or a record is on its way, and strikes at that moment.

A `Trap` names a point, whose connections it is for, and what to do. Points of Postgres:
    begin           a transaction has begun
    fence           its fence is about to move
    effect          its first effect is about to be written
    before_commit   COMMIT was said and did not reach the server
    commit_sent     the server has committed and the answer did not reach the client
    after_commit    the answer was handed over
Points of Kafka:
    produce_before  records were sent and did not reach the broker
    produce_sent    the broker has them and has not answered
    produce_acked   the broker has answered and the answer did not reach the client
    group           a member joins or syncs: a rebalance is under way
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

POSTGRES_POINTS = ("begin", "fence", "effect", "before_commit", "commit_sent", "after_commit")
PRODUCE_POINTS = ("produce_before", "produce_sent", "produce_acked")
WRITES = (b"INSERT", b"UPDATE", b"DELETE")
SSL_REQUEST = 80877103
PRODUCE, JOIN, SYNC = 0, 11, 14
HIGH_WATER = 1 << 20


@dataclass(eq=False)
class Trap:
    """`strike(connection)` returns "pass", "hold" (until `connection.release()`) or "cut"."""

    point: str
    owner: Callable[[str], bool]
    strike: Callable[[Connection], str]
    hit: asyncio.Future[dict[str, Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Connection:
    """One client's connection and the one behind it."""

    def __init__(self, proxy: Proxy, client: asyncio.Transport) -> None:
        self.proxy = proxy
        self.client: asyncio.Transport | None = client
        self.server: asyncio.Transport | None = None
        self.owner = proxy.owner_of(client)
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []
        self.held = False
        self.blackhole = False
        self.mind: Mind = proxy.mind(self)

    # --- what a strike may do

    def cut(self) -> None:
        for transport in (self.client, self.server):
            if transport is not None:
                transport.abort()

    def release(self) -> None:
        self.held = self.blackhole = False
        waiting, self.to_server = self.to_server, []
        for chunk in waiting:
            self.forward(chunk)
        back, self.to_client = self.to_client, []
        for chunk in back:
            self.answer(chunk)

    # --- bytes

    def forward(self, chunk: bytes) -> None:
        if self.held or self.blackhole or self.server is None:
            self.to_server.append(chunk)
        else:
            self.server.write(chunk)

    def answer(self, chunk: bytes) -> None:
        if self.held or self.blackhole or self.client is None:
            self.to_client.append(chunk)
        else:
            self.client.write(chunk)

    def spring(self, point: str, **evidence: Any) -> str:
        """Whether a trap waits at this point for this connection, and what its strike said."""
        for trap in self.proxy.traps:
            if trap.point == point and trap.owner(self.owner) and not trap.hit.done():
                self.proxy.traps.remove(trap)
                said = trap.strike(self)
                trap.hit.set_result({"point": point, "owner": self.owner, **evidence})
                if said == "hold":
                    self.held = True
                elif said == "cut":
                    self.cut()
                return said
        return "pass"


class Mind:
    """Reads one protocol; sees every byte before it goes on."""

    in_transaction = False
    producing = 0

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def from_client(self, data: bytes) -> None:
        self.connection.forward(data)

    def from_server(self, data: bytes) -> None:
        self.connection.answer(data)


class PostgresMind(Mind):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.buffer = b""
        self.started = False
        self.statements: dict[bytes, bytes] = {}
        self.fenced = self.effected = self.committing = False
        self.began_at = 0.0

    def from_client(self, data: bytes) -> None:
        self.buffer += data
        sent = position = 0
        buffer = self.buffer
        while True:
            if not self.started:
                if len(buffer) - position < 8:
                    break
                (length,) = struct.unpack_from("!i", buffer, position)
                (code,) = struct.unpack_from("!i", buffer, position + 4)
                end = position + length
                if len(buffer) < end:
                    break
                self.started = code != SSL_REQUEST
                position = end
                continue
            if len(buffer) - position < 5:
                break
            (length,) = struct.unpack_from("!i", buffer, position + 1)
            end = position + 1 + length
            if len(buffer) < end:
                break
            kind = buffer[position : position + 1]
            if kind in b"QPB":
                point = self._point(kind, buffer[position + 5 : min(end, position + 600)])
                if point and self.connection.proxy.traps:
                    if sent < position:
                        self.connection.forward(buffer[sent:position])
                        sent = position
                    if point == "begin":
                        self.connection.forward(buffer[sent:end])
                        sent = end
                    self.connection.spring(point, **self._evidence())
            position = end
        if sent < position:
            self.connection.forward(buffer[sent:position])
        self.buffer = buffer[position:]

    def _evidence(self) -> dict[str, Any]:
        return {"in_transaction": self.in_transaction, "fenced": self.fenced}

    def _point(self, kind: bytes, body: bytes) -> str:
        if kind == b"Q":
            text = body.upper()
            if text.startswith((b"BEGIN", b"START TRANSACTION")):
                self.in_transaction, self.fenced, self.effected = True, False, False
                self.began_at = time.monotonic()
                return "begin"
            if text.startswith(b"COMMIT"):
                self.committing = True
                return "before_commit"
            if text.startswith(b"ROLLBACK"):
                self.in_transaction = False
            return ""
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            self.statements[name] = rest.partition(b"\0")[0]
            return ""
        _, _, rest = body.partition(b"\0")
        statement = self.statements.get(rest.partition(b"\0")[0], b"")
        if not self.in_transaction:
            return ""
        if statement.find(b"UPDATE fences") >= 0:
            self.fenced = True
            return "fence"
        writes = any(word in statement for word in WRITES)
        if writes and not self.effected:
            self.effected = True
            return "effect"
        return ""

    def from_server(self, data: bytes) -> None:
        if self.committing and b"COMMIT\0" in data:
            evidence = self._evidence()
            self.committing = self.in_transaction = False
            if self.connection.spring("commit_sent", committed=True, **evidence) == "cut":
                return
            self.connection.answer(data)
            self.connection.spring("after_commit", committed=True, **evidence)
            return
        if self.committing and b"ROLLBACK\0" in data:
            self.committing = self.in_transaction = False
        self.connection.answer(data)


class KafkaMind(Mind):
    """Frames: a length, then the request's kind, version and correlation id."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.buffer = b""
        self.back = b""
        self.skip = 0
        self.produces: dict[int, int] = {}

    def from_client(self, data: bytes) -> None:
        buffer = self.buffer + data
        sent = position = 0
        while len(buffer) - position >= 4:
            (length,) = struct.unpack_from("!i", buffer, position)
            end = position + 4 + length
            if len(buffer) < end:
                break
            kind, version, correlation = struct.unpack_from("!hhi", buffer, position + 4)
            if kind in (PRODUCE, JOIN, SYNC):
                if sent < position:
                    self.connection.forward(buffer[sent:position])
                    sent = position
                if kind == PRODUCE:
                    in_flight = len(self.produces) + 1
                    said = self.connection.spring("produce_before", in_flight=in_flight)
                    if said.startswith("refuse:"):
                        # Lost on the way, and the answer says a fatal error.
                        code = int(said.partition(":")[2])
                        self.connection.answer(refusal(buffer[position:end], code))
                        sent = position = end
                        continue
                    self.produces[correlation] = version
                    self.producing = in_flight
                    self.connection.forward(buffer[sent:end])
                    sent = end
                    self.connection.spring("produce_sent", in_flight=self.producing)
                else:
                    self.connection.spring("group", rebalancing=True)
            position = end
        if sent < position:
            self.connection.forward(buffer[sent:position])
        self.buffer = buffer[position:]

    def from_server(self, data: bytes) -> None:
        """Fetched records are large and pass as they come; an awaited answer is taken whole."""
        buffer = self.back + data if self.back else data
        position = 0
        out = bytearray()
        while position < len(buffer):
            if self.skip:
                taken = min(len(buffer), position + self.skip)
                out += buffer[position:taken]
                self.skip -= taken - position
                position = taken
                continue
            if len(buffer) - position < 8:
                break
            length, correlation = struct.unpack_from("!ii", buffer, position)
            if correlation not in self.produces:
                self.skip = 4 + length
                continue
            end = position + 4 + length
            if len(buffer) < end:
                break
            if out:
                self.connection.answer(bytes(out))
                out = bytearray()
            version = self.produces.pop(correlation)
            self.producing = len(self.produces)
            said = self.connection.spring("produce_acked", in_flight=self.producing + 1)
            if said == "cut":
                return
            out += buffer[position:end]
            if said.startswith("error:"):
                with_error(out, version, int(said.partition(":")[2]))
            position = end
        if out:
            self.connection.answer(bytes(out))
        self.back = buffer[position:]


def with_error(frame: bytearray, version: int, code: int) -> None:
    """Every partition of a produce response (versions 1 to 8) answers this error instead."""
    position = 8
    (topics,) = struct.unpack_from("!i", frame, position)
    position += 4
    for _ in range(topics):
        (length,) = struct.unpack_from("!h", frame, position)
        position += 2 + length
        (partitions,) = struct.unpack_from("!i", frame, position)
        position += 4
        for _ in range(partitions):
            struct.pack_into("!hq", frame, position + 4, code, -1)
            position += 4 + 2 + 8 + (8 if version >= 2 else 0) + (8 if version >= 5 else 0)
            position += 6 if version >= 8 else 0  # no single record's error, no message


def refusal(request: bytes, code: int) -> bytes:
    """The answer to a produce request (versions 3 to 8) that refuses every partition of it."""
    _, version, correlation, client = struct.unpack_from("!hhih", request, 4)
    position = 14 + max(0, client)
    (transaction,) = struct.unpack_from("!h", request, position)
    position += 2 + max(0, transaction) + 2 + 4
    (topics,) = struct.unpack_from("!i", request, position)
    position += 4
    answer = struct.pack("!ii", correlation, topics)
    for _ in range(topics):
        (length,) = struct.unpack_from("!h", request, position)
        answer += request[position : position + 2 + length]
        position += 2 + length
        (partitions,) = struct.unpack_from("!i", request, position)
        position += 4
        answer += struct.pack("!i", partitions)
        for _ in range(partitions):
            partition, size = struct.unpack_from("!ii", request, position)
            position += 8 + max(0, size)
            answer += struct.pack("!ihqq", partition, code, -1, -1)
            answer += struct.pack("!q", -1) if version >= 5 else b""
            answer += struct.pack("!ih", 0, -1) if version >= 8 else b""
    answer += struct.pack("!i", 0)
    return struct.pack("!i", len(answer)) + answer


class _Front(asyncio.Protocol):
    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.connection: Connection | None = None

    def connection_made(self, transport: Any) -> None:
        if self.proxy.refusing:
            transport.abort()
            return
        self.connection = Connection(self.proxy, transport)
        self.proxy.connections.add(self.connection)
        self.proxy.keep(self._reach(self.connection))

    async def _reach(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(
                lambda: _Back(connection), *self.proxy.target_of()
            )
        except OSError:
            connection.cut()
            return
        connection.server = transport
        if connection.client is None:
            transport.abort()
            return
        waiting, connection.to_server = connection.to_server, []
        for chunk in waiting:
            connection.forward(chunk)

    def data_received(self, data: bytes) -> None:
        if self.connection is not None:
            self.connection.mind.from_client(data)

    def pause_writing(self) -> None:
        if self.connection and self.connection.server:
            with contextlib.suppress(RuntimeError):
                self.connection.server.pause_reading()

    def resume_writing(self) -> None:
        if self.connection and self.connection.server:
            with contextlib.suppress(RuntimeError):
                self.connection.server.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.connection is not None:
            self.proxy.connections.discard(self.connection)
            self.connection.client = None
            if self.connection.server is not None:
                self.connection.server.abort()


class _Back(asyncio.Protocol):
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.connection.mind.from_server(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.server = None
        client = self.connection.client
        if client is not None:
            client.close()


class Proxy:
    """Listens once; may serve any number of servers in turn (`target` is asked per connection)."""

    def __init__(
        self,
        mind: Callable[[Connection], Mind],
        target: Callable[[], tuple[str, int]],
        owner_of: Callable[[asyncio.Transport], str],
        traps: list[Trap],
    ) -> None:
        self.mind = mind
        self.target_of = target
        self.owner_of = owner_of
        self.traps = traps
        self.connections: set[Connection] = set()
        self.refusing = False
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def listen(self, port: int = 0) -> Proxy:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Front(self), "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)
