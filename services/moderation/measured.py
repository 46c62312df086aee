"""What moderation's metrics count of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.core import metrics
from services.core.events import DecisionMade, ReportFiled, RuleUndone, ScoreGiven
from services.core.rules import effects
from services.moderation.consequences import Applied, given


def measure(topic: str, applied: Sequence[Applied]) -> None:
    repeats = 0
    verdicts: Counter[str] = Counter()
    findings: Counter[tuple[str, str]] = Counter()
    for cause, effect in applied:
        outcome = effect.outcome
        if outcome is None:
            repeats += 1
            continue
        if outcome.result == "refused":
            metrics.REFUSALS.labels(outcome.reason).inc()
        if (verdict := given(cause, effect)) is not None:
            verdicts[verdict.action] += 1
            for finding in verdict.findings:
                findings[finding.rule, finding.action] += 1
                if braked := finding.detail.get("braked"):
                    metrics.RULE_BRAKED.labels(finding.rule, braked).inc()
            for channel in effects.notices(verdict):
                metrics.NOTICES.labels(channel).inc()
        match cause.event:
            case DecisionMade() as decision:
                metrics.DECISIONS.labels(decision.data.ruling, outcome.result).inc()
            case RuleUndone():
                metrics.RULES_UNDONE.labels(outcome.reason or outcome.status).inc()
            case ScoreGiven():
                metrics.SCORES_APPLIED.labels(outcome.reason or outcome.result).inc()
            case ReportFiled() as report:
                metrics.REPORTS.labels(report.data.reason).inc()
    for action, count in verdicts.items():
        metrics.VERDICTS.labels(action).inc(count)
    for (rule, said), count in findings.items():
        metrics.FINDINGS.labels(rule, said).inc(count)
    if repeats:
        metrics.SKIPPED_DUPLICATES.labels(topic).inc(repeats)
