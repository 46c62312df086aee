"""What a rule's version did is taken back where nothing has spoken since."""

from __future__ import annotations

import pytest

from services.core.events import Outcome
from tests.unit.discussion.build import Table, an_open_table


def told(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.result, outcome.reason, outcome.status


@pytest.mark.parametrize("body", ["hold this", "reject this"])
def test_what_only_this_rule_stopped_comes_into_view(body: str) -> None:
    table = an_open_table()
    table.say("c1", body)
    outcome = table.undo("c1")
    assert told(outcome) == ("applied", "", "published")
    assert outcome.verdict is not None
    assert (outcome.verdict.action, outcome.verdict.findings) == ("publish", [])
    assert outcome.facts["undone"]["by"] == "admin"
    comment = table.comment("c1")
    assert (comment.published_revision, comment.held_revision) == (1, None)
    assert table.visible == 1
    assert table.effects[-1].changed == ("c1",)


def test_what_another_rule_holds_waits_in_the_queue() -> None:
    table = an_open_table()
    table.say("c1", "reject also:hold")
    assert told(table.undo("c1")) == ("applied", "", "pending")
    comment = table.comment("c1")
    assert (comment.held_revision, comment.held_reason) == (1, "rule")
    assert told(table.undo("c1", "other")) == ("applied", "", "published")


def test_what_another_rule_rejects_stays_rejected() -> None:
    table = an_open_table()
    table.say("c1", "hold also:reject")
    before = table.comment("c1")
    assert told(table.undo("c1")) == ("applied", "", "rejected")
    assert table.comment("c1") == before


def test_a_site_that_holds_first_goes_on_holding() -> None:
    table = an_open_table(policy="hold_first")
    table.say("c1", "reject this")
    table.undo("c1")
    comment = table.comment("c1")
    assert (comment.status, comment.held_reason) == ("pending", "policy")


@pytest.mark.parametrize("word", ["hold", "reject"])
def test_an_edit_of_a_published_comment_comes_into_view(word: str) -> None:
    table = an_open_table()
    table.say("c1", "fine")
    table.edit("c1", f"{word} the second text")
    assert told(table.undo("c1", revision=2)) == ("applied", "", "published")
    assert table.comment("c1").published_revision == 2
    assert table.visible == 1


def test_an_edit_after_a_moderators_reject_waits_for_one() -> None:
    table = an_open_table()
    table.say("c1", "fine")
    table.decide("c1", "reject", status="published")
    table.edit("c1", "hold the second text")
    assert told(table.undo("c1", revision=2)) == ("applied", "", "pending")
    assert table.comment("c1").held_reason == "rejected_before"


def test_a_moderators_ruling_outlasts_an_undo() -> None:
    table = an_open_table()
    table.say("c1", "hold this")
    table.decide("c1", "reject")
    assert told(table.undo("c1")) == ("refused", "ruled", "rejected")


def test_nothing_else_that_happened_is_undone() -> None:
    table = an_open_table(report_threshold=1)
    for name in ("deleted", "edited"):
        table.say(name, "hold this")
    table.delete("deleted")
    table.edit("edited", "hold that")
    table.say("reported", "fine")
    table.edit("reported", "reject this")
    table.report("reported", by="boris", revision=2)
    table.say("fine")
    assert table.undo("deleted").reason == "comment_deleted"
    assert table.undo("edited").reason == "revision_stale"
    assert table.undo("reported", revision=2).reason == "not_as_left"
    assert table.undo("fine").reason == "rule_not_found"
    assert table.undo("edited", version="ffffffffffff", revision=2).reason == "rule_not_found"
    assert table.undo("unknown").reason == "comment_unknown"


def test_the_same_rule_is_undone_once() -> None:
    table = an_open_table()
    table.say("c1", "reject also:hold")
    table.undo("c1")
    assert table.undo("c1").reason == "rule_not_found"


def test_a_score_that_holds_is_undone_too() -> None:
    table: Table = an_open_table()
    table.say("c1", "ask this")
    table.score("c1", "rude", 0.9)
    assert table.comment("c1").status == "pending"
    assert told(table.undo("c1", "rude", version="")) == ("applied", "", "published")
