from __future__ import annotations

import pytest

from services.core.rules import Facts
from services.moderation.rules import FAILURES, Rules
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
