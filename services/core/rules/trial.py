"""The tests that stand beside a rule, run on that rule alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import structs

from services.core.events import DiscussionKey
from services.core.rules.context import Context, Evidence
from services.core.rules.expression import subject
from services.core.rules.facts import Facts, Submission, Value
from services.core.rules.judge import MAX_SPANS
from services.core.rules.reading import read
from services.core.rules.rule import Case
from services.core.rules.ruleset import Compiled, Ruleset
from services.core.rules.tree import Leaf, Tree, leaves, misses

_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Trial(NamedTuple):
    rule: str
    kind: str
    """must_match, must_not_match or evasions."""
    number: int
    text: str
    passed: bool
    why: str
    """What would have had to be otherwise, where it failed."""


def trials(ruleset: Ruleset) -> Iterator[Trial]:
    """Every test of every rule, drafts too."""
    for each in sorted((*ruleset.compiled, *ruleset.idle), key=lambda one: one.rule.id):
        tests = each.rule.tests
        for kind, cases in (
            ("must_match", tests.must_match),
            ("must_not_match", tests.must_not_match),
            ("evasions", tests.evasions),
        ):
            for number, stated in enumerate(cases, 1):
                case = stated if isinstance(stated, Case) else Case(text=stated)
                yield _try(ruleset, each, kind, number, case)


def _try(ruleset: Ruleset, rule: Compiled, kind: str, number: int, case: Case) -> Trial:
    context = Context(submission_of(case), facts_of(rule, case), ruleset.index)
    answer = _looks(rule, context.comment) and rule.tree.test(context)
    if answer is None:
        answer = rule.rule.on_missing in ("match", "hold")
    passed = bool(answer) is (kind != "must_not_match")
    why = ""
    if not passed and kind != "must_not_match":
        why = "; ".join(_said(leaf, context) for leaf in misses(rule.tree, context))
        if not _looks(rule, context.comment):
            why = "out of the rule's scope"
    elif not passed:
        why = "; ".join(_said(leaf, context) for leaf in leaves(rule.tree) if leaf.test(context))
    return Trial(rule.rule.id, kind, number, case.text, passed, why)


def facts_of(rule: Compiled, case: Case) -> Facts:
    """What the case states; what it leaves out is as for an unknown, quiet author."""
    stated = {subject(key)[0]: value for key, value in case.facts.items()}
    return Facts(quiet(rule.tree) | stated)


def quiet(tree: Tree) -> dict[str, Value]:
    """The facts about somebody's first comment, where nobody else wrote the like."""
    values: dict[str, Value] = {
        "author.published": 0, "author.rejected": 0, "author.age_days": 0,
        "author.karma": 0, "discussion.comments": 0, "discussion.age_hours": 0,
        "reports.count": 1, "reports.weight": 1,
    }  # fmt: skip
    for leaf in leaves(tree):
        if leaf.comparison is not None and leaf.comparison.query is not None:
            query = leaf.comparison.query
            values[query.key] = query.least
    return values


def submission_of(case: Case) -> Submission:
    return Submission(
        discussion=DiscussionKey(f"{case.site}/test"),
        comment="test",
        revision=2 if case.event == "edited" else 1,
        site=case.site,
        author="test",
        at=_AT,
        reading=read(case.text),
        section=case.section,
        language=case.language,
        reported=case.event == "reported",
    )


def _said(leaf: Leaf, context: Context) -> str:
    value = leaf.value(context)
    return f"`{leaf.text}` " + ("is unknown" if value is None and leaf.comparison
                                else f"with {value!r}")  # fmt: skip


def explain(comment: Submission, facts: Facts, ruleset: Ruleset) -> list[dict[str, Any]]:
    """Of each rule: whether it matched, what it saw, and else what it misses: the nearest first,
    those out of scope last. A matcher that throws is told under `errors`."""
    context = Context(comment, facts, ruleset.index)
    told = [_told(each, context) for each in (*ruleset.compiled, *ruleset.idle)]
    return [shown for _, shown in sorted(told, key=lambda one: one[0])]


def _told(each: Compiled, context: Context) -> tuple[tuple[bool, float, str], dict[str, Any]]:
    """How far the rule is from a match, and what is said of it."""
    values: dict[str, Value] = {}
    errors: dict[str, str] = {}
    evidence = Evidence()
    of_rule = leaves(each.tree)
    for leaf in of_rule:
        try:
            values[leaf.text] = leaf.value(context)
            if leaf.test(context):
                leaf.show(context, evidence)
        except Exception as error:  # noqa: BLE001 - any bug of a feature
            errors[leaf.text] = type(error).__name__
    answer: bool | None = None
    missing: list[Leaf] = []
    with suppress(Exception):  # told above
        answer = each.tree.test(context)
        missing = misses(each.tree, context)
    in_scope = _looks(each, context.comment)
    return (not in_scope, len(missing) / len(of_rule), each.rule.id), {
        "rule": each.rule.id,
        "version": each.version,
        "status": each.rule.status,
        "action": each.rule.effect.action,
        "in_scope": in_scope,
        "scope": _scope(each),
        "matched": answer if in_scope else False,
        "values": values,
        "spans": sorted(set(evidence.spans))[:MAX_SPANS],
        "misses": [
            {
                "matcher": leaf.text,
                "value": values.get(leaf.text),
                "unknown": leaf.test(context) is None,
            }
            for leaf in missing
        ],
        "errors": errors,
    }


def _looks(each: Compiled, comment: Submission) -> bool:
    """As `judge` asks it: at reports, only the rules that name them."""
    named = "reported" in each.rule.scope.event
    return each.in_scope(comment) and (named or not comment.reported)


def _scope(each: Compiled) -> dict[str, list[str]]:
    """As stated, with the day on which the rule expires; empty: it looks everywhere."""
    stated = {name: list(named) for name, named in structs.asdict(each.rule.scope).items() if named}
    return stated | ({"expires": [each.rule.expires]} if each.rule.expires else {})
