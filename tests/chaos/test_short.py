"""A short seeded part of `make chaos`: real servers, a fault of many kinds, every invariant."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos import planting
from tests.chaos.planting import plant
from tests.chaos.run import Result, run
from tests.chaos.servers import Servers

SEED = 20261124
PLAN = [
    "unknown_commits", "kill_in_transaction", "duplicates", "pause_consumer", "poison",
    "kill_in_produce", "cut_before_commit", "odd_order", "postgres_kill", "future_schema",
    "kill_reader", "broker_kill", "poison_flood",
]  # fmt: skip
PATIENCE = 90.0


def clean(result: Result) -> None:
    """No test asserts a time: recoveries are the harness's own figures."""
    assert result.evidence is not None
    violated = {name: finding.witness for name, finding in result.violations.items()}
    if "staleness" in violated:
        late = [w for w in violated["staleness"] if "from healing" not in w]
        violated["staleness"] = late
        if not late:
            del violated["staleness"]
    assert violated == {}


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # an end, not a demand
@pytest.mark.filterwarnings("ignore:Unclosed AIOKafka")  # brokers die under the harness's own
async def test_nothing_is_lost_or_doubled_under_seeded_faults(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="veche-chaos-"))  # Postgres's user walks through it
    servers = Servers(home)
    try:
        await servers.start()
        result = await run(
            servers, seed=SEED, events=4_000, plan=PLAN, heal_seconds=PATIENCE,
            logs=tmp_path / "logs",
            rebuild=True,
        )  # fmt: skip
        clean(result)
        ran = {name for name, tally in result.tallies.items() if tally.ran}
        assert len(ran) >= len(PLAN) - 2, result.tallies
        assert result.acknowledged >= 4_000
        [bug] = [bug for bug in planting.bugs() if bug.name.startswith("13_")]
        root = plant(bug, tmp_path / "tree")
        planted = await run(
            servers, seed=SEED, events=800, plan=["unknown_commits:counters+moderation"] * 3,
            root=root, copies=planting.COPIES, heal_seconds=PATIENCE,
        )  # fmt: skip
        assert planted.findings["duplicate_effect"].count > 0
    finally:
        await servers.stop()
