"""Many comments judged again for their hits alone: what a backtest counts.

A comment is first looked at with every fact unknown. Rules that answer all the same are settled; of
the others what is left hangs on facts alone, so it is answered without the text once the facts are
known. The answers are those of `judge` (a property test holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from services.core.rules.context import Context
from services.core.rules.expression import Holds
from services.core.rules.facts import Facts, Submission, Value
from services.core.rules.features import TEXT
from services.core.rules.questions import Questions, Rest, Seen
from services.core.rules.reading import Reading
from services.core.rules.ruleset import Ruleset

WEIGHT = {"note": 0, "publish": 0, "hold": 1, "reject": 2}
VERDICTS = ("publish", "hold", "reject")
_REMEMBERED = 10_000
_UNKNOWN = Facts()

Settled: TypeAlias = tuple[Seen, str]
"""What the rules come to once the facts are known, and the verdict."""
Settler: TypeAlias = Callable[[Facts], Settled]


class Replay:
    """A ruleset over many comments, most of which look alike: what was concluded is remembered."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._questions = Questions(ruleset)
        self._settled: dict[Seen, dict[tuple[bool | None, ...], Settled]] = {}

    def look(self, comment: Submission) -> Seen:
        """With every fact unknown."""
        return self._questions.answer(Context(comment, _UNKNOWN, self.ruleset.index))

    def settle(self, seen: Seen, facts: Facts) -> Settled:
        return self.settler(seen)(facts)

    def settler(self, seen: Seen) -> Settler:
        """Answers the open rules by the facts, and gives the verdict."""
        if len(self._settled) >= _REMEMBERED:
            self._settled.clear()
        settled = self._settled.setdefault(seen, {})
        asked = sorted({n for _, left in seen.open for n in _asked(left)})
        tests = [self.ruleset.tests[n] for n in asked]

        def by(facts: Facts) -> Settled:
            values = facts.values
            try:
                answers = tuple([
                    None if (value := values.get(key)) is None else holds(value)
                    for key, holds in tests
                ])  # fmt: skip
            except Exception:  # noqa: BLE001 - whose rule it is will be told there
                return _settled(seen, facts, self.ruleset)
            known = settled.get(answers)
            if known is None:
                if len(settled) >= _REMEMBERED:
                    settled.clear()
                known = settled[answers] = _settled(seen, facts, self.ruleset)
            return known

        return by


def _asked(left: Rest) -> Iterator[int]:
    """The comparisons in what is left of a tree."""
    if isinstance(left, int):
        yield left
        return
    for each in left[1]:
        yield from _asked(each)


def _settled(seen: Seen, facts: Facts, ruleset: Ruleset) -> Settled:
    settled = settle(seen, facts, ruleset)
    return settled, verdict(settled, ruleset)


def settle(seen: Seen, facts: Facts, ruleset: Ruleset) -> Seen:
    """The open rules answered by the facts."""
    if not seen.open:
        return seen
    hits, holds, failed = list(seen.hits), list(seen.holds), list(seen.failed)
    for n, left in seen.open:
        try:
            said = answer(left, facts.values, ruleset.tests)
        except Exception:  # noqa: BLE001 - as in judge
            failed.append(n)
            continue
        _close(ruleset, n, said, hits, holds)
    return Seen(tuple(sorted(hits)), tuple(holds), failed=tuple(sorted(failed)))


def answer(
    left: Rest, values: Mapping[str, Value], comparisons: Sequence[tuple[str, Holds]]
) -> bool | None:
    if isinstance(left, int):
        key, holds = comparisons[left]
        value = values.get(key)
        return None if value is None else holds(value)
    kind, below = left
    decisive = kind == "all"
    unknown = False
    for each in below:
        said = answer(each, values, comparisons)
        if said is None:
            unknown = True
        elif said is not decisive:
            return kind == "any"
    return None if unknown else kind != "any"


def closed(seen: Seen, ruleset: Ruleset) -> Seen:
    """What stays unknown, by what the rules say of it."""
    hits, holds = list(seen.hits), list(seen.holds)
    for n, _ in seen.open:
        _close(ruleset, n, None, hits, holds)
    return Seen(tuple(sorted(hits)), tuple(holds), failed=seen.failed)


def _close(
    ruleset: Ruleset, n: int, answer: bool | None, hits: list[int], holds: list[int]
) -> None:
    missing = ruleset.compiled[n].rule.on_missing
    if answer or (answer is None and missing == "match"):
        hits.append(n)
    elif answer is None and missing == "hold":
        holds.append(n)


def verdict(seen: Seen, ruleset: Ruleset) -> str:
    """As `fold` gives it."""
    weight = 0
    for n in seen.hits:
        rule = ruleset.compiled[n].rule
        if rule.status == "live":
            weight = max(weight, WEIGHT[rule.effect.action])
    if any(ruleset.compiled[n].rule.status == "live" for n in (*seen.holds, *seen.failed)):
        weight = max(weight, 1)
    return VERDICTS[weight]


def asks_facts(ruleset: Ruleset) -> bool:
    return any(each.key not in TEXT and not each.score for each in ruleset.comparisons)


def unread(body_hash: bytes) -> Reading:
    """Stands for a reading where only the text's hash matters."""
    return Reading("", "", False, (), "", body_hash)
