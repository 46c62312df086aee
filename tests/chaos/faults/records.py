"""Faults of what the logs hold: copies, odd orders, bad records, records that are gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.core import topics
from services.core.produce import partition_of
from tests.chaos.kinds import Missed, kind
from tests.chaos.nemesis import Nemesis
from tests.chaos.stack import Stack
from tests.chaos.wire import Connection
from tests.chaos.world import SITE


@kind(light=True)
async def duplicates(n: Nemesis) -> dict[str, Any]:
    """Copies of what the log holds, further on: a producer's late retries."""
    topic = n.next("duplicates", [topics.VOTES, topics.COMMENTS, topics.VIEWS])
    records = await n.past_ingest.some_records(topic, 40)
    if not records:
        raise Missed("the log is empty")
    for record in records:
        for _ in range(n.random.randrange(1, 3)):
            await n.past_ingest.put(topic, record.partition, record.key, record.value)
            n.past_ingest.good += 1
    return {"point": topic, "owner": "", "copies": len(records)}


@kind(light=True)
async def odd_order(n: Nemesis) -> dict[str, Any]:
    """Edits, deletions, votes and reports before the comment that they are about."""
    world = n.traffic.world
    name = n.random.choice(world.discussions)
    submitted = n.traffic.world.submitted(name)
    world.comments[name].pop()
    comment, author = submitted["data"]["comment"], submitted["actor"]
    about = {"discussion": name, "comment": comment}
    items = [
        n.traffic.world.vote(name, comment),
        n.traffic.world.vote(name, comment, author),
        n.traffic.world.item("comment.edited", {**about, "body": world.text()}, author),
        n.traffic.world.item("comment.deleted", about, author),
        n.traffic.world.item("report.filed", {**about, "revision": 1, "reason": "spam"}, "reader1"),
    ]
    if n.random.random() < 0.7:
        items.append(submitted)
    items.append(n.traffic.world.vote(name, comment))
    for item in items:
        value = json.dumps(_event(item)).encode()
        topic = topics.VOTES if "vote" in item["type"] else topics.COMMENTS
        key = f"{SITE}/{name}" + (f"|{item['actor']}" if topic == topics.VOTES else "")
        await n.past_ingest.put(topic, _partition(topic, key), key.encode(), value)
        n.past_ingest.ids.add(item["id"])
        n.past_ingest.good += 1
    return {"point": "comments.v1 and votes.v1", "owner": "", "events": len(items)}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    """As ingest would write it."""
    return {
        "id": item["id"], "type": item["type"], "source": f"/sites/{SITE}", "site": SITE,
        "actor": item["actor"], "actorname": "", "role": "reader", "time": item["time"],
        "specversion": "1.0", "datacontenttype": "application/json", "data": item["data"],
    }  # fmt: skip


def _partition(topic: str, key: str) -> int:
    return partition_of(topic, key.encode())


When = Callable[[Connection], bool]
BAD: dict[str, Callable[[dict[str, Any]], bytes | None]] = {
    "not json": lambda event: b"\xff\xfe{",
    "no value": lambda event: None,
    "cut short": lambda event: json.dumps(event).encode()[:-7],
    "missing field": lambda event: json.dumps(
        {k: v for k, v in event.items() if k != "id"}
    ).encode(),
    "wrong type": lambda event: json.dumps(
        {**event, "data": {**event["data"], "discussion": 7}}
    ).encode(),
    "NUL": lambda event: json.dumps({**event, "actorname": "a\0b"}).encode(),
    "deep": lambda event: b"[" * 5000,
}


@kind(light=True)
async def poison(n: Nemesis) -> dict[str, Any]:
    topic = n.next("poison_topic", [topics.COMMENTS, topics.VOTES, topics.VIEWS])
    name = n.next("poison_kind", [*BAD, "forged decision"])
    discussion = n.random.choice(n.traffic.world.discussions)
    if name == "forged decision":
        topic = topics.COMMENTS
        item = n.traffic.world.item(
            "decision.made",
            {"discussion": discussion, "comment": "c1", "ruling": "approve",
             "expected": {"revision": 1, "status": "pending"}}, "mallory",
        )  # fmt: skip
        value: bytes | None = json.dumps({**_event(item), "signature": "AAAA"}).encode()
    else:
        item = (
            n.traffic.world.submitted(discussion) if topic == topics.COMMENTS
            else n.traffic.world.vote(discussion, None) if topic == topics.VOTES
            else n.traffic.world.item("discussion.viewed", {"discussion": discussion}, "reader1")
        )  # fmt: skip
        value = BAD[name](_event(item))
    partition = n.random.randrange(topics.declared()[topic].partitions)
    await n.past_ingest.put_bad(topic, partition, value, name)
    return {"point": name, "owner": topic}


