from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.core.rules import Budget, Facts, judge
from services.core.rules.context import Context
from services.core.rules.trial import explain
from tests.unit.rules.build import NOON, a_ruleset, a_submission


def test_policy_that_holds_first_adds_a_finding_and_reject_outweighs_it() -> None:
    rules = a_ruleset("id: short\nthen: reject\nwhen: text.length < 2")
    facts = Facts(policy="hold_first")
    verdict = judge(a_submission("ab"), facts, rules)
    assert (verdict.action, [f.rule for f in verdict.findings]) == ("hold", ["policy"])
    verdict = judge(a_submission("a"), facts, rules)
    assert (verdict.action, [f.rule for f in verdict.findings]) == ("reject", ["short", "policy"])


def test_note_and_shadow_change_nothing_and_are_recorded() -> None:
    rules = a_ruleset(
        "id: noted\nthen: note\nwhen: text.length < 2",
        "id: shaded\nstatus: shadow\nthen: reject\nwhen: text.length < 2",
        "id: asleep\nstatus: paused\nthen: reject\nwhen: text.length < 2",
        "id: sketched\nstatus: draft\nthen: reject\nwhen: text.length < 2",
    )
    verdict = judge(a_submission("a"), Facts(), rules)
    assert verdict.action == "publish"
    assert [(f.rule, f.action, f.would, f.shadow) for f in verdict.findings] == [
        ("noted", "note", "", False),
        ("shaded", "note", "reject", True),
    ]


def test_publish_marks_and_never_overrides_a_hold() -> None:
    rules = a_ruleset(
        "id: fine\npriority: 9\nthen: publish\nwhen: text.words > 0",
        "id: short\nthen: hold\nwhen: text.length < 2",
    )
    verdict = judge(a_submission("a"), Facts(), rules)
    assert verdict.action == "hold"
    assert [(f.rule, f.would) for f in verdict.findings] == [("fine", "publish"), ("short", "")]


def test_effects_are_data() -> None:
    rules = a_ruleset(
        "id: short\nwhen: text.length < 2\n"
        "then: {action: hold, labels: [x], notify: [editors], limit: 10m, score: 2}"
    )
    finding = judge(a_submission("a"), Facts(), rules).findings[0]
    assert finding.effects == {"labels": ["x"], "notify": ["editors"], "limit": "10m", "score": 2}


@pytest.mark.parametrize(
    ("on_missing", "action", "said"),
    [("match", "reject", True), ("hold", "hold", True), ("skip", "publish", True)],
)
def test_unknown_is_never_silently_false(on_missing: str, action: str, said: bool) -> None:
    rules = a_ruleset(
        f"id: toxic\nthen: reject\non_missing: {on_missing}\nwhen: score(toxicity) > 0.9"
    )
    verdict = judge(a_submission("a"), Facts(), rules)
    assert verdict.action == action
    assert verdict.findings[0].detail == {"unknown": ["score(toxicity) > 0.9"]}
    known = judge(a_submission("a"), Facts({"score(toxicity)": 0.95}), rules)
    assert known.action == "reject"
    assert judge(a_submission("a"), Facts({"score(toxicity)": 0.5}), rules).findings == []


def test_what_is_false_anyway_does_not_ask_the_unknown() -> None:
    rules = a_ruleset(
        "id: toxic\nthen: reject\non_missing: hold\n"
        "when: {all: [score(toxicity) > 0.9, text.length > 5]}"
    )
    assert judge(a_submission("a"), Facts(), rules).findings == []
    assert judge(a_submission("a longer one"), Facts(), rules).action == "hold"


def test_scope_and_expiry_keep_a_rule_away() -> None:
    rules = a_ruleset(
        "id: here\nthen: hold\nwhen: text.length > 0\nexpires: 2026-03-02\n"
        "scope: {site: [portal], section: [politics], language: [ru], event: [submitted]}"
    )
    inside = a_submission("a", section="politics", language="ru")
    assert judge(inside, Facts(), rules).action == "hold"
    for outside in (
        a_submission("a", section="sport", language="ru"),
        a_submission("a", section="politics", language="en"),
        a_submission("a", section="politics", language="ru", revision=2),
        a_submission("a", section="politics", language="ru", at=NOON + timedelta(days=1)),
        replace(inside, site="other"),
    ):
        assert judge(outside, Facts(), rules).action == "publish"


