"""Tails: all of a topic from its beginning, then what comes, through restarts of the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.core import topics
from services.core.consume import Tail, TailRecord, tail
from services.core.errors import Retryable
from services.core.produce import Outgoing, Producer
from services.core.settings import Kafka
from services.embedded.kafka import KafkaCluster
from tests.conftest import make_topics
from tests.consuming import until


@asynccontextmanager
async def tailing(log: Tail) -> AsyncIterator[list[TailRecord]]:
    taken: list[TailRecord] = []

    async def take() -> None:
        async for records in log:
            taken.extend(records)

    task = asyncio.create_task(take())
    try:
        yield taken
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=10)


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


async def test_it_gives_everything_from_the_beginning_says_when_and_goes_on(kafka: Kafka) -> None:
    log = tail(kafka, topics.STRIPS)
    async with Producer(kafka) as producer:
        for n in range(3):
            await producer.send_all(
                [Outgoing(topics.STRIPS, b"k%d" % k, b"%d" % n) for k in range(100)]
            )
        async with tailing(log) as taken:
            await asyncio.wait_for(log.caught_up.wait(), 10)
            assert len(taken) == 300
            assert {r.value for r in taken if r.key == b"k7"} == {b"0", b"1", b"2"}
            assert log.connected
            await producer.send(topics.STRIPS, b"k7", None)
            await until(lambda: len(taken) == 301)
            assert (taken[-1].key, taken[-1].value) == (b"k7", None)
            assert log.last_record_at == taken[-1].recorded_at


async def test_an_empty_topic_is_caught_up_with(kafka: Kafka) -> None:
    log = tail(kafka, topics.FEEDS)
    async with tailing(log) as taken:
        await asyncio.wait_for(log.caught_up.wait(), 10)
        assert taken == []
        assert log.last_record_at is None


async def test_it_can_begin_at_the_end(kafka: Kafka) -> None:
    async with Producer(kafka) as producer:
        await producer.send(topics.FEEDS, b"k", b"old")
        log = tail(kafka, topics.FEEDS, from_beginning=False)
        async with tailing(log) as taken:
            await until(lambda: log.connected)
            await producer.send(topics.FEEDS, b"k", b"new")
            await until(lambda: taken)
            assert [r.value for r in taken] == [b"new"]


async def test_what_is_held_ends_by_itself(kafka: Kafka) -> None:
    async with Producer(kafka) as producer:
        await producer.send_all([Outgoing(topics.FEEDS, b"k%d" % k, b"v") for k in range(50)])
    held = [record async for records in tail(kafka, topics.FEEDS).held() for record in records]
    assert len(held) == 50
    with pytest.raises(Retryable):
        async for _ in tail(Kafka("127.0.0.1:1", ""), topics.FEEDS).held():
            pass


async def test_it_outlives_a_restart_of_the_broker_and_gives_nothing_twice(
    own_kafka: KafkaCluster,
) -> None:
    kafka = Kafka(own_kafka.bootstrap, "own.")
    await make_topics(kafka.bootstrap, "own.")
    log = tail(kafka, topics.STRIPS)
    async with Producer(kafka) as producer, tailing(log) as taken:
        await producer.send_all([Outgoing(topics.STRIPS, b"k%d" % k, b"1") for k in range(60)])
        await until(lambda: len(taken) == 60)
        await asyncio.to_thread(own_kafka.broker(1).kill)
        await until(lambda: not log.connected, 20)
        await asyncio.to_thread(own_kafka.restart, 1)
        await until(lambda: producer.healthy(), 40)
        await producer.send_all([Outgoing(topics.STRIPS, b"k%d" % k, b"2") for k in range(60)])
        await until(lambda: len({(r.partition, r.offset) for r in taken}) >= 120, 40)
        assert log.connected
    assert len(taken) == len({(r.partition, r.offset) for r in taken})
