"""The consonants of a word in a few classes: equal wherever two spellings may sound the same.

A word whose skeleton no listed word has cannot be a transliteration of one, so it need not be
walked. Letters that schemes write too differently (в, г, ж, х, й and their kin) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_RUN = re.compile(rb"(.)\1+")
_PAGE = "cp1251"
"""Both alphabets in one byte a letter: bytes are translated many times faster than texts."""


def _table(letters: str, classes: str) -> bytes:
    return bytes.maketrans(letters.encode(_PAGE), classes.encode())


_LATIN, _NO_LATIN = _table("bcdfklmnpqrstz", "bsdfslmnpsrsts"), b"aeghijouvwxy"
_ENGLISH, _NO_ENGLISH = _table("bcdfklmnpqrstxz", "bsdfslmnpsrstss"), b"aeghijouvwy"
_RUSSIAN = _table("бдзклмнпрстфцчшщ", "bdsslmnprstfssss")
_NO_RUSSIAN = "авгеёжийоухъыьэюя".encode(_PAGE)


def in_russian(word: str) -> Iterator[bytes]:
    """Of a Russian word, in Cyrillic or in Latin letters: a Latin one may have several."""
    paged = word.encode(_PAGE, "replace")
    if not word.isascii():
        yield _folded(paged.translate(_RUSSIAN, _NO_RUSSIAN))
        return
    spelled = paged.replace(b"zh", b"").replace(b"kh", b"")
    spelled = spelled.replace(b"tch", b"c").replace(b"ph", b"f")
    yield _folded(spelled.translate(_LATIN, _NO_LATIN))
    if b"w" in spelled:
        yield _folded(spelled.replace(b"w", b"s").translate(_LATIN, _NO_LATIN))
    if b"q" in spelled:
        yield _folded(spelled.translate(_LATIN, _NO_LATIN + b"q"))
    if b"x" in spelled:
        yield _folded(spelled.replace(b"x", b"ks").translate(_LATIN, _NO_LATIN))


def in_english(word: str) -> Iterator[bytes]:
    """Of an English word, in Latin or in Cyrillic letters."""
    paged = word.encode(_PAGE, "replace")
    if word.isascii():
        paged = paged.replace(b"ph", b"f").replace(b"tch", b"c")
        yield _folded(paged.translate(_ENGLISH, _NO_ENGLISH))
    else:
        paged = paged.replace(_DZH, b"").replace(_TCH, _CH)
        yield _folded(paged.translate(_RUSSIAN, _NO_RUSSIAN))


_DZH, _TCH, _CH = (letters.encode(_PAGE) for letters in ("дж", "тч", "ч"))


def _folded(classes: bytes) -> bytes:
    if len(set(classes)) == len(classes) and b"ts" not in classes:
        return classes
    return _RUN.sub(rb"\1", classes.replace(b"ts", b"s"))
