"""Rules that look at reports: where they may ask, and that they hold at most."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from services.core.errors import BadRuleset
from services.core.events import DiscussionKey
from services.core.rules import Facts, Submission, judge, load, read
from services.core.rules.history import Record
from services.core.rules.trial import trials

TEXTS = "title: {ru: а, en: a}, reason: {ru: а, en: a}"
SAID = Submission(
    DiscussionKey("portal/d"), "c", 1, "portal", "anna", datetime(2026, 3, 1, tzinfo=UTC),
    read("дурак"),
)  # fmt: skip
REPORTED = replace(SAID, reported=True)


def test_reports_are_asked_only_where_a_report_is_judged() -> None:
    for scope in ("", "scope: {event: [submitted, reported]}, "):
        with pytest.raises(BadRuleset, match=r"scope: {event: \[reported\]}") as told:
            load({"a.yml": f'{{id: r, {scope}when: "reports.weight > 2", then: hold, {TEXTS}}}'})
        assert "a.yml:1:" in str(told.value)


def test_each_rule_looks_at_the_events_of_its_scope() -> None:
    ruleset = load({"a.yml": f"""
- {{id: always, when: {{words: [дурак]}}, then: hold, {TEXTS}}}
- {{id: both, scope: {{event: [submitted, reported]}},
   when: {{words: [дурак]}}, then: hold, {TEXTS}}}
- {{id: weighed, scope: {{event: [reported]}}, when: reports.weight > 2, then: hold, {TEXTS}}}
"""})  # fmt: skip
    facts = Facts({"reports.weight": 2.5, "reports.count": 2}, policy="hold_first")
    said = [found.rule for found in judge(SAID, facts, ruleset).findings]
    reported = [found.rule for found in judge(REPORTED, facts, ruleset).findings]
    assert said == ["always", "both", "policy"]
    assert reported == ["both", "weighed"]
    assert ruleset.windows.reports


def test_a_report_alone_rejects_nothing() -> None:
    rule = (
        f"{{id: r, scope: {{event: [reported]}}, when: reports.count >= 1, then: reject, {TEXTS}}}"
    )
    verdict = judge(REPORTED, Facts({"reports.count": 9}), load({"a.yml": rule}))
    assert verdict.action == "hold"
    assert [(found.action, found.would) for found in verdict.findings] == [("hold", "reject")]


def test_rules_that_look_at_reports_are_tested_beside_them() -> None:
    rule = """
id: r
scope: {event: [reported]}
when: reports.weight >= 3
then: hold
title: {ru: а, en: a}
reason: {ru: а, en: a}
tests:
  must_match: [{text: а, event: reported, facts: {reports.weight: 3.2}}]
  must_not_match: [{text: а, event: reported}, {text: а, facts: {reports.weight: 9}}]
"""
    assert all(trial.passed for trial in trials(load({"a.yml": rule})))


def test_a_readers_weight_follows_their_record() -> None:
    assert Record().weight == 1
    assert Record(upheld=8).weight == 1.8
    assert Record(dismissed=8).weight == 0.2
    assert 0 < Record(dismissed=10**6).weight < Record(upheld=10**6).weight < 2
