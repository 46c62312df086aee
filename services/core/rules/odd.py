"""A listed word written with digits, signs or masks among its letters: `c@s1no`, `д*рак`."""

from __future__ import annotations

import re
import unicodedata

from services.core.rules.inflect import known
from services.core.rules.listed import Hit, Listed
from services.core.rules.lookalikes import SIGHT, SPACED
from services.core.rules.lookup import of_one_alphabet
from services.core.rules.pieces import LINK, in_pieces
from services.core.rules.spelling import Spelled, Steps, walk

# What a disguise needs is well below; it bounds what a hostile text can cost.
_ODD_STEPS = 1_500
_LATIN_LOOKS = frozenset("ѕԁԛԝӏ")
"""Cyrillic letters that hardly anybody writes but for their looks."""
_MARKS = r"""[-–—,.:;’'"“”„«»()]"""
_INNER = r"""[-–—,.:;’'"“”„«»]"""
_ROW = r"(?:[a-z]+|[а-я]+|[0-9]+)"
_PLAIN = rf"{_MARKS}*{_ROW}(?:{_INNER}+{_ROW})*(?:{_MARKS}|[?!…])*"
_BRACKET = r"\((?!\S*\))|\)\("
"""What begins a token and may be a letter: `(reep`, `)(am`."""
ODD = re.compile(rf"(?<!\S)(?:(?={_BRACKET})|(?!{_PLAIN}(?!\S)))(?=\S*[^\W_]|\S{{4}})\S+")
_SIGNED = re.compile(r"(?:\}\{|><|/\\|\|\||\)\()[а-я]{2}")
"""A letter of two signs before two plain ones: `}{ам`."""
_ACCENTED = re.compile("[a-z\u00e0-\u017f]+")
_SIGNS = str.maketrans("@$€£", "0000")
"""Signs that are letters, where it is asked what stands between them."""
_UNITS = re.compile(r"[\d.,]+[^\W\d_]{1,2}")


def read_odd(text: str, listed: Listed) -> list[Hit]:
    """What stands between white space and is `ODD`: not plain words."""
    if LINK.match(text):
        return []
    size = len(text)

    def boundary(at: int) -> bool:
        return at in (0, size) or not (text[at - 1].isalnum() and text[at].isalnum())

    found: list[Hit] = []
    steps = Steps(_ODD_STEPS)
    for start in range(size):
        if steps.left > 0 and text[start] in SIGHT and boundary(start):
            for spelled in walk(text, start, listed.trie, SIGHT, boundary, steps, stops=True):
                if _fair(text, spelled):
                    found += listed.hits(spelled)
    return found


def _fair(text: str, spelled: Spelled) -> bool:
    """Whether what was read otherwise is likely to be meant so."""
    written = text[spelled.start : spelled.end]
    if not spelled.how or (written.isalpha() and of_one_alphabet(written)):
        return False
    if not any(character.isalpha() for character in written):
        signs = sum(not character.isalnum() for character in written)
        return len(spelled.form) >= 4 and signs >= 2
    if _UNITS.fullmatch(written) or (written[0] in "([{<" and known(written.lstrip("([{<"))):
        return False
    if len(spelled.form) <= 3 and sum(not character.isalpha() for character in written) > 1:
        return _SIGNED.fullmatch(written) is not None
    if _ACCENTED.fullmatch(written) and not spelled.form.isascii():
        # A word of another language in Latin letters: `spät`.
        return not known("".join([unicodedata.normalize("NFD", sign)[0] for sign in written]))
    if spelled.how & SPACED:
        return in_pieces(written.translate(_SIGNS))
    # A short word of another language with Cyrillic letters of its own.
    if len(spelled.form) > 3 or not _LATIN_LOOKS.isdisjoint(written):
        return True
    return not all("\u0400" <= letter <= "\u04ff" for letter in written)
