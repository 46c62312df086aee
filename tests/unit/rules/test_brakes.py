"""Brakes: what turns a reject into a hold, and that nothing else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import Facts, fold, judge
from services.core.rules.brakes import ALL, Brakes, Tallies, Tally, brake, is_hit, rejecting
from services.core.rules.rule import Limits
from tests.unit.rules.build import NOON, a_ruleset, a_submission

HOUR = timedelta(hours=1)
OFF = Brakes(rejects_per_hour=0, probation_days=0)
QUIET = Tally(0, 0, 0, 0, 0, (NOON - timedelta(days=30)).isoformat())


def found(rule: str, action: Any = "reject", **more: Any) -> FindingSeen:
    return FindingSeen(rule=rule, action=action, version="v1", **more)


def rejected(*rules: str) -> VerdictGiven:
    return fold([found(rule) for rule in rules], "h")


def braked(tally: Tally, limits: Limits = Limits(), brakes: Brakes = OFF) -> tuple[str, str, Any]:  # noqa: B008
    verdict = brake(rejected("r"), {"r": tally}, {"r": limits}, brakes, NOON)
    finding = verdict.findings[0]
    return verdict.action, finding.would, finding.detail


@pytest.mark.parametrize(
    ("tally", "limits", "brakes", "by", "hits"),
    [
        (QUIET._replace(rejects_in_hour=3), Limits(per_hour=3), OFF, "per_hour", 3),
        (QUIET._replace(rejects_in_day=9), Limits(per_hour=3, per_day=9), OFF, "per_day", 9),
        (QUIET._replace(all_rejects_in_hour=7), Limits(), Brakes(7, 0), "quota", 7),
        (
            Tally(0, 0, 25, 499, 0, (NOON - timedelta(days=6)).isoformat()),
            Limits(), Brakes(), "probation", 25,
        ),
    ],
)  # fmt: skip
def test_a_spent_brake_holds_what_the_rule_would_reject(
    tally: Tally, limits: Limits, brakes: Brakes, by: str, hits: int
) -> None:
    assert braked(tally, limits, brakes) == ("hold", "reject", {"braked": by, "hits": hits})


@pytest.mark.parametrize(
    ("tally", "limits", "brakes"),
    [
        (QUIET._replace(rejects_in_hour=2), Limits(per_hour=3), OFF),
        (QUIET._replace(all_rejects_in_hour=9_999), Limits(), Brakes(0, 0)),
        # Not more than 5 %; not 25 hits yet; not new any more.
        (Tally(0, 0, 25, 500, 0, NOON.isoformat()), Limits(), Brakes()),
        (Tally(0, 0, 24, 24, 0, NOON.isoformat()), Limits(), Brakes()),
        (Tally(0, 0, 99, 99, 0, (NOON - timedelta(days=7)).isoformat()), Limits(), Brakes()),
    ],
)
def test_a_brake_that_is_not_spent_lets_the_rule_reject(
    tally: Tally, limits: Limits, brakes: Brakes
) -> None:
    assert braked(tally, limits, brakes) == ("reject", "", {})


def test_another_rule_that_still_may_rejects_all_the_same() -> None:
    tallies = {"r": QUIET._replace(rejects_in_hour=1), "s": QUIET}
    verdict = brake(rejected("r", "s"), tallies, {"r": Limits(per_hour=1)}, OFF, NOON)
    assert verdict.action == "reject"
    assert [finding.action for finding in verdict.findings] == ["hold", "reject"]


actions = st.sampled_from(["note", "hold", "reject"])
tallies = st.builds(
    Tally, *[st.integers(0, 60)] * 5,
    st.integers(0, 300).map(lambda hours: (NOON - hours * HOUR).isoformat()),
)  # fmt: skip
limits = st.builds(
    Limits,
    per_hour=st.none() | st.integers(1, 60),
    per_day=st.none() | st.integers(1, 60),
)


@given(st.lists(actions, max_size=4), tallies, limits, st.builds(Brakes, st.integers(0, 60)))
def test_brakes_only_ever_turn_rejects_into_holds(
    said: list[Any], tally: Tally, stated: Limits, brakes: Brakes
) -> None:
    names = [f"r{n}" for n in range(len(said))]
    before = fold([found(*pair) for pair in zip(names, said, strict=True)], "h")
    after = brake(before, dict.fromkeys(names, tally), dict.fromkeys(names, stated), brakes, NOON)
    assert [(f.rule, f.version, f.spans) for f in after.findings] == [
        (f.rule, f.version, f.spans) for f in before.findings
    ]
    for was, now in zip(before.findings, after.findings, strict=True):
        assert now == was or (was.action, now.action, now.would) == ("reject", "hold", "reject")
    assert (before.action == "publish") == (after.action == "publish")
    assert fold(after.findings, "h") == after


def test_tallies_count_hours_of_utc_and_the_23_before() -> None:
    counted = Tallies()
    counted.found("r", "v0", NOON - 24 * HOUR, 9, 9)  # not of this day any more
    counted.found("r", "v0", NOON - 23 * HOUR, 5, 4)  # another version: its rejects count
    counted.found("r", "v1", NOON - HOUR, 3, 2)
    counted.found(ALL, "", NOON - HOUR, 40, 2)
    counted.judged(NOON + timedelta(minutes=5), rejected("r", "s"))
    counted.judged(NOON + timedelta(minutes=5), fold([found("r", "note")], "h"))
    assert counted.of("r", "v1", NOON + timedelta(minutes=59)) == Tally(
        1, 7, 5, 42, 1, (NOON - HOUR).isoformat()
    )
    assert counted.of("r", "v1", NOON + HOUR).rejects_in_hour == 0
    assert counted.of("new", "v9", NOON + HOUR).first_hit == (NOON + HOUR).isoformat()
    added = {key: (d.hits, d.holds, d.rejects) for key, d in counted.deltas.items()}
    assert added == {
        (ALL, "", NOON): (2, 0, 1), ("r", "v1", NOON): (2, 0, 1), ("s", "v1", NOON): (1, 0, 1)
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 100), actions), max_size=60), st.integers(0, 60))
def test_what_was_stored_before_and_what_came_in_the_batch_count_alike(
    told: list[tuple[int, Any]], stored: int
) -> None:
    def verdicts(some: list[tuple[int, Any]]) -> list[tuple[datetime, VerdictGiven]]:
        return [(NOON + n * HOUR / 4, fold([found("r", action)], "h")) for n, action in some]

    at_once, before, after = Tallies(), Tallies(), Tallies()
    for at, verdict in verdicts(told):
        at_once.judged(at, verdict)
    for at, verdict in verdicts(told[:stored]):
        before.judged(at, verdict)
    for (rule, version, hour), counts in before.deltas.items():
        after.found(rule, version, hour, counts.hits, counts.rejects)
    for at, verdict in verdicts(told[stored:]):
        after.judged(at, verdict)
    for n in (0, 3, 50, 100):
        at = NOON + n * HOUR / 4
        assert after.of("r", "v1", at) == at_once.of("r", "v1", at)


def test_what_lacked_a_value_or_is_no_rule_is_no_hit() -> None:
    rules = a_ruleset("id: fresh\nthen: reject\non_missing: skip\nwhen: score(rude) > 0.5")
    [skipped] = judge(a_submission("a"), Facts(), rules).findings
    [hit] = judge(a_submission("a"), Facts({"score(rude)": 0.9}), rules).findings
    assert (is_hit(skipped), is_hit(hit)) == (False, True)
    assert not is_hit(FindingSeen(rule="policy", action="hold"))
    assert not is_hit(FindingSeen(rule="rule_error", action="hold", version="v1"))


def test_only_rules_that_reject_can_be_braked() -> None:
    rules = a_ruleset(
        "id: a\nthen: reject\nwhen: text.words > 0",
        "id: b\nthen: hold\nwhen: text.words > 0",
        "id: c\nstatus: shadow\nthen: reject\nwhen: text.words > 0",
        "id: d\nstatus: paused\nthen: reject\nwhen: text.words > 0",
    )
    assert [rule for rule, _ in rejecting(rules)] == ["a"]
