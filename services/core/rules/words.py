"""Words and phrases from lists, whole words only; and moderators' patterns, on RE2 only.

A list has one entry a line, `#` begins a comment: `word`, `two words`, or `stem*` for every word
that begins so. Words of a phrase may stand apart by anything that is not a letter or a digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, NamedTuple

import re2
from msgspec import Meta

from services.core.errors import BadRuleset
from services.core.events import FindingSeen
from services.core.rules.confusables import keys
from services.core.rules.facts import Facts, Submission
from services.core.rules.reading import Reading, Span, Word, read
from services.core.rules.rule import MAX_SPANS, Check, Lists, Rule

_LONGEST_CACHED = 32
_PATTERN_MEMORY_BYTES = 4 * 1024 * 1024


class Words(Rule, frozen=True, kw_only=True, tag="words"):
    lists: tuple[str, ...] = ()
    """Files of the rules folder, such as `words/ru.txt`."""
    words: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    patterns: tuple[Annotated[str, Meta(min_length=1, max_length=1_000)], ...] = ()
    """RE2 patterns, searched in the folded text (lower case, `ё` as `е`)."""


class Part(NamedTuple):
    """One word of an entry; `stem` where any word that begins with it matches."""

    text: str
    stem: bool

    def matches(self, word: str) -> bool:
        return any(
            key.startswith(self.text) if self.stem else key == self.text for key in keys(word)
        )


Entry = tuple[Part, ...]


def compile_words(rule: Words, lists: Lists) -> Check:
    """Raises BadRuleset where a list is missing or a pattern is not RE2."""
    index = _Index(_entries(rule, lists))
    patterns = [_pattern(rule, pattern) for pattern in rule.patterns]

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        reading = comment.reading
        spans = index.find(reading)
        for pattern in patterns:
            if len(spans) >= MAX_SPANS:
                break
            for match in pattern.finditer(reading.folded):
                if match.end() > match.start():
                    spans.append(reading.span(match.start(), match.end()))
                if len(spans) >= MAX_SPANS:
                    break
        return rule.finding(sorted(set(spans)), count=len(spans)) if spans else None

    return check


class _Index:
    """Entries by their first word; a word's entries are looked up once and remembered."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._words: dict[str, list[Entry]] = {}
        self._stems: dict[str, list[Entry]] = {}
        for entry in entries:
            first = entry[0]
            (self._stems if first.stem else self._words).setdefault(first.text, []).append(entry)
        self._empty = not self._words and not self._stems
        self._lengths = sorted({len(stem) for stem in self._stems})
        self._remembered = lru_cache(maxsize=65_536)(self._beginning_with)

    def find(self, reading: Reading) -> list[Span]:
        spans: list[Span] = []
        if self._empty:
            return spans
        words = reading.words
        for position, word in enumerate(words):
            text = word.text
            entries = (
                self._remembered(text)
                if len(text) <= _LONGEST_CACHED
                else self._beginning_with(text)
            )
            spans += [
                reading.span(word.start, last.end)
                for entry in entries
                if (last := _last_word(entry, words, position))
            ]
        return spans

    def _beginning_with(self, word: str) -> tuple[Entry, ...]:
        found: list[Entry] = []
        for key in keys(word):
            found += self._words.get(key, ())
            for length in self._lengths:
                if length > len(key):
                    break
                found += self._stems.get(key[:length], ())
        return tuple(found)


def _last_word(entry: Entry, words: tuple[Word, ...], position: int) -> Word | None:
    """The word that ends the entry, where all of it stands at `position`."""
    if position + len(entry) > len(words):
        return None
    for offset in range(1, len(entry)):
        if not entry[offset].matches(words[position + offset].text):
            return None
    return words[position + len(entry) - 1]


def _entries(rule: Words, lists: Lists) -> list[Entry]:
    lines = list(rule.words)
    for name in rule.lists:
        if name not in lists:
            there = ", ".join(sorted(lists)) or "none"
            raise BadRuleset(f"rule {rule.id}: there is no list {name!r}; there are: {there}")
        lines += [line.partition("#")[0].strip() for line in lists[name].splitlines()]
    return [entry for line in lines if line and (entry := _entry(rule, line))]


def _entry(rule: Words, line: str) -> Entry:
    reading = read(line)
    parts = tuple(
        Part(word.text, reading.folded[word.end : word.end + 1] == "*") for word in reading.words
    )
    if not parts:
        raise BadRuleset(f"rule {rule.id}: {line!r} has no word in it")
    return parts


def _pattern(rule: Words, pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise BadRuleset(f"rule {rule.id}: pattern {pattern!r} is not RE2: {error}") from None
