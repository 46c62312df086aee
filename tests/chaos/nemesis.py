"""The nemesis: one seeded fault after another, each counted only if it struck what it was for.

Faults come from outside: signals, the proxies of `wire`, raw records, the disk, the clock. A kind
that this machine cannot do is SKIPPED with the reason. `in_flight` of a report says what was open
at the moment of the strike.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from services.embedded.child import CannotStart
from tests.chaos.history import History
from tests.chaos.kinds import KINDS, LIGHT, Missed, Skipped, Tally
from tests.chaos.past_ingest import PastIngest
from tests.chaos.servers import Service
from tests.chaos.stack import Stack
from tests.chaos.traffic import Traffic
from tests.chaos.wire import Connection, Trap

RECOVERY_LIMIT = 30.0
SLOW = 10.0
"""Seconds after which the history says what has not recovered yet."""
TRAP_SECONDS = 12.0
PATIENCE = 120.0


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
    done: int = 0
    only: list[str] = field(default_factory=list)
    """Of a plan's entry `kind:name+name`: strike these only."""
    patience: float = PATIENCE
    until: float | None = None
    """Monotonic: no fault begins after it."""
    turn: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed + 2)
        self.past_ingest = PastIngest(self.stack.bootstrap, self.stack.prefix, self.random)

    # --- the run

    async def run(self, plan: list[str], tell: Callable[[str], None]) -> None:
        for place, entry in enumerate(plan):
            if self.until is not None and time.monotonic() > self.until:
                tell(f"time is over after {place} of {len(plan)} faults")
                break
            kind, _, only = entry.partition(":")
            self.only = only.split("+") if only else []
            tally = self.tally(kind)
            if tally.skipped:
                self.done += 1
                continue
            for _ in range(3):
                began = self.history.now()
                try:
                    evidence = await KINDS[kind](self)
                except (Missed, CannotStart) as missed:
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
        await self.past_ingest.end()

    async def mend(self) -> None:
        """Everything runs again, nothing is held, no trap waits."""
        servers = self.stack.servers
        servers.traps.clear()
        for proxy in [*servers.kafka_proxies, *servers.postgres_proxies.values()]:
            proxy.refusing = False
            for connection in list(proxy.connections):
                if connection.held or connection.blackhole:
                    connection.release()
        await self.start_brokers()
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
        slow = False
        while time.monotonic() - began < self.patience:
            with suppress(Exception):
                if ends is None:
                    ends = await self.stack.end_offsets()
                behind = await self.stack.behind(ends)
                if not behind:
                    break
                if not slow and time.monotonic() - began > SLOW:
                    slow = True
                    self.history.note("slow", kind=kind, behind=behind)
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

    def tally(self, kind: str) -> Tally:
        return self.tallies.setdefault(kind, Tally())

    def next(self, name: str, of: Sequence[Any]) -> Any:
        """Goes round, from a seeded start, so that few strikes reach every point."""
        [one] = self.next_of(name, of)
        return one

    def next_of(self, name: str, *lists: Sequence[Any]) -> tuple[Any, ...]:
        """One of each list: goes round all their combinations, the last list the fastest."""
        kept = [[one for one in of if str(one) in self.only] or of for of in lists]
        all_of_them = list(product(*kept))
        turn = self.turn.get(name, self.random.randrange(len(all_of_them)))
        self.turn[name] = turn + 1
        return all_of_them[turn % len(all_of_them)]

    async def spring(
        self,
        point: str,
        labels: list[str],
        strike: Callable[[Connection], str],
        when: Callable[[Connection], bool] = lambda connection: True,
    ) -> dict[str, Any]:
        trap = Trap(point, lambda owner: owner in labels, strike, when)
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

    async def with_transaction(self, strike: Callable[[Connection], str]) -> dict[str, Any]:
        labels = self.labels("moderation", "counters", "publisher")
        point = self.next("server_point", ["effect", "before_commit", "commit_sent"])
        return await self.spring(point, labels, strike)

    async def hold(
        self, point: str, labels: list[str], *, most: int, seconds: float
    ) -> list[Connection]:
        """Holds every transaction of these processes that reaches the point, for a while; the
        caller releases them. Raises Missed where there was none."""
        held: list[Connection] = []
        traps = [
            Trap(point, lambda owner: owner in labels, lambda c: (held.append(c), "hold")[1])
            for _ in range(most)
        ]
        self.stack.servers.traps += traps
        await asyncio.wait([trap.hit for trap in traps], timeout=seconds)
        for trap in traps:
            if trap in self.stack.servers.traps:
                self.stack.servers.traps.remove(trap)
        if not held:
            raise Missed(f"{point} of {labels} was not reached")
        return held

    def labels(self, *names: str) -> list[str]:
        wanted = [name for name in names if name in self.only] or names
        return [service.label for service in self.stack.of(*wanted)]

    def victim(self, *names: str) -> Service:
        running = [s for s in self.stack.of(*names) if s.running and not s.paused]
        if not running:
            raise Missed(f"no {names} runs")
        return self.random.choice(running)

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

    async def start_brokers(self) -> None:
        """All that do not run; a busy machine may need more than one patience."""
        kafka = self.stack.servers.kafka
        for attempt in range(4):
            try:
                for broker in kafka.brokers:
                    if not broker.running:
                        broker.start()
                for broker in kafka.brokers:
                    await asyncio.to_thread(broker.wait_ready, len(kafka.brokers))
                return
            except CannotStart:
                if attempt == 3:
                    raise

    async def _start_postgres(self) -> None:
        postgres = self.stack.servers.postgres
        for _ in range(20):
            try:
                await asyncio.to_thread(postgres._start)
                return
            except Exception:  # noqa: BLE001 - old shared memory may still be in use
                await asyncio.sleep(0.5)
        await asyncio.to_thread(postgres._start)
