"""The consonants of a word in a few classes: equal wherever two spellings may sound the same.

A word whose skeleton no listed word has cannot be a transliteration of one, so it need not be
walked. Letters that schemes write too differently (в, г, ж, х, й and their kin) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_RUN = re.compile(r"(.)\1+")
_LATIN = str.maketrans("bcdfklmnpqrstz", "bsdfslmnpsrsts", "aeghijouvwxy")
_RUSSIAN = str.maketrans("бдзклмнпрстфцчшщ", "bdsslmnprstfssss", "авгеёжийоухъыьэюя")
_ENGLISH = str.maketrans("bcdfklmnpqrstxz", "bsdfslmnpsrstss", "aeghijouvwy")


def in_russian(word: str) -> Iterator[str]:
    """Of a Russian word, in Cyrillic or in Latin letters: a Latin one may have several."""
    if not word.isascii():
        yield _folded(word.translate(_RUSSIAN))
        return
    spelled = word.replace("zh", "").replace("kh", "").replace("tch", "c").replace("ph", "f")
    for way in {spelled, spelled.replace("w", "s"), spelled.replace("q", "")}:
        yield _folded(way.translate(_LATIN))
    if "x" in spelled:
        yield _folded(spelled.replace("x", "ks").translate(_LATIN))


def in_english(word: str) -> Iterator[str]:
    """Of an English word, in Latin or in Cyrillic letters."""
    if word.isascii():
        yield _folded(word.replace("ph", "f").replace("tch", "c").translate(_ENGLISH))
    else:
        yield _folded(word.replace("дж", "").replace("тч", "ч").translate(_RUSSIAN))


def _folded(classes: str) -> str:
    return _RUN.sub(r"\1", classes.replace("ts", "s"))
