"""A batch of comments.v1: gather what it needs, judge and apply event by event, store once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.core import codec, topics
from services.core.consume import Batch
from services.core.db import Connection
from services.core.discussion import (
    Cause,
    Comment,
    Discussion,
    Effect,
    Judge,
    Judgement,
    State,
    apply,
    facts_with,
    open_reports,
    settle,
)
from services.core.events import (
    CommentsEvent,
    DiscussionKey,
    OutcomeRecorded,
    Policy,
    ReportFiled,
    ScoreGiven,
    SitePolicy,
)
from services.core.rules import Submission, Windows
from services.core.rules.brakes import Version
from services.core.store import (
    comments,
    dirty,
    facts,
    models,
    notices,
    outbox,
    outcomes,
    rule_failures,
    rule_hits,
)
from services.moderation.consequences import Applied, failed_on, lessons, take_in, told_to
from services.moderation.gather import Gathered, gather
from services.moderation.measured import measure

KEPT_LONGER = timedelta(hours=1)
"""Partitions do not go on side by side: what one still asks another has left behind."""


@dataclass(frozen=True)
class Moderation:
    """Handles comments.v1. `judge` is the rules, or in a rebuild what they said before."""

    judge: Judge
    windows: Windows
    """Of the ruleset: how far back facts reach."""
    braked: Callable[[], Sequence[Version]] = tuple
    """The rules whose rejects a brake might stop."""

    async def __call__(self, connection: Connection, batch: Batch[CommentsEvent]) -> None:
        gathered = await gather(connection, batch, self.windows, self.braked(), self._looks_at)
        applied = self._apply(gathered)
        await self._store(connection, batch, gathered, applied)
        measure(batch.topic, applied)

    async def sweep(self, connection: Connection, topic: str, partition: int) -> None:
        """Removes what no window reaches any more."""
        await facts.sweep_near(connection, partition, self.windows.near + KEPT_LONGER)

    def _apply(self, gathered: Gathered) -> list[Applied]:
        applied: list[Applied] = []
        settled = gathered.settled
        history = gathered.history
        for cause in gathered.causes:
            state = gathered.states[cause.key]
            site = cause.event.site
            policy = self.judge.policy(cause, gathered.policies.get(site) or SitePolicy())
            judged: list[Submission] = []

            def verdict_of(
                submission: Submission,
                policy: Policy,
                cause: Cause = cause,
                judged: list[Submission] = judged,
                state: State = state,
            ) -> Judgement:
                if isinstance(cause.event, ScoreGiven):
                    return self.judge.judge(cause, submission, facts_with(state, cause.event))
                judged.append(submission)
                return self.judge.judge(
                    cause, submission, history.facts(submission, policy, cause.recorded_at)
                )

            def report_verdict_of(
                submission: Submission,
                policy: Policy,
                cause: Cause = cause,
                state: State = state,
            ) -> Judgement:
                known = history.facts(submission, policy, cause.recorded_at)
                open_ = open_reports(
                    state, submission.comment, submission.revision, cause.event.actor
                )
                values = {
                    **known.values,
                    "reports.count": len(open_),
                    "reports.weight": round(history.weight(submission.site, open_), 4),
                }
                return self.judge.judge(cause, submission, replace(known, values=values))

            effect = apply(
                state,
                cause,
                policy,
                verdict_of,
                report_verdict_of if self._looks_at(cause) else None,
            )
            for one in settle(state, cause, effect):
                state.reporters[one.comment, one.revision][one.reporter] = one.after
                history.ruled((site, one.reporter), one.before, one.after)
                settled[cause.key, one.comment, one.revision, one.reporter] = one.after
            for submission in judged:
                history.written(submission)
            for comment in effect.comments:
                before = state.comments.get(comment.comment)
                if before is None or before.status != comment.status:
                    history.moved(
                        (comment.site, comment.author),
                        before.status if before else None,
                        comment.status,
                    )
            state.absorb(cause, effect)
            take_in(history, cause, effect, state)
            applied.append((cause, effect))
        return applied

    def _looks_at(self, cause: Cause) -> bool:
        """Whether rules judge this report: those of today, or those that did when it came."""
        if not isinstance(cause.event, ReportFiled):
            return False
        recorded = self.judge.judged(cause)
        return self.windows.reports if recorded is None else recorded

    async def _store(
        self,
        connection: Connection,
        batch: Batch[CommentsEvent],
        gathered: Gathered,
        applied: Sequence[Applied],
    ) -> None:
        """Every row once, as it stands at the end of the batch."""
        effects = [effect for _, effect in applied]
        discussions: dict[DiscussionKey, Discussion] = {}
        rows: dict[tuple[str, str], Comment] = {}
        changed: set[comments.Named] = set()
        for cause, effect in applied:
            if effect.discussion is not None:
                discussions[cause.key] = effect.discussion
            for comment in effect.comments:
                rows[cause.key, comment.comment] = comment
            changed |= {(cause.key, name) for name in effect.changed}
        await comments.put_discussions(
            connection, [discussions[key] for key in sorted(discussions)]
        )
        await comments.put_comments(connection, [rows[key] for key in sorted(rows)])
        await comments.add_revisions(connection, [e.revision for e in effects if e.revision])
        await comments.add_reports(connection, [e.report for e in effects if e.report])
        await comments.settle_reports(
            connection, [(*report, how) for report, how in gathered.settled.items()]
        )
        await facts.add_reporters(connection, batch.partition, gathered.history)
        await facts.add_totals(connection, batch.partition, gathered.history)
        await facts.add_limits(connection, batch.partition, gathered.history)
        await facts.add_near(
            connection, batch.partition, gathered.history, batch.records[-1].recorded_at
        )
        if gathered.history.tallies is not None:
            await rule_hits.add(connection, batch.partition, gathered.history.tallies)
        await rule_failures.add(connection, failed_on(applied))
        await notices.add(connection, told_to(applied))
        await comments.mark_changed(connection, changed)
        await dirty.mark(
            connection,
            batch.topic,
            batch.partition,
            dict.fromkeys({*discussions, *(key for key, _ in changed)}, batch.partition),
        )
        await outcomes.add(
            connection,
            [(cause.key, e.outcome, cause.recorded_at) for cause, e in applied if e.outcome],
        )
        await models.add_lessons(connection, lessons(applied))
        await outbox.add(
            connection,
            batch.topic,
            batch.partition,
            [told for cause, e in applied if (told := self._told(cause, e)) is not None],
        )

    def _told(self, cause: Cause, effect: Effect) -> tuple[str, bytes, bytes] | None:
        """The record of outcomes.v1, where it is not there yet."""
        if effect.outcome is None or self.judge.told(cause):
            return None
        record = OutcomeRecorded(
            id=f"{effect.outcome.event}:{effect.outcome.digest}",
            source=cause.event.source,
            site=cause.event.site,
            time=cause.recorded_at,
            data=effect.outcome,
            discussion=cause.key,
        )
        return topics.OUTCOMES, cause.key.encode(), codec.encode(record)
