"""One event of comments.v1 on the state of its discussion."""

from __future__ import annotations

from services.core.discussion.comments import VerdictOf, deleted, edited, submitted
from services.core.discussion.decisions import decided
from services.core.discussion.openings import described
from services.core.discussion.outcome import refused
from services.core.discussion.reports import reported
from services.core.discussion.scores import scored
from services.core.discussion.state import Cause, Effect, State
from services.core.discussion.undoing import undone
from services.core.events import (
    CommentDeleted,
    CommentEdited,
    CommentSubmitted,
    DecisionMade,
    DiscussionChanged,
    DiscussionClosed,
    DiscussionOpened,
    ReportFiled,
    RuleUndone,
    ScoreGiven,
    SitePolicy,
)


def apply(
    state: State,
    cause: Cause,
    policy: SitePolicy,
    verdict_of: VerdictOf,
    report_verdict_of: VerdictOf | None = None,
) -> Effect:
    """Pure: reads `state`, which must hold what the event names, and returns what to change.

    The same event again changes nothing and has no second outcome; another event under the same
    id is refused. `report_verdict_of` judges reports, where rules look at them.
    """
    event = cause.event
    applied = state.digests.get(event.id)
    if applied:
        if cause.digest in applied:
            return Effect(outcome=None)
        return refused(cause, "id_taken")
    match event:
        case CommentSubmitted():
            return submitted(state, cause, event, policy, verdict_of)
        case ReportFiled():
            return reported(state, cause, event, policy, report_verdict_of)
        case DecisionMade():
            return decided(state, cause, event)
        case ScoreGiven():
            return scored(state, cause, event, verdict_of)
        case RuleUndone():
            return undone(state, cause, event)
        case CommentEdited():
            return edited(state, cause, event, policy, verdict_of)
        case CommentDeleted():
            return deleted(state, cause, event)
        case DiscussionOpened() | DiscussionChanged() | DiscussionClosed():
            return described(state, cause, event)
