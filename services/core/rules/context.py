"""What conditions look at: a comment, its facts, and what of the index is in its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.core.rules import detect, patterns
from services.core.rules.facts import Facts, Submission
from services.core.rules.features import TEXT
from services.core.rules.links import links_of
from services.core.rules.reading import Span
from services.core.rules.word_index import Match, WordIndex


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
