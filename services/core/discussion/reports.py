"""Readers' reports: distinct readers count, and a threshold of the site holds the comment."""

from __future__ import annotations

from dataclasses import replace

from services.core.discussion.outcome import met, outcome, refused, settled
from services.core.discussion.state import Cause, Comment, Effect, Report, State
from services.core.events import ReportFiled, SitePolicy

REPORT = "report"


def reported(state: State, cause: Cause, event: ReportFiled, policy: SitePolicy) -> Effect:
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
    discussion, comments, changed = settled(state, comment, held)
    waits = held is not after
    return Effect(
        outcome(
            cause,
            "held" if waits else "applied",
            held,
            reason=REPORT if waits else "",
            facts={"reports": count} | met(policy),
        ),
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
    return replace(
        comment,
        status="published" if approved else "pending",
        held_revision=comment.held_revision or comment.revision,
        held_reason=REPORT,
        held_since=comment.held_since or cause.recorded_at,
    )
