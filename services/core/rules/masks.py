"""A listed word with signs in the place of letters: `д*рак`, `f**l`, `ду.ак`, `д***к`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from services.core.rules.inflect import known
from services.core.rules.listed import Hit, Listed
from services.core.rules.lookalikes import (
    CYRILLIC,
    LATIN,
    MASKED,
    REPEATED,
    SIGHT_MASKED,
    one_alphabet,
)
from services.core.rules.pieces import LINK
from services.core.rules.remembered import LONGEST
from services.core.rules.slips import VOWELS
from services.core.rules.spelling import WILDCARD, Spelled, Steps, Trie, walk

MASKS = "*#_?%&@$^~+=×•■█░●○◦…✱∗✲❌⭐"
SOFT = frozenset(".-–—'’`|/\\:;,!\"")
"""Signs that mostly stand between words: masks only within what would else be no words."""
_ROW = re.compile(f"{WILDCARD}+")
_LONG_RUN = re.compile(r"([^\x00])\1{2,}")
_PIECE = re.compile(r"[^\W_]{2,}")


# What a disguise needs is well below; it bounds what a hostile text can cost.
_UNDER_STEPS = 1_000
_UNDER = re.compile(r"(?<![\w*#@$%])[^\W_]+(?:[*#@$%•][^\W_]+)+(?![\w*#@$%])")
_BARE_MASKS = frozenset("*#")
"""Signs that mean nothing else within a word."""
_ABBREVIATED = tuple(f"{first}{WILDCARD}{last}" for first, last in ("др", "гн", "рн", "мр", "кт"))


class _Row(NamedTuple):
    start: int
    end: int
    pattern: str
    seen: str
    """What is seen where only the first or the last letter is masked: must be no word itself."""
    soft: bool
    bare: bool = False
    """Whether all masks are of `_BARE_MASKS`."""
    hyphen: bool = False


def is_mask(character: str) -> bool:
    return character in MASKS or (ord(character) >= 0x2190 and not character.isalnum())


def read_masked(text: str, listed: Listed) -> list[Hit]:
    found: list[Hit] = []
    if LINK.match(text):
        return found
    for row in _rows(text):
        fits = _fit(row, listed.trie)
        if fits and row.seen and known(row.seen):
            continue
        for form, how in fits:
            found += listed.hits(Spelled(row.start, row.end, form, how))
    return found or _read_under(text, listed)


def _read_under(text: str, listed: Listed) -> list[Hit]:
    """A mask or two in a word that is disguised otherwise too: `c1o*n`, `chmo@hnik`."""
    found: list[Hit] = []
    steps = Steps(_UNDER_STEPS)
    for row in _UNDER.finditer(text):
        start, end = row.span()
        letters = sum(map(str.isalnum, row[0]))
        if len(row[0]) - letters > 2 or letters < 3 or len(row[0]) > LONGEST:
            continue
        for spelled in walk(text, start, listed.trie, SIGHT_MASKED, end.__eq__, steps, stops=False):
            if spelled.end == end and len(spelled.form) >= 4 and spelled.how & MASKED:
                found += listed.hits(spelled)
    return found


def _fit(row: _Row, trie: Trie) -> list[tuple[str, int]]:
    """The forms that a text with masked letters fits, where enough letters are left to tell."""
    pattern = row.pattern
    hidden = pattern.count(WILDCARD)
    left = len(pattern) - hidden
    if left < 2 or len(pattern) < 3:
        return []
    if row.soft and len(pattern) == 4:
        return _one_vowel(pattern, trie) if row.hyphen else []
    if row.soft and (left < 3 or hidden > left or len(pattern) < 5):
        return []
    sure = 4 if row.soft else 2
    tries = [(pattern, MASKED)]
    short = _LONG_RUN.sub(r"\1", pattern)
    if short != pattern:
        tries.append((short, MASKED | REPEATED))
    rows = _ROW.findall(pattern)
    whole = pattern[0] != WILDCARD and pattern[-1] != WILDCARD
    letters = pattern.replace(WILDCARD, "").isalpha()
    few = hidden <= left or (whole and letters and (hidden <= 3 or row.bare))
    for tried, how in tries:
        fits = [
            (form, how)
            for form in _fitting(tried, trie)
            if (few and left >= sure) or (left >= 3 and _only_vowels(tried, form))
        ]
        if fits:
            return fits
    if row.soft and len(rows) == 1 and len(rows[0]) == 3:
        # Three dots are one sign too.
        return [(form, MASKED) for form in _fitting(_ROW.sub(WILDCARD, pattern), trie)]
    if whole and len(rows) == 1 and not row.soft:
        # A row of signs may stand for fewer or more letters than it has.
        least = 4 if hidden == 1 else 2 if row.bare and hidden == 3 else 3
        for length in range(1, min(left, hidden + 2) + 1):
            if length != hidden and left >= least:
                other = pattern.replace(rows[0], WILDCARD * length)
                fits = [(form, MASKED) for form in _fitting(other, trie)]
                if fits:
                    return [] if hidden == 1 and _word_with_one(pattern) else fits
    return []


def _word_with_one(pattern: str) -> bool:
    """Whether a word of the dictionary fits with one letter for the sign: `в*дка`."""
    alphabet = LATIN if pattern.replace(WILDCARD, "").isascii() else CYRILLIC
    return any(known(pattern.replace(WILDCARD, letter)) for letter in alphabet)


def _one_vowel(pattern: str, trie: Trie) -> list[tuple[str, int]]:
    """`ж-па`; not `д-ра`."""
    if pattern.count(WILDCARD) != 1 or pattern.startswith(_ABBREVIATED):
        return []
    return [(form, MASKED) for form in _fitting(pattern, trie) if _only_vowels(pattern, form)]


def _fitting(pattern: str, trie: Trie) -> Iterator[str]:
    for reading in one_alphabet(pattern) if len(pattern) > 3 else (pattern,):
        yield from trie.fitting(reading)


def _only_vowels(pattern: str, form: str) -> bool:
    return len(pattern) == len(form) and all(
        letter in VOWELS for sign, letter in zip(pattern, form, strict=True) if sign == WILDCARD
    )


def _rows(text: str) -> Iterator[_Row]:
    """Rows of letters, digits and masks that may be one masked word."""
    at, size = 0, len(text)
    while at < size:
        end = at
        while end < size and (text[end].isalnum() or is_mask(text[end])):
            end += 1
        start, at = at, max(end, at + 1)
        yield from _in_row(text, start, end)
    if not SOFT.isdisjoint(text):
        at = 0
        while at < size:
            end = at
            while end < size and (text[end].isalnum() or is_mask(text[end]) or text[end] in SOFT):
                end += 1
            start, at = at, max(end, at + 1)
            while start < end and not text[start].isalnum():
                start += 1
            while end > start and not text[end - 1].isalnum():
                end -= 1
            inner = text[start:end]
            if not 4 <= len(inner) <= LONGEST or SOFT.isdisjoint(inner):
                continue
            if inner[1:2] == "-" or not _words(inner):
                yield _Row(start, end, _pattern(inner), "", soft=True, hyphen="-" in inner)


def _in_row(text: str, start: int, end: int) -> Iterator[_Row]:
    first, last = start, end
    while first < last and is_mask(text[first]):
        first += 1
    while last > first and is_mask(text[last - 1]):
        last -= 1
    inner = text[first:last]
    if not 2 <= len(inner) <= LONGEST:
        return
    if any(map(is_mask, inner)):
        bare = all(sign in _BARE_MASKS for sign in inner if is_mask(sign))
        yield _Row(first, last, _pattern(inner), "", soft=False, bare=bare)
        # Its first or last letter may be masked too; else the signs are emphasis.
        if first > start:
            yield _Row(first - 1, last, WILDCARD + _pattern(inner), "", soft=False)
        if last < end:
            yield _Row(first, last + 1, _pattern(inner) + WILDCARD, "", soft=False)
    elif len(inner) >= _least_before(text[last:end]) and inner.isalpha():
        if last < end and first == start:
            yield _Row(first, end, inner + WILDCARD * (end - last), inner, soft=False)
        elif first > start and last == end and text[first - 1] != "@":
            yield _Row(first - 1, last, WILDCARD + inner, inner, soft=False)


def _least_before(masks: str) -> int:
    """How many letters must be left before them, for the end of a word to be masked."""
    return 2 if len(masks) == 2 and _BARE_MASKS.issuperset(masks) else 4


def _pattern(text: str) -> str:
    return "".join([WILDCARD if is_mask(sign) or sign in SOFT else sign for sign in text])


def _words(text: str) -> bool:
    """Whether they are rather words with stops between them."""
    pieces = _PIECE.findall(text)
    return all(map(known, pieces))
