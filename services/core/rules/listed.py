"""Lists of words and phrases, and every form that they stand for.

An entry is a word in its base form (`дурак`), a phrase (`shut up`), a stem (`идиот*`: every word
that begins so) or, with `=` before it, the word or phrase in exactly this form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from services.core.rules import skeleton
from services.core.rules.inflect import Language, forms
from services.core.rules.lookalikes import looks
from services.core.rules.reading import read
from services.core.rules.respelling import heard, roughly
from services.core.rules.slips import Slips
from services.core.rules.spelling import Spelled, Trie

LONGEST_ENTRY = 200
_LEAST_HEARD = 4
_LEAST_ROUGHLY = 5


class Source(NamedTuple):
    """A list: one entry a line, as `lines_of` reads them from a file."""

    name: str
    lines: Sequence[str]
    """Empty ones are passed over."""
    language: Language | None = None
    """None: by the letters of each word."""


class Part(NamedTuple):
    """One word of an entry."""

    word: str
    stem: bool
    exact: bool
    language: Language | None


class Entry(NamedTuple):
    list: str
    text: str
    parts: tuple[Part, ...]


Found: TypeAlias = tuple[Part, int, str]
"""What a word comes to: the part of an entry, the classes of its disguise, or-ed, and the form."""


class Hit(NamedTuple):
    """A part of an entry, found at a place of a text."""

    start: int
    end: int
    part: Part
    how: int
    form: str


class Listed:
    """The words of all lists, by their forms, their beginnings, their letters and their sound."""

    def __init__(self, sources: Iterable[Source]) -> None:
        """Raises ValueError, which names list and line, for an entry without a word."""
        self.entries = tuple(entry for source in sources for entry in _entries(source))
        parts: dict[str, set[Part]] = {}
        stems: dict[str, set[Part]] = {}
        for entry in self.entries:
            for part in entry.parts:
                for form in _forms(part):
                    (stems if part.stem else parts).setdefault(form, set()).add(part)
        # Sorted, so that what of several forms wins a key below is the same in every process.
        self.parts = {form: tuple(sorted(parts[form])) for form in sorted(parts)}
        self.stems = {form: tuple(sorted(stems[form])) for form in sorted(stems)}
        self.begins = tuple(self.stems)
        self.heads = frozenset(form[:end] for form in self.parts for end in range(1, len(form)))
        """Beginnings of the listed forms, as pieces of them."""
        self.trie = Trie(self.parts, self.stems)
        self.heard = {heard(form): form for form in self.parts if len(form) >= _LEAST_HEARD}
        self.roughly = {
            roughly(key): form for key, form in self.heard.items() if len(form) >= _LEAST_ROUGHLY
        }
        self.looks = {key: form for form in self.parts if (key := looks(form))}
        self.slips = Slips(
            self.parts, {part.word for entry in self.entries for part in entry.parts}
        )
        self._russian = _Skeletons(skeleton.in_russian, self.parts, self.stems, latin=False)
        self._english = _Skeletons(skeleton.in_english, self.parts, self.stems, latin=True)

    def may_sound(self, word: str, *, latin: bool) -> bool:
        """Whether a word of one alphabet may sound like a listed one of the other."""
        return (self._russian if latin else self._english).may_have(word)

    def named(self, form: str, how: int) -> Iterator[Found]:
        for part in (*self.parts.get(form, ()), *self.stems.get(form, ())):
            yield part, how, form

    def hits(self, spelled: Spelled) -> Iterator[Hit]:
        for part, how, form in self.named(spelled.form, spelled.how):
            yield Hit(spelled.start, spelled.end, part, how, form)


class _Skeletons:
    """Of the listed words of one language: whether a word of the other alphabet may sound so."""

    def __init__(
        self,
        of: Callable[[str], Iterable[bytes]],
        forms: Iterable[str],
        stems: Iterable[str],
        *,
        latin: bool,
    ) -> None:
        self._of = of
        self._forms = frozenset(
            each for form in forms if form.isascii() is latin for each in of(form)
        )
        self._stems = tuple(
            {each for stem in stems if stem.isascii() is latin for each in of(stem)}
        )

    def may_have(self, word: str) -> bool:
        # A loop: `any` over a generator costs more than what it asks.
        for each in self._of(word):  # noqa: SIM110
            if each in self._forms or each.startswith(self._stems):
                return True
        return False


def lines_of(text: str) -> list[str]:
    """The lines of a list's file; `#` begins a comment."""
    return [line.partition("#")[0].strip() for line in text.splitlines()]


def wrong(entry: str) -> str:
    """Why a line of a list can be no entry; empty where it can."""
    if "\0" in entry:
        return "NUL is no character of a text"
    if len(entry) > LONGEST_ENTRY:
        return f"an entry has {LONGEST_ENTRY} characters at most"
    if not read(entry).said:
        return f"{entry!r} has no word in it"
    return ""


def _entries(source: Source) -> Iterator[Entry]:
    for number, line in enumerate(source.lines, 1):
        text = line.strip()
        if not text:
            continue
        if why := wrong(text):
            raise ValueError(f"{source.name}:{number}: {why}")
        exact = text.startswith("=")
        reading = read(text)
        parts = tuple(
            Part(word.text, reading.folded[word.end : word.end + 1] == "*", exact, source.language)
            for word in reading.words
        )
        yield Entry(source.name, text, parts)


def _forms(part: Part) -> Iterable[str]:
    if part.stem or part.exact or len(part.word) < 3:
        return (part.word,)
    return forms(part.word, part.language)
