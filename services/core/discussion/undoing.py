"""What one version of a rule did is taken back, where nobody and nothing has spoken since.

The verdict's findings are folded again without that rule's: what only it stopped comes into view,
what another rule holds waits in the queue, what another rejects stays rejected. A moderator's
ruling, the author's deletion and readers' reports outlast it.
"""

from __future__ import annotations

from msgspec.structs import replace

from services.core.discussion.comments import why
from services.core.discussion.outcome import outcome, refused, settled
from services.core.discussion.state import Cause, Comment, Effect, State
from services.core.events import FindingSeen, RefusalReason, RuleUndone, VerdictGiven
from services.core.rules import effects, fold

_WEIGHT = {"note": 0, "hold": 1, "reject": 2}


def undone(state: State, cause: Cause, event: RuleUndone) -> Effect:
    """The outcome carries the verdict without the rule, and under `undone` who took it back."""
    said = event.data
    comment = state.comments.get(said.comment)
    if comment is None or state.discussion is None:
        return refused(cause, "comment_unknown")
    stands = standing(state, said.comment, said.revision)
    if reason := _refusal(comment, event, stands):
        return refused(cause, reason, comment)
    assert stands is not None
    verdict = without(stands, said.rule, said.version)
    after = _moved(comment, verdict, cause)
    discussion, comments, changed = settled(state, comment, after)
    by = {"rule": said.rule, "version": said.version, "by": event.actor, "reason": said.reason}
    return Effect(
        outcome(cause, "applied", after, verdict=verdict, facts={"undone": by}),
        discussion,
        comments if after != comment else (),
        changed=changed,
    )


def standing(state: State, comment: str, revision: int) -> VerdictGiven | None:
    """The findings that stand on a revision: its own verdict's and those of scores since, without
    the rules that were undone. In no order of theirs, since records may bear the same time."""
    verdicts = state.verdicts.get((comment, revision))
    if not verdicts:
        return None
    found: dict[str, FindingSeen] = {}
    for finding in (each for verdict in verdicts for each in verdict.findings):
        known = found.get(finding.rule)
        if known is None or _WEIGHT[known.action] < _WEIGHT[finding.action]:
            found[finding.rule] = finding
    verdict = fold(found.values(), verdicts[0].ruleset)
    for rule, version in state.undone.get((comment, revision), ()):
        verdict = without(verdict, rule, version)
    return verdict


def without(verdict: VerdictGiven, rule: str, version: str) -> VerdictGiven:
    return fold(
        [each for each in verdict.findings if (each.rule, each.version) != (rule, version)],
        verdict.ruleset,
    )


def _refusal(
    comment: Comment, event: RuleUndone, stands: VerdictGiven | None
) -> RefusalReason | None:
    said = event.data
    if comment.deleted_at is not None:
        return "comment_deleted"
    if said.revision != comment.revision:
        return "revision_stale"
    if comment.ruled_revision == said.revision:
        return "ruled"
    if stands is None or not any(
        (each.rule, each.version) == (said.rule, said.version) and each.action != "note"
        for each in stands.findings
    ):
        return "rule_not_found"
    return None if _as_left(comment, stands) else "not_as_left"


def _as_left(comment: Comment, verdict: VerdictGiven) -> bool:
    """Whether the comment is where the verdict put it: nothing else moved it since."""
    if verdict.action == "hold":
        return comment.held_revision == comment.revision and comment.held_reason != "report"
    # A rejected edit leaves an older revision in view, and the queue to none.
    return comment.held_revision is None and (
        comment.status == "rejected"
        or (comment.status == "published" and comment.published_revision != comment.revision)
    )


def _moved(comment: Comment, verdict: VerdictGiven, cause: Cause) -> Comment:
    labelled = replace(comment, labels=effects.labels(verdict))
    action = verdict.action
    if action == "publish" and comment.ruling == "reject":
        action = "hold"  # a moderator rejected an earlier revision: one looks at this one too
        reason = "rejected_before"
    else:
        reason = why(verdict) if action == "hold" else ""
    if action == "publish":
        return replace(
            labelled,
            status="published",
            published_revision=comment.revision,
            held_revision=None,
            held_reason=None,
            held_since=None,
        )
    if action == "hold":
        return replace(
            labelled,
            status="published" if comment.status == "published" else "pending",
            held_revision=comment.revision,
            held_reason=reason,
            held_since=comment.held_since or cause.recorded_at,
        )
    return labelled
