"""Faults of Postgres: the server, and the connections to it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos.kinds import Missed, kind
from tests.chaos.nemesis import Nemesis
from tests.chaos.wire import Connection


@kind(light=True)
async def unknown_commit(n: Nemesis) -> dict[str, Any]:
    """The connection is cut after the server committed, before the client knew."""
    name = n.next("unknown", ["counters", "moderation", "publisher", "counters", "moderation"])
    labels = [service.label for service in n.stack.of(name)]
    evidence = await n.spring("commit_sent", labels, lambda connection: "cut")
    if not evidence["effected"]:
        raise Missed("the transaction had no effect")
    return evidence


@kind(light=True)
async def unknown_commits(n: Nemesis) -> dict[str, Any]:
    """A burst: of ten, of sixty in a long run. Those without an effect do not count."""
    struck = 0
    for _ in range(60 if n.long else 10):
        labels = n.labels("counters", "moderation", "publisher")
        with suppress(Missed):
            evidence = await n.spring("commit_sent", labels, lambda connection: "cut")
            struck += evidence["effected"]
    if not struck:
        raise Missed("no commit was sent")
    n.tally("unknown_commits").struck += struck
    return {"point": "commit_sent", "owner": "", "struck": struck}


@kind(light=True)
async def cut_before_commit(n: Nemesis) -> dict[str, Any]:
    labels = n.labels("counters", "moderation", "publisher")
    return await n.spring("before_commit", labels, lambda connection: "cut")


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

    evidence = await n.with_transaction(strike)
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

    evidence = await n.with_transaction(strike)
    for _ in range(100):
        if postgres.child is None or not postgres.child.running:
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(postgres.kill)
    await n._start_postgres()
    return evidence


@kind()
async def postgres_terminate(n: Nemesis) -> dict[str, Any]:
    """pg_terminate_backend of every session of the services, one held within its transaction."""
    held: list[Connection] = []
    point = n.next("terminate_point", ["effect", "before_commit"])
    labels = n.labels("moderation", "counters", "publisher")
    evidence = await n.spring(point, labels, lambda c: (held.append(c), "hold")[1])
    rows = await n.stack.fetch(
        "SELECT pg_terminate_backend(pid), xact_start IS NOT NULL AS open FROM pg_stat_activity"
        " WHERE application_name = 'veche' AND datname = current_database()"
    )
    for connection in held:
        connection.release()
    open_ = sum(row["open"] for row in rows)
    if not open_:
        raise Missed("no session was in a transaction any more")
    return {**evidence, "terminated": len(rows), "open": open_}
