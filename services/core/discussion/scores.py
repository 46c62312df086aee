"""Scores that a portal's own classifier gives after the verdict: one more fact, judged again.

A score may turn publish into hold and never the reverse, and never rejects. It changes nothing
where it comes late, where the revision is not the newest, or where a moderator has ruled on it.
"""

from __future__ import annotations

from msgspec.structs import replace

from services.core.discussion.comments import VerdictOf, submission_of
from services.core.discussion.outcome import outcome, refused, settled
from services.core.discussion.state import Cause, Comment, Effect, State
from services.core.discussion.undecided import SCORE, WAIT, stands_on_scores, wanted
from services.core.events import FindingSeen, Result, ScoreGiven, VerdictGiven
from services.core.rules import Facts, effects, read


def facts_with(state: State, event: ScoreGiven) -> Facts:
    """What the revision was judged on, and the score."""
    said = event.data
    judged = state.judged.get((said.comment, said.revision))
    known = dict(judged.facts) if judged is not None else {}
    for beside in ("site_policy", "brakes"):  # recorded beside the facts, none of them
        known.pop(beside, None)
    return Facts({**known, f"score({said.name})": said.value})


def scored(state: State, cause: Cause, event: ScoreGiven, verdict_of: VerdictOf) -> Effect:
    """`verdict_of` judges on `facts_with`."""
    said = event.data
    known = state.comments.get(said.comment)
    if known is None or state.discussion is None:
        return refused(cause, "comment_unknown")
    if idle := _idle(state, cause, known, event):
        given = {f"score({said.name})": said.value}
        told = outcome(cause, "applied", known, reason=idle, facts=given)
        return Effect(replace(told, revision=said.revision))
    reading = read(state.bodies[known.comment, known.revision])
    judgement = verdict_of(submission_of(state.discussion, cause, known, reading), "publish_first")
    verdict = _of_scores(judgement.verdict)
    result, after = _moved(_labelled(known, verdict), verdict, cause)
    discussion, comments, changed = settled(state, known, after)
    return Effect(
        outcome(
            cause,
            result,
            after,
            reason="rule" if result == "held" else "",
            verdict=verdict,
            facts=judgement.facts,
        ),
        discussion,
        comments if after is not known else (),
        changed=changed,
    )


def _idle(state: State, cause: Cause, comment: Comment, event: ScoreGiven) -> str:
    """Why the score changes nothing; "" where it may."""
    said = event.data
    if comment.deleted_at is not None:
        return "comment_deleted"
    if said.revision != comment.revision:
        return "revision_stale"
    if comment.ruled_revision == comment.revision:
        return "ruled"
    judged = state.judged.get((said.comment, said.revision))
    if judged is None or cause.recorded_at > judged.recorded_at + WAIT:
        return "late"
    in_view = comment.visible and comment.published_revision == comment.revision
    if not in_view and comment.held_reason != SCORE:
        return "not_in_view"
    return ""


def _moved(comment: Comment, verdict: VerdictGiven, cause: Cause) -> tuple[Result, Comment]:
    """The very same comment where nothing follows."""
    waits = comment.held_reason == SCORE
    if verdict.action == "hold":
        # An edit that waited leaves the revision before it in view; one in view has none to show.
        stays = waits and comment.status == "published"
        return "held", replace(
            comment,
            status="published" if stays else "pending",
            held_revision=comment.revision,
            held_reason="rule",
            held_since=cause.recorded_at,
        )
    if waits and not wanted(verdict, shadow=False):
        return "published", replace(
            comment,
            status="published",
            published_revision=comment.revision,
            held_revision=None,
            held_reason=None,
            held_since=None,
        )
    return "applied", comment


def _labelled(comment: Comment, verdict: VerdictGiven) -> Comment:
    """The very same comment where the score adds no label."""
    found = tuple(sorted({*comment.labels, *effects.labels(verdict)}))
    return comment if found == comment.labels else replace(comment, labels=found)


def _of_scores(verdict: VerdictGiven) -> VerdictGiven:
    """What scores said, and no more: what other rules say was settled when the comment came."""
    findings = [_held_at_most(found) for found in verdict.findings if stands_on_scores(found)]
    holds = any(found.action == "hold" for found in findings)
    return replace(verdict, action="hold" if holds else "publish", findings=findings)


def _held_at_most(found: FindingSeen) -> FindingSeen:
    return replace(found, action="hold") if found.action == "reject" else found
