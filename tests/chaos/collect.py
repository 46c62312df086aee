"""Reads what is left after the faults, once, after everything healed and no lag is left."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.core import topics
from tests.chaos.evidence import INPUTS, Evidence, Logged, Place, Published, Version, feed_wrong
from tests.chaos.history import lines
from tests.chaos.model import Model, Record
from tests.chaos.stack import Stack

TABLES = {
    "discussions": "SELECT discussion, revision, title, state, visible_comments FROM discussions",
    "comments": "SELECT discussion, comment, author, parent, submitted_at, status, revision,"
    " published_revision, held_revision, held_reason, deleted_at IS NOT NULL AS deleted, visible,"
    " ruling, ruled_revision, ruled_by, reports, visible_descendants FROM comments",
    "revisions": "SELECT discussion, comment, revision, body, event_id FROM revisions",
    "reports": "SELECT discussion, comment, revision, reporter FROM reports",
    "author_totals": "SELECT site, author, sum(published)::int AS published,"
    " sum(rejected)::int AS rejected FROM author_totals GROUP BY site, author",
    "reporter_totals": "SELECT reporter, sum(upheld)::int AS upheld,"
    " sum(dismissed)::int AS dismissed FROM reporter_totals GROUP BY reporter",
    "outcomes": "SELECT discussion, event_id, encode(event_digest, 'hex') AS digest, cause,"
    " comment, revision, result, reason, status FROM outcomes",
    "votes": "SELECT discussion, target, voter, value, changes FROM votes",
    "vote_totals": "SELECT discussion, target, sum(up)::int AS up, sum(down)::int AS down"
    " FROM vote_totals GROUP BY discussion, target",
    "parked_votes": "SELECT discussion, target, voter, source_offset FROM parked_votes",
    "view_totals": "SELECT discussion, sum(views)::int AS views FROM view_totals"
    " GROUP BY discussion",
    "strips": "SELECT discussion, incarnation, version, published_version, strip::text FROM strips",
    "fences": "SELECT topic, partition, next_offset, stopped_reason FROM fences",
    "fence_steps": "SELECT topic, partition, stood, stands, epoch_was, epoch_is"
    " FROM chaos.fence_steps"
    " ORDER BY topic, partition, step",
    "changed_comments": "SELECT discussion, comment FROM changed_comments",
    "letters": "SELECT source_topic, source_partition, value FROM chaos.letters",
    "connections": "SELECT count(*)::int AS open, count(*) FILTER (WHERE state LIKE 'idle in%'"
    " AND state_change < now() - interval '15 seconds')::int AS stuck FROM pg_stat_activity"
    " WHERE application_name = 'veche' AND datname = current_database()",
}

ORDER = {"fail": 0, "maybe": 1, "ok": 2}


def read_history(evidence: Evidence, file: Path) -> None:
    events: dict[int, str] = {}
    for line in lines(file):
        match line["type"]:
            case "invoke":
                events[line["op"]] = line["event"]
            case "ok" | "fail" | "maybe" as said:
                event = events.pop(line["op"])
                _note(evidence, event, said)
                if "receipt" in line:
                    topic, partition, offset = line["receipt"]
                    evidence.receipts.append((event, (topic, partition, offset)))
            case "read":
                evidence.reads.append(line)
            case "sse":
                evidence.streamed.append(line)
            case "own":
                evidence.own.append(line)
    for event in events.values():  # never answered
        _note(evidence, event, "maybe")


def _note(evidence: Evidence, event: str, said: str) -> None:
    """An attempt that failed says nothing about another one that may have arrived."""
    before = evidence.invoked.get(event, "fail")
    evidence.invoked[event] = max(before, said, key=ORDER.__getitem__)


async def read_topics(evidence: Evidence, stack: Stack) -> None:
    """Every record of every topic, from the first to the last at this moment, in the order that
    the model wants; what is many is looked at as it passes."""
    rest = [name for name in topics.declared() if name not in (*INPUTS, topics.FEEDS)]
    rest = [name for name in rest if topics.CONTROL not in name]

    def take(name: str, record: Any) -> None:
        _take(evidence, name, record)

    for names in ([topics.COMMENTS], [topics.VOTES], [topics.VIEWS], rest):
        await _read(evidence, stack, names, take)
    strips = {(one.key, one.version): one for one in evidence.strips}
    feeds = _Feeds(evidence, strips)
    await _read(evidence, stack, [topics.FEEDS], feeds.take)
    evidence.feeds = [*feeds.highest.values(), *feeds.last.values()]


class _Feeds:
    """Feeds are long and many: each is looked at as it passes, few are kept."""

    def __init__(self, evidence: Evidence, strips: Mapping[tuple[str, Version], Published]) -> None:
        self.evidence, self.strips = evidence, strips
        self.newest: dict[str, Version] = {}
        for key, version in strips:
            self.newest[key] = max(version, self.newest.get(key, version))
        self.hashes: dict[tuple[str, Version], bytes] = {}
        self.last: dict[str, Published] = {}
        self.highest: dict[str, Published] = {}

    def take(self, name: str, record: Any) -> None:
        data = msgspec.json.decode(record.value)["data"]
        key = f"{data['site']}/{data['feed']}/{data['language']}/{data['section']}"
        version = (data["version"][0], data["version"][1])
        feed = Published(key, version, data, record.partition, record.offset)
        self.evidence.feeds_read += 1
        hashed = hashlib.blake2b(record.value, digest_size=16).digest()
        if self.hashes.setdefault((key, version), hashed) != hashed:
            self.evidence.feeds_wrong.append(f"{key}@{version} was published with two contents")
        self.evidence.feeds_wrong += feed_wrong(feed, self.strips, self.newest)
        self.evidence.entries_compared += sum(
            (f"{data['site']}/{entry['discussion']}", tuple(entry["version"])) in self.strips
            for entry in data["entries"]
        )
        self.last[key] = feed
        if key not in self.highest or version > self.highest[key].version:
            self.highest[key] = feed


async def _read(
    evidence: Evidence, stack: Stack, names: list[str], take: Callable[[str, Any], None]
) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, client_id="chaos", max_partition_fetch_bytes=8 << 20
    )
    try:
        await asyncio.wait_for(consumer.start(), 20)
        named = {
            TopicPartition(stack.prefix + name, partition): name
            for name in names
            for partition in range(topics.declared()[name].partitions)
        }
        ends = await consumer.end_offsets(list(named))
        evidence.ends |= {
            (name, place.partition): ends[place] for place, name in named.items() if name in INPUTS
        }
        left = {place for place in named if ends[place]}
        consumer.assign(list(left))
        for place in left:
            consumer.seek(place, 0)
        while left:
            found = await consumer.getmany(timeout_ms=1_000, max_records=20_000)
            for place, batch in found.items():
                for record in batch:
                    if record.offset < ends[place]:
                        take(named[place], record)
            for place in list(left):
                if await consumer.position(place) >= ends[place]:
                    left.discard(place)
                    consumer.pause(place)
    finally:
        await consumer.stop()


def letter_place(value: bytes) -> tuple[Place, bytes | None]:
    """Where a dead letter's record is, and the bytes that it repeats."""
    letter = json.loads(value)
    raw = letter["value"]
    place = (letter["topic"], letter["partition"], letter["offset"])
    return place, None if raw is None else b64decode(raw)


