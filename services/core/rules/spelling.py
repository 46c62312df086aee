"""Reads a disguised word: walks every reading of a text that a trie of listed forms still knows.

A character may stand for several letters (`3` for е, з, э, e), a few in a row for one (`}|{`), and
some for none (the stops of `д.у.р.а.к`). The walk takes one character at a time and drops a
reading as soon as no form begins so; a run may be longer than the form's, never shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import ahocorasick

from services.core.rules.lookalikes import (
    LEET,
    LOOKS,
    REPEATED,
    SOUNDS,
    SPACED,
    Letters,
    Table,
)

STOPS = frozenset(" \t\r\n.,_*~-/|·•…:;'\"`’‘+=^–—‑‐>°\u2022\u30fb\u02d9")
"""Characters that may stand between the letters of a word that is spelled out."""

WILDCARD = "\x00"
_LETTERS = LOOKS | LEET | SOUNDS

Sign: TypeAlias = tuple[int, int, Letters]
"""Where it ends, where the run of its last character ends, and what it may stand for."""


def _nothing(text: str) -> bool:
    return False


class Steps:
    """Readings of one text, by one table, that may still be tried; a text that is written to
    exhaust them is no word."""

    __slots__ = ("left", "there")

    def __init__(self, left: int) -> None:
        self.left = left
        self.there: dict[int, list[Sign]] = {}
        """What stands at a place."""


class Spelled(NamedTuple):
    start: int
    end: int
    form: str
    how: int
    """The classes of its disguise, or-ed."""


class Trie:
    """The listed forms, and stems: any word that begins with one is listed."""

    def __init__(self, forms: Iterable[str], stems: Iterable[str]) -> None:
        self.stems = frozenset(stems)
        self._trie = ahocorasick.Automaton()
        for form in forms:
            self._trie.add_word(form, form)
        for stem in self.stems:
            self._trie.add_word(stem, stem)
        self._filled = len(self._trie) > 0
        # Methods of the library itself: a walk asks them for every letter.
        self.begins: Callable[[str], bool] = self._trie.match if self._filled else _nothing
        self.has: Callable[[str], bool] = self._trie.exists if self._filled else _nothing

    def fitting(self, pattern: str) -> list[str]:
        """The forms of the pattern's length that agree with it but for its wildcards."""
        if not self._filled:
            return []
        return list(self._trie.keys(pattern, WILDCARD, ahocorasick.MATCH_EXACT_LENGTH))


def walk(
    text: str,
    start: int,
    trie: Trie,
    table: Table,
    ends_at: Callable[[int], bool],
    steps: Steps,
    *,
    stops: bool,
) -> list[Spelled]:
    """Every form that a reading of text[start:end] gives, where `ends_at(end)` allows an end."""
    found: list[Spelled] = []
    begins, has, stems = trie.begins, trie.has, trie.stems
    size = len(text)
    waiting: list[tuple[int, str, int]] = [(start, "", 0)]
    seen: set[tuple[int, str]] = set()
    left, there = steps.left, steps.there
    while waiting and left > 0:
        at, read, how = waiting.pop()
        place = (at, read)
        if place in seen:
            continue
        seen.add(place)
        left -= 1
        if read and has(read):
            if ends_at(at):
                found.append(Spelled(start, at, read, how))
            elif read in stems:
                found.append(Spelled(start, _word_end(text, at), read, how))
        if how & _LETTERS:
            if has(read + "ь"):
                waiting.append((at, read + "ь", how))
            if how & SOUNDS and has(read + "e"):
                # The silent one: `брут`.
                waiting.append((at, read + "e", how))
        if at >= size:
            continue
        if at not in there:
            there[at] = _signs(text, at, table.get(text[at], ()))
        soft = read + "ь" if read and begins(read + "ь") else ""
        for end, run, letters in there[at]:
            for letter, class_ in letters:
                longer = read + letter
                if begins(longer):
                    waiting.append((end, longer, how | class_))
                    if run > end:
                        waiting.append((run, longer, how | class_ | REPEATED))
                elif soft and class_ == SOUNDS and begins(soft + letter):
                    # Latin spellings mostly leave the soft sign out.
                    waiting.append((end, soft + letter, how | class_))
                if end == at + 1 and read and read[-1] == letter:
                    waiting.append((at + 1, read, how | class_ | REPEATED))
        if stops and read and text[at] in STOPS:
            waiting.append((at + 1, read, how | SPACED))
    steps.left = left
    return found


def _signs(text: str, at: int, known: Iterable[tuple[str, Letters]]) -> list[Sign]:
    """What stands at a place: asked once, since it is work that no step counts."""
    signs: list[Sign] = []
    for written, letters in known:
        end = at + len(written)
        if end == at + 1:
            signs.append((end, end, letters))
        elif text.startswith(written, at):
            signs.append((end, len(text) - len(text[end:].lstrip(written[-1])), letters))
    return signs


def _word_end(text: str, at: int) -> int:
    while at < len(text) and text[at].isalnum():
        at += 1
    return at
