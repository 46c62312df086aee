from __future__ import annotations

from datetime import timedelta

import pytest

from services.core.rules import Facts
from services.moderation.failures import FAILURES, Failures
from services.moderation.rules import Rules
from tests.unit.rules.build import NOON, a_ruleset, a_submission


def test_rule_is_switched_off_after_five_failures_and_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = Rules(
        a_ruleset(
            "id: fragile\nthen: note\nwhen: author.published < 3",
            "id: sound\nthen: reject\nwhen: text.length > 5",
        )
    )
    facts = Facts({"author.published": "many"})
    for n in range(FAILURES):
        assert rules(a_submission("a", comment=f"c{n}"), facts).action == "hold"
    assert rules(a_submission("a"), facts).action == "publish"
    after = rules(a_submission("a longer one"), facts)
    assert after.action == "reject"
    assert after.ruleset.endswith("-fragile")
    assert "rule fragile is switched off: it failed on 5 comments within 24 h" in caplog.text


def test_a_rule_that_failed_stays_off_in_the_rulesets_that_come_next() -> None:
    fragile = "id: fragile\nthen: note\nwhen: author.published < 3"
    failures = Failures()
    rules = Rules(a_ruleset(fragile), failures=failures)
    facts = Facts({"author.published": "many"})
    for n in range(FAILURES):
        rules(a_submission("a", comment=f"c{n}"), facts)
    other = "id: sound\nthen: reject\nwhen: text.length > 5"
    assert Rules(a_ruleset(fragile, other), failures=failures).ruleset.off == {"fragile"}
    mended = a_ruleset(fragile.replace("< 3", "< 2"), other)
    assert Rules(mended, failures=failures).ruleset.off == frozenset()


def test_a_comment_that_is_judged_again_counts_once() -> None:
    rules = Rules(a_ruleset("id: fragile\nthen: note\nwhen: author.published < 3"))
    facts = Facts({"author.published": "many"})
    for _ in range(3 * FAILURES):  # a transaction that is tried again
        rules(a_submission("a"), facts)
    assert rules.ruleset.off == frozenset()


def test_failures_of_another_day_are_forgotten() -> None:
    rules = Rules(a_ruleset("id: fragile\nthen: note\nwhen: author.published < 3"))
    facts = Facts({"author.published": "many"})
    for n in range(2 * FAILURES):
        at = NOON + n * timedelta(hours=6, minutes=1)
        rules(a_submission("a", comment=f"c{n}", at=at), facts)
    assert rules.ruleset.off == frozenset()


def test_what_is_off_elsewhere_is_off_here_from_the_next_comment_on() -> None:
    ruleset = a_ruleset("id: fragile\nthen: reject\nwhen: text.words > 0")
    failures = Failures()
    rules = Rules(ruleset, failures=failures)
    assert rules(a_submission("a"), Facts()).action == "reject"
    failures.off.add(("fragile", ruleset.compiled[0].version))
    assert rules(a_submission("a"), Facts()).action == "publish"
