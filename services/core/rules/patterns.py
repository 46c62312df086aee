"""Moderators' patterns, on RE2 only: bounded in length and memory, and all searched in one pass.

RE2's set answers with nothing, not with an error, where its automaton outgrows the memory that it
may use. Therefore every set also has the empty pattern, which always matches: where that one is
missing, the patterns are asked one by one.

They look at the folded text, so `СКИДКА` and `ещё` are read as `скидка` and `еще`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import re2

from services.core.errors import BadRuleset
from services.core.rules.reading import Reading, Span

_MEMORY_BYTES = 4 * 1024 * 1024
_SET_MEMORY_BYTES = 64 * 1024 * 1024
_MOST_SPANS = 20


class Patterns:
    def __init__(self, patterns: Sequence[tuple[str, int]]) -> None:
        """From (pattern, matcher), compiled before."""
        self._leaves = [leaf for _, leaf in patterns]
        self._compiled = [compiled(pattern) for pattern, _ in patterns]
        options = _options(_SET_MEMORY_BYTES)
        self._set = re2.Set.SearchSet(options)
        self._set.Add("")
        for pattern, _ in patterns:
            self._set.Add(_folded(pattern))
        self._set.Compile()

    def find(self, text: str) -> set[int]:
        """The matchers with a pattern that matches."""
        if not self._leaves:
            return set()
        found = self._set.Match(text)
        if 0 in found:
            return {self._leaves[n - 1] for n in found if n}
        return {
            leaf
            for leaf, pattern in zip(self._leaves, self._compiled, strict=True)
            if pattern.search(text)
        }

    def spans(self, leaf: int, reading: Reading) -> list[Span]:
        spans: list[Span] = []
        for of, pattern in zip(self._leaves, self._compiled, strict=True):
            if of != leaf:
                continue
            for match in pattern.finditer(reading.folded):
                if match.end() > match.start():
                    spans.append(reading.span(match.start(), match.end()))
                if len(spans) >= _MOST_SPANS:
                    return spans
        return spans


@lru_cache(maxsize=4_096)
def compiled(pattern: str) -> re2._Regexp:
    """Raises BadRuleset."""
    try:
        return re2.compile(_folded(pattern), _options(_MEMORY_BYTES))
    except re2.error as error:
        raise BadRuleset(f"pattern {pattern!r} is not RE2: {_said(error)}") from None


def _folded(pattern: str) -> str:
    return pattern.replace("ё", "е").replace("Ё", "е")


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode() if isinstance(said, bytes) else str(said)


def _options(memory_bytes: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory_bytes
    options.log_errors = False
    options.case_sensitive = False
    return options