def test_rule_that_throws_holds_the_comment_and_is_named() -> None:
    rules = a_ruleset("id: fragile\nthen: note\nwhen: author.published < 3")
    verdict = judge(a_submission("a"), Facts({"author.published": "many"}), rules)
    assert verdict.action == "hold"
    assert [(f.rule, f.detail) for f in verdict.findings] == [
        ("rule_error", {"rule": "fragile", "error": "TypeError"})
    ]
    off = rules.without(["fragile"])
    assert judge(a_submission("a"), Facts({"author.published": "many"}), off).findings == []
    assert off.name != rules.name


def test_rule_over_its_budget_holds_the_comment() -> None:
    rules = a_ruleset("id: slow\nthen: note\nwhen: text.length > 0")
    budget = Budget(iter([0.0, 0.2]).__next__, iter([0.0, 0.2]).__next__, seconds=0.1)
    verdict = judge(a_submission("a"), Facts(), rules, budget)
    assert verdict.action == "hold"
    assert verdict.findings[0].detail == {"rule": "slow", "error": "over budget"}


def test_rule_that_was_late_because_the_machine_was_busy_is_not_blamed() -> None:
    rules = a_ruleset("id: unlucky\nthen: note\nwhen: text.length > 0")
    budget = Budget(iter([0.0, 0.2]).__next__, iter([0.0, 0.05]).__next__, seconds=0.1)
    verdict = judge(a_submission("a"), Facts(), rules, budget)
    assert [(f.rule, f.action) for f in verdict.findings] == [("unlucky", "note")]


def test_verdict_names_the_rule_as_it_was() -> None:
    text = "id: short\nthen: hold\nwhen: text.length < {}"
    one, same, other = (a_ruleset(text.format(n)) for n in (2, 2, 3))
    versions = [
        judge(a_submission("a"), Facts(), r).findings[0].version for r in (one, same, other)
    ]
    assert versions[0] == versions[1] != versions[2]
    assert len(versions[0]) == 12


def test_a_list_is_part_of_the_version_and_a_test_is_not() -> None:
    rule = "id: listed\nthen: hold\nwhen: {lists: [words/a.txt]}"
    tested = rule + "\ntests: {must_match: [раз]}"
    assert a_ruleset(rule, a="раз").hash == a_ruleset(tested, a="раз").hash
    assert a_ruleset(rule, a="раз").hash != a_ruleset(rule, a="два").hash


def test_rules_whose_words_are_not_there_are_skipped() -> None:
    rules = a_ruleset(
        "id: listed\nthen: hold\nwhen: {all: [{words: [слон]}, text.length > 1]}",
        "id: either\nthen: hold\nwhen: {any: [{words: [кит]}, {patterns: [мор+е]}]}",
        "id: always\nthen: note\nwhen: text.length > 0",
    )

    def looked_at(text: str) -> list[str]:
        context = Context(a_submission(text), Facts(), rules.index)
        return [each.rule.id for each in rules.candidates(context)]

    assert looked_at("тишина") == ["always"]
    assert looked_at("вот слон") == ["always", "listed"]
    assert looked_at("моррре") == ["always", "either"]


def test_explain_tells_the_nearest_miss_with_its_value() -> None:
    rules = a_ruleset(
        "id: loud\nthen: hold\nwhen: {all: [text.upper >= 70%, text.letters >= 3]}",
        "id: other\nthen: hold\nwhen: {all: [{words: [слон]}, text.words > 9]}",
    )
    told = explain(a_submission("АБВгд"), Facts(), rules)
    assert [one["rule"] for one in told] == ["loud", "other"]
    assert told[0]["matched"] is False
    assert told[0]["misses"] == [{"matcher": "text.upper >= 0.7", "value": 0.6, "unknown": False}]
    assert len(told[1]["misses"]) == 2


def test_pattern_set_that_outgrows_its_memory_still_finds() -> None:
    wide = r"[\pL\pN]{0,60}"
    rules = a_ruleset(
        *(f"id: p{n}\nthen: note\nwhen: {{patterns: ['{wide}x{n}{wide}$']}}" for n in range(8))
    )
    verdict = judge(a_submission("ж" * 30 + "x5" + "ж" * 30), Facts(), rules)
    assert [f.rule for f in verdict.findings] == ["p5"]
