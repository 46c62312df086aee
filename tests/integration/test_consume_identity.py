"""A log that is not the one of the fence stops by name; nothing ever jumps by itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.core.db import Pool
from services.core.produce import Producer, create_topics
from services.core.settings import Kafka
from tests.consuming import TOPIC, consuming, counted, produce, repeated, stopped, tables, until


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with tables(postgres_dsn) as pool:
        yield pool


async def recreate(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([kafka.topic(TOPIC)], timeout_ms=10_000)
        await until_absent(admin, kafka.topic(TOPIC))
    finally:
        await admin.close()
    await create_topics(kafka.bootstrap, kafka.topic_prefix, [TOPIC])


async def until_absent(admin: AIOKafkaAdminClient, name: str) -> None:
    for _ in range(500):
        if name not in await admin.list_topics():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the topic is still there")


async def test_a_topic_recreated_under_a_running_consumer_stops_by_name(
    kafka: Kafka, pool: Pool
) -> None:
    async with consuming(kafka, pool):
        async with Producer(kafka) as producer:
            sent = await produce(producer, ["v"] * 60)
            await until(lambda: counted_is(pool, 60))
        await recreate(kafka)
        async with Producer(kafka) as producer:
            await produce(producer, ["v"] * 120)
        touched = {record.partition for record in sent}
        await until(lambda: stopped_are(pool, touched), 30)
    for row in await stopped(pool):
        assert row["stopped_reason"] == "topic_recreated"
    assert await repeated(pool) == 0
    assert await counted(pool) == 60


async def test_a_topic_recreated_while_nobody_looked_stops_at_the_claim(
    kafka: Kafka, pool: Pool, postgres_dsn: str
) -> None:
    async with Producer(kafka) as producer, consuming(kafka, pool):
        await produce(producer, ["v"] * 60)
        await until(lambda: counted_is(pool, 60))
    await recreate(kafka)
    async with Producer(kafka) as producer:
        sent = await produce(producer, ["w"] * 90)
    first = sent[0].partition
    async with consuming(kafka, pool) as consumer:
        await until(lambda: stopped_are(pool, set(range(6))))
        assert await counted(pool) == 60
        assert consumer.alive() is None
        code, said = await veche(kafka, postgres_dsn, "partitions", "resume", TOPIC, str(first))
        assert (code, "--skip-to" in said) == (1, True)
        code, said = await veche(
            kafka, postgres_dsn, "partitions", "resume", TOPIC, str(first), "--skip-to", "0"
        )
        assert (code, f"{TOPIC}[{first}] goes on from offset 0" in said) == (0, True), said
        fresh = sum(record.partition == first for record in sent)
        await until(lambda: counted_is(pool, 60 + fresh))
        code, said = await veche(kafka, postgres_dsn, "partitions", "resume", TOPIC, str(first))
        assert (code, "is not stopped" in said) == (1, True)
    code, said = await veche(kafka, postgres_dsn, "partitions", "list", "--stopped")
    assert (code, said.count("topic_recreated")) == (0, 5)


async def test_records_deleted_before_they_took_effect_stop_by_name(
    kafka: Kafka, pool: Pool
) -> None:
    async with Producer(kafka) as producer:
        sent = await produce(producer, ["v"] * 100, key="one")
        async with consuming(kafka, pool):
            await until(lambda: counted_is(pool, 100))
        await produce(producer, ["v"] * 100, key="one")
        await delete_before(kafka, sent[0].partition, 150)
        async with consuming(kafka, pool):
            await until(lambda: stopped_are(pool, {sent[0].partition}))
    (row,) = await stopped(pool)
    assert row["stopped_reason"] == "offset_out_of_range"
    assert row["next_offset"] == 100
    assert await counted(pool) == 100


async def test_a_fence_beyond_the_log_stops_by_name(kafka: Kafka, pool: Pool) -> None:
    async with Producer(kafka) as producer:
        sent = await produce(producer, ["v"] * 10, key="one")
    async with consuming(kafka, pool):
        await until(lambda: counted_is(pool, 10))
    await pool.execute("UPDATE fences SET next_offset = 500 WHERE next_offset = 10")
    async with consuming(kafka, pool):
        await until(lambda: stopped_are(pool, {sent[0].partition}))
    (row,) = await stopped(pool)
    assert row["stopped_reason"] == "offset_out_of_range"


async def test_a_new_group_begins_where_the_log_begins(kafka: Kafka, pool: Pool) -> None:
    async with Producer(kafka) as producer:
        sent = await produce(producer, ["v"] * 100, key="one")
    await delete_before(kafka, sent[0].partition, 40)
    async with consuming(kafka, pool):
        await until(lambda: counted_is(pool, 60))
    assert await stopped(pool) == []


async def delete_before(kafka: Kafka, partition: int, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        place = TopicPartition(kafka.topic(TOPIC), partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def counted_is(pool: Pool, n: int) -> bool:
    return await counted(pool) == n


async def stopped_are(pool: Pool, partitions: set[int]) -> bool:
    return {row["partition"] for row in await stopped(pool)} == partitions


async def veche(kafka: Kafka, dsn: str, *words: str) -> tuple[int, str]:
    """The operators' command as a process of its own: exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli",
        *words,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "200",
            "VECHE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "VECHE_TOPIC_PREFIX": kafka.topic_prefix,
            "VECHE_POSTGRES_DSN": dsn,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()
