"""The judgement: every rule looks, findings are gathered, one fold makes the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules.facts import Facts, Submission
from services.core.rules.ruleset import Ruleset

POLICY = "policy"
"""The finding that a site or discussion which holds first adds to every comment."""

RULE_ERROR = "rule_error"
"""The finding that holds a comment whose rules could not run."""


def judge(comment: Submission, facts: Facts, ruleset: Ruleset) -> VerdictGiven:
    """Pure: equal comments, facts and rulesets give equal verdicts. All rules run."""
    findings = [
        finding for check in ruleset.checks if (finding := check(comment, facts)) is not None
    ]
    if facts.policy == "hold_first":
        findings.append(FindingSeen(rule=POLICY, action="hold", detail={"policy": facts.policy}))
    return fold(findings, ruleset.hash)


def fold(findings: Iterable[FindingSeen], ruleset: str) -> VerdictGiven:
    """Reject outweighs hold, hold outweighs publish; notes change nothing."""
    found = list(findings)
    actions = {finding.action for finding in found}
    if "reject" in actions:
        return VerdictGiven(action="reject", ruleset=ruleset, findings=found)
    if "hold" in actions:
        return VerdictGiven(action="hold", ruleset=ruleset, findings=found)
    return VerdictGiven(action="publish", ruleset=ruleset, findings=found)
