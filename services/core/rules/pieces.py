"""A listed word in pieces: `ду рак`, `ка-зино`, `с п а м`, `[д][у][р]`.

Across a space nothing is glued together but single letters, two or three pieces of which one at
least is no word, and rows of four pieces or more of one letter or two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from operator import add
from typing import TypeAlias

from services.core.rules.inflect import known
from services.core.rules.listed import Found, Hit, Listed
from services.core.rules.lookalikes import LATIN, LOOKS, REPEATED, SIGHT, SOUNDS, SPACED
from services.core.rules.reading import Reading, Span
from services.core.rules.remembered import LONGEST
from services.core.rules.spelling import STOPS, Steps, walk

LookUp: TypeAlias = Callable[[str], tuple[Found, ...]]

# What a disguise needs is well below; they bound what a hostile text can cost.
_LEAST_GLUED = 4
_LEAST_BESIDE_A_WORD = 5
_SPELLED_STEPS = 2_000
_NEIGHBOURS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2))
"""How many single letters before and after a word that is spelled out may be words of their own."""
_STOP = "[" + re.escape("".join(sorted(STOPS))) + "]"
_LETTER = re.compile(r"[^\W_]")
_RUN_OF_LETTERS = re.compile(r"[^\W_]{2}")
JOINED = re.compile(r"(?<![^\W_])[^\W_]++(?:(?:[^\w\s]|_){1,3}[^\W_]++)+")
_PICTURE = "[\u2190-\u2bff\ufe0f\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
_PICTURED = re.compile(_PICTURE)
_GLYPH = r"(?:[^\W_]|[@$!|(<€\U0001f1e6-\U0001f1ff])(?![^\W_])"
_BETWEEN = rf"(?:{_STOP}{{1,4}}|\s?{_PICTURE}{{1,3}}\s?|(?=[@$]))"
SPELLED_OUT = re.compile(rf"(?<![^\W_]){_GLYPH}(?:{_BETWEEN}{_GLYPH}){{2,}}")
BESIDE = re.compile(f"(?:{_STOP}|{_PICTURE})+")
"""A token that may stand between single letters."""
# What may be spelled out beyond its own token begins or ends it.
ONE_AT_AN_EDGE = re.compile(rf"^{_STOP}*{_GLYPH}|(?<![^\W_]){_GLYPH}{_STOP}*$")
_TWO = rf"{_GLYPH}{_STOP}{{1,4}}{_GLYPH}"
TWO_AT_AN_EDGE = re.compile(rf"^{_STOP}*{_TWO}|(?<![^\W_]){_TWO}{_STOP}*$")
LINK = re.compile(r"\W*(?:https?:|www\.)|.*[a-z0-9]@[a-z0-9.-]+\.[a-z]|.*[a-z0-9]\.[a-z]{2,6}/")
_GAP = re.compile(r"[-‐‑–]?\s{1,3}[-‐‑–]?")
_RUNS = re.compile(r"(.)\1+")
_GAPS = re.compile(f"{_STOP}+")
_CONTRACTED = frozenset({"re", "ll", "ve", "s", "t", "d", "m"})
_SHORT_ROW = re.compile(b"\1{4,}")
_HYPHENS = frozenset("-‐‑–")
_PICTURES = "\u2190"
"""Signs from here on, or letters of far alphabets."""


def read_cut(reading: Reading, listed: Listed) -> list[Hit]:
    """`ду рак`, `за е ба ли`: a listed word in two pieces or three, or in more of two letters at
    most, with one space between them."""
    said = reading.said.split(" ")
    heads, forms = listed.heads, listed.parts
    cut: list[tuple[int, int]] = []
    if not heads.isdisjoint(said):
        pairs = list(map(add, said, islice(said, 1, None)))
        # Three words are joined only where two begin a form: hardly any text is asked so far.
        rows = [(2, pairs)]
        if not heads.isdisjoint(pairs):
            rows.append((3, list(map(add, pairs, islice(said, 2, None)))))
        for size, joined in rows:
            if not forms.keys().isdisjoint(joined):
                cut += [
                    (at, at + size)
                    for at, form in enumerate(joined)
                    if form in forms and _may_be_cut(said[at : at + size])
                ]
        # Four words of two letters at most in a row; most texts are done with by that.
        in_row = bytes(map((3).__gt__, map(len, said)))
        if b"\1\1\1\1" in in_row:
            cut += _in_short_rows(said, in_row, listed)
    found: list[Hit] = []
    spans = _spans(reading.folded, said[: max(end for _, end in cut)]) if cut else []
    for first, end in cut:
        form, pieces = "".join(said[first:end]), spans[first:end]
        if _in_a_row(reading.folded, pieces):
            span = pieces[0][0], pieces[-1][1]
            found += [Hit(*span, part, SPACED, form) for part in forms[form]]
    return found


def read_joined(text: str, offset: int, look_up: LookUp) -> Iterator[Hit]:
    """`ка-зино`: one word in pieces, where the pieces are none."""
    word = "".join([character for character in text if character.isalnum()])
    if 4 <= len(word) <= LONGEST and not LINK.match(text):
        for part, how, form in look_up(word):
            stutter = how & REPEATED and known(_RUNS.sub(r"\1", word))
            if not part.stem and not stutter and in_pieces(text):
                yield Hit(offset, offset + len(text), part, how | SPACED, form)


def read_parted(token: str, look_up: LookUp) -> Iterator[Hit]:
    """`[д][у][р]`: single letters with any signs between them."""
    letters = _LETTER.findall(token)
    if not 4 <= len(letters) <= LONGEST or _RUN_OF_LETTERS.search(token):
        return
    start = token.index(letters[0])
    end = token.rindex(letters[-1]) + 1
    for part, how, form in look_up("".join(letters)):
        if not part.stem:
            yield Hit(start, end, part, how | SPACED, form)


def read_spelled_out(text: str, offset: int, listed: Listed, look_up: LookUp) -> Iterator[Hit]:
    """`с п а м`: single letters with the like of spaces between them."""
    text = _PICTURED.sub("·", text)
    glyphs = [at for at, character in enumerate(text) if character not in STOPS]
    for first, last in _NEIGHBOURS if len(glyphs) <= LONGEST else ():
        some = glyphs[first : len(glyphs) - last]
        if len(some) < 4:
            continue
        found = look_up("".join([text[at] for at in some]))
        for part, how, form in found:
            if not part.stem and len(form) >= 4:
                yield Hit(offset + some[0], offset + some[-1] + 1, part, how | SPACED, form)
        if found:
            break
    word = "".join([text[at] for at in glyphs]) if 4 < len(glyphs) <= LONGEST else ""
    if word and known(word) and not look_up(word):
        # Another word that is spelled out: no part of it is meant.
        return
    ends = {at + 1 for at in glyphs}
    steps = Steps(_SPELLED_STEPS)
    for start in glyphs:
        if steps.left <= 0:
            break
        if start and text[start - 1] not in STOPS:
            continue
        for spelled in walk(text, start, listed.trie, SIGHT, ends.__contains__, steps, stops=True):
            whole = spelled.end - spelled.start == len(text)
            even = whole or len(set(_GAPS.findall(text[spelled.start : spelled.end]))) == 1
            if (len(spelled.form) >= 4 and even) or (whole and _short_may_be(text, spelled.how)):
                for hit in listed.hits(spelled):
                    yield hit._replace(
                        start=offset + hit.start, end=offset + hit.end, how=hit.how | SPACED
                    )


def _short_may_be(text: str, how: int) -> bool:
    """Whether a word of three letters is likely meant: `с.п.а` rather than `a с с`."""
    return (
        not how & ~(SPACED | SOUNDS)
        or not any(map(str.isspace, text))
        or (how & ~SPACED == LOOKS and bool(set(LATIN) & set(text)) and not text.isascii())
    )


def in_pieces(written: str) -> bool:
    """Whether what has stops in it is rather one word than words with stops between them."""
    pieces = re.split(r"[\W_]+", written)
    if all(len(piece) <= 1 for piece in pieces):
        return True
    # A stop that has no place between words, or pieces that are no words.
    if any(character in "_~*|•·^+=" or character >= _PICTURES for character in written):
        return True
    shortest = 3 if set(written) & STOPS <= _HYPHENS else 2
    if len(pieces) > 2 and all(len(piece) <= 2 for piece in pieces):
        return True
    if pieces[-1] in _CONTRACTED and any(sign in "'’‘`" for sign in written):
        return False
    size = sum(map(len, pieces))
    if size == 4 and any(len(piece) > 2 and known(piece) for piece in pieces):
        return False
    whole = [piece for piece in pieces if len(piece) >= shortest and piece.isalpha()]
    return size >= 4 and not (len(whole) == len(pieces) and all(map(known, whole)))


def _may_be_cut(pieces: Sequence[str]) -> bool:
    """Whether two pieces or three are rather one word: not all are words themselves."""
    size = sum(map(len, pieces))
    most_words = len(pieces) - 1 if size >= _LEAST_BESIDE_A_WORD else 0
    return size >= _LEAST_GLUED and sum(not _no_word(one) for one in pieces) <= most_words


def _in_short_rows(said: Sequence[str], in_row: bytes, listed: Listed) -> Iterator[tuple[int, int]]:
    """`за е ба ли`: four pieces or more, of one or two letters, not all of one."""
    for row in _SHORT_ROW.finditer(in_row):
        for first in range(row.start(), row.end() - 3):
            form, end = said[first], first + 1
            # No longer than a listed form: the next one begins its own.
            while end < row.end() and form in listed.heads:
                form, end = form + said[end], end + 1
                if end - first >= 4 and form in listed.parts and len(form) > end - first:
                    yield first, end


def _no_word(piece: str) -> bool:
    return len(piece) > 1 and not known(piece)


def _spans(text: str, said: Iterable[str]) -> list[Span]:
    """Of the words of a text from its beginning on: between two stands nothing of a word."""
    spans: list[Span] = []
    at = 0
    for word in said:
        start = text.find(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


def _in_a_row(text: str, pieces: Sequence[Span]) -> bool:
    """Whether only white space, and at most one hyphen, stands between them."""
    return all(_GAP.fullmatch(text, end, start) for (_, end), (start, _) in pairwise(pieces))