@kind()
async def poison_in_unknown_commit(n: Nemesis) -> dict[str, Any]:
    """A bad record whose transaction is cut before its commit, and then commits unheard."""
    struck = 0
    for _ in range(3):
        topic = n.next("poison_topic", [topics.COMMENTS, topics.VOTES, topics.VIEWS])
        name = "moderation" if topic == topics.COMMENTS else "counters"
        partition = n.random.randrange(topics.declared()[topic].partitions)

        def of_it(connection: Connection, place: tuple[str, int] = (topic, partition)) -> bool:
            fence = connection.mind.fence
            return fence is not None and (fence.topic, fence.partition) == place

        async def cut(point: str, name: str = name, of_it: When = of_it) -> int:
            with suppress(Missed):
                await n.spring(point, n.labels(name), lambda connection: "cut", of_it)
                return 1
            return 0

        # The first may meet the batch before; the trap is set before the record is there.
        first = asyncio.create_task(cut("before_commit"))
        await asyncio.sleep(0)
        await n.past_ingest.put_bad(topic, partition, b"{", "not json")
        struck += await first
        struck += await cut("before_commit") and await cut("commit_sent")
    if not struck:
        raise Missed("no transaction of the partition came to its commit")
    return {"point": "before_commit, commit_sent", "owner": "", "struck": struck}


@kind(light=True)
async def future_schema(n: Nemesis) -> dict[str, Any]:
    """A type that does not exist yet is a dead letter; such a field is ignored."""
    name = n.random.choice(n.traffic.world.discussions)
    item = n.traffic.world.submitted(name)
    n.traffic.world.comments[name].pop()
    partition = _partition(topics.COMMENTS, f"{SITE}/{name}")
    newer = {**_event(item), "type": "veche.comment.submitted.v2"}
    await n.past_ingest.put_bad(
        topics.COMMENTS, partition, json.dumps(newer).encode(), "type of the future"
    )
    extended = {**_event(item), "mood": "bright", "data": {**item["data"]}}
    await n.past_ingest.put(
        topics.COMMENTS, partition, f"{SITE}/{name}".encode(), json.dumps(extended).encode()
    )
    n.past_ingest.ids.add(item["id"])
    n.past_ingest.good += 1
    return {"point": "v2 and an unknown member", "owner": ""}


@kind()
async def poison_flood(n: Nemesis) -> dict[str, Any]:
    """A bad deploy: the partition stops by name instead of draining; an operator resumes it."""
    topic = n.next("flood", [topics.VIEWS, topics.VOTES, topics.COMMENTS])
    partition = n.random.randrange(topics.declared()[topic].partitions)
    producer = await n.past_ingest.producer()
    sent = [
        await producer.send(
            n.stack.prefix + topic, b"\x00flood", key=b"poison", partition=partition
        )
        for _ in range(130)
    ]  # fmt: skip
    for future in sent:
        n.past_ingest.bad[topic, partition, (await asyncio.wait_for(future, 20)).offset] = "flood"
    for _ in range(300):
        rows = await n.stack.fetch(
            "SELECT stopped_reason FROM fences WHERE topic = $1 AND partition = $2"
            " AND stopped_reason IS NOT NULL", topic, partition,
        )  # fmt: skip
        if rows:
            break
        await asyncio.sleep(0.1)
    else:
        raise Missed(f"{topic}[{partition}] did not stop")
    await n.veche("partitions", "resume", topic, str(partition))
    return {"point": rows[0]["stopped_reason"], "owner": topic}


@kind()
async def offset_out_of_range(n: Nemesis) -> dict[str, Any]:
    """Retention overtakes a consumer: it must stop by name. On topics and a database of their own,
    so that the run's logs stay whole."""
    small = Stack(n.stack.servers, n.stack.root, {}, n.stack.session_ms)
    topic, place = topics.CONTROL, TopicPartition(small.prefix + topics.CONTROL, 0)
    fence = "SELECT next_offset, stopped_reason FROM fences WHERE topic = 'control.v1'"
    try:
        await small.start()
        service = await small.add("moderation", 7)
        service.start()
        await _until(small, fence, lambda row: True, "control.v1 was not claimed")
        await asyncio.to_thread(service.kill)
        producer = await n.past_ingest.producer()
        for _ in range(3):
            sent = await producer.send_and_wait(place.topic, b"not a policy", partition=0)
        end = sent.offset + 1
        admin = AIOKafkaAdminClient(bootstrap_servers=n.stack.bootstrap)
        await asyncio.wait_for(admin.start(), 15)
        try:
            await admin.delete_records({place: RecordsToDelete(before_offset=end)})
        finally:
            await admin.close()
        service.start()
        row = await _until(small, fence, lambda row: row["stopped_reason"], "it did not stop")
        assert (row["next_offset"], row["stopped_reason"]) == (0, "offset_out_of_range"), row
        await n.veche("partitions", "resume", topic, "0", "--skip-to", str(end), stack=small)
        await _until(small, fence, lambda row: row["next_offset"] == end, "it did not go on")
    finally:
        await small.end()
    return {"point": "offset_out_of_range", "owner": topic}


async def _until(stack: Stack, statement: str, holds: Callable[[Any], Any], else_: str) -> Any:
    for _ in range(400):
        rows = await stack.fetch(statement)
        if rows and holds(rows[0]):
            return rows[0]
        await asyncio.sleep(0.1)
    raise Missed(else_)
