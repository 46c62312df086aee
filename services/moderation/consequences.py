"""What the verdicts and decisions of a batch lead to beside their comments' own rows."""

from __future__ import annotations

from collections.abc import Sequence

from services.core.discussion import Cause, Effect, State
from services.core.events import DecisionMade, ReportFiled, RuleUndone, ScoreGiven, VerdictGiven
from services.core.rules import History, effects
from services.core.rules.judge import RULE_ERROR
from services.core.store import models, notices, rule_failures

Applied = tuple[Cause, Effect]


def take_in(history: History, cause: Cause, effect: Effect, state: State) -> None:
    """What the verdict means for comments that come after: counts of rules, limits of authors."""
    if (verdict := given(cause, effect)) is None or effect.outcome is None:
        return
    if history.tallies is not None and not isinstance(cause.event, ScoreGiven | ReportFiled):
        history.tallies.judged(cause.recorded_at, verdict)
    if slowed := effects.limit(verdict):
        comment = state.comments[effect.outcome.comment]
        history.limited((comment.site, comment.author), cause.recorded_at + slowed)


def given(cause: Cause, effect: Effect) -> VerdictGiven | None:
    """The verdict that rules gave on this event: one that an undo leaves is no new one."""
    if effect.outcome is None or isinstance(cause.event, RuleUndone):
        return None
    return effect.outcome.verdict


def told_to(applied: Sequence[Applied]) -> list[notices.Notice]:
    """What `then.notify` of the rules that matched tells people of."""
    return [
        notices.Notice(
            cause.key,
            effect.outcome.comment,
            effect.outcome.revision,
            channel,
            cause.event.site,
            rule,
            cause.recorded_at,
        )
        for cause, effect in applied
        if effect.outcome is not None
        for channel, rule in effects.notices(given(cause, effect)).items()
    ]


def failed_on(applied: Sequence[Applied]) -> list[rule_failures.Failure]:
    """Rules that threw or overran their budget."""
    return [
        rule_failures.Failure(
            cause.key,
            effect.outcome.comment,
            found.detail["rule"],
            found.version,
            cause.recorded_at,
        )
        for cause, effect in applied
        if effect.outcome is not None and (verdict := given(cause, effect)) is not None
        for found in verdict.findings
        if found.rule == RULE_ERROR and found.version
    ]


def lessons(applied: Sequence[Applied]) -> list[models.Lesson]:
    """What there is to learn from decisions that took effect."""
    return [
        models.Lesson(
            cause.key,
            event.id,
            event.site,
            event.data.comment,
            effect.outcome.revision,
            event.data.ruling == "reject",
        )
        for cause, effect in applied
        if isinstance(event := cause.event, DecisionMade)
        and effect.outcome is not None
        and effect.outcome.result == "applied"
    ]
