"""The nemesis: one seeded fault after another, each counted only if it struck what it was for.

Faults come from outside: signals, the proxies of `wire`, raw records, the disk, the clock. A kind
that this machine cannot do is SKIPPED with the reason. `in_flight` of a report says what was open
at the moment of the strike.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import struct
import subprocess
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.core import topics
from tests.chaos.history import History
from tests.chaos.stack import Service, Stack
from tests.chaos.traffic import SITE, Traffic
from tests.chaos.wire import POSTGRES_POINTS, PRODUCE_POINTS, Connection, Trap

RECOVERY_LIMIT = 30.0
TRAP_SECONDS = 12.0
PATIENCE = 120.0


class Missed(Exception):
    """The failpoint was not reached: the fault does not count."""


class Skipped(Exception):
    """This machine cannot do it."""


@dataclass
class Tally:
    ran: int = 0
    missed: int = 0
    skipped: str = ""
    points: dict[str, int] = field(default_factory=dict)


@dataclass
class Nemesis:
    stack: Stack
    history: History
    traffic: Traffic
    seed: int
    long: bool = False
    """Outages of a minute; else of seconds."""
    session_ms: int = 3_000
    tallies: dict[str, Tally] = field(default_factory=dict)
    recoveries: list[tuple[str, float, float]] = field(default_factory=list)
    """(kind, seconds from healing to no lag, seconds allowed)."""
    poison: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """(topic, partition, offset) → kind of every bad record that was put into a log."""
    injected: int = 0
    """Good records that were put into the logs past ingest: copies and odd orders."""
    injected_ids: set[str] = field(default_factory=set)
    done: int = 0
    only: list[str] = field(default_factory=list)
    """Of a plan's entry `kind:name+name`: strike these only."""
    patience: float = PATIENCE
    until: float | None = None
    """Monotonic: no fault begins after it."""
    turn: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed + 2)
        self._producer: AIOKafkaProducer | None = None

    # --- the run

    async def run(self, plan: list[str], tell: Callable[[str], None]) -> None:
        for place, entry in enumerate(plan):
            if self.until is not None and time.monotonic() > self.until:
                tell(f"time is over after {place} of {len(plan)} faults")
                break
            kind, _, only = entry.partition(":")
            self.only = only.split("+") if only else []
            tally = self.tallies.setdefault(kind, Tally())
            if tally.skipped:
                self.done += 1
                continue
            for _ in range(3):
                began = self.history.now()
                try:
                    evidence = await KINDS[kind](self)
                except Missed as missed:
                    tally.missed += 1
                    self.history.note("missed", kind=kind, why=str(missed))
                    await self.mend()
                    continue
                except Skipped as skipped:
                    tally.skipped = str(skipped)
                    tell(f"SKIPPED {kind}: {skipped}")
                    break
                tally.ran += 1
                point = f"{evidence.get('owner', '')} {evidence.get('point', '')}".strip()
                if point:
                    tally.points[point] = tally.points.get(point, 0) + 1
                self.history.note("fault", kind=kind, began=began, **evidence)
                break
            self.done += 1
            if kind not in LIGHT:
                await self.mend()
                await self.recovered(kind)
            tell(f"fault {place + 1}/{len(plan)} {kind}")
        await self.mend()
        if self._producer is not None:
            with suppress(Exception):
                await asyncio.wait_for(self._producer.stop(), 5)

    async def mend(self) -> None:
        """Everything runs again, nothing is held, no trap waits."""
        servers = self.stack.servers
        servers.traps.clear()
        for proxy in [*servers.kafka_proxies, *servers.postgres_proxies.values()]:
            proxy.refusing = False
            for connection in list(proxy.connections):
                if connection.held or connection.blackhole:
                    connection.release()
        for broker in servers.kafka.brokers:
            if not broker.running:
                await asyncio.to_thread(servers.kafka.restart, broker.node)
        if servers.postgres.child is None or not servers.postgres.child.running:
            await self._start_postgres()
        for service in self.stack.services.values():
            if service.paused:
                service.resume()
            if not service.running:
                service.start()

    async def recovered(self, kind: str) -> None:
        """From healing until everything that was in the logs by then took effect."""
        began = time.monotonic()
        allowed = RECOVERY_LIMIT + self.session_ms / 1000
        ends: dict[tuple[str, int], int] | None = None
        while time.monotonic() - began < self.patience:
            with suppress(Exception):
                if ends is None:
                    ends = await self.stack.end_offsets()
                behind = await self.stack.behind(ends)
                if not behind:
                    break
                if any("(" in place for place in behind):  # stopped by name: an operator's matter
                    await self.resume_stopped()
            for service in self.stack.services.values():
                if not service.running and not service.paused:
                    service.start()
            await asyncio.sleep(0.15)
        seconds = time.monotonic() - began
        self.recoveries.append((kind, round(seconds, 2), allowed))
        self.history.note("recovered", kind=kind, seconds=round(seconds, 2))

    # --- tools

    def next(self, name: str, of: list[Any]) -> Any:
        """Goes round, from a seeded start, so that few strikes reach every point."""
        of = [one for one in of if str(one) in self.only] or of
        turn = self.turn.get(name, self.random.randrange(len(of)))
        self.turn[name] = turn + 1
        return of[turn % len(of)]

    async def spring(
        self, point: str, labels: list[str], strike: Callable[[Connection], str]
    ) -> dict[str, Any]:
        trap = Trap(point, lambda owner: owner in labels, strike)
        self.stack.servers.traps.append(trap)
        try:
            evidence = await asyncio.wait_for(trap.hit, TRAP_SECONDS)
        except TimeoutError:
            raise Missed(f"{point} of {labels} was not reached") from None
        finally:
            if trap in self.stack.servers.traps:
                self.stack.servers.traps.remove(trap)
        in_flight = (
            evidence.get("in_transaction")
            or evidence.get("in_flight")
            or evidence.get("rebalancing")
        )
        if not in_flight:
            raise Missed(f"nothing was in flight at {point}")
        return evidence

    def labels(self, *names: str) -> list[str]:
        wanted = [name for name in names if name in self.only] or names
        return [service.label for service in self.stack.of(*wanted)]

    def victim(self, *names: str) -> Service:
        running = [s for s in self.stack.of(*names) if s.running and not s.paused]
        if not running:
            raise Missed(f"no {names} runs")
        return self.random.choice(running)

    async def raw(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.stack.bootstrap, acks="all", client_id="chaos-raw",
                request_timeout_ms=10_000,
            )  # fmt: skip
            try:
                await asyncio.wait_for(producer.start(), 15)
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def put(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> int:
        producer = await self.raw()
        sent = await asyncio.wait_for(
            producer.send_and_wait(
                self.stack.prefix + topic, value, key=key, partition=partition
            ), 20,
        )  # fmt: skip
        return int(sent.offset)

    async def some_records(self, topic: str, count: int) -> list[Any]:
        """Records from a random place of one partition."""
        partition = self.random.randrange(topics.declared()[topic].partitions)
        place = TopicPartition(self.stack.prefix + topic, partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.stack.bootstrap, client_id="chaos")
        try:
            await asyncio.wait_for(consumer.start(), 15)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            if not end:
                return []
            consumer.seek(place, self.random.randrange(max(1, end - count)))
            found = await consumer.getmany(place, timeout_ms=3_000, max_records=count)
        finally:
            await consumer.stop()
        return [
            record for record in found.get(place, [])
            if (topic, partition, record.offset) not in self.poison
        ]  # fmt: skip

    async def veche(self, *arguments: str, stack: Stack | None = None) -> None:
        code, said = await (stack or self.stack).veche(*arguments)
        assert code == 0, said

    async def resume_stopped(self) -> int:
        rows = await self.stack.fetch(
            "SELECT topic, partition FROM fences WHERE stopped_reason IS NOT NULL"
        )
        for row in rows:
            await self.veche("partitions", "resume", row["topic"], str(row["partition"]))
        return len(rows)

    async def _start_postgres(self) -> None:
        postgres = self.stack.servers.postgres
        for _ in range(20):
            try:
                await asyncio.to_thread(postgres._start)
                return
            except Exception:  # noqa: BLE001 - old shared memory may still be in use
                await asyncio.sleep(0.5)
        await asyncio.to_thread(postgres._start)


Kind = Callable[[Nemesis], Awaitable[dict[str, Any]]]
KINDS: dict[str, Kind] = {}
LIGHT: set[str] = set()


def kind(light: bool = False) -> Callable[[Kind], Kind]:
    """Registers a fault by its function's name; `light` ones need no recovery to be waited for."""

    def register(function: Kind) -> Kind:
        name = function.__name__  # type: ignore[attr-defined]
        KINDS[name] = function
        if light:
            LIGHT.add(name)
        return function

    return register


def plan(faults: int, seed: int) -> list[str]:
    """Rounds of every kind, shuffled; those that need no healing come three times in each."""
    chance = random.Random(seed + 3)
    names: list[str] = []
    while len(names) < faults:
        one_round = sorted(KINDS) + sorted(LIGHT) * 2
        chance.shuffle(one_round)
        names += one_round
    return names[:faults]


# --- processes


@kind()
async def kill_in_transaction(n: Nemesis) -> dict[str, Any]:
    point = n.next("kill_point", list(POSTGRES_POINTS))
    name = n.next("kill_name", ["moderation", "counters", "publisher"])
    if name == "publisher" and point == "fence":
        point = "effect"
    victim = n.victim(name)

    def strike(connection: Connection) -> str:
        victim.strike_dead()
        return "hold" if point == "before_commit" else "pass"

    return await n.spring(point, [victim.label], strike)


@kind()
async def kill_in_produce(n: Nemesis) -> dict[str, Any]:
    point = n.next("produce_point", list(PRODUCE_POINTS))
    victim = n.victim(n.next("produce_name", ["publisher", "ingest"]))

    def strike(connection: Connection) -> str:
        victim.strike_dead()
        return "cut" if point == "produce_before" else "pass"

    return await n.spring(point, [victim.label], strike)


@kind()
async def kill_in_rebalance(n: Nemesis) -> dict[str, Any]:
    name = n.next("rebalance_name", ["moderation", "counters"])
    victim, other = n.stack.of(name)[0], n.stack.of(name)[-1]
    n.stack.servers.traps.clear()
    trapped = asyncio.create_task(
        n.spring("group", [victim.label], lambda connection: (victim.strike_dead(), "pass")[1])
    )
    await asyncio.sleep(0)
    if other is not victim:
        await asyncio.to_thread(other.kill)
        other.start()
    else:
        await asyncio.to_thread(victim.kill)
        victim.start()
    return await trapped


@kind()
async def kill_reader(n: Nemesis) -> dict[str, Any]:
    victim = n.victim("reader")
    victim.strike_dead()
    return {"owner": victim.label, "point": "streams open"}


@kind()
async def stop_politely(n: Nemesis) -> dict[str, Any]:
    """SIGTERM within a transaction: drained, exit code 0."""
    victim = n.victim(n.next("polite", ["moderation", "counters", "publisher"]))

    def strike(connection: Connection) -> str:
        os.kill(victim.child.pid, signal.SIGTERM)
        return "pass"

    evidence = await n.spring("effect", [victim.label], strike)
    for _ in range(200):
        if not victim.running:
            break
        await asyncio.sleep(0.1)
    evidence["exit"] = victim.child.code
    if victim.child.code not in (0, None):
        n.traffic.broken.append(f"{victim.label} ended with {victim.child.code} after SIGTERM")
    return evidence


@kind()
async def pause_consumer(n: Nemesis) -> dict[str, Any]:
    """SIGSTOP for longer than its session; its copy takes over; then it goes on, a zombie."""
    point = n.next(
        "pause_point", ["before_commit", "effect", "after_commit", "commit_sent", "begin"]
    )
    name = n.next("pause_name", ["moderation", "counters"])
    victim = n.victim(name)
    epochs = await _epochs(n)

    def strike(connection: Connection) -> str:
        victim.pause()
        return "hold" if point in ("before_commit", "commit_sent") else "pass"

    evidence = await n.spring(point, [victim.label], strike)
    taken = 0
    for _ in range(100):
        await asyncio.sleep(0.2)
        now = await _epochs(n)
        taken = sum(now[place] > epochs.get(place, 0) for place in now)
        if taken and time.monotonic():
            break
    await asyncio.sleep(0.5)
    victim.resume()
    for connection in n.stack.servers.connections(victim.label):
        connection.release()
    if not taken:
        raise Missed("nobody took over from the paused process")
    return {**evidence, "taken_over": taken}


async def _epochs(n: Nemesis) -> dict[tuple[str, int], int]:
    rows = await n.stack.fetch("SELECT topic, partition, epoch FROM fences")
    return {(row["topic"], row["partition"]): row["epoch"] for row in rows}


@kind()
async def pause_publisher(n: Nemesis) -> dict[str, Any]:
    """SIGSTOP with a record on its way, for longer than its lease: a late publisher."""
    point = n.next("pause_publisher", ["produce_before", "after_commit", "produce_sent"])
    victim = n.victim("publisher")

    def strike(connection: Connection) -> str:
        victim.pause()
        return "hold" if point == "produce_before" else "pass"

    evidence = await n.spring(point, [victim.label], strike)
    await asyncio.sleep(10.0)
    victim.resume()
    return evidence


@kind()
async def rebalance_storm(n: Nemesis) -> dict[str, Any]:
    rounds = 5 if n.long else 2
    evidence = {}
    for turn in range(rounds):
        for name in ("moderation", "counters"):
            extra = n.stack.services.get(f"{name}-9") or await n.stack.add(name, 9)
            if extra.running:
                await asyncio.to_thread(extra.kill if turn % 2 else extra.child.stop)
            else:
                extra.start()
        await asyncio.sleep(2.5)
        evidence = {"point": "transactions open", "owner": str(_open_transactions(n))}
    for name in ("moderation", "counters"):
        extra = n.stack.services.pop(f"{name}-9")
        n.stack.servers.services.pop(extra.label)
        await asyncio.to_thread(extra.kill)
    return {**evidence, "owner": "", "point": "joins and leaves"}


def _open_transactions(n: Nemesis) -> int:
    return sum(c.mind.in_transaction for c in n.stack.servers.connections())


# --- the wire


@kind(light=True)
async def unknown_commit(n: Nemesis) -> dict[str, Any]:
    """The connection is cut after the server committed, before the client knew."""
    name = n.next("unknown", ["counters", "moderation", "publisher", "counters", "moderation"])
    labels = [service.label for service in n.stack.of(name)]
    return await n.spring("commit_sent", labels, lambda connection: "cut")


@kind(light=True)
async def unknown_commits(n: Nemesis) -> dict[str, Any]:
    """A burst: of ten, of eighty in a long run."""
    struck = 0
    for _ in range(80 if n.long else 10):
        labels = n.labels("counters", "moderation", "publisher")
        with suppress(Missed):
            await n.spring("commit_sent", labels, lambda connection: "cut")
            struck += 1
    if not struck:
        raise Missed("no commit was sent")
    n.tallies.setdefault("unknown_commit", Tally()).ran += struck
    return {"point": "commit_sent", "owner": "", "struck": struck}


@kind(light=True)
async def cut_before_commit(n: Nemesis) -> dict[str, Any]:
    labels = n.labels("counters", "moderation", "publisher")
    return await n.spring("before_commit", labels, lambda connection: "cut")


@kind(light=True)
async def cut_produce(n: Nemesis) -> dict[str, Any]:
    """The broker has the records, the producer never hears so."""
    point = n.next("cut_produce", ["produce_acked", "produce_sent", "produce_before"])
    labels = n.labels("ingest", "publisher")
    return await n.spring(point, labels, lambda connection: "cut")


@kind()
async def produce_error(n: Nemesis) -> dict[str, Any]:
    """A fatal error (45, 47 or 59) as the answer, though the broker stored the records, or without
    the broker ever having seen them: then the producer's sequence does not fit any more."""
    code = n.next("produce_error", [45, 47, 59])
    mode = n.next("produce_mode", ["refuse", "error"])
    labels = n.labels(n.next("error_name", ["ingest", "publisher"]))
    point = "produce_before" if mode == "refuse" else "produce_acked"
    evidence = await n.spring(point, labels, lambda connection: f"{mode}:{code}")
    return {**evidence, "code": code, "mode": mode}


@kind(light=True)
async def produce_slow(n: Nemesis) -> dict[str, Any]:
    """The acknowledgement takes a second and a half, while the world goes on."""
    held: list[Connection] = []
    evidence = await n.spring(
        "produce_sent", n.labels("publisher", "ingest"), lambda c: (held.append(c), "hold")[1]
    )
    await asyncio.sleep(1.5)
    for connection in held:
        connection.release()
    return evidence


@kind()
async def postgres_blackhole(n: Nemesis) -> dict[str, Any]:
    """No answer and no reset, for longer than a statement may take."""
    name = n.next("blackhole", ["moderation", "counters", "publisher"])
    labels = [service.label for service in n.stack.of(name)]

    def strike(connection: Connection) -> str:
        for label in labels:
            for one in n.stack.servers.connections(label):
                one.blackhole = True
        return "pass"

    evidence = await n.spring("effect", labels, strike)
    await asyncio.sleep(9.0 if n.long else 7.0)
    for label in labels:
        for one in n.stack.servers.connections(label):
            one.release()
    return evidence


# --- servers


async def _with_transaction(n: Nemesis, strike: Callable[[Connection], str]) -> dict[str, Any]:
    labels = n.labels("moderation", "counters", "publisher")
    point = n.next("server_point", ["effect", "before_commit", "commit_sent"])
    return await n.spring(point, labels, strike)


@kind()
async def postgres_kill(n: Nemesis) -> dict[str, Any]:
    """SIGKILL of every process of the server, a transaction open or just committed."""
    postgres = n.stack.servers.postgres

    def strike(connection: Connection) -> str:
        family = [postgres.child_pid, *_children(postgres.child_pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return "pass"

    evidence = await _with_transaction(n, strike)
    await asyncio.to_thread(postgres.kill)
    await asyncio.sleep(n.random.uniform(0, 2))
    await n._start_postgres()
    return evidence


def _children(pid: int) -> list[int]:
    with suppress(OSError, ValueError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []


@kind()
async def postgres_immediate(n: Nemesis) -> dict[str, Any]:
    postgres = n.stack.servers.postgres

    def strike(connection: Connection) -> str:
        os.kill(postgres.child_pid, signal.SIGQUIT)
        return "pass"

    evidence = await _with_transaction(n, strike)
    for _ in range(100):
        if postgres.child is None or not postgres.child.running:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(postgres.kill)
    await n._start_postgres()
    return evidence


@kind()
async def postgres_terminate(n: Nemesis) -> dict[str, Any]:
    """pg_terminate_backend of every session that is in a transaction."""
    evidence = await _with_transaction(n, lambda connection: "pass")
    rows = await n.stack.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'veche' AND datname = current_database()"
    )
    return {**evidence, "terminated": len(rows)}


@kind()
async def broker_kill(n: Nemesis) -> dict[str, Any]:
    kafka = n.stack.servers.kafka
    broker = n.random.choice(kafka.brokers)
    labels = n.labels("ingest", "publisher")

    def strike(connection: Connection) -> str:
        assert broker.child is not None
        with suppress(ProcessLookupError):
            os.kill(broker.child.pid, signal.SIGKILL)
        return "pass"

    evidence = await n.spring("produce_sent", labels, strike)
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(n.random.uniform(1, 3))
    await asyncio.to_thread(kafka.restart, broker.node)
    return {**evidence, "broker": broker.node}


@kind()
async def broker_restart(n: Nemesis) -> dict[str, Any]:
    kafka = n.stack.servers.kafka
    broker = n.random.choice(kafka.brokers)
    labels = n.labels("ingest", "publisher")
    evidence = await n.spring("produce_sent", labels, lambda connection: "pass")
    await asyncio.to_thread(broker.stop)
    await asyncio.to_thread(kafka.restart, broker.node)
    return {**evidence, "broker": broker.node}


@kind()
async def brokers_down(n: Nemesis) -> dict[str, Any]:
    """All of them: the first two times of a long run for a minute, else for seconds."""
    kafka = n.stack.servers.kafka
    labels = n.labels("ingest", "publisher")

    def strike(connection: Connection) -> str:
        for broker in kafka.brokers:
            assert broker.child is not None
            with suppress(ProcessLookupError):
                os.kill(broker.child.pid, signal.SIGKILL)
        return "pass"

    evidence = await n.spring("produce_sent", labels, strike)
    for broker in kafka.brokers:
        await asyncio.to_thread(broker.kill)
    times = n.tallies["brokers_down"].ran
    seconds = 4.0 if not n.long else 60.0 if times < 2 else 15.0
    await asyncio.sleep(seconds)
    for broker in kafka.brokers:
        broker.start()
    for broker in kafka.brokers:
        await asyncio.to_thread(broker.wait_ready, len(kafka.brokers))
    return {**evidence, "seconds": seconds}


# --- records


@kind(light=True)
async def duplicates(n: Nemesis) -> dict[str, Any]:
    """Copies of what the log holds, further on: a producer's late retries."""
    topic = n.next("duplicates", [topics.VOTES, topics.COMMENTS, topics.VIEWS])
    records = await n.some_records(topic, 40)
    if not records:
        raise Missed("the log is empty")
    for record in records:
        for _ in range(n.random.randrange(1, 3)):
            await n.put(topic, record.partition, record.key, record.value)
            n.injected += 1
    return {"point": topic, "owner": "", "copies": len(records)}


@kind(light=True)
async def odd_order(n: Nemesis) -> dict[str, Any]:
    """Edits, deletions, votes and reports before the comment that they are about."""
    world = n.traffic.world
    name = n.random.choice(world.discussions)
    submitted = n.traffic._submitted(name)
    world.comments[name].pop()
    comment, author = submitted["data"]["comment"], submitted["actor"]
    about = {"discussion": name, "comment": comment}
    items = [
        n.traffic._vote(name, comment),
        n.traffic._vote(name, comment, author),
        n.traffic._item("comment.edited", {**about, "body": world.text()}, author),
        n.traffic._item("comment.deleted", about, author),
        n.traffic._item("report.filed", {**about, "revision": 1, "reason": "spam"}, "reader1"),
    ]
    if n.random.random() < 0.7:
        items.append(submitted)
    items.append(n.traffic._vote(name, comment))
    for item in items:
        value = json.dumps(_event(item)).encode()
        topic = topics.VOTES if "vote" in item["type"] else topics.COMMENTS
        key = f"{SITE}/{name}" + (f"|{item['actor']}" if topic == topics.VOTES else "")
        await n.put(topic, _partition(topic, key), key.encode(), value)
        n.injected_ids.add(item["id"])
        n.injected += 1
    return {"point": "comments.v1 and votes.v1", "owner": "", "events": len(items)}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    """As ingest would write it."""
    return {
        "id": item["id"], "type": item["type"], "source": f"/sites/{SITE}", "site": SITE,
        "actor": item["actor"], "actorname": "", "role": "reader", "time": item["time"],
        "specversion": "1.0", "datacontenttype": "application/json", "data": item["data"],
    }  # fmt: skip


def _partition(topic: str, key: str) -> int:
    from services.core.produce import partition_of

    return partition_of(topic, key.encode())


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


async def _poison(n: Nemesis, topic: str, name: str, value: bytes | None, partition: int) -> None:
    offset = await n.put(topic, partition, b"poison", value)
    n.poison[topic, partition, offset] = name


@kind(light=True)
async def poison(n: Nemesis) -> dict[str, Any]:
    topic = n.next("poison_topic", [topics.COMMENTS, topics.VOTES, topics.VIEWS])
    name = n.next("poison_kind", [*BAD, "forged decision"])
    discussion = n.random.choice(n.traffic.world.discussions)
    if name == "forged decision":
        topic = topics.COMMENTS
        item = n.traffic._item(
            "decision.made",
            {"discussion": discussion, "comment": "c1", "ruling": "approve",
             "expected": {"revision": 1, "status": "pending"}}, "mallory",
        )  # fmt: skip
        value: bytes | None = json.dumps({**_event(item), "signature": "AAAA"}).encode()
    else:
        item = (
            n.traffic._submitted(discussion) if topic == topics.COMMENTS
            else n.traffic._vote(discussion, None) if topic == topics.VOTES
            else n.traffic._item("discussion.viewed", {"discussion": discussion}, "reader1")
        )  # fmt: skip
        value = BAD[name](_event(item))
    partition = n.random.randrange(topics.declared()[topic].partitions)
    await _poison(n, topic, name, value, partition)
    return {"point": name, "owner": topic}


@kind()
async def poison_in_unknown_commit(n: Nemesis) -> dict[str, Any]:
    """A bad record whose transaction commits unheard, two times over."""
    struck = 0
    for _ in range(3):
        topic = n.next("poison_topic", [topics.COMMENTS, topics.VOTES, topics.VIEWS])
        name = "moderation" if topic == topics.COMMENTS else "counters"
        partition = n.random.randrange(topics.declared()[topic].partitions)
        await _poison(n, topic, "not json", b"{", partition)
        for _ in range(2):
            with suppress(Missed):
                await n.spring("commit_sent", n.labels(name), lambda connection: "cut")
                struck += 1
    if not struck:
        raise Missed("no commit was sent")
    return {"point": "commit_sent", "owner": "", "struck": struck}


@kind(light=True)
async def future_schema(n: Nemesis) -> dict[str, Any]:
    """A type that does not exist yet is a dead letter; such a field is ignored."""
    name = n.random.choice(n.traffic.world.discussions)
    item = n.traffic._submitted(name)
    n.traffic.world.comments[name].pop()
    partition = _partition(topics.COMMENTS, f"{SITE}/{name}")
    newer = {**_event(item), "type": "veche.comment.submitted.v2"}
    await _poison(n, topics.COMMENTS, "type of the future", json.dumps(newer).encode(), partition)
    extended = {**_event(item), "mood": "bright", "data": {**item["data"]}}
    await n.put(
        topics.COMMENTS, partition, f"{SITE}/{name}".encode(), json.dumps(extended).encode()
    )
    n.injected_ids.add(item["id"])
    n.injected += 1
    return {"point": "v2 and an unknown member", "owner": ""}


@kind()
async def poison_flood(n: Nemesis) -> dict[str, Any]:
    """A bad deploy: the partition stops by name instead of draining; an operator resumes it."""
    topic = n.next("flood", [topics.VIEWS, topics.VOTES, topics.COMMENTS])
    partition = n.random.randrange(topics.declared()[topic].partitions)
    producer = await n.raw()
    sent = [
        await producer.send(
            n.stack.prefix + topic, b"\x00flood", key=b"poison", partition=partition
        )
        for _ in range(130)
    ]  # fmt: skip
    for future in sent:
        n.poison[topic, partition, (await asyncio.wait_for(future, 20)).offset] = "flood"
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
        producer = await n.raw()
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


# --- the machine

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static int64_t *offset(void) {
    static int64_t *shared, none;
    if (!shared) {
        const char *name = getenv("CHAOS_CLOCK");
        int file = name ? open(name, O_RDONLY) : -1;
        shared = file < 0 ? &none : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        if (shared == MAP_FAILED) shared = &none;
        if (file >= 0) close(file);
    }
    return shared;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += *offset();
    return code;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def build_clock_shim(folder: Path) -> tuple[Path | None, str]:
    """A library that shifts the wall clock of one process; None and why where it cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    source, made = folder / "clock.c", folder / "clock.so"
    source.write_text(SHIM)
    try:
        done = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    except OSError as error:
        return None, f"no C compiler: {error}"
    return (made, "") if done.returncode == 0 else (None, done.stderr[-200:])


@kind()
async def clock_step(n: Nemesis) -> dict[str, Any]:
    """One process's wall clock jumps an hour ahead or back within a transaction, and later home."""
    if n.stack.clock_shim is None:
        raise Skipped("no C compiler to build the clock's shim with")
    hours = n.next("clock", [3600, -3600, 300])
    victim = n.victim(n.next("clock_name", ["counters", "moderation", "publisher", "reader"]))
    file = n.stack.folder / f"{victim.label}.clock"

    def step(seconds: int) -> str:
        file.write_bytes(struct.pack("<q", seconds))
        return "pass"

    if victim.name == "reader":
        step(hours)
        evidence = {"owner": victim.label, "point": "serving"}
    else:
        evidence = await n.spring("effect", [victim.label], lambda connection: step(hours))
    await asyncio.sleep(3.0)
    step(0)
    return {**evidence, "seconds": hours}


@kind()
async def memory_limit(n: Nemesis) -> dict[str, Any]:
    """A cgroup that holds less than the process wants: killed by the kernel, or made to wait."""
    base = Path("/sys/fs/cgroup/memory")
    if not (base / "tasks").exists() or not os.access(base, os.W_OK):
        raise Skipped("no writable memory cgroup on this machine")
    victim = n.victim(n.next("memory", ["moderation", "counters", "publisher"]))
    group = base / f"chaos-{victim.label}-{n.history.now():.0f}"
    try:
        group.mkdir()
    except OSError as error:
        raise Skipped(f"no memory cgroup can be made: {error}") from None
    try:
        (group / "memory.limit_in_bytes").write_text(str(1 << 20))

        def strike(connection: Connection) -> str:
            (group / "tasks").write_text(str(victim.child.pid))
            return "pass"

        evidence = await n.spring("effect", [victim.label], strike)
        await asyncio.sleep(3.0)
        evidence["died"] = not victim.running
        (group / "memory.limit_in_bytes").write_text("-1")
    finally:
        if victim.running:
            for pid in (group / "tasks").read_text().split():
                with suppress(OSError):
                    (base / "tasks").write_text(pid)
        await asyncio.sleep(0.2)
        with suppress(OSError):
            group.rmdir()
    return evidence


@kind()
async def disk_full(n: Nemesis) -> dict[str, Any]:
    """Postgres's disk has no room left for seconds."""
    place = n.stack.servers.tmpfs
    if place is None:
        raise Skipped(f"no small disk can be mounted: {n.stack.servers.no_tmpfs}")
    ballast = place / "ballast"
    evidence = await _with_transaction(n, lambda connection: "pass")
    free = os.statvfs(place)
    with ballast.open("wb") as out:
        with suppress(OSError):
            os.posix_fallocate(out.fileno(), 0, free.f_bavail * free.f_frsize)
        with suppress(OSError):
            while True:
                out.write(bytes(1 << 16))
                out.flush()
    # Room within files that exist already must end too before anything is refused.
    refused = False
    for _ in range(80):
        try:
            connection = await asyncpg.connect(n.stack.dsn, timeout=3)
            try:
                await connection.execute(
                    "CREATE TABLE IF NOT EXISTS chaos.ballast (t text);"
                    " INSERT INTO chaos.ballast SELECT repeat(md5(i::text), 100)"
                    " FROM generate_series(1, 20000) i",
                    timeout=5,
                )
            finally:
                await connection.close(timeout=3)
        except (asyncpg.PostgresError, OSError, TimeoutError, asyncpg.InterfaceError):
            refused = True
            break
    await asyncio.sleep(2.0)
    ballast.unlink()
    postgres = n.stack.servers.postgres
    if postgres.child is not None and not postgres.child.running:
        await asyncio.to_thread(postgres.kill)
        await n._start_postgres()
    for _ in range(100):
        with suppress(Exception):
            await n.stack.fetch("DROP TABLE IF EXISTS chaos.ballast")
            break
        await asyncio.sleep(0.2)
    if not refused:
        raise Missed("the disk did not fill")
    return {**evidence, "refused": True}


def letter_place(value: bytes) -> tuple[tuple[str, int, int], bytes | None]:
    """(topic, partition, offset) of a dead letter and the bytes that it repeats."""
    letter = json.loads(value)
    raw = letter["value"]
    place = (letter["topic"], letter["partition"], letter["offset"])
    return place, None if raw is None else b64decode(raw)
