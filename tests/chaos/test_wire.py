"""The proxies see transactions and produces as they happen, and let everything else through."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.chaos.minds import KafkaMind, PostgresMind, with_error
from tests.chaos.wire import Proxy, Trap


@pytest.fixture
async def postgres(postgres_dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    address = urlsplit(postgres_dsn)
    assert address.hostname
    assert address.port
    target = (address.hostname, address.port)
    proxy = await Proxy(PostgresMind, lambda: target, lambda client: "one", []).listen()
    yield proxy, postgres_dsn.replace(f":{address.port}/", f":{proxy.port}/")
    await proxy.close()


async def count(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM leases"))
    finally:
        await connection.close()


INSERT = "INSERT INTO leases (name, owner, expires_at) VALUES ($1, 'x', now())"


async def write(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        async with connection.transaction():
            await connection.execute(INSERT, "a")
    finally:
        connection.terminate()


@pytest.mark.parametrize(("point", "rows"), [("before_commit", 0), ("commit_sent", 1)])
async def test_a_commit_is_cut_on_either_side_of_the_server(
    postgres: tuple[Proxy, str], postgres_dsn: str, point: str, rows: int
) -> None:
    proxy, dsn = postgres
    trap = Trap(point, lambda owner: owner == "one", lambda connection: "cut")
    proxy.traps.append(trap)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await write(dsn)
    evidence = await trap.hit
    assert evidence["in_transaction"]
    assert await count(postgres_dsn) == rows


@pytest.mark.parametrize("point", ["begin", "effect", "after_commit"])
async def test_a_transaction_passes_its_points(postgres: tuple[Proxy, str], point: str) -> None:
    proxy, dsn = postgres
    trap = Trap(point, lambda owner: True, lambda connection: "pass")
    proxy.traps.append(trap)
    await write(dsn)
    assert (await trap.hit)["point"] == point
    assert await count(dsn) == 1


async def test_a_trap_may_wait_for_a_connection_that_it_is_about(
    postgres: tuple[Proxy, str],
) -> None:
    proxy, dsn = postgres
    trap = Trap(
        "before_commit", lambda owner: True, lambda connection: "cut",
        when=lambda connection: connection.mind.fence is not None,
    )  # fmt: skip
    proxy.traps.append(trap)
    await write(dsn)  # moves no fence
    assert not trap.hit.done()
    assert await count(dsn) == 1


async def test_large_statements_and_answers_pass_unchanged(postgres: tuple[Proxy, str]) -> None:
    _, dsn = postgres
    connection = await asyncpg.connect(dsn)
    text = "ж" * 3_000_000
    assert await connection.fetchval("SELECT $1::text", text) == text
    await connection.close()


async def test_records_pass_and_a_produce_is_seen(kafka_bootstrap: str, topic_prefix: str) -> None:
    host, _, port = kafka_bootstrap.partition(":")
    proxy = await Proxy(KafkaMind, lambda: (host, int(port)), lambda client: "one", []).listen()
    # Brokers name their own address, so the client's first connection alone comes through here:
    # what passes is checked on that one; the harness's brokers name the proxies instead.
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{proxy.port}")
    await producer.start()
    sent = await producer.send_and_wait(f"{topic_prefix}views.v1", b"x" * 200_000, partition=0)
    await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{proxy.port}")
    await consumer.start()
    place = TopicPartition(f"{topic_prefix}views.v1", 0)
    consumer.assign([place])
    consumer.seek(place, sent.offset)
    assert (await consumer.getone(place)).value == b"x" * 200_000
    await consumer.stop()
    await proxy.close()


class Ends:
    """Stands for a connection: keeps what a mind lets through."""

    def __init__(self) -> None:
        self.sent = b""
        self.answered = b""
        self.sprung: list[str] = []
        self.says: dict[str, str] = {}

    def forward(self, chunk: bytes) -> None:
        self.sent += chunk

    def answer(self, chunk: bytes) -> None:
        self.answered += chunk

    def spring(self, point: str, **evidence: Any) -> str:
        self.sprung.append(point)
        return self.says.get(point, "pass")


def frame(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("!i", len(body)) + body


def request(kind: int, correlation: int, version: int = 7) -> bytes:
    return frame(struct.pack("!hhi", kind, version, correlation), b"payload")


def produced(correlation: int, code: int = 0, offset: int = 5) -> bytes:
    """A produce response of version 7 for partition 3 of topic t."""
    partition = struct.pack("!ihqqq", 3, code, offset, 0, 0)
    return frame(struct.pack("!i", correlation), struct.pack("!ih", 1, 1) + b"t",
                 struct.pack("!i", 1), partition, struct.pack("!i", 0))  # fmt: skip


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_frames_pass_whole_however_they_are_cut_into_pieces(step: int) -> None:
    ends = Ends()
    mind = KafkaMind(ends)  # type: ignore[arg-type]
    out = request(1, 1) + request(0, 2) + request(11, 3) + request(0, 4)
    for at in range(0, len(out), step):
        mind.from_client(out[at : at + step])
    assert ends.sent == out
    assert ends.sprung == ["produce_before", "produce_sent", "group", "produce_before",
                           "produce_sent"]  # fmt: skip
    assert mind.producing == 2
    back = frame(struct.pack("!i", 1), b"z" * 500) + produced(2) + produced(4)
    for at in range(0, len(back), step):
        mind.from_server(back[at : at + step])
    assert ends.answered == back
    assert mind.producing == 0


def test_an_answer_may_say_a_fatal_error_instead() -> None:
    ends = Ends()
    ends.says["produce_acked"] = "error:47"
    mind = KafkaMind(ends)  # type: ignore[arg-type]
    mind.from_client(request(0, 2))
    mind.from_server(produced(2))
    assert ends.answered == produced(2, 47, -1)
    changed = bytearray(produced(9))
    with_error(changed, 7, 45)
    assert bytes(changed) == produced(9, 45, -1)


def test_a_request_may_be_refused_unseen() -> None:
    ends = Ends()
    ends.says["produce_before"] = "refuse:45"
    mind = KafkaMind(ends)  # type: ignore[arg-type]
    records = struct.pack("!ii", 3, 4) + b"abcd"
    head = struct.pack("!hhih", 0, 7, 2, 1) + b"c" + struct.pack("!hhi", -1, -1, 500)
    body = struct.pack("!ih", 1, 1) + b"t" + struct.pack("!i", 1) + records
    after = request(1, 3)
    mind.from_client(frame(head, body) + after)
    assert ends.sent == after
    partition = struct.pack("!ihqqq", 3, 45, -1, -1, -1)
    assert ends.answered == frame(
        struct.pack("!ii", 2, 1), struct.pack("!h", 1) + b"t", struct.pack("!i", 1), partition,
        struct.pack("!i", 0),
    )  # fmt: skip


async def test_what_is_held_goes_on_when_released(postgres: tuple[Proxy, str]) -> None:
    proxy, dsn = postgres
    held: list[Any] = []
    trap = Trap("before_commit", lambda owner: True, lambda c: (held.append(c), "hold")[1])
    proxy.traps.append(trap)
    writing = asyncio.create_task(write(dsn))
    await trap.hit
    assert not writing.done()
    held[0].release()
    await writing
    assert await count(dsn) == 1
