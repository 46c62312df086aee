"""What tests of the consumer loop share: a handler whose effects show every repetition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.core import db, topics
from services.core.consume import Batch, Consumer, Source
from services.core.consume.timing import Timing
from services.core.db import Connection, Pool
from services.core.errors import BadEvent
from services.core.produce import Outgoing, Producer, Sent
from services.core.settings import Kafka

TOPIC = topics.VOTES
GROUP = "tallying"
PARTITIONS = topics.declared()[TOPIC].partitions
QUICK = Timing(
    backoff=0.02,
    backoff_limit=0.2,
    stopped_poll=0.1,
    sweep=0.1,
    identity=0.2,
    commit_hint=0.2,
    session=6.0,
    heartbeat=0.5,
    acquire=2.0,
)

TABLES = """
CREATE TABLE tally (partition integer PRIMARY KEY, n bigint NOT NULL);
CREATE TABLE effects (partition integer NOT NULL, at_offset bigint NOT NULL, value text NOT NULL);
CREATE TABLE sweeps (partition integer PRIMARY KEY, n bigint NOT NULL);
"""


async def handle(connection: Connection, batch: Batch[str]) -> None:
    """Not idempotent on purpose: an effect that happens twice is counted twice."""
    await connection.execute(
        "INSERT INTO tally VALUES ($1, $2)"
        " ON CONFLICT (partition) DO UPDATE SET n = tally.n + excluded.n",
        batch.partition,
        len(batch.records),
    )
    await connection.execute(
        "INSERT INTO effects SELECT $1, * FROM unnest($2::bigint[], $3::text[])",
        batch.partition,
        [record.offset for record in batch.records],
        [record.event for record in batch.records],
    )


def decode(raw: bytes) -> str:
    if raw.startswith(b"bad"):
        raise BadEvent("bad_schema", "a planted record", "$.data")
    return raw.decode()


def source(handle: Callable[[Any, Any], Awaitable[None]] = handle, **more: Any) -> Source[str]:
    return Source(TOPIC, decode, handle, **more)


@asynccontextmanager
async def tables(dsn: str, size: int = 4, *, statement_seconds: float = 5.0) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(dsn, size, statement_timeout_seconds=statement_seconds)
    try:
        await pool.execute(TABLES)
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), 10)


@asynccontextmanager
async def consuming(
    kafka: Kafka,
    pool: Pool,
    *sources: Source[str],
    timing: Timing = QUICK,
    on_stuck: Callable[[str], None] | None = None,
) -> AsyncIterator[Consumer]:
    """A consumer that runs while the context lasts, and is drained after it."""

    def stuck(reason: str) -> None:
        raise AssertionError(reason)

    stop = asyncio.Event()
    consumer = Consumer(
        kafka, pool, GROUP, sources or (source(),), timing=timing, on_stuck=on_stuck or stuck
    )
    running = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


async def produce(producer: Producer, values: Sequence[str], key: str | None = None) -> list[Sent]:
    """Keys spread over the partitions unless one is given."""
    answers = await producer.send_all(
        [
            Outgoing(TOPIC, (key or f"k{n}").encode(), value.encode())
            for n, value in enumerate(values)
        ],
        deadline_seconds=20,
    )
    return [answer for answer in answers if isinstance(answer, Sent)]


async def until(
    condition: Callable[[], Awaitable[object]] | Callable[[], object], seconds: float = 20
) -> None:
    """Returns when the condition holds; fails by the name of what never came."""
    deadline = time.monotonic() + seconds
    while True:
        held = condition()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert time.monotonic() < deadline, "the awaited condition never came"
        await asyncio.sleep(0.01)


async def counted(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT coalesce(sum(n), 0) FROM tally"))


async def repeated(pool: Pool) -> int:
    """Effects that a record had beyond its first."""
    return int(
        await pool.fetchval("SELECT count(*) - count(DISTINCT (partition, at_offset)) FROM effects")
    )


async def stopped(pool: Pool) -> list[Any]:
    return list(
        await pool.fetch("SELECT * FROM fences WHERE stopped_reason IS NOT NULL ORDER BY partition")
    )
