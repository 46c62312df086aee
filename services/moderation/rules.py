"""The rules as the service runs them: timed, and a comment waits where they cannot run."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, time
from time import perf_counter, thread_time

from services.core import metrics
from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import Budget, Facts, Ruleset, Submission, judge
from services.core.rules.brakes import Version
from services.core.rules.judge import RULE_ERROR
from services.core.rules.ruleset import expiring

log = logging.getLogger(__name__)

FAILURES = 5
"""So many failures of a rule switch it off in this process."""

RULE_SECONDS = 0.05
"""How long one rule may look at one comment."""


Failures = Counter[Version]
"""Of a process, by (rule, version): a rule that failed stays off whatever ruleset comes next."""


class Rules:
    """Judges by one ruleset and never raises."""

    def __init__(
        self,
        ruleset: Ruleset,
        rule_seconds: float = RULE_SECONDS,
        failures: Failures | None = None,
    ) -> None:
        self._budget = Budget(perf_counter, thread_time, rule_seconds)
        self._failures = Counter() if failures is None else failures
        known = {(one.rule.id, one.version) for one in ruleset.compiled}
        off = {rule for rule, version in known if self._failures[rule, version] >= FAILURES}
        self.ruleset = ruleset.without(off) if off else ruleset
        metrics.RULE_OFF.clear()
        for rule in off:
            metrics.RULE_OFF.labels(rule).set(1)
        metrics.RULE_EXPIRES.clear()
        for rule, day in expiring(ruleset):
            ends = datetime.combine(day, time(), UTC)
            metrics.RULE_EXPIRES.labels(rule).set(ends.timestamp())

    def __call__(self, comment: Submission, facts: Facts) -> VerdictGiven:
        began = perf_counter()
        try:
            verdict = judge(comment, facts, self.ruleset, self._budget)
        except Exception:  # any bug of ours: hold, never publish
            log.exception("rules failed on comment %s of %s", comment.comment, comment.discussion)
            failed = FindingSeen(rule=RULE_ERROR, action="hold")
            return VerdictGiven(action="hold", ruleset=self.ruleset.name, findings=[failed])
        finally:
            metrics.JUDGE_SECONDS.observe(perf_counter() - began)
        for finding in verdict.findings:
            if finding.rule == RULE_ERROR:
                self._failed(comment, finding)
        return verdict

    def _failed(self, comment: Submission, finding: FindingSeen) -> None:
        rule = str(finding.detail["rule"])
        self._failures[rule, finding.version] += 1
        log.error(
            "rule %s failed on comment %s of %s: %s",
            rule, comment.comment, comment.discussion, finding.detail["error"],
        )  # fmt: skip
        if self._failures[rule, finding.version] == FAILURES:
            self.ruleset = self.ruleset.without([rule])
            metrics.RULE_OFF.labels(rule).set(1)
            log.error("rule %s is switched off after %d failures", rule, FAILURES)
