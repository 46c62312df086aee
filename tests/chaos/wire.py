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
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

POSTGRES_POINTS = ("begin", "fence", "effect", "before_commit", "commit_sent", "after_commit")
PRODUCE_POINTS = ("produce_before", "produce_sent", "produce_acked")


@dataclass(eq=False)
class Trap:
    """`strike(connection)` returns "pass", "hold" (until `connection.release()`) or "cut"."""

    point: str
    owner: Callable[[str], bool]
    strike: Callable[[Connection], str]
    when: Callable[[Connection], bool] = lambda connection: True
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
            if (
                trap.point == point
                and trap.owner(self.owner)
                and trap.when(self)
                and not trap.hit.done()
            ):
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
    fence: Any = None
    """What the transaction's own fence statement says, where it was seen."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def from_client(self, data: bytes) -> None:
        self.connection.forward(data)

    def from_server(self, data: bytes) -> None:
        self.connection.answer(data)


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
