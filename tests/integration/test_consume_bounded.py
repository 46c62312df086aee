"""Reading up to given ends, over the holes that markers of other people's transactions leave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from services.core.consume import bounded, logs, read_to_ends
from services.core.db import Pool
from services.core.settings import Kafka
from tests.consuming import GROUP, TOPIC, counted, repeated, source, tables


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with tables(postgres_dsn) as pool:
        yield pool


@pytest.fixture
def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


@pytest.fixture
async def foreign(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    """A producer with transactions: each ends with a marker, which takes an offset."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"{kafka.topic_prefix}foreign"
    )
    await producer.start()
    yield producer
    await producer.stop()


async def test_markers_before_an_end_and_at_it_are_passed_over(
    kafka: Kafka, pool: Pool, foreign: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "SILENCE_SECONDS", 5.0)
    for value in (b"v0", b"v2"):  # markers at 1 and 3
        async with foreign.transaction():
            await foreign.send(kafka.topic(TOPIC), value, partition=0)
    end = (await logs(kafka, [TOPIC]))[TOPIC].ranges[0][1]
    assert end == 4
    for upto, effects in ((2, 1), (4, 2)):
        assert await read_to_ends(kafka, pool, GROUP, source(), {0: upto}) == 0
        assert (await counted(pool), await repeated(pool)) == (effects, 0)
        reached = await pool.fetchval("SELECT next_offset FROM fences WHERE partition = 0")
        assert reached == upto
