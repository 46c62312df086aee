"""Many comments judged again for their hits alone: what a backtest counts.

A comment is first looked at with every fact unknown. Rules that answer all the same are settled;
what stays open is answered once the facts are known, which needs the text only where a rule asks
both. The answers are those of `judge` (a property test holds the two together).
"""

from __future__ import annotations

from typing import NamedTuple

from services.core.rules.condition import Context, Tree, leaves
from services.core.rules.facts import Facts, Submission
from services.core.rules.features import TEXT
from services.core.rules.reading import Reading
from services.core.rules.ruleset import Ruleset

WEIGHT = {"note": 0, "publish": 0, "hold": 1, "reject": 2}
VERDICTS = ("publish", "hold", "reject")
ERROR = -1
"""In place of a rule's number: a rule failed, so the comment is held."""


class Seen(NamedTuple):
    hits: tuple[int, ...]
    """Numbers of `ruleset.compiled`."""
    holds: tuple[int, ...]
    """Rules that hold because a value stays unknown."""
    open: tuple[int, ...]


def look(comment: Submission, facts: Facts, ruleset: Ruleset) -> Seen:
    context = Context(comment, facts, ruleset.index)
    hits, holds, open_ = [], [], []
    for n in ruleset.numbers(context):
        rule = ruleset.compiled[n]
        try:
            answer = rule.in_scope(comment) and rule.tree.test(context)
        except Exception:  # noqa: BLE001 - as in judge
            holds.append(ERROR)
            continue
        if answer:
            hits.append(n)
        elif answer is None:
            open_.append(n)
    return Seen(tuple(hits), tuple(holds), tuple(open_))


def settle(
    seen: Seen, comment: Submission, facts: Facts, ruleset: Ruleset, facts_only: frozenset[int]
) -> Seen | None:
    """The open rules answered by the facts; None where one of them asks the text too."""
    if not seen.open:
        return seen
    if not facts_only.issuperset(seen.open):
        return None
    hits, holds = list(seen.hits), list(seen.holds)
    for n in seen.open:
        rule = ruleset.compiled[n]
        try:
            answer = rule.tree.test(Bare(comment, facts))  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - as in judge
            holds.append(ERROR)
            continue
        close(ruleset, n, answer, hits, holds)
    return Seen(tuple(sorted(hits)), tuple(holds), ())


def closed(seen: Seen, ruleset: Ruleset) -> Seen:
    """What stays unknown, by what the rules say of it."""
    hits, holds = list(seen.hits), list(seen.holds)
    for n in seen.open:
        close(ruleset, n, None, hits, holds)
    return Seen(tuple(sorted(hits)), tuple(holds), ())


def close(ruleset: Ruleset, n: int, answer: bool | None, hits: list[int], holds: list[int]) -> None:
    missing = ruleset.compiled[n].rule.on_missing
    if answer or (answer is None and missing == "match"):
        hits.append(n)
    elif answer is None and missing == "hold":
        holds.append(n)


def verdict(seen: Seen, ruleset: Ruleset) -> str:
    """As `fold` gives it."""
    weights = [0]
    for n in seen.hits:
        rule = ruleset.compiled[n].rule
        if rule.status == "live":
            weights.append(WEIGHT[rule.effect.action])
    if any(n == ERROR or ruleset.compiled[n].rule.status == "live" for n in seen.holds):
        weights.append(1)
    return VERDICTS[max(weights)]


def facts_only(ruleset: Ruleset) -> frozenset[int]:
    return frozenset(n for n, each in enumerate(ruleset.compiled) if _asks_facts(each.tree))


def asks_facts(ruleset: Ruleset) -> bool:
    return any(each.key not in TEXT and not each.score for each in ruleset.comparisons)


def _asks_facts(tree: Tree) -> bool:
    return all(
        leaf.comparison is not None and leaf.comparison.key not in TEXT for leaf in leaves(tree)
    )


class Bare:
    """A context without a text: enough for rules that ask facts alone."""

    __slots__ = ("comment", "facts")

    def __init__(self, comment: Submission, facts: Facts) -> None:
        self.comment = comment
        self.facts = facts

    def value(self, key: str) -> object:
        return self.facts.values.get(key)


def unread(body_hash: bytes) -> Reading:
    """Stands for a reading where only the text's hash matters."""
    return Reading("", "", None, (), "", body_hash)
