"""Other engines' ways to fold a text, each described in a few lines and written anew.

They get the same lists as ours, with all inflected forms written out. Simplified to their idea:
the point is what the idea can find, and what it finds where nothing is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from services.core.rules.lookalikes_data import LOOKALIKES

Finder = Callable[[str], bool]

_LATIN_OF = {other: letter for letter, others in LOOKALIKES.items() for other in others}
_LEET = dict(zip("0134578@$!|", "oieastbasil", strict=True))
_CYRILLIC_AS_LATIN = dict(zip("авекмнорстухіѕј", "abekmhopctyxisj", strict=True))


def exact(forms: Iterable[str]) -> Finder:
    """Coral's word list: case folded, a match where no letter stands on either side."""
    listed = "|".join(re.escape(form) for form in forms)
    pattern = re.compile(rf"(?<![^\W\d_])(?:{listed})(?![^\W\d_])")
    return lambda text: pattern.search(text.casefold().replace("ё", "е")) is not None


def norm(forms: Iterable[str]) -> Finder:
    """AbuseFilter's norm(): lookalikes to one letter, doubles to one, all else than letters out,
    then part of the text."""

    def fold(text: str) -> str:
        letters = [_folded(character) for character in text.casefold()]
        return re.sub(r"(.)\1+", r"\1", "".join([one for one in letters if one.isalnum()]))

    listed = {fold(form) for form in forms}

    def find(text: str) -> bool:
        glued = fold(text)
        return any(form in glued for form in listed)

    return find


def string_clean(forms: Iterable[str]) -> Finder:
    """Osprey's StringClean with its defaults: decomposed, marks off, lookalikes to Latin letters,
    word by word; the list is cleaned the same way."""

    def fold(text: str) -> str:
        plain = unicodedata.normalize("NFKD", text.casefold())
        return "".join([_folded(one) for one in plain if not unicodedata.combining(one)])

    listed = {fold(form) for form in forms}
    return lambda text: any(word in listed for word in re.findall(r"\w+", fold(text)))


def variants(forms: Iterable[str]) -> Finder:
    """Coop's variant signal: every letter a class of lookalikes and leet, runs as long or longer,
    whole words."""
    written: dict[str, set[str]] = {}
    for table in (_LATIN_OF, _LEET, _CYRILLIC_AS_LATIN):
        for other, letter in table.items():
            written.setdefault(letter, set()).add(other)
    for cyrillic, latin in _CYRILLIC_AS_LATIN.items():
        written.setdefault(cyrillic, set()).update({latin, *written.get(latin, ())})

    def spelled(form: str) -> str:
        runs = re.finditer(r"(.)\1*", form)
        return "".join(
            f"[{re.escape(run[1] + ''.join(sorted(written.get(run[1], ()))))}]{{{len(run[0])},}}"
            for run in runs
        )

    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(spelled(form) for form in forms)})(?!\w)")
    return lambda text: pattern.search(text.casefold()) is not None


def _folded(character: str) -> str:
    for table in (_LATIN_OF, _LEET, _CYRILLIC_AS_LATIN):
        character = table.get(character, character)
    return character


PEERS: dict[str, Callable[[Iterable[str]], Finder]] = {
    "exact": exact,
    "norm": norm,
    "clean": string_clean,
    "variants": variants,
}
