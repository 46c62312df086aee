"""Rules that end by themselves, and the warning before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from services.cli.rules.write import check
from services.core.rules.ruleset import expiring
from tests.unit.rules.build import TEXTS, a_ruleset

BODY = "then: hold\nwhen: text.words > 0\n"


def test_only_rules_that_run_expire_the_soonest_first() -> None:
    rules = a_ruleset(
        f"id: later\nexpires: 2027-01-01\n{BODY}",
        f"id: soon\nstatus: shadow\nexpires: 2026-12-01\n{BODY}",
        f"id: asleep\nstatus: paused\nexpires: 2026-11-01\n{BODY}",
        f"id: always\n{BODY}",
    )
    assert expiring(rules) == [("soon", date(2026, 12, 1)), ("later", date(2027, 1, 1))]


def test_check_warns_two_weeks_before_and_after(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = {"over": today, "soon": today + timedelta(14), "late": today + timedelta(16)}
    rules = [f"id: {name}\nexpires: {day}\n{BODY}{TEXTS}" for name, day in days.items()]
    (tmp_path / "rules.yml").write_text("---\n".join(rules))
    done = CliRunner().invoke(check, [str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"over expired on {days['over']}" in done.output
    assert f"soon expires on {days['soon']}" in done.output
    assert "late" not in done.output.replace("without a test that must match: over, soon, late", "")
