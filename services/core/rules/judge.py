"""The judgement: every rule looks, findings are gathered, one fold makes the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules import tree
from services.core.rules.context import Context, Evidence
from services.core.rules.facts import LIMITED_UNTIL, Facts, Submission
from services.core.rules.ruleset import Compiled, Ruleset, everywhere

POLICY = "policy"
"""The finding that a site or discussion which holds first adds to every comment."""

LIMITED = "limited"
"""The finding that holds what an author writes whom a rule slows down (`then.limit`)."""

RULE_ERROR = "rule_error"
"""The finding that holds a comment whose rules could not run; `detail.rule` names the rule."""

MAX_SPANS = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one rule may look at one comment; the clocks are the caller's.

    A rule is blamed only where both clocks say so: a busy machine makes any rule late.
    """

    clock: Callable[[], float]
    worked: Callable[[], float]
    """Seconds of the processor that this thread had; asked rarely, since asking costs more."""
    seconds: float = 0.05


def judge(
    comment: Submission, facts: Facts, ruleset: Ruleset, budget: Budget | None = None
) -> VerdictGiven:
    """Pure but for the budget: equal comments, facts and rulesets give equal verdicts.

    All rules run; one that throws, or overruns the budget, holds the comment.
    """
    context = Context(comment, facts, ruleset.index)
    findings: list[FindingSeen] = []
    rules = ruleset.candidates(context)
    if comment.reported:
        rules = [rule for rule in rules if "reported" in rule.rule.scope.event]
    began, before = (budget.clock(), budget.worked()) if budget is not None else (0.0, 0.0)
    since = began
    for rule in rules:
        try:
            found = _look(rule, context)
        except Exception as error:  # noqa: BLE001 - any bug of a rule: hold, never publish
            found = _failed(rule, type(error).__name__)
        if budget is not None:
            now = budget.clock()
            if now - began > budget.seconds:
                worked = budget.worked()
                # The rules before, since `since`, worked at most for as long as they took.
                if worked - before - (began - since) > budget.seconds:
                    found = _failed(rule, "over budget")
                before, since = worked, now
            began = now
        if found is not None:
            findings.append(found)
    if comment.reported:
        return fold(map(_held_at_most, findings), ruleset.name)
    if facts.policy == "hold_first":
        findings.append(FindingSeen(rule=POLICY, action="hold", detail={"policy": facts.policy}))
    if (until := facts.values.get(LIMITED_UNTIL)) is not None:
        findings.append(FindingSeen(rule=LIMITED, action="hold", detail={LIMITED_UNTIL: until}))
    return fold(findings, ruleset.name)


def _held_at_most(finding: FindingSeen) -> FindingSeen:
    """A report alone rejects nothing."""
    if finding.action != "reject":
        return finding
    return structs.replace(finding, action="hold", would="reject")


def fold(findings: Iterable[FindingSeen], ruleset: str) -> VerdictGiven:
    """Reject outweighs hold, hold outweighs publish; notes change nothing."""
    found = list(findings)
    actions = {finding.action for finding in found}
    if "reject" in actions:
        return VerdictGiven(action="reject", ruleset=ruleset, findings=found)
    if "hold" in actions:
        return VerdictGiven(action="hold", ruleset=ruleset, findings=found)
    return VerdictGiven(action="publish", ruleset=ruleset, findings=found)


def _look(rule: Compiled, context: Context) -> FindingSeen | None:
    if rule.in_scope is not everywhere and not rule.in_scope(context.comment):
        return None
    answer = rule.tree.test(context)
    if answer is False:
        return None
    evidence = Evidence()
    action: str = rule.rule.effect.action
    if answer is None:
        evidence.detail["unknown"] = tree.unknown(rule.tree, context)
        match rule.rule.on_missing:
            case "hold":  # for want of a value: nothing else follows from that
                return _finding(rule, "hold", evidence, effects=False)
            case "match":
                pass
            case _:
                return _finding(rule, "note", evidence, effects=False)
    else:
        tree.show(rule.tree, context, evidence)
    return _finding(rule, action, evidence)


def _finding(
    rule: Compiled, action: str, evidence: Evidence, *, effects: bool = True
) -> FindingSeen:
    applied = rule.rule.status == "live" and action in ("hold", "reject")
    effect = rule.rule.effect
    follows: dict[str, Any] = {}
    if effects:
        for name in ("labels", "notify"):
            if named := getattr(effect, name):
                follows[name] = list(named)
        if effect.limit:
            follows["limit"] = effect.limit
        if effect.score:
            follows["score"] = effect.score
    return FindingSeen(
        rule=rule.rule.id,
        action=action if applied else "note",  # type: ignore[arg-type]
        spans=sorted(set(evidence.spans))[:MAX_SPANS],
        detail=evidence.detail,
        version=rule.version,
        would="" if applied or action == "note" else action,  # type: ignore[arg-type]
        shadow=rule.rule.status == "shadow",
        effects=follows,
    )


def _failed(rule: Compiled, why: str) -> FindingSeen:
    """A failing shadow rule holds nothing: it was never to be applied."""
    live = rule.rule.status == "live"
    return FindingSeen(
        rule=RULE_ERROR,
        action="hold" if live else "note",
        detail={"rule": rule.rule.id, "error": why},
        version=rule.version,
        shadow=not live,
    )
