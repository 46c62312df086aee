"""Brakes: what turns a reject into a hold, and that nothing else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import BadRuleset
from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import Facts, fold, judge
from services.core.rules.brakes import (
    ALL,
    Brakes,
    Counts,
    Tallies,
    Tally,
    brake,
    brakeable,
    is_hit,
    may_brake,
)
from services.core.rules.rule import Limits, Rule, Texts, Then
from tests.unit.rules.build import NOON, a_ruleset, a_submission

HOUR = timedelta(hours=1)
OFF = Brakes(rejects_per_hour=0, probation_days=0)
QUIET = Tally(0, 0, 0, 0, 0, 0, (NOON - timedelta(days=30)).isoformat())


def found(rule: str, action: Any = "reject", **more: Any) -> FindingSeen:
    return FindingSeen(rule=rule, action=action, version="v1", **more)


def rejected(*rules: str) -> VerdictGiven:
    return fold([found(rule) for rule in rules], "h")


def stated(limits: Limits = Limits(), then: Any = "reject") -> Rule:  # noqa: B008
    texts = Texts(ru="а", en="a")
    return Rule(id="r", title=texts, reason=texts, when="text.words > 0", then=then, limits=limits)


def braked(tally: Tally, limits: Limits = Limits(), brakes: Brakes = OFF) -> tuple[str, str, Any]:  # noqa: B008
    verdict = brake(rejected("r"), {"r": tally}, {"r": stated(limits)}, brakes, NOON)
    finding = verdict.findings[0]
    return verdict.action, finding.would, finding.detail


@pytest.mark.parametrize(
    ("tally", "limits", "brakes", "by", "hits"),
    [
        (QUIET._replace(acts_in_hour=3), Limits(per_hour=3), OFF, "per_hour", 3),
        (QUIET._replace(acts_in_day=9), Limits(per_hour=3, per_day=9), OFF, "per_day", 9),
        (QUIET._replace(all_rejects_in_hour=7), Limits(), Brakes(7, probation_days=0), "quota", 7),
        (
            Tally(0, 0, 25, 499, 0, 0, (NOON - timedelta(days=6)).isoformat()),
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
        (QUIET._replace(acts_in_hour=2), Limits(per_hour=3), OFF),
        (QUIET._replace(all_rejects_in_hour=9_999), Limits(), Brakes(0, probation_days=0)),
        # Not more than 5 %; not 25 hits yet; not new any more.
        (Tally(0, 0, 25, 500, 0, 0, NOON.isoformat()), Limits(), Brakes()),
        (Tally(0, 0, 24, 24, 0, 0, NOON.isoformat()), Limits(), Brakes()),
        (Tally(0, 0, 99, 99, 0, 0, (NOON - timedelta(days=7)).isoformat()), Limits(), Brakes()),
    ],
)
def test_a_brake_that_is_not_spent_lets_the_rule_reject(
    tally: Tally, limits: Limits, brakes: Brakes
) -> None:
    assert braked(tally, limits, brakes) == ("reject", "", {})


def test_another_rule_that_still_may_rejects_all_the_same() -> None:
    tallies = {"r": QUIET._replace(acts_in_hour=1), "s": QUIET}
    verdict = brake(
        rejected("r", "s"), tallies, {"r": stated(Limits(per_hour=1)), "s": stated()}, OFF, NOON
    )
    assert verdict.action == "reject"
    assert [finding.action for finding in verdict.findings] == ["hold", "reject"]


SPENT = QUIET._replace(acts_in_hour=3)
THREE = Limits(per_hour=3)


@pytest.mark.parametrize(
    ("rule", "said", "tally", "brakes", "by"),
    [
        (stated(THREE, "hold"), "hold", SPENT, OFF, "per_hour"),
        (stated(then="hold"), "hold", QUIET._replace(all_holds_in_hour=9), Brakes(0, 9), "quota"),
    ],
)
def test_a_hold_over_its_limit_is_a_note_that_says_so(
    rule: Rule, said: Any, tally: Tally, brakes: Brakes, by: str
) -> None:
    effects = {"labels": ["spam"], "notify": ["editors"], "limit": "10m", "score": 2}
    before = fold([found("r", said, effects=effects)], "h")
    assert may_brake(before.findings[0], rule, brakes)
    after = brake(before, {"r": tally}, {"r": rule}, brakes, NOON)
    [finding] = after.findings
    assert (after.action, finding.action, finding.would) == ("publish", "note", "hold")
    assert finding.detail["braked"] == by
    assert finding.effects == {"labels": ["spam"], "score": 2}
    assert is_hit(finding)


def test_a_note_over_its_limit_tells_nobody() -> None:
    rule = stated(THREE, Then(notify=("editors",), labels=("odd",)))
    effects = {"labels": ["odd"], "notify": ["editors"]}
    before = fold([found("r", "note", effects=effects)], "h")
    [finding] = brake(before, {"r": SPENT}, {"r": rule}, OFF, NOON).findings
    assert finding.effects == {"labels": ["odd"]}
    assert (finding.would, finding.detail) == ("", {"braked": "per_hour", "hits": 3})


def test_what_holds_in_place_of_a_reject_is_never_let_through() -> None:
    """For want of a value, or because a brake stopped the reject: the rule's limits end there."""
    rule = stated(Limits(per_hour=1))
    assert not may_brake(found("r", "hold", detail={"unknown": ["score(x)"]}), rule, Brakes(1, 1))
    assert not may_brake(found("r", "hold", would="reject"), rule, Brakes(1, 1))


