"""The tree of a rule: what it answers, what it needs, and what it has found.

A test answers True, False or None: unknown, which is not false. `all`, `any`, `none` and `not` keep
to that (Kleene's logic), so that a rule can say what follows where its answer hangs on the unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.core.rules import expression
from services.core.rules.context import Context, Evidence
from services.core.rules.facts import Value

Test = Callable[[Context], bool | None]


class Guard(NamedTuple):
    name: str
    test: Test


@dataclass(frozen=True, slots=True)
class Leaf:
    """One matcher; `text` is how it is written, `trigger` its number in the index if it has one."""

    text: str
    test: Test
    show: Callable[[Context, Evidence], None]
    value: Callable[[Context], Value]
    trigger: int | None = None
    comparison: expression.Comparison | None = None
    guard: Guard | None = None
    """A test that may be shared with other matchers: where it is False, so is this one."""


@dataclass(frozen=True, slots=True)
class Branch:
    kind: str
    """all, any, none."""
    children: tuple[Tree, ...]
    test: Test


Tree = Leaf | Branch


def branch(kind: str, children: Sequence[Tree]) -> Branch:
    tests = [child.test for child in children]
    decisive = kind == "all"

    # `all` ends at the first False, `any` and `none` at the first True.
    def test(c: Context) -> bool | None:
        unknown = False
        for each in tests:
            answer = each(c)
            if answer is None:
                unknown = True
            elif answer is not decisive:
                return kind == "any"
        return None if unknown else kind != "any"

    return Branch(kind, tuple(children), test)


def triggers(tree: Tree) -> frozenset[int] | None:
    """Numbers of the index of which one must be found for the tree not to be false; None: any."""
    if isinstance(tree, Leaf):
        return None if tree.trigger is None else frozenset({tree.trigger})
    below = [triggers(child) for child in tree.children]
    if tree.kind == "any":
        known = [each for each in below if each is not None]
        return frozenset().union(*known) if len(known) == len(below) else None
    if tree.kind == "all":
        return min((each for each in below if each is not None), key=len, default=None)
    return None


def guard(tree: Tree) -> Guard | None:
    """A test of the text alone; where it is False, so is the tree."""
    if isinstance(tree, Leaf):
        return tree.guard
    below = [guard(child) for child in tree.children] if tree.kind == "all" else []
    return next((each for each in below if each is not None), None)


def show(tree: Tree, c: Context, evidence: Evidence) -> None:
    """What made the tree true: spans, and the values that it was judged on."""
    if isinstance(tree, Leaf):
        tree.show(c, evidence)
        return
    for child in tree.children:
        if tree.kind != "none" and child.test(c):
            show(child, c, evidence)
        elif tree.kind == "none":
            for leaf in leaves(child):
                if leaf.comparison is not None:
                    leaf.show(c, evidence)


def leaves(tree: Tree) -> list[Leaf]:
    if isinstance(tree, Leaf):
        return [tree]
    return [leaf for child in tree.children for leaf in leaves(child)]


def misses(tree: Tree, c: Context) -> list[Leaf]:
    """The fewest matchers that would have to answer otherwise for the tree to be true."""
    if tree.test(c):
        return []
    if isinstance(tree, Leaf):
        return [tree]
    if tree.kind == "none":
        return [leaf for child in tree.children if child.test(c) is not False
                for leaf in leaves(child) if leaf.test(c) is not False]  # fmt: skip
    below = [misses(child, c) for child in tree.children]
    return min(below, key=len) if tree.kind == "any" else [leaf for each in below for leaf in each]


def unknown(tree: Tree, c: Context) -> list[str]:
    return [leaf.text for leaf in leaves(tree) if leaf.test(c) is None]
