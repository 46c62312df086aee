"""Every record has its effect exactly once, whatever happens to the consumers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.core import metrics
from services.core.consume import Batch, Consumer
from services.core.db import Connection, Pool
from services.core.produce import Producer
from services.core.settings import Kafka
from services.core.store import fences
from tests.consuming import (
    GROUP,
    PARTITIONS,
    QUICK,
    TOPIC,
    consuming,
    counted,
    handle,
    produce,
    repeated,
    source,
    tables,
    until,
)


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


@pytest.fixture
async def producer(kafka: Kafka) -> AsyncIterator[Producer]:
    async with Producer(kafka) as producer:
        yield producer


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with tables(postgres_dsn) as pool:
        yield pool


async def test_every_record_has_its_effect_once_and_the_fences_reach_the_ends(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sent = await produce(producer, [f"v{n}" for n in range(3_000)])
    async with consuming(kafka, pool) as consumer:
        await until(lambda: counted_is(pool, 3_000))
        await until(lambda: consumer.ready() is None)
    assert await repeated(pool) == 0
    ends = {
        place: max(s.offset for s in sent if s.partition == place) + 1
        for place in range(PARTITIONS)
    }
    stood = {row.partition: row.next_offset for row in await fences.every(pool)}
    assert stood == ends


async def test_a_consumer_that_comes_back_goes_on_where_the_effects_end(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    for round_ in (1, 2, 3):
        await produce(producer, [f"v{n}" for n in range(500)])
        async with consuming(kafka, pool):
            await until(lambda: counted_is(pool, 500 * round_))  # noqa: B023
    assert await repeated(pool) == 0


async def test_consumers_that_join_and_leave_under_load_double_and_lose_nothing(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    small = replace(QUICK, max_records=50)
    total = 0

    async def load() -> None:
        nonlocal total
        while True:
            total += len(await produce(producer, ["v"] * 200))
            await asyncio.sleep(0.02)

    loading = asyncio.create_task(load())
    try:
        async with consuming(kafka, pool, timing=small):
            await until(lambda: counted_at_least(pool, 500))
            async with consuming(kafka, pool, timing=small) as second:
                await until(lambda: second.ready() is None and len(second._loops) > 0)
                await until(lambda: counted_at_least(pool, 1_500))
                async with consuming(kafka, pool, timing=small) as third:
                    await until(lambda: third.ready() is None and len(third._loops) > 0)
                    await until(lambda: counted_at_least(pool, 3_000))
            await until(lambda: counted_at_least(pool, 4_000))
            loading.cancel()
            await asyncio.wait([loading])
            ends = await end_offsets(kafka)
            await until(lambda: counted_is(pool, ends))
    finally:
        loading.cancel()
    assert await repeated(pool) == 0
    assert await counted(pool) >= total


async def test_a_member_with_a_name_of_its_own_comes_back_to_its_partitions(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    named = replace(kafka, group_instance_id="copy-1")
    for round_ in (1, 2):
        async with consuming(named, pool):
            await produce(producer, ["v"] * 60)
            await until(lambda: counted_is(pool, 60 * round_))  # noqa: B023
    assert await repeated(pool) == 0


async def test_a_zombie_is_fenced_and_takes_its_place_again(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    fenced = metrics.FENCED.labels(TOPIC)._value.get()
    async with consuming(kafka, pool) as consumer:
        await produce(producer, ["v"] * 100)
        await until(lambda: counted_is(pool, 100))
        for row in await fences.every(pool):
            await fences.claim(
                pool, GROUP, TOPIC, row.partition, topic_id=row.topic_id, first_offset=0, owner="x"
            )
        await produce(producer, ["v"] * 100)
        await until(lambda: counted_is(pool, 200))
        rows = await fences.every(pool)
        assert {row.owner for row in rows} <= {consumer.owner, "x"}
        assert any(row.owner == consumer.owner and row.epoch >= 3 for row in rows)
    assert await repeated(pool) == 0
    assert metrics.FENCED.labels(TOPIC)._value.get() > fenced


@pytest.mark.parametrize("hint", [0, 80])
async def test_records_served_before_the_fence_is_read_have_no_effect(
    kafka: Kafka, producer: Producer, pool: Pool, monkeypatch: pytest.MonkeyPatch, hint: int
) -> None:
    """aiokafka's issue 738: records flow while the claim still waits."""
    await produce(producer, [f"v{n}" for n in range(100)], key="one")
    async with consuming(kafka, pool):
        await until(lambda: counted_is(pool, 100))
    await pool.execute("UPDATE fences SET next_offset = 50 WHERE next_offset = 100")
    await pool.execute("DELETE FROM effects; DELETE FROM tally")
    await commit_to_kafka(kafka, hint)
    claim = fences.claim

    async def slow(*args: Any, **kwargs: Any) -> fences.Fence:
        await asyncio.sleep(0.7)
        return await claim(*args, **kwargs)

    monkeypatch.setattr(fences, "claim", slow)
    async with consuming(kafka, pool):
        await until(lambda: counted_is(pool, 50))
        await produce(producer, ["last"], key="one")
        await until(lambda: counted_is(pool, 51))
    assert await repeated(pool) == 0
    assert await pool.fetchval("SELECT min(at_offset) FROM effects") == 50


