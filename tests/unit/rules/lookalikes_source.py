"""Generates services/core/rules/lookalikes_data.py; run it as a module to write the file again.

Two public sources: Unicode's confusables.txt, as the package confusable-homoglyphs (MIT) carries
it, and the names of Unicode's characters (`LATIN SMALL LETTER O WITH STROKE`), from the standard
library. Only what stands for a letter of the English or the Russian alphabet is kept, and only in
the folded form in which the rules meet it.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from importlib.resources import files
from pathlib import Path

from services.core.rules.reading import folded

TARGET = Path(__file__).parents[3] / "services" / "core" / "rules" / "lookalikes_data.py"
LATIN = "abcdefghijklmnopqrstuvwxyz"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
HEAD = '''\
"""Characters that look like a letter, by letter. Generated: tests/unit/rules/lookalikes_source.py.

From confusables.txt, © Unicode, Inc., used under the Unicode License V3
(https://www.unicode.org/license.txt), and from the names of Unicode's characters.
"""

# fmt: off
LOOKALIKES: dict[str, str] = {
'''
_NAMED = re.compile(
    r"(?:LATIN|CYRILLIC|SQUARED|NEGATIVE CIRCLED|NEGATIVE SQUARED|REGIONAL INDICATOR SYMBOL)"
    r"(?: LATIN)?(?: CAPITAL| SMALL| LETTER| SMALL CAPITAL| TURNED| REVERSED| DOTLESS)+"
    r" ([A-Z])(?: WITH .*)?"
)


def lookalikes() -> dict[str, str]:
    """Lower-case letter → its lookalikes in code point order."""
    found: dict[str, set[str]] = {letter: set() for letter in LATIN + CYRILLIC}
    data = files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    confusables = json.loads(data)
    for letter in LATIN + CYRILLIC:
        for spelled in {letter, letter.upper()}:
            for other in confusables.get(spelled, ()):
                _add(found, letter, other["c"])
    for number in range(0x400, 0x530):
        base, _, sign = unicodedata.name(chr(number), "").partition(" WITH ")
        if sign and (letter := unicodedata.lookup(base).lower()) in found:
            _add(found, letter, chr(number))
    for number in range(0x80, 0x20000):
        name = unicodedata.name(chr(number), "")
        if (named := _NAMED.fullmatch(name)) and not name.startswith("CYRILLIC"):
            _add(found, named[1].lower(), chr(number))
    return {letter: "".join(sorted(set_)) for letter, set_ in found.items() if set_}


def _add(found: dict[str, set[str]], letter: str, other: str) -> None:
    character = folded(other)
    if len(character) == 1 and not character.isascii() and character not in CYRILLIC:
        found[letter].add(character)


def source() -> str:
    lines = [HEAD]
    for letter, others in lookalikes().items():
        parts = [others[at : at + 40] for at in range(0, len(others), 40)]
        lines.append(f'    "{letter}": (\n' + "".join(f'        "{part}"\n' for part in parts))
        lines.append("    ),\n")
    return "".join([*lines, "}\n"])


if __name__ == "__main__":
    TARGET.write_text(source(), "utf-8")
    sys.stdout.write(f"{TARGET.name}: {sum(map(len, lookalikes().values()))} characters\n")