def test_holds_of_others_than_rules_are_no_rule_s() -> None:
    rule = stated(THREE, "hold")
    assert not may_brake(FindingSeen(rule="policy", action="hold"), None, Brakes(1, 1))
    assert not may_brake(FindingSeen(rule="rule_error", action="hold", version="v"), rule, OFF)
    assert not may_brake(found("r", "note", shadow=True, would="hold"), rule, Brakes(1, 1))


actions = st.sampled_from(["note", "hold", "reject"])
tallies = st.builds(
    Tally, *[st.integers(0, 60)] * 6,
    st.integers(0, 300).map(lambda hours: (NOON - hours * HOUR).isoformat()),
)  # fmt: skip
limits = st.builds(
    Limits,
    per_hour=st.none() | st.integers(1, 60),
    per_day=st.none() | st.integers(1, 60),
)


@given(st.lists(actions, max_size=4), tallies, limits, st.builds(Brakes, st.integers(0, 60)))
def test_a_brake_goes_one_step_down_and_nothing_else_changes(
    said: list[Any], tally: Tally, stated_limits: Limits, brakes: Brakes
) -> None:
    names = [f"r{n}" for n in range(len(said))]
    before = fold([found(*pair) for pair in zip(names, said, strict=True)], "h")
    rules = {name: stated(stated_limits, action) for name, action in zip(names, said, strict=True)}
    asked = {one.rule: tally for one in before.findings if may_brake(one, rules[one.rule], brakes)}
    after = brake(before, asked, rules, brakes, NOON)
    assert [(f.rule, f.version, f.spans) for f in after.findings] == [
        (f.rule, f.version, f.spans) for f in before.findings
    ]
    for was, now in zip(before.findings, after.findings, strict=True):
        step = (was.action, now.action, now.would)
        assert now == was or step in {("reject", "hold", "reject"), ("hold", "note", "hold")}
    if before.action == "reject":
        assert after.action != "publish"
    assert fold(after.findings, "h") == after


def test_tallies_count_hours_of_utc_and_the_23_before() -> None:
    counted = Tallies()
    counted.found("r", "v0", NOON - 24 * HOUR, Counts(9, 0, 9, 9))  # not of this day any more
    counted.found("r", "v0", NOON - 23 * HOUR, Counts(5, 0, 4, 4))  # another version: it acted
    counted.found("r", "v1", NOON - HOUR, Counts(3, 1, 2, 2))
    counted.found(ALL, "", NOON - HOUR, Counts(40, 1, 2))
    counted.judged(NOON + timedelta(minutes=5), rejected("r", "s"))
    counted.judged(NOON + timedelta(minutes=5), fold([found("r", "note")], "h"))
    assert counted.of("r", "v1", NOON + timedelta(minutes=59)) == Tally(
        1, 7, 5, 42, 1, 0, (NOON - HOUR).isoformat()
    )
    assert counted.of("r", "v1", NOON + HOUR).acts_in_hour == 0
    assert counted.of("new", "v9", NOON + HOUR).first_hit == (NOON + HOUR).isoformat()
    added = {key: (d.hits, d.holds, d.rejects, d.acts) for key, d in counted.deltas.items()}
    assert added == {
        (ALL, "", NOON): (2, 0, 1, 0),
        ("r", "v1", NOON): (2, 0, 1, 1),
        ("s", "v1", NOON): (1, 0, 1, 1),
    }


def test_the_quota_of_holds_counts_comments_that_rules_hold() -> None:
    counted = Tallies()
    policy = FindingSeen(rule="policy", action="hold")
    braked = found("r", "hold", would="reject", detail={"braked": "quota"})
    for findings in ([found("a", "hold"), found("b", "hold")], [policy], [braked]):
        counted.judged(NOON, fold(findings, "h"))
    assert counted.of("a", "v1", NOON).all_holds_in_hour == 2
    assert (counted.of("a", "v1", NOON).acts_in_hour, counted.of("r", "v1", NOON).acts_in_hour) == (
        1, 0
    )  # fmt: skip


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
        after.found(rule, version, hour, counts)
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


def test_rules_that_reject_or_state_limits_can_be_braked_and_holds_where_a_portal_asks() -> None:
    rules = a_ruleset(
        "id: a\nthen: reject\nwhen: text.words > 0",
        "id: b\nthen: hold\nwhen: text.words > 0",
        "id: c\nstatus: shadow\nthen: reject\nwhen: text.words > 0",
        "id: d\nstatus: paused\nthen: reject\nwhen: text.words > 0",
        "id: e\nthen: {notify: [editors]}\nlimits: {per_day: 9}\nwhen: text.words > 0",
        "id: f\nthen: {notify: [editors]}\nwhen: text.words > 0",
    )
    assert [rule for rule, _ in brakeable(rules, Brakes())] == ["a", "e"]
    assert [rule for rule, _ in brakeable(rules, Brakes(holds_per_hour=9))] == ["a", "b", "e"]


def test_limits_of_a_rule_that_does_nothing_are_refused() -> None:
    with pytest.raises(BadRuleset, match=r"^test.yml:2:\d+: limits count rejects"):
        a_ruleset("id: a\nlimits: {per_hour: 1}\nthen: {labels: [x]}\nwhen: text.words > 0")