def _take(evidence: Evidence, topic: str, record: Any) -> None:
    place = (topic, record.partition, record.offset)
    if topic in INPUTS:
        if place in evidence.poison:
            evidence.poison_values[place] = record.value
            return
        try:
            event = msgspec.json.decode(record.value)
        except (ValueError, TypeError):  # nobody said that it is bad
            evidence.poison_values[place] = record.value
            evidence.poison[place] = "unexplained"
            return
        at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        good = Record(topic, record.partition, record.offset, at, event)
        evidence.model.take(good)
        evidence.records.append(
            Logged(topic, good.partition, good.offset, sys.intern(good.discussion), good.id,
                   sys.intern(good.type))
        )  # fmt: skip
    elif topic.endswith(".dead"):
        evidence.letters.append(letter_place(record.value))
    elif topic == topics.OUTCOMES:
        evidence.told.append(msgspec.json.decode(record.value))
    elif record.value is not None:
        data = msgspec.json.decode(record.value)["data"]
        key = f"{data['site']}/{data['discussion']}"
        evidence.strips.append(
            Published(
                key, (data["version"][0], data["version"][1]), data, record.partition, record.offset
            )
        )


def threads_of(model: Model) -> list[str]:
    """The discussions whose threads are read: the four with most comments, and twenty others."""
    opened = [d for d in model.discussions.values() if d.opened_at is not None]
    opened.sort(key=lambda d: (-len(d.comments), d.key))
    return [d.key for d in (*opened[:4], *opened[4:][-20:])]


async def read_thread(stack: Stack, key: str) -> dict[str, str | None]:
    """A whole thread as a reader gets it."""
    site, name = key.split("/")
    base = f"{stack.of('reader')[0].url}/v1/sites/{site}/discussions/{name}/comments"
    shown: dict[str, str | None] = {}

    async def page_of(address: str, **asked: str | int) -> dict[str, Any]:
        answer = await stack.http.get(address, params=asked)
        page: dict[str, Any] = answer.raise_for_status().json()
        for one in page.get("comments", page.get("replies", [])):
            shown[one["id"]] = None if one["hidden"] else one["body"]
        return page

    cursor: str | None = ""
    while cursor is not None:
        page = await page_of(base, sort="oldest", limit=100, replies=0, cursor=cursor)
        for root in page["comments"]:
            more = root["more_replies"]
            while more:
                rest = await page_of(f"{base}/{root['id']}/replies", limit=100, cursor=more)
                more = rest["next"]
        cursor = page["next"] or None
    return shown


async def read_threads(evidence: Evidence, stack: Stack) -> None:
    """What cannot be read within a few attempts stays out: `unseen` says so."""
    evidence.threads_asked = threads_of(evidence.model)
    for key in evidence.threads_asked:
        for _ in range(5):
            with suppress(httpx.HTTPError):
                evidence.threads[key] = await read_thread(stack, key)
                break
            await asyncio.sleep(0.5)


async def collect(
    stack: Stack, file: Path, *, poison: Mapping[Place, str], injected: set[str]
) -> Evidence:
    evidence = Evidence(poison=dict(poison), injected=set(injected))
    read_history(evidence, file)
    await read_topics(evidence, stack)
    for name, statement in TABLES.items():
        evidence.tables[name] = [dict(row) for row in await stack.fetch(statement)]
    evidence.letters_put = [
        letter_place(bytes(row["value"]))[0] for row in evidence.rows("letters")
    ]
    evidence.letters_put = [place for place in evidence.letters_put if place[0] in INPUTS]
    evidence.waiting = await stack.waiting()
    await read_threads(evidence, stack)
    evidence.processes = list(stack.services)
    for service in stack.services.values():
        with suppress(OSError):
            evidence.descriptors[service.label] = len(os.listdir(f"/proc/{service.child.pid}/fd"))  # noqa: PTH208
        with suppress(httpx.HTTPError):
            evidence.tasks[service.label] = await service.tasks(stack.http)
    pools = {"ingest": 0, "moderation": 8, "counters": 4, "publisher": 6, "reader": 8, "console": 8}
    evidence.connections_allowed = sum(pools[s.name] for s in stack.services.values())
    return evidence
