"""Discussions opened, changed, closed: the portal numbers them, the higher revision wins."""

from __future__ import annotations

from services.core.discussion.outcome import outcome, refused
from services.core.discussion.state import Cause, Discussion, Effect, State
from services.core.events import (
    DiscussionChanged,
    DiscussionClosed,
    DiscussionOpened,
    DiscussionState,
)


def described(
    state: State, cause: Cause, event: DiscussionOpened | DiscussionChanged | DiscussionClosed
) -> Effect:
    """The first event of a discussion opens it, whichever it is, and its time is `opened_at`.

    The same revision with the same content is a repeat; with another content it is refused, since
    the portal must number its changes.
    """
    known = state.discussion
    said = Discussion(
        key=cause.key,
        site=event.site,
        revision=event.data.revision,
        url=event.data.url,
        title=event.data.title,
        language=event.data.language,
        section=event.data.section,
        state=_state_of(event),
        policy=event.data.policy,
        opened_at=known.opened_at if known else cause.at,
        visible_comments=known.visible_comments if known else 0,
    )
    if known is None or said.revision > known.revision:
        return Effect(outcome(cause, "applied"), discussion=said)
    if said == known:
        return Effect(outcome(cause, "applied"))
    return refused(cause, "revision_stale")


def _state_of(event: DiscussionOpened | DiscussionChanged | DiscussionClosed) -> DiscussionState:
    match event:
        case DiscussionOpened():
            return "open"
        case DiscussionClosed():
            return "closed"
    return event.data.state
