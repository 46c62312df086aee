"""The rules as the service runs them: timed, and a comment waits where they cannot run."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time
from time import perf_counter, thread_time

from services.core import metrics
from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import Budget, Facts, Ruleset, Submission, judge
from services.core.rules.judge import RULE_ERROR
from services.core.rules.ruleset import expiring
from services.moderation.failures import FAILURES, WITHIN, Failures

log = logging.getLogger(__name__)

RULE_SECONDS = 0.05
"""How long one rule may look at one comment."""


class Rules:
    """Judges by one ruleset and never raises."""

    def __init__(
        self,
        ruleset: Ruleset,
        rule_seconds: float = RULE_SECONDS,
        failures: Failures | None = None,
    ) -> None:
        self._budget = Budget(perf_counter, thread_time, rule_seconds)
        self._failures = Failures() if failures is None else failures
        self._known = {(one.rule.id, one.version) for one in ruleset.compiled}
        self._off = 0
        self.ruleset = ruleset
        metrics.RULE_OFF.clear()
        self._switch_off()
        metrics.RULE_EXPIRES.clear()
        for rule, day in expiring(ruleset):
            ends = datetime.combine(day, time(), UTC)
            metrics.RULE_EXPIRES.labels(rule).set(ends.timestamp())

    def __call__(self, comment: Submission, facts: Facts) -> VerdictGiven:
        if len(self._failures.off) != self._off:
            self._switch_off()
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
        log.error(
            "rule %s failed on comment %s of %s: %s",
            rule, comment.comment, comment.discussion, finding.detail["error"],
        )  # fmt: skip
        if self._failures.failed(rule, finding.version, comment):
            self._switch_off()

    def _switch_off(self) -> None:
        """What failed too often, here or elsewhere, whatever ruleset it stands in."""
        self._off = len(self._failures.off)
        off = {rule for rule, _ in self._known & self._failures.off} - self.ruleset.off
        if not off:
            return
        self.ruleset = self.ruleset.without(off)
        for rule in sorted(off):
            metrics.RULE_OFF.labels(rule).set(1)
            log.error(
                "rule %s is switched off: it failed on %d comments within %d h",
                rule, FAILURES, WITHIN.total_seconds() // 3600,
            )  # fmt: skip
