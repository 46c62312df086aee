"""One run: traffic and faults, heal, wait, collect, check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.collect import collect
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.invariants import Finding, check
from tests.chaos.kinds import Tally
from tests.chaos.nemesis import SLOW, Nemesis
from tests.chaos.schedule import KINDS
from tests.chaos.servers import Servers
from tests.chaos.stack import COPIES, SESSION_MS, Stack
from tests.chaos.traffic import Traffic
from tests.processes import ROOT

HEAL_SECONDS = 120.0
SURVIVOR_SECONDS = 13.0
"""A late publisher's older record may stay a key's last one until the watch over survivors is sure
(10 s), looks (1 s) and sends again. Nothing else says that there is work left."""


@dataclass
class Result:
    seed: int
    acknowledged: int = 0
    maybes: int = 0
    injected: int = 0
    records: int = 0
    seconds: float = 0.0
    convergence_seconds: float = 0.0
    rebuild_seconds: float | None = None
    """None: nothing was rebuilt."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    recoveries: list[tuple[str, float, float]] = field(default_factory=list)
    evidence: Evidence | None = None

    @property
    def violations(self) -> dict[str, Finding]:
        return {name: finding for name, finding in self.findings.items() if finding.count}


async def run(
    servers: Servers,
    *,
    seed: int,
    events: int,
    plan: list[str],
    root: Path = ROOT,
    copies: Mapping[str, int] = COPIES,
    session_ms: int = SESSION_MS,
    long: bool = False,
    history_file: Path | None = None,
    clock_shim: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    heal_seconds: float = HEAL_SECONDS,
    logs: Path | None = None,
    batch: int = 60,
    stuck_seconds: float = 60.0,
    rebuild: bool = False,
    seconds: float | None = None,
) -> Result:
    """`plan` names the faults in their order; none begins after `seconds`, where stated.

    Every wait has an end; nothing here raises for what the services do wrong: that is what the
    findings tell.
    """
    began = time.monotonic()
    stack = Stack(servers, root, copies, session_ms, clock_shim)
    result = Result(seed)
    traffic: Traffic | None = None
    try:
        await stack.start()
        history = History(history_file or stack.folder / "history.jsonl")
        total = max(1, len(plan))
        nemesis: Nemesis | None = None

        def progress() -> float:
            return 1.0 if not plan else (nemesis.done if nemesis else 0) / total

        kinds = {entry.partition(":")[0] for entry in plan}
        assert kinds <= set(KINDS), f"unknown kinds of faults: {kinds - set(KINDS)}"
        crowds: dict[str, Any] = {"crowd": 0.7, "readers": 600} if long else {}
        traffic = Traffic(
            stack, history, seed, events=events, progress=progress, batch=batch, **crowds
        )
        nemesis = Nemesis(stack, history, traffic, seed, long, session_ms)
        nemesis.patience = heal_seconds
        nemesis.until = began + seconds if seconds else None
        await asyncio.wait_for(traffic.start(), 60)
        status = f"{history.acknowledged}"

        def say(text: str) -> None:
            tell(f"{history.acknowledged}/{events} events · {text}")

        await asyncio.sleep(1.0)
        await traffic.beside(nemesis.run(plan, say))
        moved, accepted = time.monotonic(), history.acknowledged
        while not traffic.done and (seconds is None or time.monotonic() < began + seconds):
            await asyncio.sleep(0.5)
            if history.acknowledged > accepted:
                moved, accepted = time.monotonic(), history.acknowledged
            elif time.monotonic() - moved > stuck_seconds:
                traffic.broken.append(f"no event was accepted for {stuck_seconds:.0f} s")
                break
            if f"{history.acknowledged // 5_000}" != status:
                status = f"{history.acknowledged // 5_000}"
                say("traffic")
            for service in stack.services.values():
                if not service.running:
                    service.start()
        await traffic.end()
        tell("healed: waiting until nothing lags")
        healed = time.monotonic()
        result.convergence_seconds = await quiet(stack, nemesis, heal_seconds)
        not_ready = await stack.until_ready(max(1.0, healed + heal_seconds - time.monotonic()))
        await asyncio.sleep(SURVIVOR_SECONDS)
        await traffic.end_streams()
        history.close()
        tell("collecting")
        past = nemesis.past_ingest
        evidence = await collect(stack, history.file, poison=past.bad, injected=past.ids)
        evidence.recoveries = nemesis.recoveries
        evidence.broken = traffic.broken
        evidence.not_ready = not_ready
        if rebuild:
            tell("rebuilding from Kafka into an empty database")
            began_rebuild = time.monotonic()
            evidence.rebuild = await stack.rebuilt()
            result.rebuild_seconds = round(time.monotonic() - began_rebuild, 1)
        tell("checking")
        result.findings = check(evidence)
        result.acknowledged, result.maybes = history.acknowledged, history.maybes
        result.injected = past.good + len(past.bad)
        result.records = len(evidence.records)
        result.tallies, result.recoveries = nemesis.tallies, nemesis.recoveries
        result.evidence = evidence
    finally:
        if traffic is not None:
            await traffic.end_streams()
        slow = any(seconds > SLOW for _, seconds, _ in result.recoveries)
        if logs is not None and (result.violations or slow or not result.findings):
            logs.mkdir(parents=True, exist_ok=True)
            for service in stack.services.values():
                (logs / f"{service.label}.log").write_text(service.log_text()[-4_000_000:])
        await stack.end()
        result.seconds = round(time.monotonic() - began, 1)
    return result


async def quiet(stack: Stack, nemesis: Nemesis, seconds: float) -> float:
    """Waits until every log is applied, nothing is dirty and the outbox is empty."""
    began = time.monotonic()
    calm = 0
    while time.monotonic() - began < seconds and calm < 2:
        await asyncio.sleep(0.4)
        with suppress(Exception):
            behind = await stack.behind(await stack.end_offsets())
            if any("(" in place for place in behind):
                await nemesis.resume_stopped()
            waiting = await stack.waiting()
            calm = calm + 1 if not behind and not any(waiting.values()) else 0
        for service in stack.services.values():
            if not service.running:
                service.start()
    return round(time.monotonic() - began, 2)
