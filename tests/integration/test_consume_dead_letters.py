"""Records that can never be applied: dead-lettered once with the reason, never the whole topic."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.core import codec, metrics, topics
from services.core.consume import Batch
from services.core.consume.letters import DeadLetter
from services.core.db import Connection, Pool
from services.core.produce import Outgoing, Producer
from services.core.settings import Kafka
from services.core.store import fences, outbox
from tests.consuming import (
    GROUP,
    TOPIC,
    consuming,
    counted,
    handle,
    produce,
    repeated,
    source,
    stopped,
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


async def letters(pool: Pool, partition: int) -> list[tuple[outbox.Waiting, DeadLetter]]:
    return [
        (waiting, codec.decode(waiting.value or b"", DeadLetter))
        for waiting in await outbox.take(pool, TOPIC, partition, 10_000)
    ]


async def test_a_bad_record_is_dead_lettered_once_with_place_reason_and_bytes(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sent = await produce(producer, ["v", "v", "bad \x00 one", "v"], key="one")
    bad = sent[2]
    async with consuming(kafka, pool):
        await until(lambda: counted_is(pool, 3))
    async with consuming(kafka, pool):  # and not again
        await produce(producer, ["v"], key="one")
        await until(lambda: counted_is(pool, 4))
    ((waiting, letter),) = await letters(pool, bad.partition)
    assert waiting.topic == topics.dead_letters_of(TOPIC)
    assert waiting.key == b"one"
    assert (letter.topic, letter.partition, letter.offset) == (TOPIC, bad.partition, bad.offset)
    assert b64decode(letter.value or "") == b"bad \x00 one"
    assert b64decode(letter.key or "") == b"one"
    assert letter.timestamp == bad.recorded_at
    assert (letter.reason, letter.detail, letter.field) == (
        "bad_schema",
        "a planted record",
        "$.data",
    )
    assert datetime.now(UTC) - letter.timestamp < timedelta(minutes=5)
    assert await repeated(pool) == 0


async def test_a_record_that_postgres_refuses_is_found_among_its_batch(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    async def refusing(connection: Connection, batch: Batch[str]) -> None:
        await handle(connection, batch)
        await connection.execute(
            "SELECT v::integer FROM unnest($1::text[]) AS v", [r.event for r in batch.records]
        )

    counted_before = metrics.DEAD_LETTERS.labels(TOPIC, "bad_data")._value.get()
    values = [str(n) for n in range(400)]
    values[123] = "twelve"
    values[301] = "99999999999"
    sent = await produce(producer, values, key="one")
    async with consuming(kafka, pool, source(refusing)):
        await until(lambda: counted_is(pool, 398))
    found = await letters(pool, sent[0].partition)
    assert [letter.offset for _, letter in found] == [sent[123].offset, sent[301].offset]
    assert {letter.reason for _, letter in found} == {"bad_data"}
    assert "InvalidTextRepresentation" in found[0][1].detail
    assert await repeated(pool) == 0
    assert metrics.DEAD_LETTERS.labels(TOPIC, "bad_data")._value.get() == counted_before + 2


async def test_a_record_whose_effect_cannot_be_encoded_is_found_among_its_batch(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    async def telling(connection: Connection, batch: Batch[str]) -> None:
        await handle(connection, batch)
        for record in batch.records:
            codec.encode("\ud800" if record.event == "half" else record.event)

    sent = await produce(producer, ["v", "v", "half", "v"], key="one")
    async with consuming(kafka, pool, source(telling)):
        await until(lambda: counted_is(pool, 3))
    ((_, letter),) = await letters(pool, sent[0].partition)
    assert (letter.offset, letter.reason) == (sent[2].offset, "bad_data")
    assert "UnicodeEncodeError" in letter.detail
    assert await repeated(pool) == 0


async def test_a_record_without_a_value_is_a_dead_letter(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sent = await producer.send(TOPIC, b"one", None)
    async with consuming(kafka, pool):
        await until(lambda: waiting_is(pool, 1))
    ((_, letter),) = await letters(pool, sent.partition)
    assert (letter.reason, letter.value) == ("no_value", None)


async def test_a_flood_stops_the_partition_at_the_limit_and_an_operator_lets_it_go_on(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sent = await produce(producer, ["v"] * 10 + ["bad"] * 150 + ["v"] * 10, key="one")
    partition = sent[0].partition
    async with consuming(kafka, pool) as consumer:
        await until(lambda: stopped(pool))
        (row,) = await stopped(pool)
        assert row["stopped_reason"] == "dead_letter_limit"
        assert row["next_offset"] == sent[110].offset
        assert f"at offset {sent[110].offset}" in row["stopped_detail"]
        assert await outbox_size(pool) == 100
        gauge = metrics.STOPPED.labels(TOPIC, str(partition))
        assert gauge._value.get() == 1
        others = [s for s in await produce(producer, ["v"] * 60) if s.partition != partition]
        await until(lambda: counted_at_least(pool, 10 + len(others)))
        assert consumer.alive() is None

        await fences.resume(pool, GROUP, TOPIC, partition)
        await until(lambda: counted_at_least(pool, 20 + len(others)))
        await until(lambda: outbox_is(pool, 150))
        await until(lambda: counted_is(pool, 10 + 10 + 60))
        assert gauge._value.get() == 0
    assert await repeated(pool) == 0
    assert await stopped(pool) == []


async def test_a_stop_outlives_its_process_and_a_skip_leaves_the_flood_behind(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    sent = await produce(producer, ["bad"] * 300 + ["v"], key="one")
    partition = sent[0].partition
    async with consuming(kafka, pool):
        await until(lambda: stopped(pool))
    async with consuming(kafka, pool) as consumer:
        await until(lambda: consumer.ready() is None)
        assert len(await stopped(pool)) == 1
        assert await outbox_size(pool) == 100
        resumed = await fences.resume(pool, GROUP, TOPIC, partition, skip_to=sent[300].offset)
        assert resumed is not None
        await until(lambda: counted_is(pool, 1))
    assert await outbox_size(pool) == 100
    assert await fences.resume(pool, GROUP, TOPIC, partition) is None


async def test_one_percent_of_many_records_stops_the_partition_too(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    values = ["bad" if n % 50 == 49 else "v" for n in range(3_000)]
    sent = await produce(producer, values, key="one")
    async with consuming(kafka, pool):
        await until(lambda: stopped(pool))
    (row,) = await stopped(pool)
    # Judged from the thousandth record on, which happens to be bad: the twentieth of them.
    assert row["next_offset"] == sent[999].offset
    assert await counted(pool) == 999 - 19
    assert await outbox_size(pool) == 19


async def test_a_value_too_large_to_repeat_is_named_by_its_place(
    kafka: Kafka, producer: Producer, pool: Pool
) -> None:
    answers = await producer.send_all(
        [Outgoing(TOPIC, b"one", b"bad" + b"x" * 1_500_000)], deadline_seconds=10
    )
    async with consuming(kafka, pool):
        await until(lambda: waiting_is(pool, 1))
    ((_, letter),) = await letters(pool, answers[0].partition)  # type: ignore[union-attr]
    assert (letter.value, letter.value_bytes) == (None, 1_500_003)


async def counted_is(pool: Pool, n: int) -> bool:
    return await counted(pool) == n


async def counted_at_least(pool: Pool, n: int) -> bool:
    return await counted(pool) >= n


async def outbox_size(pool: Pool) -> int:
    return sum(records for records, _ in (await outbox.waiting(pool)).values())


async def outbox_is(pool: Pool, n: int) -> bool:
    return await outbox_size(pool) == n


async def waiting_is(pool: Pool, n: int) -> bool:
    await asyncio.sleep(0)
    return await outbox_size(pool) == n
