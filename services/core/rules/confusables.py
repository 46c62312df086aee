"""Keys of a word: how it may read when letters of two alphabets and digits are mixed.

A word of one alphabet is compared as it is. A word that mixes alphabets, carries digits or signs,
or consists only of letters that look alike in both, is compared in two more readings as well.
"""

from __future__ import annotations

from functools import lru_cache

_LATIN = "abcehkmoptxy"
_CYRILLIC = "авсенкмортху"
_TO_CYRILLIC = str.maketrans(_LATIN + "0346@", _CYRILLIC + "озчба")
_TO_LATIN = str.maketrans(_CYRILLIC + "іѕј013457@$", _LATIN + "isjoieasta" + "s")
_LONGEST = 32


def keys(word: str) -> tuple[str, ...]:
    """The folded word as it is, then its other readings."""
    return _keys(word) if len(word) <= _LONGEST else (word,)


@lru_cache(maxsize=65_536)
def _keys(word: str) -> tuple[str, ...]:
    if not word.strip(_LATIN):
        return (word, word.translate(_TO_CYRILLIC))
    if not word.strip(_CYRILLIC):
        return (word, word.translate(_TO_LATIN))
    latin = any("a" <= letter <= "z" for letter in word)
    cyrillic = any("а" <= letter <= "я" or letter in "іѕј" for letter in word)
    signs = not word.isalpha()
    if (latin and cyrillic) or (signs and (latin or cyrillic)):
        return (word, word.translate(_TO_CYRILLIC), word.translate(_TO_LATIN))
    return (word,)
