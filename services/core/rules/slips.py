"""A listed word whose letters were moved: `мошненик`, `мшннк`, `киннешом`, or glued to another.

It is asked only of words that no dictionary knows, after every other way of reading them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.core.rules.inflect import known
from services.core.rules.lookalikes import GLUED, RESPELLED

_LEAST_SWAPPED = 6
_LEAST_BACKWARDS = 5
_LEAST_CUT = 6
_LEAST_GLUED = 5
_LEAST_BARE = 4
_PAGE = "cp1251"
VOWELS = "aeiouyаеиоуыэюя"
_VOWELS = VOWELS.encode(_PAGE)
_BEFORE = frozenset({
    "без", "в", "во", "вы", "до", "за", "из", "изо", "ко", "на", "над", "не", "ни", "об", "обо",
    "от", "ото", "пере", "по", "под", "при", "про", "раз", "с", "со", "у", "недо", "anti", "be",
    "de", "dis", "for", "fore", "in", "mis", "non", "out", "over", "pre", "pro", "re", "sub",
    "super", "un", "under", "up", "with",
})  # fmt: skip
"""Words that are beginnings of words too."""
_SHORT = frozenset({
    "ты", "он", "она", "они", "это", "вот", "все", "как", "так", "мой", "моя", "наш", "ваш", "my",
    "the", "you", "are", "all", "big", "our", "his", "her",
})  # fmt: skip


def bare(form: str) -> bytes:
    """What is left of a word without its vowels, in a byte a letter."""
    return form.encode(_PAGE, "replace").translate(None, _VOWELS)


class Slips:
    def __init__(self, forms: Iterable[str], bases: Iterable[str]) -> None:
        self._forms = frozenset(forms)
        self._bases = frozenset(bases)
        self._letters = {
            "".join(sorted(form)) for form in self._forms if len(form) >= _LEAST_BACKWARDS
        }
        self._heads = {form[:_LEAST_GLUED] for form in self._forms if len(form) >= _LEAST_GLUED}
        self._tails = {form[-_LEAST_GLUED:] for form in self._forms if len(form) >= _LEAST_GLUED}
        self._bare: dict[bytes, list[str]] = {}
        for form in sorted(self._forms):
            key = bare(form)
            if len(form) >= _LEAST_CUT - 1 and len(key) < len(form):
                self._bare.setdefault(key, []).append(form)

    def meant(self, word: str) -> tuple[str, int] | None:
        """The listed form, and the class of its disguise."""
        if "".join(sorted(word)) in self._letters:
            for form in self._moved(word):
                return None if known(word) else (form, RESPELLED)
        key = bare(word)
        if key in self._bare:
            for form in self._cut(word, key):
                return None if known(word) else (form, RESPELLED)
        if word[:_LEAST_GLUED] in self._heads or word[-_LEAST_GLUED:] in self._tails:
            for form in self._glued(word):
                return None if known(word) else (form, GLUED)
        return None

    def _moved(self, word: str) -> Iterator[str]:
        size = len(word)
        if size >= _LEAST_BACKWARDS and word[::-1] in self._forms:
            yield word[::-1]
        if size >= _LEAST_SWAPPED:
            for at in range(1, size - 2):
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                if swapped in self._forms:
                    yield swapped

    def _cut(self, word: str, key: bytes) -> Iterator[str]:
        """Its vowels left out: one, or all but one that begins it."""
        all_out = len(key) >= _LEAST_BARE and len(bare(word[1:])) == len(word) - 1
        for form in self._bare[key]:
            if all_out and word[0] == form[0] and len(form) > len(word):
                yield form
                continue
            least = _LEAST_CUT if form in self._bases else _LEAST_CUT + 1
            if len(form) - len(word) == 1 and len(form) >= least and within(word, form):
                yield form

    def _glued(self, word: str) -> Iterator[str]:
        for at in range(2, len(word) - 1):
            first, last = word[:at], word[at:]
            if len(last) >= _LEAST_GLUED and last in self._forms and _stands(first):
                yield last
            if len(first) >= _LEAST_GLUED and first in self._forms and last in _SHORT:
                yield first


def _stands(word: str) -> bool:
    """Whether it is rather a word than the beginning or the end of one."""
    return word in _SHORT or (len(word) >= 4 and word not in _BEFORE and known(word))


def within(word: str, form: str) -> bool:
    """Whether a word is a form with letters left out."""
    letters = iter(form)
    return all(letter in letters for letter in word)