async def test_one_partition_with_a_backlog_does_not_starve_the_others(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    backlog = (await produce(producer, ["v"] * 6_000, key="viral"))[0].partition
    async with consuming(kafka, pool, timing=replace(QUICK, max_records=50)):
        await until(lambda: counted_at_least(pool, 200))
        sent = [s for s in await produce(producer, ["v"] * 60) if s.partition != backlog]
        await until(lambda: others_are(pool, backlog, len(sent)))
        assert await pool.fetchval("SELECT n FROM tally WHERE partition = $1", backlog) < 6_000


async def test_a_stop_lets_the_running_transaction_end(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    began = asyncio.Event()

    async def slow(connection: Connection, batch: Batch[str]) -> None:
        await handle(connection, batch)
        began.set()
        await asyncio.sleep(0.5)

    async with consuming(kafka, pool, source(slow)):
        await produce(producer, ["v"] * 10, key="one")
        await asyncio.wait_for(began.wait(), 10)
        assert await counted(pool) == 0
    assert await counted(pool) > 0
    assert await counted(pool) == await pool.fetchval("SELECT sum(next_offset) FROM fences")


async def test_what_is_assigned_while_it_leaves_is_drained_too(
    kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance may end between the last drain and the goodbye."""
    close = Consumer._close

    async def assigned_meanwhile(consumer: Consumer, client: AIOKafkaConsumer) -> None:
        consumer._assigned(client, client.assignment())
        await close(consumer, client)

    monkeypatch.setattr(Consumer, "_close", assigned_meanwhile)
    async with tables(postgres_dsn) as pool:
        async with consuming(Kafka(kafka_bootstrap, topic_prefix), pool) as consumer:
            await until(lambda: consumer.ready() is None)
        assert consumer._loops == {}


async def test_a_transaction_beyond_the_budget_is_rolled_back_whole(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    began = asyncio.Event()

    async def endless(connection: Connection, batch: Batch[str]) -> None:
        await handle(connection, batch)
        began.set()
        await asyncio.sleep(60)

    async with consuming(kafka, pool, source(endless), timing=replace(QUICK, drain=0.2)):
        await produce(producer, ["v"] * 10, key="one")
        await asyncio.wait_for(began.wait(), 10)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    assert await counted(pool) == 0
    assert await pool.fetchval("SELECT sum(next_offset) FROM fences") == 0


async def test_a_batch_that_takes_too_long_as_a_whole_is_applied_in_smaller_ones(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sizes = []

    async def heavy(connection: Connection, batch: Batch[str]) -> None:
        sizes.append(len(batch.records))
        if len(batch.records) > 100:
            raise TimeoutError
        await handle(connection, batch)

    await produce(producer, ["v"] * 400, key="one")
    async with consuming(kafka, pool, source(heavy)):
        await until(lambda: counted_is(pool, 400))
    assert max(sizes) > 100  # else nothing was tried
    assert await repeated(pool) == 0


async def test_a_sweep_runs_for_every_partition_under_its_fence(kafka: Kafka, pool: Pool) -> None:
    async def sweep(connection: Connection, topic: str, partition: int) -> None:
        assert topic == TOPIC
        await connection.execute(
            "INSERT INTO sweeps VALUES ($1, 1)"
            " ON CONFLICT (partition) DO UPDATE SET n = sweeps.n + 1",
            partition,
        )

    async with consuming(kafka, pool, source(sweep=sweep)):
        await until(lambda: swept(pool, 2))


async def test_a_bug_holds_its_partition_only_and_ends_with_the_bug(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    broken = True

    async def buggy(connection: Connection, batch: Batch[str]) -> None:
        if broken and any(record.event == "trip" for record in batch.records):
            raise KeyError("bug")
        await handle(connection, batch)

    async with consuming(kafka, pool, source(buggy)) as consumer:
        await produce(producer, ["trip"], key="one")
        await until(lambda: "KeyError" in (consumer.ready() or ""))
        sent = await produce(producer, ["v"] * 60)
        await until(lambda: counted_at_least(pool, 30))
        broken = False
        await until(lambda: counted_is(pool, len(sent) + 1))
        await until(lambda: consumer.ready() is None)
    assert await repeated(pool) == 0


async def test_the_watchdog_sees_an_event_loop_that_does_not_turn(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    reasons: list[str] = []

    async def blocking(connection: Connection, batch: Batch[str]) -> None:
        if not reasons:
            time.sleep(3.5)
        await handle(connection, batch)

    timing = replace(QUICK, silence=2)
    async with consuming(
        kafka, pool, source(blocking), timing=timing, on_stuck=reasons.append
    ) as c:
        await produce(producer, ["v"], key="one")
        await until(lambda: counted_is(pool, 1))
        assert "event loop" in reasons[0]
        assert c.alive() == reasons[0]


async def counted_is(pool: Pool, n: int) -> bool:
    return await counted(pool) == n


async def counted_at_least(pool: Pool, n: int) -> bool:
    return await counted(pool) >= n


async def others_are(pool: Pool, partition: int, n: int) -> bool:
    total = await pool.fetchval(
        "SELECT coalesce(sum(n), 0) FROM tally WHERE partition <> $1", partition
    )
    return bool(total == n)


async def swept(pool: Pool, times: int) -> bool:
    return bool(
        await pool.fetchval("SELECT count(*) FROM sweeps WHERE n >= $1", times) == PARTITIONS
    )


async def end_offsets(kafka: Kafka) -> int:
    client = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        places = [TopicPartition(kafka.topic(TOPIC), n) for n in range(PARTITIONS)]
        return int(sum((await client.end_offsets(places)).values()))
    finally:
        await client.stop()


async def commit_to_kafka(kafka: Kafka, offset: int) -> None:
    """Moves the group's hint, which nobody may ever believe."""
    client = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=kafka.topic(GROUP), enable_auto_commit=False
    )
    places = [TopicPartition(kafka.topic(TOPIC), n) for n in range(PARTITIONS)]
    client.assign(places)
    await client.start()
    try:
        await client.commit(dict.fromkeys(places, offset))
    finally:
        await client.stop()
