"""Words and phrases from lists, in all forms and disguises; and moderators' patterns, on RE2 only.

What an entry may be, and how it is found: see word_index.py.
"""

from __future__ import annotations

from typing import Annotated, Any

import re2
from msgspec import Meta

from services.core.errors import BadRuleset
from services.core.events import FindingSeen
from services.core.rules.facts import Facts, Submission
from services.core.rules.reading import Span
from services.core.rules.rule import MAX_SPANS, Check, Lists, Rule
from services.core.rules.word_index import Match, Source, WordIndex

_PATTERN_MEMORY_BYTES = 4 * 1024 * 1024


class Words(Rule, frozen=True, kw_only=True, tag="words"):
    lists: tuple[str, ...] = ()
    """Files of the rules folder, such as `words/ru.txt`."""
    words: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    patterns: tuple[Annotated[str, Meta(min_length=1, max_length=1_000)], ...] = ()
    """RE2 patterns, searched in the folded text (lower case, `ё` as `е`)."""


def compile_words(rule: Words, lists: Lists) -> Check:
    """Raises BadRuleset where a list is missing, an entry has no word or a pattern is not RE2."""
    index = _index(rule, lists)
    patterns = [_pattern(rule, pattern) for pattern in rule.patterns]

    def check(comment: Submission, facts: Facts) -> FindingSeen | None:
        reading = comment.reading
        found: list[tuple[Span, dict[str, Any] | None]] = [
            (reading.span(match.start, match.end), _said(match)) for match in index.find(reading)
        ]
        for pattern in patterns:
            if len(found) >= MAX_SPANS:
                break
            for match in pattern.finditer(reading.folded):
                if match.end() > match.start():
                    found.append((reading.span(match.start(), match.end()), None))
                if len(found) >= MAX_SPANS:
                    break
        if not found:
            return None
        found.sort(key=lambda one: one[0])
        spans = list(dict.fromkeys(span for span, _ in found))
        said = [words for _, words in found[:MAX_SPANS] if words is not None]
        detail = {"words": said} if said else {}
        return rule.finding(spans, count=len(found), **detail)

    return check


def _said(match: Match) -> dict[str, Any]:
    """For moderators: which entry of which list, and how it was disguised."""
    return {"entry": match.entry, "list": match.list, "how": list(match.how)}


def _index(rule: Words, lists: Lists) -> WordIndex:
    sources = [Source("", rule.words)] if rule.words else []
    for name in rule.lists:
        if name not in lists:
            there = ", ".join(sorted(lists)) or "none"
            raise BadRuleset(f"rule {rule.id}: there is no list {name!r}; there are: {there}")
        sources.append(Source(name, lists[name].splitlines()))
    try:
        return WordIndex(sources)
    except ValueError as error:
        raise BadRuleset(f"rule {rule.id}: {error}") from None


def _pattern(rule: Words, pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise BadRuleset(f"rule {rule.id}: pattern {pattern!r} is not RE2: {error}") from None
