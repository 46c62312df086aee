"""Drafts and paused rules cost the live side nothing: no facts are gathered for them."""

from __future__ import annotations

import pytest

from services.core.rules.facts import Windows
from services.core.rules.replay import asks_facts
from services.core.rules.trial import trials
from tests.unit.rules.build import a_ruleset

ASKS = """\
id: asks
then: hold
on_missing: skip
when:
  any:
    - near(site, 1d) > 5
    - copies(site, 1d) > 5
    - author.karma < 0
    - author.published < 1
    - score(toxicity) > 0.5
tests: {must_match: [{text: а, facts: {author.published: 0}}]}
"""
RUNS = "id: runs\nthen: hold\nwhen: count(author, 10m) > 5"


@pytest.mark.parametrize("status", ["draft", "paused"])
def test_nothing_is_gathered_for_a_rule_that_does_not_run(status: str) -> None:
    ruleset = a_ruleset(f"status: {status}\n{ASKS}", RUNS)
    assert ruleset.windows == a_ruleset(RUNS).windows
    assert ruleset.scores == frozenset()
    assert [trial.passed for trial in trials(ruleset)] == [True]


def test_file_need_not_be_in_order_for_a_rule_that_does_not_run() -> None:
    assert not asks_facts(a_ruleset(f"status: draft\n{ASKS}"))
    assert asks_facts(a_ruleset(ASKS))


@pytest.mark.parametrize("status", ["live", "shadow"])
def test_everything_is_gathered_for_a_rule_that_runs(status: str) -> None:
    ruleset = a_ruleset(f"status: {status}\n{ASKS}")
    assert ruleset.scores == {"toxicity"}
    assert ruleset.windows != Windows()
    assert ruleset.windows.near_most
    assert ruleset.windows.standing
    assert ruleset.windows.karma
