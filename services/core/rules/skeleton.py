"""The consonants of a word in a few classes: equal wherever two spellings may sound the same.

A word whose skeleton no listed word has cannot be a transliteration of one, so it need not be
walked. Letters that schemes write too differently (в, г, ж, х, й and their kin) are left out.
"""

from __future__ import annotations

import re

_RUN = re.compile(rb"(.)\1+")
_PAGE = "cp1251"
"""Both alphabets in one byte a letter: bytes are translated many times faster than texts."""


def _table(letters: str, classes: str) -> bytes:
    return bytes.maketrans(letters.encode(_PAGE), classes.encode())


_LATIN, _NO_LATIN = _table("bcdfklmnpqrstz", "bsdfslmnpsrsts"), b"aeghijouvwxy"
_ENGLISH, _NO_ENGLISH = _table("bcdfklmnpqrstxz", "bsdfslmnpsrstss"), b"aeghijouvwy"
_RUSSIAN = _table("бдзклмнпрстфцчшщ", "bdsslmnprstfssss")
_NO_RUSSIAN = "авгеёжийоухъыьэюя".encode(_PAGE)


def in_russian(word: str) -> list[bytes]:
    """Of a Russian word, in Cyrillic or in Latin letters: a Latin one may have several."""
    paged = word.encode(_PAGE, "replace")
    if not word.isascii():
        return [_folded(paged.translate(_RUSSIAN, _NO_RUSSIAN))]
    spelled = paged
    if b"h" in paged:
        spelled = paged.replace(b"zh", b"").replace(b"kh", b"")
        spelled = spelled.replace(b"tch", b"c").replace(b"ph", b"f")
    found = [_folded(spelled.translate(_LATIN, _NO_LATIN))]
    if b"w" in spelled:
        found.append(_folded(spelled.replace(b"w", b"s").translate(_LATIN, _NO_LATIN)))
    if b"q" in spelled:
        found.append(_folded(spelled.translate(_LATIN, _NO_LATIN + b"q")))
    if b"x" in spelled:
        found.append(_folded(spelled.replace(b"x", b"ks").translate(_LATIN, _NO_LATIN)))
    return found


def in_english(word: str) -> list[bytes]:
    """Of an English word, in Latin or in Cyrillic letters."""
    paged = word.encode(_PAGE, "replace")
    if word.isascii():
        if b"h" in paged:
            paged = paged.replace(b"ph", b"f").replace(b"tch", b"c")
        return [_folded(paged.translate(_ENGLISH, _NO_ENGLISH))]
    paged = paged.replace(_DZH, b"").replace(_TCH, _CH)
    return [_folded(paged.translate(_RUSSIAN, _NO_RUSSIAN))]


_DZH, _TCH, _CH = (letters.encode(_PAGE) for letters in ("дж", "тч", "ч"))


def _folded(classes: bytes) -> bytes:
    if len(set(classes)) == len(classes) and b"ts" not in classes:
        return classes
    return _RUN.sub(rb"\1", classes.replace(b"ts", b"s"))
