"""Ingest as a process, against real Kafka: what 202 means, and what is said when Kafka is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.core import codec, receipts
from services.embedded.kafka import KafkaCluster
from tests.conftest import make_topics, new_prefix
from tests.processes import Services, Trust


@pytest.fixture
def ingest(services: Services) -> str:
    return services.start("ingest").wait_ready().url


async def accepted(client: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    """As a client must: the same body again for as long as the answer is 503."""
    deadline = time.monotonic() + 60
    while (answer := await client.post(path, json=body)).status_code == 503:
        assert answer.headers["retry-after"] in ("1", "2", "3")
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.1)
    assert answer.status_code == 202, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def record_at(bootstrap: str, topic: str, partition: int, offset: int) -> ConsumerRecord:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none")
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        return await asyncio.wait_for(consumer.getone(place), 20)
    finally:
        await consumer.stop()


async def test_202_means_that_the_record_is_at_the_receipts_offset_under_the_right_key(
    ingest: str,
    kafka_bootstrap: str,
    topic_prefix: str,
    mint: Callable[..., str],
    trust: Trust,
) -> None:
    sent: list[tuple[str, dict[str, Any], bytes]] = [
        (
            "comment",
            {
                "id": "c1",
                "type": "veche.comment.submitted.v1",
                "data": {"discussion": "d1", "comment": "c1", "body": "Вече гудит"},
            },
            b"gazette/d1",
        ),
        ("vote", {"id": "v1", "data": {"discussion": "d1", "value": -1}}, b"gazette/d1|ada"),
        ("view", {"id": "w1", "data": {"discussion": "d1"}}, b"gazette/d1|ada"),
    ]
    secret = trust.env["VECHE_RECEIPT_SECRET"].encode()
    headers = {"authorization": f"Bearer {mint(sub='ada', name='Ада')}"}
    async with httpx.AsyncClient(base_url=ingest, headers=headers) as client:
        for kind, item, key in sent:
            answer = await accepted(client, f"/v1/events/{kind}", item)
            receipt = receipts.read(answer["receipt"], secret)
            record = await record_at(
                kafka_bootstrap, topic_prefix + receipt.topic, receipt.partition, receipt.offset
            )
            assert record.key == key
            event = {
                "comments.v1": codec.decode_comments,
                "votes.v1": codec.decode_votes,
                "views.v1": codec.decode_views,
            }[receipt.topic](record.value)
            assert (event.id, event.site, event.actor) == (item["id"], "gazette", "ada")
            assert event.actorname == "Ада"
            assert codec.digest(event).hex() == receipt.digest


async def test_a_batch_of_500_keeps_the_order_of_a_discussion(
    ingest: str, kafka_bootstrap: str, topic_prefix: str, mint: Callable[..., str], trust: Trust
) -> None:
    events = [
        {
            "id": f"e{number}",
            "type": "veche.comment.submitted.v1",
            "data": {"discussion": "d", "comment": f"c{number}", "body": "Да"},
        }
        for number in range(500)
    ]
    headers = {"authorization": f"Bearer {mint()}"}
    async with httpx.AsyncClient(base_url=ingest, headers=headers, timeout=10) as client:
        answer = await accepted(client, "/v1/events", {"events": events})
    secret = trust.env["VECHE_RECEIPT_SECRET"].encode()
    places = [receipts.read(one["receipt"], secret) for one in answer["results"]]
    assert {place.partition for place in places} == {places[0].partition}
    first = places[0].offset
    assert [place.offset for place in places] == list(range(first, first + 500))


async def test_kafka_down_is_said_within_a_second_and_the_same_id_goes_through_afterwards(
    services: Services, own_kafka: KafkaCluster, mint: Callable[..., str], trust: Trust
) -> None:
    prefix = new_prefix()
    await make_topics(own_kafka.bootstrap, prefix)
    ingest = services.start(
        "ingest", {"VECHE_KAFKA_BOOTSTRAP": own_kafka.bootstrap, "VECHE_TOPIC_PREFIX": prefix}
    ).wait_ready()
    item = {"id": "v1", "data": {"discussion": "d", "value": 1}}
    async with httpx.AsyncClient(
        base_url=ingest.url, headers={"authorization": f"Bearer {mint()}"}, timeout=5
    ) as client:
        await accepted(client, "/v1/events/vote", item)
        own_kafka.broker(1).kill()
        for _ in range(5):
            answer = await client.post("/v1/events/vote", json=item)
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "outcome_unknown"
            assert "same id" in answer.json()["detail"]
            assert answer.headers["retry-after"] in ("1", "2", "3")
        assert not ingest.ready()
        await asyncio.to_thread(own_kafka.restart, 1)
        again = await accepted(client, "/v1/events/vote", item)
    receipt = receipts.read(again["receipt"], trust.env["VECHE_RECEIPT_SECRET"].encode())
    record = await record_at(
        own_kafka.bootstrap, prefix + receipt.topic, receipt.partition, receipt.offset
    )
    assert codec.decode_votes(record.value).id == "v1"


async def test_a_view_without_a_token_is_counted_by_its_cookie(
    ingest: str, kafka_bootstrap: str, topic_prefix: str, trust: Trust
) -> None:
    secret = trust.env["VECHE_RECEIPT_SECRET"].encode()
    item = {"id": "w1", "site": "gazette", "data": {"discussion": "d"}}
    async with httpx.AsyncClient(base_url=ingest) as client:
        actors = []
        for _ in range(2):
            answer = await accepted(client, "/v1/events/view", item)
            actors.append(receipts.read(answer["receipt"], secret).actor)
    assert actors[0] == actors[1]
    assert actors[0].startswith("anon:")


async def test_bodies_beyond_the_limits_are_refused_by_the_real_server_while_it_reads(
    ingest: str, mint: Callable[..., str]
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"id":"'
        while sent < 64 * 1024 * 1024:
            sent += 65_536
            yield b"a" * 65_536

    headers = {"authorization": f"Bearer {mint()}", "content-type": "application/json"}
    async with httpx.AsyncClient(base_url=ingest, headers=headers, timeout=20) as client:
        stated = await client.post("/v1/events/comment", content=b"[" * 10_000_000)
        assert (stated.status_code, stated.json()["code"]) == (413, "too_large")
        unstated = await client.post("/v1/events", content=endless())
        assert (unstated.status_code, unstated.json()["code"]) == (413, "too_large")
        deep = await client.post("/v1/events", content=b"[" * 1_000_000)
        assert (deep.status_code, deep.json()["code"]) == (400, "too_deep")
        vote = {"id": "v1", "data": {"discussion": "d", "value": 1}}
        await accepted(client, "/v1/events/vote", vote)
