"""`veche partitions` and `veche dead-letters`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import pytest

from services.core import topics
from services.core.consume import tail
from services.core.db import Pool
from services.core.produce import Outgoing, Producer
from services.core.settings import Kafka
from services.core.store import outbox
from tests.consuming import (
    GROUP,
    PARTITIONS,
    TOPIC,
    consuming,
    counted,
    produce,
    stopped,
    tables,
    until,
)


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with tables(postgres_dsn) as pool:
        yield pool


class Veche:
    def __init__(self, kafka: Kafka, dsn: str) -> None:
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "200",
            "VECHE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "VECHE_TOPIC_PREFIX": kafka.topic_prefix,
            "VECHE_POSTGRES_DSN": dsn,
        }

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, said.decode(), wrong.decode()


@pytest.fixture
def veche(kafka: Kafka, postgres_dsn: str) -> Veche:
    return Veche(kafka, postgres_dsn)


async def relay(pool: Pool, producer: Producer) -> None:
    """What the publisher does with the outbox."""
    for topic, partition in await outbox.waiting(pool):
        for waiting in await outbox.take(pool, topic, partition, 10_000):
            await producer.send(waiting.topic, waiting.key, waiting.value)
            await outbox.remove(pool, topic, partition, [waiting.sequence])


async def test_partitions_are_listed_with_their_lag_and_a_stopped_one_goes_on(
    kafka: Kafka, pool: Pool, veche: Veche
) -> None:
    async with Producer(kafka) as producer:
        sent = await produce(producer, ["bad"] * 120 + ["v"] * 5, key="one")
        where = str(sent[0].partition)
        async with consuming(kafka, pool):
            await until(lambda: stopped(pool))
            code, said, _ = await veche("partitions", "list", "--json")
            rows = {row["partition"]: row for row in json.loads(said)}
            assert (code, len(rows)) == (0, PARTITIONS)
            row = rows[sent[0].partition]
            assert (row["group"], row["topic"], row["lag"]) == (GROUP, TOPIC, 25)
            assert (row["next_offset"], row["stopped_reason"]) == (100, "dead_letter_limit")
            code, said, _ = await veche("partitions", "list", "--stopped")
            assert (code, "dead_letter_limit at offset 100" in said) == (0, True)

            code, _, wrong = await veche("partitions", "resume", TOPIC, where, "--skip-to", "3")
            assert (code, "would do so twice" in wrong) == (1, True)
            code, _, wrong = await veche("partitions", "resume", TOPIC, where, "--skip-to", "999")
            assert (code, "within the log: 0 to 125" in wrong) == (1, True)
            code, _, wrong = await veche("partitions", "resume", "feeds.v1", "0")
            assert (code, "no consumer has a fence" in wrong) == (1, True)
            code, said, _ = await veche("partitions", "resume", TOPIC, where, "--skip-to", "120")
            assert (code, said) == (0, f"{TOPIC}[{where}] goes on from offset 120\n")
            await until(lambda: counted_is(pool, 5))


async def test_dead_letters_are_listed_shown_and_sent_again(
    kafka: Kafka, pool: Pool, veche: Veche
) -> None:
    values = ["v", "bad one", "v", "bad два", "v", "bad three"]
    async with Producer(kafka) as producer:
        sent = await produce(producer, values, key="one")
        large = b"bad" + b"x" * 1_100_000
        (huge,) = await producer.send_all([Outgoing(TOPIC, b"one", large)])
        async with consuming(kafka, pool):
            await until(lambda: counted_is(pool, 3))
            await until(lambda: waiting_are(pool, 4))
        await relay(pool, producer)

    code, said, _ = await veche("dead-letters", "list", TOPIC, "--json")
    rows = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert [row["source_offset"] for row in rows] == [
        *(sent[n].offset for n in (1, 3, 5)),
        huge.offset,  # type: ignore[union-attr]
    ]
    assert {row["reason"] for row in rows} == {"bad_schema"}
    code, said, _ = await veche("dead-letters", "list", TOPIC)
    assert (code, "4 dead letters" in said, "a planted record" in said) == (0, True, True)

    second = rows[1]["offset"]
    code, said, _ = await veche("dead-letters", "show", TOPIC, str(second))
    assert code == 0
    assert json.loads(said)["value"] == "bad два"
    code, _, wrong = await veche("dead-letters", "show", TOPIC, "77")
    assert (code, "no letter at offset 77" in wrong) == (1, True)
    code, _, _ = await veche("dead-letters", "list", "strips.v1")
    assert code == 2

    code, _, _ = await veche("dead-letters", "replay", TOPIC)
    assert code == 2
    code, said, _ = await veche(
        "dead-letters", "replay", TOPIC, "--from", str(second), "--to", str(second)
    )
    assert (code, said.splitlines()[-1]) == (0, f"1 sent to {TOPIC}, 0 not")
    code, said, wrong = await veche("dead-letters", "replay", TOPIC, "--all")
    assert (code, said.splitlines()[-1]) == (1, f"3 sent to {TOPIC}, 1 not")
    assert "is not in the letter" in wrong
    again = [
        (record.key, record.value)
        async for records in tail(kafka, topics.VOTES).held()
        for record in records
    ][len(values) + 1 :]
    assert again == [
        (b"one", value.encode()) for value in ("bad два", "bad one", "bad два", "bad three")
    ]


async def counted_is(pool: Pool, n: int) -> bool:
    return await counted(pool) == n


async def waiting_are(pool: Pool, n: int) -> bool:
    return sum(records for records, _ in (await outbox.waiting(pool)).values()) == n
