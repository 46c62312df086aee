"""Compiles the tree of a rule to closures: what each matcher asks, and what it has found.

A test answers True, False or None: unknown, which is not false. `all`, `any`, `none` and `not` keep
to that (Kleene's logic), so that a rule can say what follows where its answer hangs on the unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.core.errors import BadRuleset
from services.core.rules import detect, expression, patterns
from services.core.rules.document import nearest
from services.core.rules.facts import Facts, Submission, Value
from services.core.rules.features import TEXT
from services.core.rules.links import host_of, links_of, within
from services.core.rules.listed import Source
from services.core.rules.reading import Span
from services.core.rules.rule import Condition, Node
from services.core.rules.word_index import Match, WordIndex

Test = Callable[["Context"], bool | None]
Path = tuple[str | int, ...]


class Index(NamedTuple):
    """What all rules look for, searched once in a text."""

    words: WordIndex
    leaves: Mapping[str, tuple[int, ...]]
    """By a list's name, the matchers that use it."""
    patterns: patterns.Patterns


class Context:
    """One comment under judgement; what several rules ask is worked out once."""

    __slots__ = ("_links", "comment", "facts", "index", "patterns", "values", "words")

    def __init__(self, comment: Submission, facts: Facts, index: Index) -> None:
        self.comment = comment
        self.facts = facts
        self.index = index
        self.words: dict[int, list[Match]] = {}
        for match in index.words.find(comment.reading):
            for leaf in index.leaves[match.list]:
                self.words.setdefault(leaf, []).append(match)
        self.patterns = index.patterns.find(comment.reading.folded)
        self.values: dict[str, Any] = {}
        """Features and detectors, as far as they were asked."""
        self._links: list[tuple[str, Span]] | None = None

    @property
    def links(self) -> list[tuple[str, Span]]:
        if self._links is None:
            self._links = links_of(self.comment.reading)
        return self._links

    def value(self, key: str) -> Any:
        values = self.values
        if key in values:
            return values[key]
        feature = TEXT.get(key)
        if feature is None:
            return self.facts.values.get(key)
        values[key] = feature.value(self.comment)
        return values[key]

    def found(self, detector: str) -> list[Span]:
        if detector not in self.values:
            self.values[detector] = detect.DETECTORS[detector](self.comment.reading)
        spans: list[Span] = self.values[detector]
        return spans


@dataclass(slots=True)
class Evidence:
    spans: list[Span] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)


class Guard(NamedTuple):
    name: str
    test: Test


_HAS_LINKS = Guard("links", lambda c: bool(c.links))


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


