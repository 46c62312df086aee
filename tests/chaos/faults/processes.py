"""Faults of the services' processes: killed, stopped politely, paused, joining and leaving."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from tests.chaos.kinds import Missed, kind
from tests.chaos.nemesis import Nemesis
from tests.chaos.servers import Service
from tests.chaos.stack import PATIENCE_SECONDS
from tests.chaos.wire import POSTGRES_POINTS, PRODUCE_POINTS, Connection

STOP_SECONDS = 30


@kind()
async def kill_in_transaction(n: Nemesis) -> dict[str, Any]:
    names = ("moderation", "counters", "publisher")
    point, name = n.next_of("kill", POSTGRES_POINTS, names)
    if name == "publisher" and point == "fence":
        point = "effect"
    victim = n.victim(name)

    def strike(connection: Connection) -> str:
        victim.strike_dead()
        return "hold" if point == "before_commit" else "pass"

    return await n.spring(point, [victim.label], strike)


@kind()
async def kill_in_produce(n: Nemesis) -> dict[str, Any]:
    names = ("publisher", "ingest", "console")
    point, name = n.next_of("kill_in_produce", PRODUCE_POINTS, names)
    victim = n.victim(name)

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
    victim, streams = reader_with_streams(n)
    victim.strike_dead()
    return {"owner": victim.label, "point": "streams open", "streams": streams}


def reader_with_streams(n: Nemesis) -> tuple[Service, int]:
    """A reader that streams to somebody at this moment, and to how many."""
    serving = n.traffic.open_streams
    busy = [s for s in n.stack.of("reader") if s.running and not s.paused and serving[s.label]]
    if not busy:
        raise Missed("no stream is open")
    victim = n.random.choice(busy)
    return victim, serving[victim.label]


@kind()
async def stop_politely(n: Nemesis) -> dict[str, Any]:
    """SIGTERM within a transaction: drained, exit code 0."""
    victim = n.victim(n.next("polite", ["moderation", "counters", "publisher"]))

    def strike(connection: Connection) -> str:
        os.kill(victim.child.pid, signal.SIGTERM)
        return "pass"

    evidence = await n.spring("effect", [victim.label], strike)
    for _ in range(STOP_SECONDS * 10):
        if not victim.running:
            break
        await asyncio.sleep(0.1)
    evidence["exit"] = code = victim.child.code
    if code is None:
        n.traffic.broken.append(f"{victim.label} still runs {STOP_SECONDS} s after SIGTERM")
        victim.kill()
    elif code:
        n.traffic.broken.append(f"{victim.label} ended with {code} after SIGTERM")
    return evidence


@kind()
async def pause_consumer(n: Nemesis) -> dict[str, Any]:
    """SIGSTOP for longer than a session; copies take over; then it goes on, and what it had under
    way is a zombie.

    A zombie is a transaction that was held on its way to Postgres before the SIGSTOP, and whose
    partition stood under a newer epoch when it was let go: what its own fence statement names is
    compared with the row. One process has as many as its pool has connections.
    """
    point = n.next("pause_point", ["fence", "before_commit", "fence", "fence", "commit_sent"])
    names = [name for name in ("moderation", "counters") if name in n.only or not n.only]
    victims = [n.victim(name) for name in names]
    labels = [victim.label for victim in victims]
    pids = [victim.child.pid for victim in victims]
    held = await n.hold(point, labels, most=8 * len(victims), seconds=1.5)
    for victim in victims:
        victim.pause()
    left = await _until_taken_over(n, pids)
    epochs = await _epochs(n)
    fences = [connection.mind.fence for connection in held]
    zombies = sum(epochs.get((f.topic, f.partition), 0) > f.epoch for f in fences if f is not None)
    for victim in victims:
        victim.resume()
    for connection in held:
        connection.release()
    if left:
        raise Missed(f"{left} partitions of the paused processes were not taken over")
    if point != "commit_sent":  # there the effect is in, and rightly
        n.tally("pause_consumer").struck += zombies
    return {"point": point, "owner": "+".join(names), "held": len(held), "zombies": zombies}


async def _until_taken_over(n: Nemesis, pids: list[int]) -> int:
    """How many partitions are still owned by those processes after a while."""
    left = 1
    for _ in range(100):
        await asyncio.sleep(0.2)
        with suppress(OSError, TimeoutError):
            rows = await n.stack.fetch("SELECT split_part(owner, ':', 2)::int AS pid FROM fences")
            left = sum(row["pid"] in pids for row in rows)
            if not left:
                break
    return left


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
async def pause_server(n: Nemesis) -> dict[str, Any]:
    """SIGSTOP of one who answers over HTTP, for longer than clients wait: they ask its copy, and
    what was on its way to Kafka arrives late."""
    name = n.next("pause_server", ["ingest", "console", "reader"])
    if name == "reader":
        victim, streams = reader_with_streams(n)
        victim.pause()
        evidence = {"owner": victim.label, "point": "streams open", "streams": streams}
    else:
        victim = n.victim(name)

        def strike(connection: Connection) -> str:
            victim.pause()
            return "hold"

        evidence = await n.spring("produce_before", [victim.label], strike)
    await asyncio.sleep(PATIENCE_SECONDS + 1)
    victim.resume()
    return evidence


@kind()
async def rebalance_storm(n: Nemesis) -> dict[str, Any]:
    """Members join and leave, politely and not, while the others have transactions open."""
    rounds = 5 if n.long else 2
    open_ = 0
    for turn in range(rounds):
        for name in ("moderation", "counters"):
            extra = n.stack.services.get(f"{name}-9") or await n.stack.add(name, 9)
            if extra.running:
                await asyncio.to_thread(extra.kill if turn % 2 else extra.child.stop)
            else:
                extra.start()
        for _ in range(50):
            await asyncio.sleep(0.05)
            open_ = max(open_, _open_transactions(n))
    for name in ("moderation", "counters"):
        extra = n.stack.services.pop(f"{name}-9")
        n.stack.servers.services.pop(extra.label)
        await asyncio.to_thread(extra.kill)
    if not open_:
        raise Missed("no transaction was open")
    return {"owner": "", "point": "joins and leaves", "open": open_}


def _open_transactions(n: Nemesis) -> int:
    return sum(c.mind.in_transaction for c in n.stack.servers.connections())
