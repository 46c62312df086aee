"""Comments submitted, edited and deleted by their authors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from services.core.discussion.judging import Judgement
from services.core.discussion.outcome import met, outcome, refused, settled
from services.core.discussion.state import (
    MAX_ANCESTORS,
    Cause,
    Comment,
    Discussion,
    Effect,
    Revision,
    State,
)
from services.core.discussion.undecided import SCORE, WAIT, wanted
from services.core.events import (
    CommentDeleted,
    CommentEdited,
    CommentSubmitted,
    Policy,
    SitePolicy,
    VerdictGiven,
)
from services.core.rules import Reading, Submission, effects
from services.core.rules.judge import LIMITED, POLICY, RULE_ERROR

VerdictOf = Callable[[Submission, Policy], Judgement]


class Ruled(NamedTuple):
    """What a verdict comes to for this comment; `reason` is empty where it is published."""

    action: str
    reason: str


def submitted(
    state: State,
    cause: Cause,
    event: CommentSubmitted,
    policy: SitePolicy,
    verdict_of: VerdictOf,
) -> Effect:
    known = state.comments.get(event.data.comment)
    if known is not None:
        same = (
            known.author == event.actor
            and known.parent == event.data.parent
            and state.bodies.get((known.comment, 1)) == event.data.body
        )
        return Effect(outcome(cause, "applied", known)) if same else refused(cause, "id_taken")
    if state.discussion is None:
        return refused(cause, "discussion_unknown")
    path: tuple[str, ...] = ()
    if event.data.parent is not None:
        parent = state.comments.get(event.data.parent)
        if parent is None:
            return refused(cause, "parent_unknown")
        # A reply deeper than this hangs beside its parent, under the same ancestors.
        deep = len(parent.path) >= MAX_ANCESTORS
        path = parent.path if deep else (*parent.path, parent.comment)
    # Last, since only this depends on the site's policy, which is then recorded.
    if _closed(state.discussion, policy):
        return refused(cause, "discussion_closed", policy=policy)
    comment = Comment(
        discussion=cause.key,
        comment=event.data.comment,
        site=event.site,
        author=event.actor,
        author_name=event.actorname or event.actor,
        parent=event.data.parent,
        path=path,
        submitted_at=cause.at,
    )
    return _judged(state, cause, None, comment, event.data.body, policy, verdict_of)


def edited(
    state: State, cause: Cause, event: CommentEdited, policy: SitePolicy, verdict_of: VerdictOf
) -> Effect:
    known = state.comments.get(event.data.comment)
    if known is None:
        return refused(cause, "comment_unknown")
    if known.author != event.actor:
        return refused(cause, "not_the_author", known)
    if known.deleted_at is not None:
        return refused(cause, "comment_deleted", known)
    if state.bodies.get((known.comment, known.revision)) == event.data.body:
        return Effect(outcome(cause, "applied", known))
    if state.discussion is None or _closed(state.discussion, policy):
        return refused(cause, "discussion_closed", known, policy=policy)
    comment = replace(known, revision=known.revision + 1, reports=0)
    return _judged(state, cause, known, comment, event.data.body, policy, verdict_of)


def deleted(state: State, cause: Cause, event: CommentDeleted) -> Effect:
    """Authors only; deleting again changes nothing."""
    known = state.comments.get(event.data.comment)
    if known is None:
        return refused(cause, "comment_unknown")
    if known.author != event.actor:
        return refused(cause, "not_the_author", known)
    if known.deleted_at is not None:
        return Effect(outcome(cause, "applied", known))
    after = replace(
        known, deleted_at=cause.at, held_revision=None, held_reason=None, held_since=None
    )
    discussion, comments, changed = settled(state, known, after)
    return Effect(outcome(cause, "applied", after), discussion, comments, changed=changed)


def _closed(discussion: Discussion, policy: SitePolicy) -> bool:
    return discussion.state != "open" or (discussion.policy or policy.policy) == "closed"


def _judged(
    state: State,
    cause: Cause,
    before: Comment | None,
    comment: Comment,
    body: str,
    policy: SitePolicy,
    verdict_of: VerdictOf,
) -> Effect:
    """`comment` at its new revision, not ruled yet; the verdict moves it."""
    assert state.discussion is not None
    reading = cause.reading
    assert reading is not None, "an event with a body comes with its reading"
    judgement = verdict_of(
        submission_of(state.discussion, cause, comment, reading),
        state.discussion.policy or policy.policy,
    )
    action, reason = _ruled(before, judgement, policy)
    if (labels := effects.labels(judgement.verdict)) != comment.labels:
        comment = replace(comment, labels=labels)
    match action:
        case "publish":
            after = replace(
                comment,
                status="published",
                published_revision=comment.revision,
                held_revision=None,
                held_reason=None,
                held_since=None,
            )
            result = "published"
        case "hold":
            # What waits is always the newest revision, so a moderator never rules on another text.
            stays = comment.status == "published" and policy.edit_hold == "keep"
            after = replace(
                comment,
                status="published" if stays else "pending",
                held_revision=comment.revision,
                held_reason=reason,
                held_since=_since(comment, reason, cause),
            )
            result = "held"
        case _:
            after = _rejected(comment)
            result = "rejected"
    discussion, comments, changed = settled(state, before, after)
    return Effect(
        outcome(
            cause,
            result,  # type: ignore[arg-type]
            after,
            reason=reason,
            verdict=judgement.verdict,
            facts=judgement.facts | met(policy),
        ),
        discussion,
        comments,
        revision=Revision(
            discussion=cause.key,
            comment=comment.comment,
            revision=comment.revision,
            site=comment.site,
            author=comment.author,
            body=body,
            body_hash=reading.body_hash,
            event_id=cause.event.id,
            written_at=cause.at,
        ),
        changed=changed,
    )


def _ruled(before: Comment | None, judgement: Judgement, policy: SitePolicy) -> Ruled:
    """What people said outweighs a clean verdict: such an edit waits for a moderator."""
    verdict = judgement.verdict
    if verdict.action == "publish":
        if before is not None and before.ruling == "reject":
            return Ruled("hold", "rejected_before")
        if before is not None and before.held_reason == "report":
            return Ruled("hold", "report")
        if policy.late_scores == "hold" and wanted(verdict, shadow=False):
            return Ruled("hold", SCORE)
        return Ruled("publish", "")
    return Ruled(verdict.action, why(verdict))


def why(verdict: VerdictGiven) -> str:
    """The reason of a hold or a reject: a rule, or what of the machinery it was alone."""
    of_action = {finding.rule for finding in verdict.findings if finding.action == verdict.action}
    for name in (RULE_ERROR, LIMITED, POLICY):
        if name in of_action and of_action <= {RULE_ERROR, LIMITED, POLICY}:
            return name
    return "rule"


def _since(comment: Comment, reason: str, cause: Cause) -> datetime:
    """Since when moderators see it in the queue: not before a score is late."""
    if reason == SCORE:
        return cause.recorded_at + WAIT
    waited = comment.held_since if comment.held_reason != SCORE else None
    return waited or cause.recorded_at


def _rejected(comment: Comment) -> Comment:
    """A rejected edit leaves what is in view; what readers reported goes on waiting."""
    if comment.status == "published":
        if comment.held_reason == "report":
            return replace(comment, held_revision=comment.revision)
        return replace(comment, held_revision=None, held_reason=None, held_since=None)
    return replace(
        comment, status="rejected", held_revision=None, held_reason=None, held_since=None
    )


def submission_of(
    discussion: Discussion, cause: Cause, comment: Comment, reading: Reading
) -> Submission:
    return Submission(
        discussion=cause.key,
        comment=comment.comment,
        revision=comment.revision,
        site=comment.site,
        author=comment.author,
        at=cause.at,
        reading=reading,
        section=discussion.section,
        language=discussion.language,
        opened_at=discussion.opened_at,
        comments=discussion.visible_comments,
    )
