"""A word as it is heard, so that `казёл`, `пипетс` and `phool` are the listed ones.

Two spellings with one key may sound alike. It is asked only of words that no dictionary knows.
"""

from __future__ import annotations

import re

_PAGE = "cp1251"
_RUN = re.compile(rb"(.)\1+")


def _paged(letters: str) -> bytes:
    return letters.encode(_PAGE)


_VOWELS = bytes.maketrans(_paged("оыэейюя"), _paged("аииииуа"))
_SILENT = _paged("ьъ")
_DEAF = bytes.maketrans(_paged("дбгзвж"), _paged("тпксфш"))
_RUSSIAN = tuple(
    (_paged(written), _paged(heard))
    for written, heard in (
        ("йо", "е"), ("йа", "я"), ("йу", "ю"), ("тс", "ц"), ("тц", "ц"), ("сч", "щ"), ("зч", "щ"),
        ("шч", "щ"),
    )
)  # fmt: skip
_ENGLISH = (
    (b"ph", b"f"), (b"ck", b"k"), (b"x", b"ks"), (b"qu", b"kw"), (b"ce", b"se"), (b"ci", b"si"),
    (b"cy", b"si"), (b"ch", b"\x01"), (b"c", b"k"), (b"\x01", b"ch"), (b"z", b"s"), (b"oo", b"u"),
    (b"ee", b"i"), (b"ea", b"i"), (b"y", b"i"), (b"wh", b"w"), (b"kn", b"n"),
)  # fmt: skip
_SAME_AS_S = _paged("сц")
_S = _paged("с")
_TOGETHER = re.compile(b"[" + _paged("бвгджзклмнпрстфхцчшщ") + b"]{2,}")
_BEFORE_CONSONANT = re.compile(rb"(?<=[aeiou])h(?=[bcdfgkmnprstv])")


def heard(word: str) -> bytes:
    """Of a folded word of one alphabet."""
    paged = word.encode(_PAGE, "replace")
    if word.isascii():
        for written, sound in _ENGLISH:
            if written in paged:
                paged = paged.replace(written, sound)
    else:
        paged = paged.translate(None, _SILENT)
        for written, sound in _RUSSIAN:
            if written in paged:
                paged = paged.replace(written, sound)
        paged = paged[:-1] + paged[-1:].translate(_DEAF)
        paged = paged.translate(_VOWELS)
    return paged if _RUN.search(paged) is None else _RUN.sub(rb"\1", paged)


def roughly(key: bytes) -> bytes:
    """A key that more spellings have in common, of one that `heard` gave: `песдец`, `basturd`.

    Voiced consonants beside others are as deaf ones, `сц` is `с`; `ur` is `ar`, and an `h`
    lengthens a vowel.
    """
    if key.isascii():
        if key.endswith(b"ah"):
            key = key[:-2] + b"er"
        if b"h" in key:
            key = _BEFORE_CONSONANT.sub(b"", key)
        return key.replace(b"ur", b"ar")
    deaf = _TOGETHER.sub(_deaf, key.replace(_SAME_AS_S, _S))
    return deaf if _RUN.search(deaf) is None else _RUN.sub(rb"\1", deaf)


def _deaf(consonants: re.Match[bytes]) -> bytes:
    return consonants[0].translate(_DEAF)
