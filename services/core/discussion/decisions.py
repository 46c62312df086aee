"""Moderators' decisions: on the comment as the moderator saw it, or a conflict."""

from __future__ import annotations

from msgspec.structs import replace

from services.core.discussion.outcome import outcome, refused, settled
from services.core.discussion.state import Cause, Effect, State
from services.core.events import DecisionMade


def decided(state: State, cause: Cause, event: DecisionMade) -> Effect:
    """A conflict's outcome carries the comment's revision and status as they are now."""
    comment = state.comments.get(event.data.comment)
    if comment is None:
        return refused(cause, "comment_unknown")
    if comment.deleted_at is not None:
        return refused(cause, "comment_deleted", comment)
    expected = event.data.expected
    if (expected.revision, expected.status) != (comment.revision, comment.status):
        return refused(cause, "conflict", comment)
    rejects = event.data.ruling == "reject"
    after = replace(
        comment,
        status="rejected" if rejects else "published",
        published_revision=comment.published_revision if rejects else comment.revision,
        held_revision=None,
        held_reason=None,
        held_since=None,
        ruling=event.data.ruling,
        ruled_revision=comment.revision,
        ruled_by=event.actor,
        ruled_at=cause.at,
        ruling_reason=event.data.reason,
    )
    discussion, comments, changed = settled(state, comment, after)
    ruled = {"ruling": event.data.ruling, "moderator": event.actor, "reason": event.data.reason}
    return Effect(
        outcome(cause, "applied", after, facts=ruled), discussion, comments, changed=changed
    )
