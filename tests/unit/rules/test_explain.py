"""What `explain` tells of each rule: what it saw, what it misses, where it does not look."""

from __future__ import annotations

import pytest
from msgspec import structs

from services.core.rules import Facts
from services.core.rules.features import TEXT, Feature
from services.core.rules.trial import explain
from tests.unit.rules.build import a_ruleset, a_submission


def test_explain_tells_what_a_rule_saw_although_it_misses_something() -> None:
    rules = a_ruleset(
        "id: listed\nthen: hold\nwhen: {all: [{words: [слон]}, author.published < 1]}",
        "id: known\nthen: hold\non_missing: skip\nwhen: score(spam) > 50%",
    )
    told = explain(a_submission("Вот Cлoн"), Facts({"author.published": 4}), rules)
    by_rule = {one["rule"]: one for one in told}
    assert (by_rule["listed"]["matched"], by_rule["listed"]["spans"]) == (False, [(4, 8)])
    assert by_rule["known"]["matched"] is None
    assert by_rule["known"]["misses"] == [
        {"matcher": "score(spam) > 0.5", "value": None, "unknown": True}
    ]


def test_explain_says_of_rules_out_of_scope_that_they_are() -> None:
    rules = a_ruleset(
        "id: away\nthen: hold\nscope: {site: [other], language: [en]}\nwhen: text.length > 0",
        "id: here\nthen: hold\nwhen: text.length > 99",
        "id: over\nthen: hold\nexpires: '2026-03-01'\nwhen: text.length > 0",
    )
    told = explain(a_submission("кит"), Facts(), rules)
    assert [(one["rule"], one["in_scope"], one["matched"]) for one in told] == [
        ("here", True, False),
        ("away", False, False),
        ("over", False, False),
    ]
    assert [one["scope"] for one in told] == [
        {}, {"site": ["other"], "language": ["en"]}, {"expires": ["2026-03-01"]}
    ]  # fmt: skip


def test_explain_tells_a_matcher_that_throws_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(comment: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setitem(TEXT, "text.lines", Feature("number", broken, ""))
    rules = a_ruleset(
        "id: ended\nthen: hold\nwhen: {all: [text.length > 9, text.lines > 1]}",
        "id: throws\nthen: hold\nwhen: {all: [text.length > 1, text.lines > 1]}",
        "id: whole\nthen: hold\nwhen: text.length > 1",
    )
    told = {one["rule"]: one for one in explain(a_submission("кит"), Facts(), rules)}
    assert told["throws"]["matched"] is None
    assert told["throws"]["errors"] == {"text.lines > 1": "ZeroDivisionError"}
    assert told["throws"]["values"] == {"text.length > 1": 3}
    assert told["ended"]["matched"] is False  # it never got so far when it judged
    assert told["whole"]["matched"] is True


def test_explain_of_a_report_says_that_only_rules_on_reports_look() -> None:
    rules = a_ruleset(
        "id: everywhere\nthen: hold\nwhen: text.length > 0",
        "id: reported\nthen: hold\nscope: {event: [reported]}\nwhen: text.length > 0",
    )
    comment = a_submission("кит")
    in_scope = {one["rule"]: one["in_scope"] for one in explain(comment, Facts(), rules)}
    assert in_scope == {"everywhere": True, "reported": False}
    told = explain(structs.replace(comment, reported=True), Facts(), rules)
    assert {one["rule"]: one["in_scope"] for one in told} == {"everywhere": False, "reported": True}
