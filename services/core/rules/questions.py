"""What the rules say of a text alone, as questions of which each hangs on the answers before.

Most texts look alike to the rules, and rules ask alike. So what was asked of one text, and what
came of it, is remembered as a path; the next text is asked each question once, in the same order,
until it answers otherwise. What rules conclude is worked out at a path's first text only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from services.core.rules.context import Context
from services.core.rules.features import TEXT
from services.core.rules.ruleset import Compiled, Ruleset, everywhere
from services.core.rules.tree import Leaf, Test, Tree

_REMEMBERED = 10_000

Rest: TypeAlias = int | tuple[str, tuple["Rest", ...]]
"""What is left of a tree: a comparison, by its number in `ruleset.comparisons`, or a branch."""


class Seen(NamedTuple):
    hits: tuple[int, ...]
    """Numbers of `ruleset.compiled`."""
    holds: tuple[int, ...] = ()
    """Rules that hold because a value stays unknown."""
    open: tuple[tuple[int, Rest], ...] = ()
    """Rules that hang on facts, and what of them is left to ask."""
    failed: tuple[int, ...] = ()
    """Rules that threw: a live one holds the comment."""


class Question:
    """A test of the text, and what follows from each answer."""

    __slots__ = ("test", "then")

    def __init__(self, test: Test) -> None:
        self.test = test
        self.then: dict[bool | None, Question | Seen] = {}


Ask: TypeAlias = Callable[[Test], bool | None]


class Questions:
    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._scopes = [
            None if each.in_scope is everywhere else partial(_in_scope, each)
            for each in ruleset.compiled
        ]
        self._first: dict[tuple[int, ...], Question | Seen] = {}
        """By the matchers whose words or patterns the text has."""
        self._paths = 0

    def answer(self, context: Context) -> Seen:
        """With every fact unknown."""
        found: tuple[int, ...] = ()
        if context.words or context.patterns:
            found = (*sorted(context.words), *sorted(context.patterns))
        at = self._first.get(found)
        try:
            while isinstance(at, Question):
                at = at.then.get(at.test(context))
        except Exception:  # noqa: BLE001 - whose rule it is will be told there
            at = None
        return self._follow(found, context) if at is None else at

    def _follow(self, found: tuple[int, ...], context: Context) -> Seen:
        answers: dict[Test, bool | None] = {}

        def ask(test: Test) -> bool | None:
            if test not in answers:
                answers[test] = test(context)
            return answers[test]

        seen = self._conclude(found, context, ask)
        if not seen.failed:
            if self._paths >= _REMEMBERED:
                self._first.clear()
                self._paths = 0
            self._paths += 1
            self._remember(found, answers, seen)
        return seen

    def _remember(
        self, found: tuple[int, ...], answers: Mapping[Test, bool | None], seen: Seen
    ) -> None:
        followed: dict[Any, Question | Seen] = self._first
        by: Any = found
        for test, answer in answers.items():
            question = followed.setdefault(by, Question(test))
            assert isinstance(question, Question)
            followed, by = question.then, answer
        followed[by] = seen

    def _conclude(self, found: tuple[int, ...], context: Context, ask: Ask) -> Seen:
        compiled = self._ruleset.compiled
        hits, open_, failed = [], [], []
        for n in self._candidates(found, ask):
            tree, scope = compiled[n].tree, self._scopes[n]
            try:
                if scope is not None and not ask(scope):
                    continue
                answer = _answered(tree, context, ask)
                if answer:
                    hits.append(n)
                elif answer is None:
                    open_.append((n, rest(tree, context, self._ruleset.numbered)))
            except Exception:  # noqa: BLE001 - as in judge
                failed.append(n)
        return Seen(tuple(hits), (), tuple(open_), tuple(failed))

    def _candidates(self, found: tuple[int, ...], ask: Ask) -> Iterable[int]:
        """As `Ruleset.numbers` gives them."""
        numbers = set(self._ruleset.always)
        for may_hold, guarded in self._ruleset.guarded:
            try:
                if not ask(may_hold):
                    continue
            except Exception:  # noqa: BLE001, S110 - whose rule it is will be told there
                pass
            numbers.update(guarded)
        for trigger in found:
            numbers.update((self._ruleset.by_trigger or {}).get(trigger, ()))
        off = self._ruleset.off
        return sorted(n for n in numbers if self._ruleset.compiled[n].rule.id not in off)


def _in_scope(rule: Compiled, context: Context) -> bool:
    return rule.in_scope(context.comment)


def _answered(tree: Tree, context: Context, ask: Ask) -> bool | None:
    """As `tree.test` answers, by asking no more than that does."""
    if isinstance(tree, Leaf):
        if tree.trigger is not None:
            return tree.test(context)  # the path's beginning says what was found
        of_facts = tree.comparison is not None and tree.comparison.key not in TEXT
        return None if of_facts else ask(tree.test)
    decisive = tree.kind == "all"
    unknown = False
    for child in tree.children:
        answer = _answered(child, context, ask)
        if answer is None:
            unknown = True
        elif answer is not decisive:
            return tree.kind == "any"
    return None if unknown else tree.kind != "any"


def rest(tree: Tree, context: Context, numbered: Mapping[str, int]) -> Rest:
    """Of a tree whose answer is unknown, what it hangs on."""
    if isinstance(tree, Leaf):
        assert tree.comparison is not None
        return numbered[tree.text]
    # What is decided within a tree that is not has decided nothing.
    left = [child for child in tree.children if child.test(context) is None]
    if len(left) == 1 and tree.kind != "none":
        return rest(left[0], context, numbered)
    return tree.kind, tuple(rest(child, context, numbered) for child in left)
