"""What becomes of one event: the outcome, and the counts that follow a comment's visibility."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from services.core.discussion.state import Cause, Comment, Discussion, Effect, State
from services.core.events import (
    Outcome,
    RefusalReason,
    Result,
    SitePolicy,
    VerdictGiven,
    type_name,
)


def outcome(
    cause: Cause,
    result: Result,
    comment: Comment | None = None,
    *,
    name: str = "",
    reason: str = "",
    verdict: VerdictGiven | None = None,
    facts: dict[str, Any] | None = None,
) -> Outcome:
    """`comment` is its state afterwards; `name` names one that is not known."""
    return Outcome(
        event=cause.event.id,
        digest=cause.digest.hex(),
        cause=type_name(type(cause.event)),
        result=result,
        comment=comment.comment if comment else name,
        revision=comment.revision if comment else 0,
        reason=reason,
        status=comment.status if comment else "",
        verdict=verdict,
        facts=facts or {},
    )


def refused(
    cause: Cause,
    reason: RefusalReason,
    comment: Comment | None = None,
    *,
    policy: SitePolicy | None = None,
) -> Effect:
    """`policy` where another policy of the site might have let it through."""
    name = getattr(cause.event.data, "comment", "")
    facts = met(policy) if policy is not None else None
    return Effect(outcome(cause, "refused", comment, name=name, reason=reason, facts=facts))


def met(policy: SitePolicy) -> dict[str, Any]:
    """The site's policy as a recorded fact."""
    return {"site_policy": msgspec.to_builtins(policy)}


def settled(
    state: State, before: Comment | None, after: Comment
) -> tuple[Discussion | None, tuple[Comment, ...], tuple[str, ...]]:
    """(discussion, comments, changed) of an effect that turns `before` into `after`.

    The discussion's count and every ancestor's follow the comment's visibility; an ancestor that
    readers do not see changes for them where its tombstone comes or goes.
    """
    was = before is not None and before.visible
    step = int(after.visible) - int(was)
    changed = []
    if step or (after.visible and before and before.published_revision != after.published_revision):
        changed.append(after.comment)
    if not step or state.discussion is None:
        return None, (after,), tuple(changed)
    counted = replace(state.discussion, visible_comments=state.discussion.visible_comments + step)
    comments = [after]
    for name in after.path:
        ancestor = state.comments[name]
        moved = replace(ancestor, visible_descendants=ancestor.visible_descendants + step)
        comments.append(moved)
        if not moved.visible and bool(moved.visible_descendants) != bool(
            ancestor.visible_descendants
        ):
            changed.append(name)
    return counted, tuple(comments), tuple(changed)
