"""Effects beside the action: labels, notices, limits, scores."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.core.errors import BadRuleset
from services.core.rules import Facts, History, Windows, effects, judge
from services.core.rules.facts import LIMITED_UNTIL
from tests.unit.rules.build import NOON, a_ruleset, a_submission

RULES = (
    "id: first\npriority: 2\nwhen: text.length < 3\n"
    "then: {action: hold, labels: [spam, ad], notify: [editors], limit: 10m, score: 2}",
    "id: second\npriority: 1\nwhen: text.length < 3\n"
    "then: {labels: [spam], notify: [editors, lawyers], limit: 1h, score: -0.5}",
)
MARK = "\nthen: {action: hold, labels: [x], notify: [x], limit: 1h, score: 9}"


def test_effects_of_all_rules_that_match_add_up() -> None:
    verdict = judge(a_submission("a"), Facts(), a_ruleset(*RULES))
    assert effects.labels(verdict) == ("ad", "spam")
    assert effects.notices(verdict) == {"editors": "first", "lawyers": "second"}
    assert effects.limit(verdict) == timedelta(hours=1)
    assert effects.score(verdict) == 1.5


@pytest.mark.parametrize(
    "rule",
    [
        "id: shaded\nstatus: shadow\nwhen: text.length < 3" + MARK,
        "id: blind\non_missing: hold\nwhen: score(x) > 0.5" + MARK,
        "id: skipping\non_missing: skip\nwhen: score(x) > 0.5" + MARK,
        "id: missing\nwhen: text.length > 3" + MARK,
    ],
)
def test_nothing_follows_from_the_shadow_nor_from_what_is_not_known(rule: str) -> None:
    verdict = judge(a_submission("a"), Facts(), a_ruleset(rule))
    assert (effects.labels(verdict), effects.notices(verdict)) == ((), {})
    assert (effects.limit(verdict), effects.score(verdict)) == (timedelta(), 0)


def test_a_limited_author_is_held_until_the_limit_ends() -> None:
    history = History(Windows())
    history.limited(("portal", "anna"), NOON + timedelta(minutes=10))
    history.limited(("portal", "anna"), NOON + timedelta(minutes=5))  # the latest end counts
    rules = a_ruleset("id: never\nthen: hold\nwhen: text.length > 100")

    def action(minutes: float, author: str = "anna") -> tuple[str, list[str]]:
        submission = a_submission("a", author=author)
        at = NOON + timedelta(minutes=minutes)
        facts = history.facts(submission, "publish_first", at)
        verdict = judge(submission, facts, rules)
        assert judge(submission, Facts(facts.seen()), rules) == verdict
        return verdict.action, [found.rule for found in verdict.findings]

    assert action(9.9) == ("hold", ["limited"])
    assert action(10) == ("publish", [])
    assert action(1, author="boris") == ("publish", [])
    facts = history.facts(a_submission("a"), "publish_first", NOON)
    assert facts.values[LIMITED_UNTIL] == (NOON + timedelta(minutes=10)).isoformat()


@pytest.mark.parametrize("member", ["labels: [a/b]", "notify: ['two words']", "limit: 10 min"])
def test_names_of_labels_and_channels_are_plain(member: str) -> None:
    with pytest.raises(BadRuleset):
        a_ruleset(f"id: odd\nwhen: text.words > 0\nthen: {{{member}}}")
