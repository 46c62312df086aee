"""`python -m tests.chaos`: SEED, EVENTS, FAULTS, PLANTED, BROKERS, WITHIN of the environment.

Writes build/chaos.json; exit code 0 only if every invariant counts 0 and every planted bug was
caught by one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from services.embedded.child import end_guard
from tests.chaos import planting
from tests.chaos.faults.machine import build_clock_shim
from tests.chaos.invariants import looked_at
from tests.chaos.run import Result, run
from tests.chaos.schedule import ROUND, plan
from tests.chaos.servers import Servers
from tests.processes import ROOT

BUILD = ROOT / "build"


def shown(result: Result) -> dict[str, Any]:
    violations = {name: asdict(finding) for name, finding in result.findings.items()}
    recoveries = sorted(seconds for _, seconds, _ in result.recoveries)

    def ran(kind: str, what: str) -> int:
        return int(getattr(result.tallies.get(kind), what, 0))

    return {
        "seed": result.seed,
        "events_acknowledged": result.acknowledged,
        "unknown_outcomes": result.maybes,
        "records_put_past_ingest": result.injected,
        "records_checked": result.records,
        "seconds": result.seconds,
        "convergence_seconds": result.convergence_seconds,
        "rebuild_seconds": result.rebuild_seconds,
        "faults": {name: asdict(tally) for name, tally in sorted(result.tallies.items())},
        "faults_ran": sum(tally.ran for tally in result.tallies.values()),
        "unknown_commits": ran("unknown_commit", "ran") + ran("unknown_commits", "struck"),
        "zombies": ran("pause_consumer", "struck"),
        "invariants": violations,
        "looked_at": looked_at(result.evidence) if result.evidence else {},
        "recovery_seconds": {
            "count": len(recoveries),
            "median": recoveries[len(recoveries) // 2] if recoveries else None,
            "max": recoveries[-1] if recoveries else None,
            "each": [list(one) for one in result.recoveries],
        },
    }


async def main() -> int:
    seed = int(os.environ.get("SEED") or 1)
    events = int(os.environ.get("EVENTS") or 20_000)
    faults = int(os.environ.get("FAULTS") or len(ROUND))
    planted = os.environ.get("PLANTED") or "none"
    brokers = int(os.environ.get("BROKERS") or 1)
    kinds = os.environ.get("KINDS") or ""
    long = events >= 50_000
    began = time.monotonic()
    # Ends by way of every `finally`: servers stop, disks are unmounted.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:7.1f}] {text}", flush=True)

    bugs = planting.chosen(planted)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "chaos.json").unlink(missing_ok=True)  # a run that breaks off leaves none
    asked = {"events": events, "faults": faults if events else 0, "planted": planted}
    report: dict[str, Any] = {"seed": seed, "brokers": brokers, "asked": asked, "planted": {}}
    good = True
    home = Path(tempfile.mkdtemp(prefix="veche-chaos-"))
    home.chmod(0o711)
    tell(f"seed {seed}: {events} events, {faults} faults, planted bugs: {planted}")
    servers = await Servers(home, brokers).start()
    shim, why = build_clock_shim(home / "clock")
    if why:
        tell(f"clock: {why}")
    try:
        if events:
            faulty = plan(faults, seed)
            if kinds:
                wanted = kinds.split(",")
                faulty = [wanted[n % len(wanted)] for n in range(faults)]
            result = await run(
                servers, seed=seed, events=events, plan=faulty, long=long,
                rebuild=True, seconds=float(os.environ.get("WITHIN") or 0) or None,
                history_file=BUILD / "chaos-history.jsonl", clock_shim=shim, tell=tell,
                logs=BUILD / "chaos-logs", batch=480 if long else 60,
            )  # fmt: skip
            report |= shown(result)
            for name, finding in result.findings.items():
                if finding.count:
                    good = False
                    tell(f"VIOLATED {name}: {finding.count}: {finding.witness}")
            tell(f"{result.acknowledged} events acknowledged, {report['faults_ran']} faults ran, "
                 f"{len(result.violations)} invariants violated")  # fmt: skip
            for name, tally in result.tallies.items():
                if not tally.ran:
                    tell(f"NOT TRIED {name}: {tally.skipped or 'its point was never reached'}")
        if bugs:
            caught = await planting.all_caught(servers, seed, tell, bugs)
            report["planted"] = caught
            missed = [name for name, by in caught.items() if not by["caught_by"]]
            good = good and not missed
            tell(f"planted bugs: {len(caught) - len(missed)} of {len(caught)}; missed: {missed}")
    finally:
        await servers.stop()
        end_guard()  # here only: in a test run it guards the session's servers too
    report["good"] = good
    (BUILD / "chaos.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
    tell(f"build/chaos.json: {'all counts are 0' if good else 'NOT GOOD'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
