"""Listed words and phrases in a text, in all their forms and disguises: one index, many lists.

A word of one alphabet is looked up as it is; only where that finds nothing, and the word could
sound or look like a listed one, is it read otherwise (see lookup.py). What mixes alphabets, digits
and signs is walked through the trie of all forms (see odd.py and spelling.py), or fitted to it
where letters are masked (see masks.py). Words in pieces are joined (see pieces.py), and those that
are upside down or run backwards are turned (see turned.py).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from services.core.rules.listed import Entry, Hit, Listed, Part, Source
from services.core.rules.lookalikes import HOW, MASKED, RESPELLED
from services.core.rules.lookup import Lookup, of_one_alphabet
from services.core.rules.masks import read_masked
from services.core.rules.odd import ODD, read_odd
from services.core.rules.pieces import (
    BESIDE,
    JOINED,
    ONE_AT_AN_EDGE,
    SPELLED_OUT,
    TWO_AT_AN_EDGE,
    read_cut,
    read_joined,
    read_parted,
    read_spelled_out,
)
from services.core.rules.reading import Reading
from services.core.rules.remembered import LONGEST, Remembered
from services.core.rules.turned import read_turned

_CACHED = 65_536
_LONG_CACHED = 512
"""Hardly words, and not met again; but a text is asked for its kinds first, then for its hits."""
_REMEMBERED = 200_000
_LONGEST_WALKED = 160
_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*")
_LETTER = re.compile(r"[^\W_]")
_START = attrgetter("start")
# Kinds of tokens: `k` may be an entry, `q` may be part of a phrase, `g` is a lone glyph and `h` one
# that may be part of a phrase, `-` only stops, `.` nothing; `G` wants a closer look.
_LONG = "G"
_WITH_HITS = frozenset("kqhG")
_MAY_MATCH = re.compile(r"[kG]|[gh]-*[gh]-*[gh]")
_MAY_BE_SPELLED_OUT = re.compile(r"G|[gh]-*[gh]-*[gh]")
_WEAK = frozenset({RESPELLED, MASKED})
"""Disguises that a name may seem to have."""
_SHORT_NAME = 4
_BEFORE, _AFTER = "-–—,.:;’'\"“”„«»()", "-–—,.:;’'\"“”„«»()?!…"


class Match(NamedTuple):
    """`start` and `end` count code points of the folded text."""

    list: str
    entry: str
    start: int
    end: int
    how: tuple[str, ...]
    """plain or inflected; or the classes of the disguise, see `lookalikes.HOW`."""


class WordIndex:
    def __init__(self, sources: Iterable[Source]) -> None:
        """Raises ValueError, which names list and line, for an entry without a word."""
        self._listed = Listed(sources)
        self.entries = self._listed.entries
        self._starting: dict[Part, list[Entry]] = {}
        for entry in self.entries:
            self._starting.setdefault(entry.parts[0], []).append(entry)
        self._telling = {max(e.parts, key=lambda part: len(part.word)) for e in self.entries}
        self._lookup = Lookup(self._listed)
        self._token = lru_cache(_CACHED)(lambda token: tuple(self._read_token(token)))
        self._long_token = lru_cache(_LONG_CACHED)(lambda token: tuple(self._read_token(token)))
        self._kinds = Remembered(self._kind, _REMEMBERED)

    def find(self, reading: Reading) -> list[Match]:
        """In the order of the text; one match for an entry at one place."""
        kinds = "".join(map(self._kinds.__getitem__, reading.tokens))
        cut = read_cut(reading, self._listed)
        cut += read_turned(reading, self._lookup.word)
        if not cut and _MAY_MATCH.search(kinds) is None:
            return []
        hits = [*self._hits(reading.folded, kinds), *cut]
        hits = [hit for hit in hits if hit.how not in _WEAK or not _is_name(reading, hit)]
        if not hits:
            return []
        hits.sort()
        placed: dict[Part, list[Hit]] = {}
        for hit in hits:
            placed.setdefault(hit.part, []).append(hit)
        found: dict[tuple[str, str, int, int], Match] = {}
        for hit in hits:
            for entry in self._starting.get(hit.part, ()):
                whole = _whole(entry, hit, placed, reading.folded)
                if whole is not None:
                    key = (entry.list, entry.text, whole.start, whole.end)
                    found.setdefault(key, whole)
        return _widest(found.values())

    def _hits(self, text: str, kinds: str) -> Iterator[Hit]:
        for token, kind in zip(_TOKEN.finditer(text), kinds, strict=True):
            if kind in _WITH_HITS:
                start = token.start()
                for hit in self._in_token(token[0]):
                    yield hit._replace(start=start + hit.start, end=start + hit.end)
        if _MAY_BE_SPELLED_OUT.search(kinds) is not None:
            for spelled in SPELLED_OUT.finditer(text):
                yield from read_spelled_out(
                    spelled[0], spelled.start(), self._listed, self._lookup.word
                )

    def _kind(self, token: str) -> str:
        """One sign for what a token may come to, so that most texts are done with at once."""
        if len(token) > _LONGEST_WALKED:
            return _LONG
        word = token.rstrip(_AFTER).lstrip(_BEFORE)
        plain = len(word) > 1 and word.isalpha() and of_one_alphabet(word)
        plain = plain and (token[0] not in "()" or ODD.match(token) is None)
        if plain:
            # Most tokens: one word of one alphabet, with nothing to be read into it.
            found: Iterable[Part] = [part for part, _, _ in self._lookup.drawn_out(word)]
        else:
            found = [hit.part for hit in self._in_token(token)]
        telling = found and not self._telling.isdisjoint(found)
        if not plain or "!" in token or "(" in token:
            if SPELLED_OUT.search(token) is not None or TWO_AT_AN_EDGE.search(token) is not None:
                return _LONG
            if ONE_AT_AN_EDGE.search(token) is not None:
                return _LONG if telling else "h" if found else "g"
        if found:
            return "k" if telling else "q"
        return "-" if not plain and BESIDE.fullmatch(token) is not None else "."

    def _in_token(self, token: str) -> tuple[Hit, ...]:
        if len(token) > _LONGEST_WALKED:
            return tuple(self._read_token(token))
        return self._long_token(token) if len(token) > LONGEST else self._token(token)

    def _read_token(self, token: str) -> list[Hit]:
        """What stands between white space: its words, and what it may be as a whole."""
        found = list(self._read_whole(token))
        if token.isalnum() or len(token) > _LONGEST_WALKED:
            return found
        # What is only part of a phrase, as `got` in `f*ggot`, hides no masked word.
        if any(hit.part in self._telling for hit in found):
            return found
        return found + read_masked(token, self._listed)

    def _read_whole(self, token: str) -> Iterator[Hit]:
        said = {word for word in _WORD.findall(token) if len(word) <= _LONGEST_WALKED}
        listed = {word: found for word in said if (found := self._lookup.drawn_out(word))}
        if listed:
            for word in _WORD.finditer(token):
                for part, how, form in listed.get(word[0], ()):
                    yield Hit(word.start(), word.end(), part, how, form)
        if len(token) <= _LONGEST_WALKED and ODD.match(token) is not None:
            yield from read_odd(token, self._listed)
        for joined in JOINED.finditer(token) if len(token) <= _LONGEST_WALKED else ():
            yield from read_joined(joined[0], joined.start(), self._lookup.word)
        if not token.isalnum() and len(token) <= _LONGEST_WALKED:
            yield from read_parted(token, self._lookup.word)


def _is_name(reading: Reading, hit: Hit) -> bool:
    """Whether it is rather a name: `певец Эбат`, `Сукко под Анапой`, `кассир Е***а`."""
    start, end = reading.span(hit.start, hit.end)
    written = reading.original[start:end]
    if not written[:1].isupper() or written[1:] != written[1:].lower():
        return False
    if hit.how == MASKED:
        if 2 * sum(map(str.isalpha, written)) > len(written):
            return False
    elif len(hit.form) <= _SHORT_NAME and not hit.form.isascii():
        return True
    before = reading.original[:start].rstrip(" \t\"'«„“(")
    return before != "" and before[-1] not in ".!?…\n:"


def _whole(
    entry: Entry, first: Hit, placed: Mapping[Part, Sequence[Hit]], text: str
) -> Match | None:
    """The entry's match that begins with this hit: the other words of a phrase must follow."""
    end, how, plain = first.end, first.how, first.form == first.part.word
    for part in entry.parts[1:]:
        hits = placed.get(part, ())
        at = bisect_left(hits, end, key=_START)
        # Between the next one and this hit is the smallest gap.
        if at == len(hits) or _LETTER.search(text, end, hits[at].start) is not None:
            return None
        end, how = hits[at].end, how | hits[at].how
        plain = plain and hits[at].form == part.word
    named = tuple(name for bit, name in HOW.items() if how & bit)
    return Match(
        entry.list, entry.text, first.start, end, named or ("plain" if plain else "inflected",)
    )


def _widest(matches: Iterable[Match]) -> list[Match]:
    """Drops what another match of the same entry covers."""
    kept: list[Match] = []
    reached: dict[tuple[str, str], int] = {}
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        if match.end > reached.get((match.list, match.entry), -1):
            reached[match.list, match.entry] = match.end
            kept.append(match)
    return kept
