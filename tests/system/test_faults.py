"""Workers killed, paused, doubled and fed poison while traffic flows: the final state is the same.

After each fault every strip and feed is compared with the oracle's, at the end every outcome, the
queue and some threads too. A fault is injected where it hurts: a worker is killed or paused while
its transaction has written and not yet committed.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.system.generator import Generator
from tests.system.portal import Veche
from tests.system.traffic import OpenPage, Traffic, blocked, metric, until

RULES = Path(__file__).parent / "rules"
SERVICES = ("ingest", "moderation", "counters", "publisher", "reader", "console")
SITE = "gazette"
ENV = {
    "VECHE_RULES_DIR": str(RULES),
    "VECHE_SESSION_TIMEOUT_MS": "6000",
    # The oracle foretells every verdict, so no brake may change one.
    "VECHE_PROBATION_DAYS": "0",
    "VECHE_REJECTS_PER_HOUR": "0",
}
PARTITIONS = 6


def started(services: Any, copies: int = 1) -> list[dict[str, Any]]:
    """`copies` of every service, ready; one dictionary by name for each copy."""
    sets = [{name: services.start(name, ENV) for name in SERVICES} for _ in range(copies)]
    for one in sets:
        for process in one.values():
            process.wait_ready(60.0)
    return sets


def portal_of(processes: dict[str, Any], mint: Callable[..., str]) -> Veche:
    urls = (processes[name].url for name in ("ingest", "reader", "console"))
    return Veche(*urls, mint, SITE)


async def start_again(process: Any) -> None:
    process.start()
    await asyncio.to_thread(process.wait_ready, 60.0)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_workers_killed_mid_batch_lose_nothing_and_double_nothing(
    services: Any,
    mint: Callable[..., str],
    postgres_dsn: str,
    kafka_bootstrap: str,
    topic_prefix: str,
) -> None:
    seed = 20260401
    (processes,) = started(services)
    acts = Generator(seed, discussions=30, readers=100).first_part(1_500)
    async with portal_of(processes, mint) as veche:
        traffic = Traffic([veche], acts, seed)
        page = OpenPage(f"{processes['reader'].url}/v1/sites/{SITE}/feeds/latest/stream")
        busiest = OpenPage(f"{processes['reader'].url}/v1/sites/{SITE}/discussions/d000/stream")
        async with page.watching(), busiest.watching():
            for name, table in (
                ("publisher", "strips"),
                ("moderation", "revisions"),
                ("counters", "vote_totals"),
            ):
                worker = processes[name]
                async with traffic.flowing(0.2):
                    await traffic.more(1)
                    if name != "publisher":
                        poison = await poisoned(kafka_bootstrap, topic_prefix, name)
                    async with blocked(postgres_dsn, table) as block:
                        await block.held_up()
                        worker.kill()
                    await start_again(worker)
                await traffic.same_state(f"kill -9 of {name} in the middle of a batch")
                if name != "publisher":
                    await each_is_dead_once(kafka_bootstrap, topic_prefix, poison)

            for name in ("reader", "ingest"):
                async with traffic.flowing(0.15):
                    await traffic.more(1)
                    processes[name].kill()
                    await start_again(processes[name])
                await traffic.same_state(f"kill -9 of {name}")
            await traffic.again()
            await traffic.same_state("whole slices were delivered twice")
            processes["console"].kill()
            await traffic.send_rest()
            await start_again(processes["console"])
            portal = await traffic.same_state("kill -9 of console")

            # What is open still follows, and never showed anything older than before.
            for open_page, path in (
                (page, f"/v1/sites/{SITE}/feeds/latest"),
                (busiest, f"/v1/sites/{SITE}/discussions/d000"),
            ):
                newest = tuple((await veche.get(path))["version"])
                await until(lambda o=open_page, n=newest: o.versions[-1] == n, f"{path} to follow")
                assert open_page.connections >= 2
                open_page.never_went_back()

            await decided_after_the_restart(veche, portal)


async def decided_after_the_restart(veche: Veche, portal: Any) -> None:
    """The console that was killed takes decisions again, each with its effect."""
    for item in (await veche.queue())[:5]:
        decision = {key: item[key] for key in ("discussion", "comment", "expected")}
        status, answer = await veche.decide(decision | {"ruling": "approve", "reason": "fine"})
        assert status == 200, answer
        comment = portal.discussions[item["discussion"]].comments[item["comment"]]
        portal.discussions[item["discussion"]].decide(
            comment.id, "approve", comment.revision, comment.status
        )
    held = [c for d in portal.discussions.values() for c in d.comments.values() if c.held]
    assert len(await veche.queue()) == len(held)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_two_copies_of_every_service_and_paused_workers_that_wake_too_late(
    services: Any, mint: Callable[..., str], postgres_dsn: str
) -> None:
    seed = 20260402
    first, second = started(services, copies=2)
    acts = Generator(seed, discussions=40, readers=100).first_part(1_500)
    async with portal_of(first, mint) as one, portal_of(second, mint) as other:
        traffic = Traffic([one, other], acts, seed)
        async with traffic.flowing(0.3):
            await both_work(first, second)
        await traffic.same_state("a start with two copies of every service")
        await traffic.again(3)
        await traffic.same_state("whole slices were delivered twice, to either copy")

        paused = ("moderation", "counters", "publisher")
        before = {name: rejoined(first[name]) for name in paused}
        async with traffic.flowing(0.4):
            async with blocked(postgres_dsn, "vote_totals", "revisions", "strips") as block:
                # More than the second copy's partitions: the first is in the middle of a batch.
                await block.held_up(writers=4)
                for name in paused:
                    first[name].pause()
            await until(lambda: all_taken_over(second), "the second copies to take over", 60.0)
        await traffic.same_state("a takeover from paused workers")
        async with traffic.flowing(0.2):
            for name in paused:
                first[name].resume()
            for name in ("moderation", "counters"):
                await until(
                    lambda n=name: rejoined(first[n]) > before[n], f"{name} to join again", 60.0
                )
        await traffic.same_state("paused workers that woke after their partitions moved")
        await until(lambda: works(first), "the first copies to work again", 60.0)
        await traffic.send_rest()
        await traffic.same_state("everything")


async def both_work(first: dict[str, Any], second: dict[str, Any]) -> None:
    await until(lambda: works(first) and works(second), "both copies to have partitions", 60.0)


def works(copy: dict[str, Any]) -> bool:
    """Each worker of this copy has some of the partitions."""
    return (
        owned(copy["moderation"], "comments.v1") > 0
        and owned(copy["counters"], "votes.v1") > 0
        and metric(copy["publisher"].metrics(), "veche_leases_held") > 0
    )


def all_taken_over(copy: dict[str, Any]) -> bool:
    return (
        owned(copy["moderation"], "comments.v1") == PARTITIONS
        and owned(copy["counters"], "votes.v1") == PARTITIONS
        and metric(copy["publisher"].metrics(), "veche_leases_held") == PARTITIONS
    )


def owned(worker: Any, topic: str) -> int:
    """Partitions of the topic that it has taken."""
    samples = [line for line in worker.metrics().splitlines() if "veche_next_offset{" in line]
    return sum(f'topic="{topic}"' in line for line in samples)


def rejoined(worker: Any) -> float:
    return metric(worker.metrics(), "veche_rebalances_total")


# --- poison


async def poisoned(bootstrap: str, prefix: str, worker: str) -> list[dict[str, Any]]:
    """Writes records that no ingest would send; returns what their dead letters must say."""
    key = f"{SITE}/d000".encode()
    comment = {
        "specversion": "1.0",
        "source": f"/sites/{SITE}",
        "site": SITE,
        "actor": "mallory",
        "time": "2026-02-01T00:00:00Z",
    }
    forged = comment | {
        "id": "forged-1",
        "type": "veche.decision.made.v1",
        "role": "moderator",
        "signature": "A" * 43,
        "data": {
            "discussion": "d000",
            "comment": "c00001",
            "ruling": "reject",
            "expected": {"revision": 1, "status": "published"},
            "reason": "forged",
        },
    }
    bodiless = comment | {
        "id": "poison-1",
        "type": "veche.comment.submitted.v1",
        "data": {"discussion": "d000", "comment": "x1"},
    }
    unknown = comment | {
        "id": "poison-2",
        "type": "veche.comment.liked.v1",
        "data": {"discussion": "d000", "comment": "c00001"},
    }
    loud = comment | {
        "id": "poison-3",
        "type": "veche.vote.cast.v1",
        "data": {"discussion": "d000", "value": 7},
    }
    records: dict[str, list[tuple[str, bytes, bytes | None, str]]] = {
        "moderation": [
            ("comments.v1", key, b"\xff\xfe\x00 no JSON", "bad_json"),
            ("comments.v1", key, json.dumps(bodiless).encode(), "bad_schema"),
            ("comments.v1", key, json.dumps(unknown).encode(), "bad_schema"),
            ("comments.v1", key, json.dumps(forged).encode(), "bad_signature"),
            ("comments.v1", key, None, "no_value"),
        ],
        "counters": [
            ("votes.v1", key + b"|mallory", json.dumps(loud).encode(), "bad_schema"),
            ("votes.v1", key + b"|mallory", b'{"id": "cut sho', "bad_json"),
            ("views.v1", key + b"|mallory", b"[" * 200, "bad_schema"),
        ],
    }
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    letters = []
    try:
        for topic, place, value, reason in records[worker]:
            sent = await producer.send_and_wait(prefix + topic, value, key=place)
            letters.append(
                {
                    "topic": topic,
                    "partition": sent.partition,
                    "offset": sent.offset,
                    "key": base64.b64encode(place).decode(),
                    "value": None if value is None else base64.b64encode(value).decode(),
                    "reason": reason,
                }
            )
    finally:
        await producer.stop()
    return letters


async def each_is_dead_once(
    bootstrap: str, prefix: str, expected: Sequence[dict[str, Any]]
) -> None:
    """The dead-letter topics hold exactly these, each once, with its place and its reason."""
    names = sorted({letter["topic"] for letter in expected})
    found: list[dict[str, Any]] = []
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = []
        for name in names:
            topic = f"{prefix}{name}.dead"
            await consumer._client._wait_on_metadata(topic)
            places += [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        async with asyncio.timeout(30):
            while len(found) < len(expected) or not await at_end(consumer, places):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [json.loads(record.value) for record in records]
    finally:
        await consumer.stop()
    told = [{name: letter[name] for name in expected[0]} for letter in found]
    order = lambda letter: (letter["topic"], letter["partition"], letter["offset"])  # noqa: E731
    assert sorted(told, key=order) == sorted(expected, key=order)


async def at_end(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> bool:
    ends = await consumer.end_offsets(places)
    return all([await consumer.position(place) >= ends[place] for place in places])
