"""Servers that go away and come back, commits of unknown outcome: nothing doubles or is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from services.core import db, metrics
from services.core.db import Pool
from services.core.produce import Producer
from services.core.settings import Kafka
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres
from tests.conftest import make_topics
from tests.consuming import TOPIC, consuming, counted, produce, repeated, tables, until


class CuttingProxy:
    """Between asyncpg and Postgres: while armed, it hides the answer to a COMMIT and hangs up.

    While `passes` is not set, nothing goes through and nobody hangs up.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = urlsplit(dsn)
        self.cuts_left = 0
        self.cuts = 0
        self.passes = asyncio.Event()
        self.passes.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields the DSN that leads through the proxy."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        login, _, _ = self._dsn.netloc.rpartition("@")
        port = server.sockets[0].getsockname()[1]
        try:
            yield urlunsplit(self._dsn._replace(netloc=f"{login}@127.0.0.1:{port}"))
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._dsn.hostname, self._dsn.port)
        committing = asyncio.Event()

        async def up() -> None:
            while data := await reader.read(65_536):
                if b"COMMIT;" in data and self.cuts_left > 0:
                    self.cuts_left -= 1
                    committing.set()
                await self.passes.wait()
                up_writer.write(data)
                await up_writer.drain()

        async def down() -> None:
            while data := await up_reader.read(65_536):
                if committing.is_set():
                    assert b"COMMIT" in data  # it held; the client will never know
                    self.cuts += 1
                    return
                await self.passes.wait()
                writer.write(data)
                await writer.drain()

        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            up_writer.close()


async def test_commits_of_unknown_outcome_double_and_lose_nothing(
    kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str
) -> None:
    kafka = Kafka(kafka_bootstrap, topic_prefix)
    proxy = CuttingProxy(postgres_dsn)
    resyncs = metrics.RESUMED.labels(TOPIC)._value.get()
    async with (
        proxy.listening() as dsn,
        tables(dsn) as pool,
        Producer(kafka) as producer,
        consuming(kafka, pool),
    ):
        await produce(producer, ["v"] * 60)
        await until(lambda: holds(pool, 60))
        for round_ in range(1, 11):
            proxy.cuts_left = 2
            await produce(producer, ["v"] * 60)
            await until(lambda: proxy.cuts_left == 0)
            await until(lambda: holds(pool, 60 + 60 * round_))  # noqa: B023
        assert await repeated(pool) == 0
    assert proxy.cuts == 20
    assert metrics.RESUMED.labels(TOPIC)._value.get() > resyncs


async def test_a_postgres_that_neither_answers_nor_hangs_up_ends_every_attempt(
    kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str
) -> None:
    kafka = Kafka(kafka_bootstrap, topic_prefix)
    proxy = CuttingProxy(postgres_dsn)
    async with (
        proxy.listening() as dsn,
        tables(postgres_dsn) as direct,
        Producer(kafka) as producer,
    ):
        pool = await db.connect_pool(dsn, 4, statement_timeout_seconds=0.3)
        async with consuming(kafka, pool) as consumer:
            await produce(producer, ["v"] * 60)
            await until(lambda: holds(direct, 60))
            proxy.passes.clear()
            await produce(producer, ["v"] * 60)
            loops = list(consumer._loops.values())
            await until(lambda: all(loop.failing for loop in loops))
            attempts = [loop.attempts for loop in loops]
            await until(
                lambda: all(loop.attempts > n for loop, n in zip(loops, attempts, strict=True))
            )
            assert consumer.alive() is None
            proxy.passes.set()
            await until(lambda: holds(direct, 120), 30)
        assert await repeated(direct) == 0
        pool.terminate()


async def test_postgres_killed_under_load_comes_back_to_exact_effects(
    kafka_bootstrap: str, topic_prefix: str, own_postgres: Postgres
) -> None:
    kafka = Kafka(kafka_bootstrap, topic_prefix)
    async with (
        tables(own_postgres.dsn()) as pool,
        Producer(kafka) as producer,
        consuming(kafka, pool) as consumer,
    ):
        await produce(producer, ["v"] * 600)
        await until(lambda: holds_at_least(pool, 100))
        await asyncio.to_thread(own_postgres.kill)
        await produce(producer, ["v"] * 600)
        await until(lambda: consumer.ready() is not None)
        assert consumer.alive() is None
        await asyncio.to_thread(own_postgres.start)
        await until(lambda: holds(pool, 1_200))
        await until(lambda: consumer.ready() is None)
        assert await repeated(pool) == 0


async def test_a_broker_killed_and_started_again_delivers_the_rest(
    own_kafka: KafkaCluster, postgres_dsn: str
) -> None:
    kafka = Kafka(own_kafka.bootstrap, "own.")
    await make_topics(kafka.bootstrap, "own.")
    async with (
        tables(postgres_dsn) as pool,
        Producer(kafka) as producer,
        consuming(kafka, pool) as consumer,
    ):
        sent = len(await produce(producer, ["v"] * 600))
        await until(lambda: holds(pool, sent))
        await asyncio.to_thread(own_kafka.broker(1).kill)
        await asyncio.to_thread(own_kafka.restart, 1)
        await until(lambda: producer.healthy(), 30)
        sent += len(await produce(producer, ["v"] * 600))
        await until(lambda: holds_at_least(pool, sent), 40)
        assert await repeated(pool) == 0
        await until(lambda: consumer.ready() is None)


async def holds(pool: Pool, n: int) -> bool:
    """Postgres may be away, or hang up on the question itself."""
    with suppress(*db.UNAVAILABLE):
        return await counted(pool) == n
    return False


async def holds_at_least(pool: Pool, n: int) -> bool:
    with suppress(*db.UNAVAILABLE):
        return await counted(pool) >= n
    return False
