"""The producer: acknowledged or unknown within the deadline, never a hang, healed by itself."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.core import metrics, topics
from services.core.consume import tail
from services.core.errors import Misconfigured, Retryable
from services.core.produce import (
    Outgoing,
    Producer,
    Sent,
    create_topics,
    home_partition,
    partition_of,
)
from services.core.settings import Kafka
from services.embedded.kafka import KafkaCluster
from tests.conftest import make_topics, new_prefix
from tests.consuming import until


@pytest.fixture
async def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


async def test_a_record_is_where_the_answer_says_with_the_brokers_time(kafka: Kafka) -> None:
    async with Producer(kafka) as producer:
        sent = await producer.send(topics.COMMENTS, b"gazette/a", b"value")
        assert sent.partition == home_partition("gazette/a")
        assert abs(datetime.now(UTC) - sent.recorded_at) < timedelta(seconds=30)
    ((record,),) = [lists async for lists in tail(kafka, topics.COMMENTS).held()]
    assert (record.partition, record.offset, record.key, record.value, record.recorded_at) == (
        sent.partition,
        sent.offset,
        b"gazette/a",
        b"value",
        sent.recorded_at,
    )


async def test_answers_come_in_order_and_records_of_a_key_keep_theirs(kafka: Kafka) -> None:
    async with Producer(kafka) as producer:
        answers = await producer.send_all(
            [Outgoing(topics.VOTES, b"k%d" % (n % 7), b"%d" % n) for n in range(2_000)]
        )
        assert all(isinstance(answer, Sent) for answer in answers)
        assert await producer.send_all([]) == []
    held = {
        (record.partition, record.offset): record.value
        async for records in tail(kafka, topics.VOTES).held()
        for record in records
    }
    for n, answer in enumerate(answers):
        assert isinstance(answer, Sent)
        assert held[answer.partition, answer.offset] == b"%d" % n
        assert answer.partition == partition_of(topics.VOTES, b"k%d" % (n % 7))


async def test_a_killed_broker_is_answered_in_time_then_at_once_and_healed(
    own_kafka: KafkaCluster,
) -> None:
    kafka = Kafka(own_kafka.bootstrap, "own.")
    await make_topics(kafka.bootstrap, "own.")
    async with Producer(kafka) as producer:
        await producer.send(topics.VOTES, b"k", b"before")
        await asyncio.to_thread(own_kafka.broker(1).kill)
        began = time.monotonic()
        with pytest.raises(Retryable):
            await producer.send(topics.VOTES, b"k", b"unknown", deadline_seconds=0.8)
        assert time.monotonic() - began < 1.0
        assert not producer.healthy()
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(Retryable):
                await producer.send(topics.VOTES, b"k", b"refused", deadline_seconds=0.8)
        assert time.monotonic() - began < 0.8
        await asyncio.to_thread(own_kafka.restart, 1)
        await until(producer.healthy, 40)
        await until(lambda: delivered(producer), 40)


async def delivered(producer: Producer) -> bool:
    try:
        await producer.send(topics.VOTES, b"k", b"after")
    except Retryable:
        return False
    return True


async def test_it_starts_without_kafka_and_says_so() -> None:
    async with Producer(Kafka("127.0.0.1:1", ""), connect_seconds=0.2) as producer:
        assert not producer.healthy()
        with pytest.raises(Retryable, match="not reachable"):
            await producer.send(topics.VOTES, b"k", b"v", deadline_seconds=0.8)


async def test_a_fatal_error_has_it_built_anew(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka's issue 1017: a producer stays dead after OutOfOrderSequenceNumber."""
    rebuilds = metrics.PRODUCER_REBUILDS._value.get()
    async with Producer(kafka) as producer:
        await producer.send(topics.VOTES, b"k", b"1")
        dead = producer._link
        assert dead is not None

        async def fails(*_args: object, **_kwargs: object) -> object:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(errors.OutOfOrderSequenceNumber())
            return future

        monkeypatch.setattr(dead.client, "send_batch", fails)
        with pytest.raises(Retryable):
            await producer.send(topics.VOTES, b"k", b"2")
        await until(producer.healthy)
        assert producer._link is not dead
        await producer.send(topics.VOTES, b"k", b"2")
    assert metrics.PRODUCER_REBUILDS._value.get() == rebuilds + 1


async def test_a_sender_that_died_silently_is_noticed(kafka: Kafka) -> None:
    async with Producer(kafka) as producer:
        dead = producer._link
        assert dead is not None
        dead.client._sender.sender_task.cancel()
        await until(lambda: producer._link is not dead and producer.healthy())
        await producer.send(topics.VOTES, b"k", b"v")


async def test_what_waits_for_an_acknowledgement_is_bounded(kafka: Kafka) -> None:
    async with Producer(kafka, max_pending=10) as producer:
        refused = await producer.send_all([Outgoing(topics.VOTES, b"k", b"v")] * 11)
        assert {type(answer) for answer in refused} == {Retryable}
        taken = await producer.send_all([Outgoing(topics.VOTES, b"k", b"v")] * 10)
        assert {type(answer) for answer in taken} == {Sent}


async def test_topics_are_made_once_and_differences_are_told(kafka_bootstrap: str) -> None:
    prefix = new_prefix()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + topics.VOTES, 2, 1)])
        report = await create_topics(kafka_bootstrap, prefix, [topics.VOTES, topics.VIEWS])
        assert (report.created, report.existing) == ([topics.VIEWS], [topics.VOTES])
        assert "2 partitions, not 6" in report.differing[topics.VOTES]
        assert "message.timestamp.type is CreateTime" in report.differing[topics.VOTES]
        again = await create_topics(kafka_bootstrap, prefix, [topics.VIEWS])
        assert (again.created, again.differing) == ([], {})
        async with Producer(Kafka(kafka_bootstrap, prefix)) as producer:
            key = next(b"k%d" % n for n in range(50) if partition_of(topics.VOTES, b"k%d" % n) > 1)
            with pytest.raises(Misconfigured, match="fewer partitions"):
                await producer.send(topics.VOTES, key, b"v")
    finally:
        await admin.delete_topics([prefix + topics.VOTES, prefix + topics.VIEWS])
        await admin.close()
    with pytest.raises(Retryable):
        await create_topics("127.0.0.1:1", prefix)
