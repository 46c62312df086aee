"""Scores of a portal's own classifier: in time they may hold, late they change nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.discussion.build import NOON, Table, an_open_table


def asked(**policy: str) -> Table:
    table = an_open_table(**policy)
    table.say("c1", "ask this")
    return table


def test_a_high_score_turns_a_published_comment_into_a_held_one() -> None:
    table = asked()
    assert table.comment("c1").status == "published"
    held = table.score("c1", "rude", 0.9)
    assert (held.result, held.reason, held.status) == ("held", "rule", "pending")
    assert held.facts == {"score(rude)": 0.9}
    assert held.verdict is not None
    assert [finding.rule for finding in held.verdict.findings] == ["rude", "spam"]
    comment = table.comment("c1")
    assert (comment.held_revision, table.visible) == (1, 0)


def test_a_low_score_changes_nothing_and_is_recorded() -> None:
    table = asked()
    before = table.comment("c1")
    told = table.score("c1", "rude", 0.1)
    assert (told.result, told.reason, told.facts) == ("applied", "", {"score(rude)": 0.1})
    assert table.comment("c1") == before


def test_no_score_rejects() -> None:
    table = asked()
    held = table.score("c1", "spam", 0.9)
    assert (held.result, held.status) == ("held", "pending")
    assert held.verdict is not None
    assert held.verdict.action == "hold"


def test_later_scores_are_judged_together_with_the_earlier_ones() -> None:
    table = asked()
    table.score("c1", "rude", 0.3)
    assert table.score("c1", "spam", 0.2).facts == {"score(rude)": 0.3, "score(spam)": 0.2}


def test_no_score_publishes_what_other_rules_held_or_rejected() -> None:
    table = an_open_table()
    table.say("c1", "hold this")
    table.say("c2", "reject this")
    for name in ("c1", "c2"):
        before = table.comment(name)
        told = table.score(name, "rude", 0.1)
        assert (told.result, told.reason) == ("applied", "not_in_view")
        assert table.comment(name) == before


def test_a_score_does_not_contradict_a_moderator() -> None:
    table = asked()
    table.decide("c1", "approve", status="published")
    told = table.score("c1", "rude", 0.9)
    assert (told.result, told.reason, told.status) == ("applied", "ruled", "published")


def test_a_score_of_an_older_revision_changes_nothing() -> None:
    table = asked()
    table.edit("c1", "ask that")
    told = table.score("c1", "rude", 0.9, revision=1)
    assert (told.result, told.reason, told.revision) == ("applied", "revision_stale", 1)
    assert table.score("c1", "rude", 0.9, revision=2).result == "held"


def test_a_score_of_a_deleted_comment_changes_nothing() -> None:
    table = asked()
    table.delete("c1")
    assert table.score("c1", "rude", 0.9).reason == "comment_deleted"


def test_a_late_score_is_recorded_only() -> None:
    table = asked()
    table.later = timedelta(seconds=30)
    told = table.score("c1", "rude", 0.9)
    assert (told.result, told.reason, told.status) == ("applied", "late", "published")


def test_a_score_of_nothing_is_refused() -> None:
    assert an_open_table().score("c9", "rude", 0.9).reason == "comment_unknown"


def test_where_late_scores_hold_a_comment_waits_out_of_sight_for_half_a_minute() -> None:
    table = asked(late_scores="hold")
    comment = table.comment("c1")
    assert (comment.status, comment.held_reason) == ("pending", "score")
    assert comment.held_since == NOON + timedelta(seconds=2 + 30)


def test_a_waiting_comment_is_published_by_the_last_score_that_rules_ask() -> None:
    table = asked(late_scores="hold")
    assert table.score("c1", "rude", 0.1).result == "applied"
    assert table.visible == 0
    published = table.score("c1", "spam", 0.1)
    assert (published.result, published.status) == ("published", "published")
    assert (table.visible, table.comment("c1").held_revision) == (1, None)


def test_a_waiting_comment_is_held_at_once_by_a_high_score() -> None:
    table = asked(late_scores="hold")
    held = table.score("c1", "rude", 0.9)
    comment = table.comment("c1")
    assert (held.result, comment.held_reason) == ("held", "rule")
    assert comment.held_since == NOON + timedelta(seconds=3)


def test_a_late_score_leaves_a_waiting_comment_to_its_moderator() -> None:
    table = asked(late_scores="hold")
    table.later = timedelta(seconds=30)
    assert table.score("c1", "rude", 0.1).reason == "late"
    assert table.comment("c1").held_reason == "score"
    assert table.decide("c1", "approve").status == "published"


@pytest.mark.parametrize(("edit_hold", "meanwhile"), [("keep", "published"), ("hide", "pending")])
def test_a_waiting_edit_leaves_the_revision_before_it_as_the_site_says(
    edit_hold: str, meanwhile: str
) -> None:
    table = an_open_table(late_scores="hold", edit_hold=edit_hold)
    table.say("c1")
    table.edit("c1", "ask this")
    comment = table.comment("c1")
    assert (comment.status, comment.published_revision) == (meanwhile, 1)
    table.score("c1", "rude", 0.1, revision=2)
    table.score("c1", "spam", 0.1, revision=2)
    comment = table.comment("c1")
    assert (comment.status, comment.published_revision) == ("published", 2)


def test_a_comment_that_no_score_can_decide_does_not_wait() -> None:
    table = an_open_table(late_scores="hold")
    assert table.say("c1").result == "published"
