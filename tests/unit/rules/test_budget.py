"""Which rule is blamed for being late: by the clock and by its own work."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import pytest

from services.core.rules import Budget, Facts, Ruleset, judge
from services.core.rules.context import Context
from services.core.rules.ruleset import Compiled
from tests.unit.rules.build import a_ruleset, a_submission


def timed(*took: tuple[float, float]) -> list[str]:
    """The rules blamed, of rules that each took (seconds by the clock, seconds of work)."""
    rules = a_ruleset(*(f"id: r{n}\nthen: note\nwhen: text.length > 0" for n in range(len(took))))
    clock: list[float] = list(accumulate((late for late, _ in took), initial=0.0))
    worked: list[float] = list(accumulate((work for _, work in took), initial=0.0))
    ticks = iter(range(len(clock)))
    at = 0

    def now() -> float:
        nonlocal at
        at = next(ticks)
        return clock[at]

    verdict = judge(a_submission("a"), Facts(), rules, Budget(now, lambda: worked[at], seconds=0.1))
    return [f.detail["rule"] for f in verdict.findings if f.rule == "rule_error"]


def test_late_rule_is_not_blamed_for_the_work_of_the_rules_before() -> None:
    busy = (0.3, 0.0)
    assert timed((0.08, 0.08), (0.08, 0.08), busy) == []
    assert timed((0.3, 0.3), busy, busy) == ["r0"]
    assert timed((0.3, 0.08), (0.3, 0.08), busy) == []
    assert timed((0.08, 0.08), (0.08, 0.08), (0.3, 0.3)) == ["r2"]


def test_rules_are_not_timed_while_candidates_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = a_ruleset("id: first\nthen: note\nwhen: text.length > 0")
    at = [0.0]
    chosen = type(rules).candidates

    def slowly(ruleset: Ruleset, context: Context) -> Iterable[Compiled]:
        at[0] += 1
        return chosen(ruleset, context)

    monkeypatch.setattr(type(rules), "candidates", slowly)
    budget = Budget(lambda: at[0], lambda: at[0], seconds=0.1)
    verdict = judge(a_submission("a"), Facts(), rules, budget)
    assert [f.rule for f in verdict.findings] == ["first"]
