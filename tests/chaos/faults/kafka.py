"""Faults of Kafka: the brokers, and what a producer hears of them."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from tests.chaos.kinds import kind
from tests.chaos.nemesis import Nemesis
from tests.chaos.wire import Connection


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
    codes, modes, names = (45, 47, 59), ("refuse", "error"), ("ingest", "publisher")
    code, mode, name = n.next_of("produce_error", codes, modes, names)
    labels = n.labels(name)
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
    await n.start_brokers()
    return {**evidence, "broker": broker.node}


@kind()
async def broker_restart(n: Nemesis) -> dict[str, Any]:
    kafka = n.stack.servers.kafka
    broker = n.random.choice(kafka.brokers)
    labels = n.labels("ingest", "publisher")

    def strike(connection: Connection) -> str:
        assert broker.child is not None
        os.kill(broker.child.pid, signal.SIGTERM)
        return "pass"

    evidence = await n.spring("produce_sent", labels, strike)
    await asyncio.to_thread(broker.stop)
    await n.start_brokers()
    return {**evidence, "broker": broker.node}


@kind()
async def brokers_down(n: Nemesis) -> dict[str, Any]:
    """All of them: the first five times of a long run for a minute, else for seconds."""
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
    seconds = 4.0 if not n.long else 60.0 if times < 5 else 15.0
    await asyncio.sleep(seconds)
    await n.start_brokers()
    return {**evidence, "seconds": seconds}
