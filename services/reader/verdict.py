"""Why a comment waits or was rejected, told in Russian and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.core import reasons
from services.core.events import FindingSeen, VerdictGiven
from services.core.rules.document import stated_rules

RuleReasons = Mapping[str, reasons.Text]
"""What the author of a comment is told about each rule, by the rule's id."""


def rule_reasons(texts: Mapping[str, str]) -> RuleReasons:
    """From the texts of a ruleset's folder; raises BadRuleset."""
    stated = [one.rule for one in stated_rules(texts)]
    return {rule.id: reasons.Text(rule.reason.ru, rule.reason.en) for rule in stated}


def reason_shown(code: str, said: str = "") -> dict[str, Any] | None:
    """`said` is what a moderator told the author. None where there is no reason to give."""
    if not code:
        return None
    text = reasons.text(code)
    shown: dict[str, Any] = {"code": code, "ru": text.ru, "en": text.en}
    return shown | {"said": said} if said else shown


def findings_shown(verdict: VerdictGiven | None, by_rule: RuleReasons) -> Sequence[dict[str, Any]]:
    """What stopped a comment, rule by rule; mere notes are the moderators' business."""
    if verdict is None:
        return []
    return [_finding(found, by_rule) for found in verdict.findings if found.action != "note"]


def _finding(found: FindingSeen, by_rule: RuleReasons) -> dict[str, Any]:
    text = by_rule.get(found.rule)
    if text is None:
        text = reasons.text(found.rule if found.rule in reasons.JUDGED else "rule")
    return {
        "rule": found.rule,
        "action": found.action,
        "spans": found.spans,
        "reason": {"ru": text.ru, "en": text.en},
    }
