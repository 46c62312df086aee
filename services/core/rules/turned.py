"""Words written to be read from the right: upside down (`ɯnɔs`), or in letters that run backwards.

A text with U+202E in it is shown from right to left, so that `дору` reads as `урод`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from services.core.rules.listed import Found, Hit
from services.core.rules.lookalikes import CYRILLIC, LATIN, RESPELLED
from services.core.rules.reading import Reading
from services.core.rules.remembered import LONGEST

LookUp: TypeAlias = Callable[[str], tuple[Found, ...]]

_BACKWARDS = "\u202e"
_LEAST = 4
_WORD = re.compile(r"[^\W_]+")
_TURNED = "ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎʁɓʚƍ"
_UPSIDE_DOWN = re.compile(f"[{_TURNED}]")
_LATIN_UPRIGHT = str.maketrans("ɐqɔpǝɟƃɓɥᴉıɾʞןɯuodbɹsʇnʌʍxʎλz", "abcdefgghiijklmnopqrstuvwxyyz")
_CYRILLIC_UPRIGHT = str.maketrans(
    "ɐƍʚɹɓǝεʞvwoudɔɯʎxһmqєʁ", "абвгдезклмопрстухчшьэя"
)  # fmt: skip


def read_turned(reading: Reading, look_up: LookUp) -> Iterator[Hit]:
    """Asks only of a text with something odd in it; most have nothing of the kind."""
    if not reading.odd:
        return
    backwards = _BACKWARDS in reading.original
    if not backwards and _UPSIDE_DOWN.search(reading.folded) is None:
        return
    for written in _WORD.finditer(reading.folded):
        if not _LEAST <= len(written[0]) <= LONGEST:
            continue
        turned = written[0][::-1]
        meant = [turned] if backwards else []
        if _UPSIDE_DOWN.search(turned) is not None:
            meant += [turned.translate(_LATIN_UPRIGHT), turned.translate(_CYRILLIC_UPRIGHT)]
        for word in meant:
            if not word.strip(LATIN) or not word.strip(CYRILLIC):
                for part, how, form in look_up(word):
                    yield Hit(*written.span(), part, how | RESPELLED, form)