class Builder:
    """Builds the trees of a ruleset and gathers what they look for into one index."""

    def __init__(self, lists: Mapping[str, str]) -> None:
        self._lists = lists
        self._sources: dict[str, Source] = {}
        self._leaves: dict[str, list[int]] = {}
        self._patterns: list[tuple[str, int]] = []
        self._count = 0
        self._compared: dict[str, Leaf] = {}
        """One matcher for rules that ask the same."""
        self.comparisons: list[expression.Comparison] = []
        self.lists_used: list[str] = []

    def index(self) -> Index:
        return Index(
            WordIndex(self._sources.values()),
            {name: tuple(leaves) for name, leaves in self._leaves.items()},
            patterns.Patterns(self._patterns),
        )

    def tree(self, node: Node, path: Path = ("when",)) -> Tree:
        """Raises Misplaced: a BadRuleset, and where in the rule."""
        if isinstance(node, str):
            return self._comparison(node, path)
        children: list[Tree] = []
        for kind in ("all", "any", "none"):
            nodes: Sequence[Node] | None = getattr(node, kind)
            if nodes is not None:
                if not nodes:
                    raise Misplaced((*path, kind), f"`{kind}` is empty")
                below = [self.tree(child, (*path, kind, n)) for n, child in enumerate(nodes)]
                children.append(branch(kind, below))
        if node.not_ is not None:
            children.append(branch("none", [self.tree(node.not_, (*path, "not"))]))
        children += self._matchers(node, path)
        if not children:
            raise Misplaced(path, "a condition needs a matcher, such as `words` or `all`")
        return children[0] if len(children) == 1 else branch("all", children)

    def _matchers(self, node: Condition, path: Path) -> Iterable[Tree]:
        if node.words is not None or node.lists is not None:
            yield self._words(node, path)
        if node.patterns is not None:
            yield self._pattern_leaf(node.patterns, path)
        if node.domains is not None or node.domain_lists is not None:
            yield self._domains(node, path)
        if node.links is not None:
            yield _links(node.links.more_than, node.links.except_)
        if node.finds is not None:
            for n, name in enumerate(node.finds):
                if name not in detect.DETECTORS:
                    raise Misplaced(
                        (*path, "finds", n),
                        f"there is no detector {name!r}{nearest(name, list(detect.DETECTORS))}",
                    )
            yield _finds(node.finds)

    def _comparison(self, text: str, path: Path) -> Leaf:
        try:
            comparison = expression.parse(text)
        except BadRuleset as error:
            raise Misplaced(path, str(error)) from None
        self.comparisons.append(comparison)
        return self._compared.setdefault(comparison.text, compare(comparison))

    def _words(self, node: Condition, path: Path) -> Leaf:
        leaf = self._number()
        if node.words:
            name = f"words of matcher {leaf}"
            self._use(name, list(node.words), leaf, (*path, "words"))
        for name in node.lists or ():
            self._use(name, self._list(name, (*path, "lists")).splitlines(), leaf, path)

        def show(c: Context, evidence: Evidence) -> None:
            for match in c.words[leaf]:
                evidence.spans.append(c.comment.reading.span(match.start, match.end))
                said = {"entry": match.entry, "how": list(match.how)}
                if match.list in self._lists:
                    said["list"] = match.list
                evidence.detail.setdefault("words", []).append(said)

        return Leaf(
            "words: " + ", ".join([*(node.lists or ()), *(node.words or ())]),
            lambda c: leaf in c.words,
            show,
            lambda c: ", ".join(match.entry for match in c.words.get(leaf, ())) or None,
            leaf,
        )

    def _use(self, name: str, lines: list[str], leaf: int, path: Path) -> None:
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0]
            if text.strip() and not any(map(str.isalnum, text)):
                raise Misplaced(path, f"{name}:{number}: {text.strip()!r} has no word in it")
        self._sources.setdefault(name, Source(name, lines))
        self._leaves.setdefault(name, []).append(leaf)

    def _list(self, name: str, path: Path) -> str:
        if name not in self._lists:
            there = nearest(name, sorted(self._lists)) if self._lists else "; there are none"
            raise Misplaced(path, f"there is no list {name!r}{there}")
        self.lists_used.append(name)
        return self._lists[name]

    def _pattern_leaf(self, stated: Sequence[str], path: Path) -> Leaf:
        leaf = self._number()
        for n, pattern in enumerate(stated):
            try:
                patterns.compiled(pattern)
            except BadRuleset as error:
                raise Misplaced((*path, "patterns", n), str(error)) from None
            self._patterns.append((pattern, leaf))

        def show(c: Context, evidence: Evidence) -> None:
            evidence.spans += c.index.patterns.spans(leaf, c.comment.reading)

        return Leaf(
            "patterns: " + ", ".join(stated),
            lambda c: leaf in c.patterns,
            show,
            lambda c: leaf in c.patterns,
            leaf,
        )

    def _domains(self, node: Condition, path: Path) -> Leaf:
        stated = list(node.domains or ())
        for name in node.domain_lists or ():
            lines = self._list(name, (*path, "domain_lists")).splitlines()
            stated += [line for each in lines if (line := each.partition("#")[0].strip())]
        domains = frozenset(map(host_of, stated))

        def show(c: Context, evidence: Evidence) -> None:
            inside = [(host, span) for host, span in c.links if within(host, domains)]
            evidence.spans += [span for _, span in inside]
            evidence.detail["domains"] = sorted({host for host, _ in inside})[:10]

        return Leaf(
            "domains: " + ", ".join([*(node.domain_lists or ()), *(node.domains or ())]),
            lambda c: bool(c.links) and any(within(host, domains) for host, _ in c.links),
            show,
            lambda c: ", ".join(sorted({host for host, _ in c.links})) or None,
            guard=_HAS_LINKS,
        )

    def _number(self) -> int:
        self._count += 1
        return self._count


class Misplaced(BadRuleset):
    """A mistake within a rule, and the path of what is wrong."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


def compare(comparison: expression.Comparison) -> Leaf:
    key, holds = comparison.key, comparison.test()
    if key in TEXT:
        feature = TEXT[key].value

        def test(c: Context) -> bool | None:
            values = c.values
            if key not in values:
                values[key] = feature(c.comment)
            return holds(values[key])

    else:

        def test(c: Context) -> bool | None:
            value = c.facts.values.get(key)
            return None if value is None else holds(value)

    def show(c: Context, evidence: Evidence) -> None:
        evidence.detail[key] = shown(c.value(key))

    return Leaf(
        comparison.text, test, show, lambda c: shown(c.value(key)), None, comparison,
        Guard(comparison.text, test) if key in TEXT else None,
    )  # fmt: skip


def shown(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _links(more_than: int, allowed: Sequence[str]) -> Leaf:
    domains = frozenset(map(host_of, allowed))

    def counted(c: Context) -> list[Span]:
        return [span for host, span in c.links if not within(host, domains)]

    def show(c: Context, evidence: Evidence) -> None:
        spans = counted(c)
        evidence.spans += spans
        evidence.detail |= {"count": len(spans), "more_than": more_than}

    return Leaf(
        f"links: more_than {more_than}",
        lambda c: len(c.links) > more_than and len(counted(c)) > more_than,
        show,
        lambda c: len(counted(c)),
        guard=_HAS_LINKS,
    )


def _finds(names: Sequence[str]) -> Leaf:
    def show(c: Context, evidence: Evidence) -> None:
        for name in names:
            if spans := c.found(name):
                evidence.spans += spans
                evidence.detail.setdefault("found", []).append(name)

    return Leaf(
        "finds: " + ", ".join(names),
        _first(names) if len(names) == 1 else lambda c: any(c.found(name) for name in names),
        show,
        lambda c: ", ".join(name for name in names if c.found(name)) or None,
    )


def _first(names: Sequence[str]) -> Test:
    (name,) = names
    return lambda c: bool(c.found(name))


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
