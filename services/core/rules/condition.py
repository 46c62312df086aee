"""Compiles the conditions of a ruleset to trees of closures, and gathers what they look for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.core.errors import BadRuleset
from services.core.rules import detect, expression, patterns
from services.core.rules.context import Context, Evidence, Index
from services.core.rules.document import nearest
from services.core.rules.features import TEXT
from services.core.rules.links import host_of, within
from services.core.rules.listed import Source, lines_of, wrong
from services.core.rules.reading import Span
from services.core.rules.rule import Condition, Node
from services.core.rules.tree import Guard, Leaf, Test, Tree, branch
from services.core.rules.word_index import WordIndex

_LISTED = ("words", "lists", "patterns", "domains", "domain_lists", "finds")
_DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)*").fullmatch

Path = tuple[str | int, ...]
_HAS_LINKS = Guard("links", lambda c: bool(c.links))


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
        for kind in _LISTED:
            if getattr(node, kind) == ():
                raise Misplaced((*path, kind), f"`{kind}` is empty")
        if node.words is not None or node.lists is not None:
            yield self._words(node, path)
        if node.patterns is not None:
            yield self._pattern_leaf(node.patterns, path)
        if node.domains is not None or node.domain_lists is not None:
            yield self._domains(node, path)
        if node.links is not None:
            allowed = [_domain(each, (*path, "links")) for each in node.links.except_]
            yield _links(node.links.more_than, frozenset(allowed))
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
            for n, word in enumerate(node.words):
                if why := wrong(word):
                    raise Misplaced((*path, "words", n), why)
            self._use(f"words of matcher {leaf}", node.words, leaf)
        for name in node.lists or ():
            lines = self._list(name, (*path, "lists"))
            for number, line in enumerate(lines, 1):
                if line and (why := wrong(line)):
                    raise Misplaced((*path, "lists"), f"{name}:{number}: {why}")
            self._use(name, lines, leaf)

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

    def _use(self, name: str, lines: Sequence[str], leaf: int) -> None:
        self._sources.setdefault(name, Source(name, lines))
        self._leaves.setdefault(name, []).append(leaf)

    def _list(self, name: str, path: Path) -> list[str]:
        if name not in self._lists:
            there = nearest(name, sorted(self._lists)) if self._lists else "; there are none"
            raise Misplaced(path, f"there is no list {name!r}{there}")
        self.lists_used.append(name)
        return lines_of(self._lists[name])

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
        stated = [_domain(each, (*path, "domains", n)) for n, each in enumerate(node.domains or ())]
        for name in node.domain_lists or ():
            for number, line in enumerate(self._list(name, (*path, "domain_lists")), 1):
                if line:
                    stated.append(_domain(line, (*path, "domain_lists"), f"{name}:{number}: "))
        domains = frozenset(stated)

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


def _domain(stated: str, path: Path, place: str = "") -> str:
    """Raises Misplaced."""
    host = host_of(stated)
    if not _DOMAIN(host):
        said = f"{stated[:80]!r} names no domain; write one such as spam.example"
        raise Misplaced(path, place + said)
    return host


def _links(more_than: int, domains: frozenset[str]) -> Leaf:
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
