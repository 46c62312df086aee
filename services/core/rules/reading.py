"""A text as rules read it: a folded copy, its words, and the way back to what the person wrote.

Folding is NFKC, case folding, `ё` to `е`, and no invisible characters. What folds otherwise than
one to one is remembered with its place in the original, so a finding can show the span as written.
Our own fixed patterns run on `re`; moderators' patterns never do (see patterns.py).
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

Span = tuple[int, int]

# What folds otherwise than one to one by str.lower: everything but these.
_ODD = re.compile(r"[^\n\r\t -~А-яЁё«»—–„“”]+")
# What a browser shows as nothing, or as another character, as well.
_MARKED_UP = re.compile(
    r"</?(?:b|i|u|s|em|strong|span|font|sub|sup|tt|mark|small|big|ins|del|code|wbr)"
    r"(?:\s[^<>]{0,100})?/?>|<!--[^<>]{0,100}-->"
    rf"|&(?:\#[0-9]{{2,7}}|\#x[0-9a-f]{{2,6}}|[a-z]{{2,8}});|{_ODD.pattern}",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*")
_INVISIBLE = frozenset({"Cf", "Mn", "Me"})
# Unseen though Unicode calls them letters, symbols or controls: fillers of Hangul, blank Braille.
_UNSEEN = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x7f"
)
_CACHED_CODE_POINTS = 4
# Latin letters in other dress that NFKC leaves as they are.
_FANCY = {
    first + n: letter
    for first in (0x1F150, 0x1F170)
    for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
} | dict(zip(map(ord, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ"), "abcdefghijklmnopqrstuvwyz", strict=True))
_PAGE = "cp1251"
_SIGNS = bytes(range(256)).decode(_PAGE, "replace")
_PLAIN = bytes(
    n for n, sign in enumerate(_SIGNS) if _ODD.match(sign) is None and sign not in "<&@$"
)
_FOLDED = bytes(
    ord(sign.lower().replace("ё", "е").encode(_PAGE)) if n in _PLAIN else n
    for n, sign in enumerate(_SIGNS)
)
_APART = bytes(n if _WORD.match(sign) else ord(" ") for n, sign in enumerate(_SIGNS))
"""What is no letter and no digit as a space."""


class Word(NamedTuple):
    """Letters and digits in a row; `start` and `end` count code points of the folded text."""

    text: str
    start: int
    end: int


class Cluster(NamedTuple):
    """Code points of the original, [start, stop), that fold to `size` ones from `at` on."""

    at: int
    size: int
    start: int
    stop: int


_ODD_AT = attrgetter("at")


class Reading(Struct, frozen=True):
    original: str
    folded: str
    odd: bool
    """Whether something may not have folded one to one to itself or its lower case."""
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
        if not self.odd or start >= end:
            return (start, end)
        return (self._origin(start)[0], self._origin(end - 1)[1])

    def _origin(self, at: int) -> Span:
        """Of one folded code point."""
        clusters = _clusters(self.original)
        before = bisect_right(clusters, at, key=_ODD_AT) - 1
        if before < 0:
            return (at, at + 1)
        cluster = clusters[before]
        beyond = at - cluster.at - cluster.size
        if beyond < 0:
            return (cluster.start, cluster.stop)
        return (cluster.stop + beyond, cluster.stop + beyond + 1)


def read(text: str) -> Reading:
    paged = text.encode(_PAGE, "ignore")
    if len(paged) == len(text) and not paged.translate(None, _PLAIN):
        # Most texts; the same as below by bytes, which is several times faster.
        paged = paged.translate(_FOLDED)
        odd, folded = False, paged.decode(_PAGE)
        said = b" ".join(paged.translate(_APART).split()).decode(_PAGE)
    else:
        odd = _unlike(text).search(text) is not None
        folded = _fold(text) if odd else _lower(text)
        said = " ".join(_WORD.findall(folded))
    tokens = folded.split()
    same = (said or "".join(tokens)).encode("utf-8", "surrogatepass")
    return Reading(text, folded, odd, tokens, said, hashlib.blake2b(same, digest_size=16).digest())


def folded(text: str) -> str:
    return _lower(text) if _unlike(text).search(text) is None else _fold(text)


@lru_cache(maxsize=2)
def ascii_of(folded: str) -> bytes:
    """What of a text is ASCII: for most texts little to look through."""
    return folded.encode("ascii", "ignore")


def _unlike(text: str) -> re.Pattern[str]:
    return _MARKED_UP if "<" in text or "&" in text else _ODD


@lru_cache(maxsize=2)
def _clusters(text: str) -> Sequence[Cluster]:
    """Where each odd one went: asked only of a text with findings, for their spans."""
    clusters: list[Cluster] = []
    _fold(text, clusters)
    return clusters


def _fold(text: str, clusters: list[Cluster] | None = None) -> str:
    """Puts into `clusters` what did not fold one to one."""
    characters: list[str] = []
    done = at = 0
    combining = unicodedata.combining
    for odd in _unlike(text).finditer(text):
        start, end = odd.span()
        if start > done and combining(text[start]):
            start -= 1
        characters.append(_lower(text[done:start]))
        at += start - done
        if text[start] in "<&":
            seen = "" if text[start] == "<" else _long(html.unescape(text[start:end]))
            characters.append(seen)
            if clusters is not None:
                clusters.append(Cluster(at, len(seen), start, end))
                at += len(seen)
            start = end
        elif not any(map(combining, text[start:end])):
            alone = list(map(_cached, text[start:end]))
            characters += alone
            if clusters is not None:
                sizes = list(map(len, alone))
                places = accumulate(sizes, initial=at)
                stops = range(start + 1, end + 1)
                clusters += map(Cluster, places, sizes, range(start, end), stops)
                at += sum(sizes)
            start = end
        while start < end:
            # A letter and the marks that combine with it fold together: и + breve is й.
            stop = start + 1
            while stop < end and combining(text[stop]):
                stop += 1
            fold = _cached if stop - start <= _CACHED_CODE_POINTS else _long
            seen = fold(text[start:stop])
            characters.append(seen)
            if clusters is not None:
                clusters.append(Cluster(at, len(seen), start, stop))
                at += len(seen)
            start = stop
        done = end
    characters.append(_lower(text[done:]))
    return "".join(characters)


def _lower(text: str) -> str:
    return text.lower().replace("ё", "е")


def _long(cluster: str) -> str:
    # A subscript iota is a mark that would fold to a letter.
    apart = unicodedata.normalize("NFKD", cluster).replace("\u0345", "")
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", apart).casefold())
    seen = [c for c in composed if unicodedata.category(c) not in _INVISIBLE and c not in _UNSEEN]
    return "".join(seen).replace("ё", "е").translate(_FANCY)


_cached = lru_cache(maxsize=16_384)(_long)
