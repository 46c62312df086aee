from __future__ import annotations

import pytest

from services.core import events
from services.core.discussion import Cause, Judgement, open_reports, settle
from services.core.events import FindingSeen, Policy, VerdictGiven
from services.core.rules import Submission
from tests.unit.discussion.build import NOON, Table, an_open_table


def test_approved_comment_appears_and_a_rejected_one_vanishes() -> None:
    table = an_open_table()
    table.say("c1", "hold this")
    assert table.decide("c1", "approve").status == "published"
    assert (table.visible, table.comment("c1").held_revision) == (1, None)
    assert table.decide("c1", "reject", status="published").status == "rejected"
    assert table.visible == 0
    assert table.decide("c1", "restore", status="rejected").status == "published"
    assert table.visible == 1


def test_decision_on_another_state_is_a_conflict_that_tells_the_state() -> None:
    table = an_open_table()
    table.say("c1", "hold this")
    table.edit("c1", "hold that")
    conflict = table.decide("c1", "approve", revision=1)
    assert (conflict.result, conflict.reason) == ("refused", "conflict")
    assert (conflict.revision, conflict.status) == (2, "pending")
    assert table.decide("c1", "approve", revision=2, status="rejected").reason == "conflict"
    assert table.decide("c1", "approve", revision=2).result == "applied"
    assert table.comment("c1").published_revision == 2


def test_no_decision_brings_a_deleted_comment_back() -> None:
    table = an_open_table()
    table.say("c1", "hold this")
    table.delete("c1")
    assert table.comment("c1").held_revision is None
    assert table.decide("c1", "approve").reason == "comment_deleted"
    assert table.visible == 0


def test_edit_after_a_rejection_is_at_most_held() -> None:
    table = an_open_table()
    table.say("c1")
    table.decide("c1", "reject", status="published")
    held = table.edit("c1", "clean")
    assert (held.result, held.reason, held.status) == ("held", "rejected_before", "pending")


def reported(table: Table, readers: str) -> None:
    for reader in readers:
        table.report("c1", by=reader)


def test_reports_by_distinct_readers_hold_at_the_threshold() -> None:
    table = an_open_table()
    table.say("c1")
    reported(table, "xxxy")
    assert table.visible == 1
    assert table.comment("c1").reports == 2
    held = table.report("c1", by="z")
    assert (held.result, held.reason, held.status) == ("held", "report", "pending")
    assert table.visible == 0
    assert table.comment("c1").held_reason == "report"


def test_reports_never_hide_what_a_moderator_approved() -> None:
    table = an_open_table()
    table.say("c1")
    reported(table, "xyz")
    table.decide("c1", "approve")
    reported(table, "pq")
    assert table.comment("c1").held_revision is None
    held = table.report("c1", by="r")
    assert (held.result, held.status) == ("held", "published")
    assert (table.visible, table.comment("c1").held_revision) == (1, 1)


def test_edit_does_not_escape_reports() -> None:
    table = an_open_table()
    table.say("c1")
    reported(table, "xyz")
    held = table.edit("c1", "clean")
    assert (held.result, held.reason, held.status) == ("held", "report", "pending")


@pytest.mark.parametrize(
    ("by", "revision", "reason"),
    [("anna", 2, "own_report"), ("x", 3, "revision_unknown"), ("x", 1, "revision_stale")],
)
def test_report_is_refused(by: str, revision: int, reason: str) -> None:
    table = an_open_table()
    table.say("c1")
    table.edit("c1", "better")
    assert table.report("c1", by=by, revision=revision).reason == reason


def test_report_on_the_revision_in_view_hides_it_though_an_edit_is_held() -> None:
    table = an_open_table()
    table.say("c1")
    table.edit("c1", "hold this")
    reported(table, "xyz")
    comment = table.comment("c1")
    assert (comment.status, comment.held_revision, comment.held_reason) == ("pending", 2, "report")


def test_rejected_edit_does_not_clear_what_readers_reported() -> None:
    table = an_open_table()
    table.say("c1")
    table.decide("c1", "approve", status="published")
    reported(table, "xyz")
    table.edit("c1", "reject this")
    comment = table.comment("c1")
    assert (comment.status, comment.published_revision) == ("published", 1)
    assert (comment.held_revision, comment.held_reason) == (2, "report")


def suspicious(submission: Submission, policy: Policy) -> Judgement:
    """Holds whatever is reported."""
    assert submission.reported
    finding = FindingSeen(rule="suspicious", action="hold", effects={"labels": ["seen"]})
    verdict = VerdictGiven(action="hold", ruleset="test", findings=[finding])
    return Judgement(verdict, {"reports.weight": 1})


def test_a_rule_may_hold_what_one_reader_reports() -> None:
    table = an_open_table(report_threshold=5)
    table.report_verdict_of = suspicious
    table.say("c1")
    outcome = table.report("c1", by="r1")
    assert (outcome.result, outcome.reason, outcome.status) == ("held", "report", "pending")
    assert outcome.verdict is not None
    assert outcome.facts["reports.weight"] == 1
    assert table.comment("c1").labels == ("seen",)
    again = table.report("c1", by="r2")
    assert (again.result, again.status) == ("applied", "pending")


def test_a_rule_never_hides_what_a_moderator_approved() -> None:
    table = an_open_table(report_threshold=5)
    table.report_verdict_of = suspicious
    table.say("c1")
    table.decide("c1", "approve", status="published")
    outcome = table.report("c1", by="r1")
    assert (outcome.result, outcome.status) == ("held", "published")
    assert table.comment("c1").held_revision == 1


def test_a_report_on_the_revision_in_view_is_judged_on_its_text() -> None:
    table = an_open_table(report_threshold=5)
    seen: list[str] = []

    def looking(submission: Submission, policy: Policy) -> Judgement:
        seen.append(submission.reading.original)
        return suspicious(submission, policy)

    table.report_verdict_of = looking
    table.say("c1", "text")
    table.edit("c1", "hold text")
    outcome = table.report("c1", by="r1")
    assert seen == ["text"]
    assert (outcome.revision, outcome.status) == (1, "pending")
    assert table.comment("c1").held_revision == 2


def test_a_decision_settles_the_reports_on_its_revision() -> None:
    table = an_open_table(report_threshold=5)
    table.say("c1")
    table.report("c1", by="r1")
    table.report("c1", by="r2")
    assert open_reports(table.state, "c1", 1, "r3") == ["r1", "r2", "r3"]
    table.decide("c1", "approve", status="published")
    event = events.DecisionMade(
        id="x", source="/", site="portal", actor="m", time=NOON, signature="",
        data=events.DecisionOnComment("d1", "c1", "approve", events.Expected(1, "published"), ""),
    )  # fmt: skip
    cause = Cause(event, event.key, b"", NOON, NOON)
    settled = settle(table.state, cause, table.effects[-1])
    assert [(one.reporter, one.before, one.after) for one in settled] == [
        ("r1", "", "dismissed"),
        ("r2", "", "dismissed"),
    ]
    for one in settled:
        table.state.reporters[one.comment, one.revision][one.reporter] = one.after
    assert settle(table.state, cause, table.effects[-1]) == []
    assert open_reports(table.state, "c1", 1, "r3") == ["r3"]
