"""The rules as the service runs them: timed, and a comment waits where they cannot run."""

from __future__ import annotations

import logging
from time import perf_counter

from services.core import metrics
from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import Facts, Ruleset, Submission, judge
from services.core.rules.judge import RULE_ERROR

log = logging.getLogger(__name__)


class Rules:
    """Judges by one ruleset and never raises."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset

    def __call__(self, comment: Submission, facts: Facts) -> VerdictGiven:
        began = perf_counter()
        try:
            return judge(comment, facts, self.ruleset)
        except Exception:  # any bug of a rule: hold, never publish
            log.exception("rules failed on comment %s of %s", comment.comment, comment.discussion)
            failed = FindingSeen(rule=RULE_ERROR, action="hold")
            return VerdictGiven(action="hold", ruleset=self.ruleset.hash, findings=[failed])
        finally:
            metrics.JUDGE_SECONDS.observe(perf_counter() - began)
