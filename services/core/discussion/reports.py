"""Readers' reports: distinct readers count, and a threshold of the site holds the comment.

Rules scoped to `reported` look at the revision again with every report, and may hold it too. A
decision settles the reports on the revision that it rules on: upheld or dismissed.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from services.core.discussion.comments import VerdictOf, submission_of
from services.core.discussion.judging import Judgement
from services.core.discussion.outcome import met, outcome, refused, settled
from services.core.discussion.state import Cause, Comment, Effect, Report, State
from services.core.events import DecisionMade, ReportFiled, SitePolicy, VerdictGiven
from services.core.rules import effects, read

REPORT = "report"


SETTLED_MOST = 1_000
"""Reports on one revision that count for their readers' record and weigh, at most."""


class Settled(NamedTuple):
    comment: str
    revision: int
    reporter: str
    before: str
    after: str


def reported(
    state: State,
    cause: Cause,
    event: ReportFiled,
    policy: SitePolicy,
    verdict_of: VerdictOf | None = None,
) -> Effect:
    """A report is on the newest revision or on the one in view; another one is stale."""
    comment = state.comments.get(event.data.comment)
    if comment is None:
        return refused(cause, "comment_unknown")
    if comment.deleted_at is not None:
        return refused(cause, "comment_deleted", comment)
    if comment.author == event.actor:
        return refused(cause, "own_report", comment)
    revision = event.data.revision
    if revision > comment.revision:
        return refused(cause, "revision_unknown", comment)
    if revision not in (comment.revision, comment.published_revision):
        return refused(cause, "revision_stale", comment)
    if (comment.comment, revision, event.actor) in state.reported:
        return Effect(outcome(cause, "applied", comment))
    count = state.report_counts.get((comment.comment, revision), 0) + 1
    after = replace(comment, reports=count) if revision == comment.revision else comment
    held = _held(after, revision, count, policy.report_threshold, cause)
    judgement = _judged(state, cause, comment, revision, verdict_of)
    if judgement is not None and held is after and judgement.verdict.action != "publish":
        held = _suspected(after, revision, cause)
    waits = held is not after
    if judgement is not None:
        held = _labelled(held, revision, judgement.verdict)
    discussion, comments, changed = settled(state, comment, held)
    told = outcome(
        cause,
        "held" if waits else "applied",
        held,
        reason=REPORT if waits else "",
        verdict=judgement.verdict if judgement else None,
        facts=(judgement.facts if judgement else {}) | {"reports": count} | met(policy),
    )
    return Effect(
        # What was judged is what readers reported, which an edit may have replaced.
        told if judgement is None else replace(told, revision=revision),
        discussion,
        comments if held is not comment else (),
        report=Report(
            discussion=cause.key,
            comment=comment.comment,
            revision=revision,
            reporter=event.actor,
            reason=event.data.reason,
            note=event.data.note,
            event_id=event.id,
            filed_at=cause.at,
        ),
        changed=changed,
    )


def settle(state: State, cause: Cause, effect: Effect) -> list[Settled]:
    """How the reports on a revision change by a decision on it that took effect."""
    event, told = cause.event, effect.outcome
    if not isinstance(event, DecisionMade) or told is None or told.result != "applied":
        return []
    after = "upheld" if event.data.ruling == "reject" else "dismissed"
    filed = state.reporters.get((told.comment, told.revision), {})
    return [
        Settled(told.comment, told.revision, reporter, filed[reporter], after)
        for reporter in sorted(filed)[:SETTLED_MOST]
        if filed[reporter] != after
    ]


def open_reports(state: State, comment: str, revision: int, reporter: str) -> list[str]:
    """Readers whose report on the revision nobody has ruled on, this one included."""
    filed = {**state.reporters.get((comment, revision), {}), reporter: ""}
    return [name for name in sorted(filed)[:SETTLED_MOST] if not filed[name]]


def _judged(
    state: State, cause: Cause, comment: Comment, revision: int, verdict_of: VerdictOf | None
) -> Judgement | None:
    body = state.bodies.get((comment.comment, revision))
    if verdict_of is None or state.discussion is None or body is None:
        return None
    submission = submission_of(state.discussion, cause, comment, read(body))
    looked_at = replace(submission, revision=revision, reported=True)
    return verdict_of(looked_at, "publish_first")


def _suspected(comment: Comment, revision: int, cause: Cause) -> Comment:
    """As a rule that looks at reports leaves it; the very same where nothing follows."""
    waits = comment.held_revision is not None
    if comment.status != "published" or (waits and comment.approved(revision)):
        return comment
    return _waiting(comment, revision, cause)


def _labelled(comment: Comment, revision: int, verdict: VerdictGiven) -> Comment:
    found = tuple(sorted({*comment.labels, *effects.labels(verdict)}))
    if revision != comment.revision or found == comment.labels:
        return comment
    return replace(comment, labels=found)


def _held(comment: Comment, revision: int, count: int, threshold: int, cause: Cause) -> Comment:
    """The comment as the count of reports leaves it; the very same where nothing follows.

    A revision that a moderator approved is never hidden: it comes into the queue again with every
    further `threshold` reports. One that nobody approved is hidden until a moderator rules.
    """
    if comment.status != "published" or count < threshold:
        return comment
    approved = comment.approved(revision)
    if approved and (count % threshold or comment.held_revision is not None):
        return comment
    return _waiting(comment, revision, cause)


def _waiting(comment: Comment, revision: int, cause: Cause) -> Comment:
    return replace(
        comment,
        status="published" if comment.approved(revision) else "pending",
        held_revision=comment.held_revision or comment.revision,
        held_reason=REPORT,
        held_since=comment.held_since or cause.recorded_at,
    )
