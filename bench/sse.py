"""Rows `sse`, `sse_fanout`, `sse_dropped`, `sse_queries`: 10,000 readers on one process.

All read one discussion. The benchmark publishes its strips to strips.v1, each of about 1 KB and
naming a changed comment, so the reader has to look that comment up. Then some clients of the feed's
stream stop reading while 50 KB snapshots come five times a second.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench.client import address
from bench.feed import KEY, PATH, feed
from bench.figures import Figure, percentile
from bench.ground import Ground
from bench.traffic import SITE
from services.core import codec, settings, topics
from services.core.events import Strip, StripPublished, Version
from services.core.produce import Producer
from tests.processes import ServiceProcess

NEVER_READERS = 20


class Listener(asyncio.Protocol):
    """Notes when a version came; keeps nothing."""

    def __init__(self, url: str, seen: dict[int, list[float]]) -> None:
        parts = urlsplit(url)
        self._ask = f"GET {parts.path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
        self._seen = seen
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.transport.write(self._ask)

    def data_received(self, data: bytes) -> None:
        self.answered = True
        at = data.find(b"event: strip\nid: 1.")
        if at >= 0:
            end = data.find(b"\n", at + 19)
            self._seen.setdefault(int(data[at + 19 : end]), []).append(time.perf_counter())


def strip(number: int) -> StripPublished:
    now = datetime.now(UTC)
    data = Strip(
        site=SITE, discussion="viral", version=Version(1, number), state="open",
        url="https://gazette.example/viral?" + "x" * 300, title="Заголовок " * 24, language="ru",
        section="city", opened_at=now, last_activity=now, views=number, viewers=number,
        comments=1, up=number, down=0, rating=number, changed_comments=["c1"],
    )  # fmt: skip
    return StripPublished(
        id=f"{SITE}/viral@1.{number}", source=f"/sites/{SITE}", site=SITE, data=data
    )


def resident_kib(process: ServiceProcess) -> int:
    status = Path(f"/proc/{process.child.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


async def scans(dsn: str) -> int:
    """How often `comments` was looked into, as Postgres counts it: once for each query of a stream.

    Sessions report it when they end, so this waits until the others have.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with asyncio.timeout(30):
            while await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ):
                await asyncio.sleep(0.1)
        return int(
            await connection.fetchval(
                "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0)"
                " FROM pg_stat_user_tables WHERE relname = 'comments'"
            )
        )
    finally:
        await connection.close(timeout=10)


def counted(reader: ServiceProcess, name: str, label: str) -> int:
    lines = [line for line in reader.metrics().splitlines() if line.startswith(name)]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if label in line))


async def connected(
    ground: Ground, url: str, count: int, seen: dict[int, list[float]]
) -> list[Listener]:
    loop = asyncio.get_running_loop()
    host, port = address(url)
    listeners: list[Listener] = []
    for begin in range(0, count, 100):
        some = await asyncio.gather(
            *(
                loop.create_connection(lambda: Listener(url, seen), host, port)
                for _ in range(min(100, count - begin))
            )
        )
        listeners += [listener for _, listener in some]
    async with asyncio.timeout(60):
        while not all(listener.answered for listener in listeners):
            await asyncio.sleep(0.1)
    ground.tell(f"sse: {len(listeners):,} streams are open")
    return listeners


async def sse_row(ground: Ground) -> list[Figure]:
    readers, versions = ground.size(10_000, 200), ground.size(20, 3)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < readers + 1_000:
        raise RuntimeError(f"this machine allows {hard} open files a process: raise `ulimit -n`")
    prefix, dsn = await ground.topics(), await ground.database()
    env = ground.env(prefix, dsn) | {"VECHE_READER_STREAMS": str(readers + 100)}
    async with Producer(settings.Kafka(ground.kafka, prefix)) as producer:

        async def publish(number: int) -> None:
            key = f"{SITE}/viral".encode()
            await producer.send(topics.STRIPS, key, codec.encode(strip(number)))

        migrated = await scans(dsn)
        await publish(1)
        await producer.send(topics.FEEDS, KEY, codec.encode(feed(1)))
        reader = ground.services.start("reader", env)
        await asyncio.to_thread(reader.wait_ready)
        url = f"{reader.url}/v1/sites/{SITE}/discussions/viral/stream"
        seen: dict[int, list[float]] = {}
        await connected(ground, url, 10, seen)  # what is allocated once
        before = resident_kib(reader)
        listeners = await connected(ground, url, readers - 10, seen)
        each = (resident_kib(reader) - before) / len(listeners)
        delays: list[float] = []
        for number in range(2, 2 + versions):
            began = time.perf_counter()
            await publish(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while len(seen.get(number, ())) < readers:
                        await asyncio.sleep(0.05)
            if len(seen.get(number, ())) < readers:
                raise RuntimeError(f"only {len(seen.get(number, ()))} of {readers} got a version")
            delays += [when - began for when in seen[number]]
        held = (resident_kib(reader) - before) / len(listeners)
        dropped = await never_readers(reader, producer)
        told = counted(reader, "veche_reader_queries_total", 'cause="stream"')
        for listener in listeners:
            listener.transport.abort()
    ground.services.end()
    asked = await scans(dsn) - migrated
    await ground.drop(dsn)
    return [
        Figure("sse", held, "KiB each", 40, better="low",
               extra={"readers": readers, "before_any_event": round(each, 1)}),
        Figure("sse_fanout", percentile(delays, 0.99), "s p99", 1.0, better="low",
               extra={"bytes": len(codec.encode(strip(9))), "versions": versions}),
        Figure("sse_dropped", dropped, "s", 10.0, better="low",
               extra={"never_readers": NEVER_READERS}),
        Figure("sse_queries", asked / versions, "queries a version", 1.0, better="low",
               extra={"by_postgres": asked, "by_reader": told, "versions": versions}),
    ]  # fmt: skip


async def never_readers(reader: ServiceProcess, producer: Producer) -> float:
    """Seconds from the first snapshot that somebody does not read until the last is dropped."""
    sockets = []
    for _ in range(NEVER_READERS):
        one = socket.create_connection(address(reader.url), timeout=10)
        one.sendall(f"GET {PATH}/stream HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
        sockets.append(one)
    await asyncio.sleep(1)
    began = time.perf_counter()
    number = 1
    while dropped(reader) < NEVER_READERS:
        number += 1
        await producer.send(topics.FEEDS, KEY, codec.encode(feed(number)))
        await asyncio.sleep(0.2)
        if time.perf_counter() - began > 60:
            raise RuntimeError(f"only {dropped(reader)} of {NEVER_READERS} were dropped in 60 s")
    for one in sockets:
        one.close()
    return time.perf_counter() - began


def dropped(reader: ServiceProcess) -> int:
    return counted(reader, "veche_sse_dropped_total", 'stream="feed"')
