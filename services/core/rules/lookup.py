"""One word of one alphabet: which listed one it is, or else which one it sounds or looks like."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from services.core.rules.inflect import is_base, known
from services.core.rules.listed import Found, Listed
from services.core.rules.lookalikes import (
    CYRILLIC,
    LATIN,
    LEET,
    LOOKS,
    MASKED,
    REPEATED,
    RESPELLED,
    SAME,
    SOUND,
    SOUNDS,
    in_cyrillic,
    in_latin,
    in_one_alphabet,
    looks,
    spelled_in_latin,
)
from services.core.rules.remembered import LONGEST
from services.core.rules.respelling import heard, roughly
from services.core.rules.slips import VOWELS, within
from services.core.rules.spelling import WILDCARD, Steps, walk

_CACHED = 65_536
# What a disguise needs is well below; it bounds what a hostile text can cost.
_WORD_STEPS = 600
_LONG_RUN = re.compile(r"(.)\1{2,}")
_DOUBLED = re.compile(r"(.)\1")
_RUNS = re.compile(r"(.)\1+")
_DRAWN_OUT = re.compile(r"(.)\1\1|(?:(.)\2.*?){3}")
_DISGUISED = LOOKS | LEET | SOUNDS | REPEATED
_LEAST_LOOKED = 4
_LEAST_IN_MIXED = 5
_DIGITS = "0123456789"
_RUN = re.compile("[a-z]+|[а-я]+")
_FRAME = ("xx", "хх")
_ENDING = re.compile(r"(?:[ыиауе]|о[вм]|а(?:м|ми|х))$")
_MAY_END = ("ы", "и", "а", "у", "е", "в", "м", "х")


class Lookup:
    def __init__(self, listed: Listed) -> None:
        self._listed = listed
        self.word = lru_cache(_CACHED)(self._look_up)
        self.slip = lru_cache(_CACHED)(self._slip)

    def drawn_out(self, word: str) -> tuple[Found, ...]:
        """Looks a word up; one too long for a word, with its long runs shortened."""
        if len(word) <= LONGEST:
            return self.word(word) or self.slip(word)
        short = _LONG_RUN.sub(r"\1\1", word)
        if short == word or len(short) > LONGEST:
            return ()
        return tuple((part, how | REPEATED, form) for part, how, form in self.word(short))

    def _look_up(self, word: str) -> tuple[Found, ...]:
        """What a word of one alphabet is, or else what it sounds or looks like."""
        listed = self._listed
        found: list[Found] = [(part, 0, word) for part in listed.parts.get(word, ())]
        if word.startswith(listed.begins):
            for stem in listed.begins:
                if word.startswith(stem):
                    found += [(part, 0, word) for part in listed.stems[stem]]
        if found or len(word) < 3:
            return tuple(found)
        latin = word.isascii() and word.isalpha()
        if not latin and word.strip(CYRILLIC):
            return self._mixed(word)
        size = len(word)
        if _DOUBLED.search(word):
            for spelled in walk(
                word, 0, listed.trie, SAME, lambda at: at == size, Steps(_WORD_STEPS), stops=False
            ):
                if spelled.how & REPEATED and not _ordinary(word, spelled.form):
                    found += listed.named(spelled.form, spelled.how)
        other = in_cyrillic(word) if latin else in_latin(word)
        if not found and other in listed.parts and not known(word):
            found += listed.named(other, LOOKS)
        if not found and listed.may_sound(word, latin=latin):
            for spelled in walk(
                word, 0, listed.trie, SOUND, lambda at: at == size, Steps(_WORD_STEPS), stops=False
            ):
                if len(spelled.form) >= 4 or (latin and not ("g" in word and "ж" in spelled.form)):
                    found += listed.named(spelled.form, spelled.how)
            if found and known(word):
                # A word of its own language: only where both are spoken alike, as `спам`.
                found = [hit for hit in found if _spoken_alike(word, hit, latin=latin)]
        if not found and not latin and word.endswith(_MAY_END):
            # An English word with a Russian ending: `лузеры`.
            ending = _ENDING.search(word, 4)
            if ending is not None and listed.may_sound(word[: ending.start()], latin=False):
                stem = word[: ending.start()]
                base = [hit for hit in self._look_up(stem) if hit[1] & SOUNDS and hit[2].isascii()]
                if base and known(word):
                    base = [hit for hit in base if _spoken_alike(stem, hit, latin=False)]
                found += base
        if not found and size >= 3:
            key = heard(word)
            form = listed.heard.get(key)
            if form is None and size > _LEAST_LOOKED:
                form = listed.roughly.get(roughly(key))
            if form is not None and form.isascii() is latin and _heard_so(word, form):
                found += listed.named(form, RESPELLED)
        if not found and latin and size >= _LEAST_LOOKED:
            form = listed.looks.get(looks(word))
            if form is not None and not known(word):
                found += listed.named(form, LOOKS)
        if not found and _DRAWN_OUT.search(word) is not None:
            short = self.word(_RUNS.sub(r"\1", word))
            found += [(part, how | REPEATED, form) for part, how, form in short if how & _DISGUISED]
        return tuple(dict.fromkeys(found)) if found else ()

    def _slip(self, word: str) -> tuple[Found, ...]:
        """What a word of one alphabet was meant to be that is no other."""
        if len(word) < _LEAST_LOOKED or not word.isalpha():
            return ()
        if word.startswith(_FRAME) and word.endswith(_FRAME):
            return self.word(word.strip("xх"))
        meant = self._crossed(word)
        if meant is None and of_one_alphabet(word):
            meant = self._listed.slips.meant(word)
        return () if meant is None else tuple(self._listed.named(*meant))

    def _crossed(self, word: str) -> tuple[str, int] | None:
        """`болxан`: an x in the place of a letter."""
        cross = "x" if "x" in word else "х"
        pattern = word.replace(cross, WILDCARD)
        rest = pattern.replace(WILDCARD, "")
        if len(rest) != len(word) - 1 or word[0] == cross or not of_one_alphabet(rest):
            return None
        for form in self._listed.trie.fitting(pattern):
            if len(form) > _LEAST_LOOKED or form[pattern.index(WILDCARD)] in VOWELS:
                return None if known(word) else (form, MASKED)
        return None

    def _mixed(self, word: str) -> tuple[Found, ...]:
        """Digits before or after a word, a word between letters of the other alphabet."""
        found: list[Found] = []
        core = word.strip(_DIGITS)
        if core != word and len(core) >= _LEAST_LOOKED and of_one_alphabet(core):
            return self.word(core)
        for run in _RUN.findall(word):
            if len(run) >= _LEAST_IN_MIXED and run != word:
                found += [(part, 0, run) for part in self._listed.parts.get(run, ())]
        if not found and len(word) >= _LEAST_LOOKED and _mixture(word):
            # Two disguises: look-alikes or digits in a transliteration, or in a drawn out word.
            for plain, how in in_one_alphabet(word):
                hits = self.word(plain) if plain.isalpha() and of_one_alphabet(plain) else ()
                found += [(part, how | also, form) for part, also, form in hits]
        return tuple(dict.fromkeys(found))


def of_one_alphabet(written: str) -> bool:
    return written.isascii() or not written.strip(CYRILLIC)


def _mixture(word: str) -> bool:
    """Letters of two alphabets, or letters and fewer digits; not a word of another people."""
    digits = sum(map(str.isdigit, word))
    latin = any(map(LATIN.__contains__, word))
    return 2 * digits < len(word) and (digits > 0 or (latin and not word.isascii()))


def _heard_so(word: str, form: str) -> bool:
    """Whether a word that sounds as a listed form may be meant so: no other word, no acronym."""
    if len(word) < _LEAST_LOOKED and (word[-1] != form[-1] or not within(word, form)):
        return False
    return not known(word)


def _ordinary(word: str, form: str) -> bool:
    """Whether the word, with its runs as one letter or two, is another one in the dictionary.

    `boot` is not a listed `bot`, and `goooood` is rather `good` than a listed `god`.
    """
    runs = [(run[0], len(run[0])) for run in re.finditer(r"(.)\1*", word)]
    if len(form) > 4 and max(length for _, length in runs) > 2:
        return False
    choices = [(run[0], run[0] * 2) if length > 1 else (run,) for run, length in runs]
    if sum(length > 1 for _, length in runs) > 4:
        return False
    others = ["".join(choice) for choice in product(*choices)]
    return any(other != form and len(other) >= len(form) and known(other) for other in others)


def _spoken_alike(word: str, hit: Found, *, latin: bool) -> bool:
    """`лузер` and `loser`, `фак` and its model; not `лазер`, and not `факс`."""
    part, _, form = hit
    if latin:
        return len(word) >= 5 and heard(word) == heard(spelled_in_latin(form))
    said, listed = heard(spelled_in_latin(word)), heard(form)
    if said == listed.replace(b"u", b"a") != listed:
        return form == part.word
    same = said.replace(b"o", b"u") == listed.replace(b"o", b"u") or said + b"e" == listed
    return len(word) >= 4 and same and is_base(word)
