"""Brakes as the service applies them: on the verdict of the rules, never on a recorded one, and
not on what rules say of a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.core.discussion import Cause, Judge, Judgement
from services.core.events import SitePolicy
from services.core.rules import Facts, Ruleset, Submission
from services.core.rules.brakes import Brakes, brake, may_brake


@dataclass(frozen=True)
class Braking:
    """A judge that makes less of a finding where a brake stops its rule; the tallies that it went
    by stand in the recorded facts, under `brakes`."""

    judge_by: Judge
    ruleset: Callable[[], Ruleset]
    """The one in use: it says the rules' own limits."""
    brakes: Brakes

    def policy(self, cause: Cause, current: SitePolicy) -> SitePolicy:
        return self.judge_by.policy(cause, current)

    def told(self, cause: Cause) -> bool:
        return self.judge_by.told(cause)

    def judged(self, cause: Cause) -> bool | None:
        return self.judge_by.judged(cause)

    def judge(self, cause: Cause, submission: Submission, facts: Facts) -> Judgement:
        judged = self.judge_by.judge(cause, submission, facts)
        known = facts.tallies
        if known is None or submission.reported or not judged.verdict.findings:
            return judged
        at, ruleset = cause.recorded_at, self.ruleset()
        tallies, stated = {}, {}
        for found in judged.verdict.findings:
            rule = ruleset.rule(found.rule)
            if rule is not None and may_brake(found, rule, self.brakes):
                tallies[found.rule] = known.of(found.rule, found.version, at)
                stated[found.rule] = rule
        if not tallies:
            return judged
        return replace(
            judged,
            verdict=brake(judged.verdict, tallies, stated, self.brakes, at),
            facts={
                **judged.facts,
                "brakes": {rule: tally._asdict() for rule, tally in tallies.items()},
            },
        )
