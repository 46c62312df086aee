from __future__ import annotations

from collections import Counter

import pytest

from services.core.rules import Facts
from services.moderation.rules import FAILURES, Failures, Rules
from tests.unit.rules.build import a_ruleset, a_submission


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
    for _ in range(FAILURES):
        assert rules(a_submission("a"), facts).action == "hold"
    assert rules(a_submission("a"), facts).action == "publish"
    after = rules(a_submission("a longer one"), facts)
    assert after.action == "reject"
    assert after.ruleset.endswith("-fragile")
    assert "rule fragile is switched off after 5 failures" in caplog.text


def test_a_rule_that_failed_stays_off_in_the_rulesets_that_come_next() -> None:
    fragile = "id: fragile\nthen: note\nwhen: author.published < 3"
    failures: Failures = Counter()
    rules = Rules(a_ruleset(fragile), failures=failures)
    facts = Facts({"author.published": "many"})
    for _ in range(FAILURES):
        rules(a_submission("a"), facts)
    other = "id: sound\nthen: reject\nwhen: text.length > 5"
    assert Rules(a_ruleset(fragile, other), failures=failures).ruleset.off == {"fragile"}
    mended = a_ruleset(fragile.replace("< 3", "< 2"), other)
    assert Rules(mended, failures=failures).ruleset.off == frozenset()
