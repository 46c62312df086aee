"""A text as rules read it: a folded copy, its words, and the way back to what the person wrote.

Folding is NFKC, case folding, `ё` to `е`, and no invisible characters. Every folded code point
remembers the code points of the original that it came from, so a finding can show the span as
written. Our own fixed patterns run on `re`; moderators' patterns never do (see words.py).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

Span = tuple[int, int]

# What folds otherwise than one to one by str.lower: everything but these.
_ODD = re.compile(r"[^\n\r\t -~А-яЁё«»—–„“”]+")
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*")
_INVISIBLE = frozenset({"Cf", "Mn", "Me"})
# Unseen though Unicode calls them letters, symbols or controls: fillers of Hangul, blank Braille.
_UNSEEN = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x7f"
)
_CACHED_CODE_POINTS = 4


class Word(NamedTuple):
    """Letters and digits in a row; `start` and `end` count code points of the folded text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    original: str
    folded: str
    origins: Sequence[Span] | None
    """For each folded code point its span in the original; None where both are the same."""
    tokens: Sequence[str]
    """What stands between white space in the folded text, in order."""
    said: str
    """The words of the folded text, in order, a space between two."""
    body_hash: bytes
    """16 bytes, equal for texts that read the same: the same words in the same order."""

    @property
    def words(self) -> Iterator[Word]:
        """The words with their places; most readers need only what was `said`."""
        return (Word(m[0], *m.span()) for m in _WORD.finditer(self.folded))

    def span(self, start: int, end: int) -> Span:
        """The span [start, end) of the folded text, in code points of the original."""
        if self.origins is None or start >= end:
            return (start, end)
        return (self.origins[start][0], self.origins[end - 1][1])


def read(text: str) -> Reading:
    folded, origins = _fold(text)
    tokens = folded.split()
    said = " ".join(_WORD.findall(folded))
    same = (said or "".join(tokens)).encode("utf-8", "surrogatepass")
    return Reading(
        text, folded, origins, tokens, said, hashlib.blake2b(same, digest_size=16).digest()
    )


def folded(text: str) -> str:
    return _fold(text)[0]


def _fold(text: str) -> tuple[str, Sequence[Span] | None]:
    if _ODD.search(text) is None:
        return _lower(text), None
    characters: list[str] = []
    origins: list[Span] = []
    done = 0
    for odd in _ODD.finditer(text):
        start, end = odd.span()
        if start > done and unicodedata.combining(text[start]):
            start -= 1
        characters.append(_lower(text[done:start]))
        origins += zip(range(done, start), range(done + 1, start + 1), strict=True)
        while start < end:
            # A letter and the marks that combine with it fold together: и + breve is й.
            stop = start + 1
            while stop < end and unicodedata.combining(text[stop]):
                stop += 1
            fold = _cached if stop - start <= _CACHED_CODE_POINTS else _long
            seen = fold(text[start:stop])
            characters.append(seen)
            origins += [(start, stop)] * len(seen)
            start = stop
        done = end
    characters.append(_lower(text[done:]))
    origins += zip(range(done, len(text)), range(done + 1, len(text) + 1), strict=True)
    return "".join(characters), origins


def _lower(text: str) -> str:
    return text.lower().replace("ё", "е")


def _long(cluster: str) -> str:
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cluster).casefold())
    seen = [c for c in composed if unicodedata.category(c) not in _INVISIBLE and c not in _UNSEEN]
    return "".join(seen).replace("ё", "е")


_cached = lru_cache(maxsize=16_384)(_long)
