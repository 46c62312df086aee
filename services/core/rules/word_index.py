"""Listed words and phrases in a text, in all their forms and disguises: one index, many lists.

An entry is a word in its base form (`дурак`), a phrase (`shut up`), a stem (`идиот*`: every word
that begins so) or, with `=` before it, the word or phrase in exactly this form.

A word of one alphabet is looked up as it is; only where that finds nothing, and the word could
sound or look like a listed one, is it read otherwise. What mixes alphabets, digits and signs is
walked through the trie of all forms (see spelling.py). Nothing is glued together across a space
but single letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, product
from operator import add
from typing import NamedTuple

from services.core.rules import skeleton
from services.core.rules.inflect import Language, forms, known
from services.core.rules.lookalikes import (
    CYRILLIC,
    HOW,
    LOOKS,
    REPEATED,
    RESPELLED,
    SAME,
    SIGHT,
    SOUND,
    SOUNDS,
    SPACED,
    in_cyrillic,
    in_latin,
    spelled_in_latin,
)
from services.core.rules.reading import Reading, read
from services.core.rules.remembered import LONGEST, Remembered
from services.core.rules.respelling import heard
from services.core.rules.spelling import STOPS, Spelled, Steps, Trie, is_mask, masked, walk

_CACHED = 65_536
_REMEMBERED = 200_000
_LONGEST_WALKED = 160
# What a disguise needs is well below; they bound what a hostile text can cost.
_LEAST_HEARD = 4
_LEAST_GLUED = 5
_WORD_STEPS = 600
_ODD_STEPS = 1_500
_SPELLED_STEPS = 2_000
_LONG_RUN = re.compile(r"(.)\1{2,}")
_DOUBLED = re.compile(r"(.)\1")
_MARKS = r"""[-–—,.:;’'"“”„«»()]"""
_INNER = r"""[-–—,.:;’'"“”„«»]"""
_ROW = r"(?:[a-z]+|[а-я]+|[0-9]+)"
_PLAIN = rf"{_MARKS}*{_ROW}(?:{_INNER}+{_ROW})*(?:{_MARKS}|[?!…])*"
_ODD = re.compile(rf"(?<!\S)(?!{_PLAIN}(?!\S))(?=\S*[^\W_]|\S{{4}})\S+")
_STOP = "[" + re.escape("".join(sorted(STOPS))) + "]"
_STOP_IN_WORD = "[" + re.escape("".join(sorted(STOPS - set(" \t\r\n")))) + "]"
_ENDING = re.compile(r"(?:[ыиауе]|о[вм]|а(?:м|ми|х))$")
_LETTER = re.compile(r"[^\W_]")
_RUN_OF_LETTERS = re.compile(r"[^\W_]{2}")
_JOINED = re.compile(rf"(?<![^\W_])[^\W_]++(?:{_STOP_IN_WORD}{{1,3}}[^\W_]++)+")
_GLYPH = r"(?:[^\W_]|[@$!|(<€\U0001f1e6-\U0001f1ff])(?![^\W_])"
_SPELLED_OUT = re.compile(rf"(?<![^\W_]){_GLYPH}(?:{_STOP}{{1,4}}{_GLYPH}){{2,}}")
# What may be spelled out beyond its own token begins or ends it.
_ONE_AT_AN_EDGE = re.compile(rf"^{_STOP}*{_GLYPH}|(?<![^\W_]){_GLYPH}{_STOP}*$")
_TWO = rf"{_GLYPH}{_STOP}{{1,4}}{_GLYPH}"
_TWO_AT_AN_EDGE = re.compile(rf"^{_STOP}*{_TWO}|(?<![^\W_]){_TWO}{_STOP}*$")
_TOKEN = re.compile(r"\S+")
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*")
# Kinds of tokens: `k` may be an entry, `q` may be part of a phrase, `g` is a lone glyph and `h` one
# that may be part of a phrase, `-` only stops, `.` nothing; `G` wants a closer look.
_LONG = "G"
_WITH_HITS = frozenset("kqhG")
_MAY_MATCH = re.compile(r"[kG]|[gh]-*[gh]-*[gh]")
_MAY_BE_SPELLED_OUT = re.compile(r"G|[gh]-*[gh]-*[gh]")
_BEFORE, _AFTER = "-–—,.:;’'\"“”„«»()", "-–—,.:;’'\"“”„«»()?!…"
_SMALL = frozenset({
    "a", "an", "the", "and", "or", "but", "if", "of", "to", "in", "on", "at", "by", "for",
    "from", "with", "as", "is", "it", "he", "she", "we", "you", "my", "his", "her", "our",
    "your", "not", "no", "so", "me", "us", "him", "them", "this", "that",
})  # fmt: skip
"""English words that lemminflect has no lemma for."""
_LINK = re.compile(r"\W*(?:https?:|www\.)|.*[a-z0-9]@[a-z0-9.-]+\.[a-z]|.*[a-z0-9]\.[a-z]{2,6}/")
_HYPHENS = frozenset("-‐‑–")
_UNITS = re.compile(r"[\d.,]+[^\W\d_]{1,2}")


class Source(NamedTuple):
    """A list as written: one entry a line, `#` begins a comment."""

    name: str
    lines: Sequence[str]
    language: Language | None = None
    """None: by the letters of each word."""


class Match(NamedTuple):
    """`start` and `end` count code points of the folded text."""

    list: str
    entry: str
    start: int
    end: int
    how: tuple[str, ...]
    """plain or inflected; or the classes of the disguise, see `lookalikes.HOW`."""


class _Part(NamedTuple):
    """One word of an entry."""

    word: str
    stem: bool
    exact: bool
    language: Language | None


class _Entry(NamedTuple):
    list: str
    text: str
    parts: tuple[_Part, ...]


class _Hit(NamedTuple):
    start: int
    end: int
    part: _Part
    how: int
    form: str


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


class WordIndex:
    def __init__(self, sources: Iterable[Source]) -> None:
        """Raises ValueError, which names list and line, for an entry without a word."""
        self.entries = tuple(entry for source in sources for entry in _entries(source))
        self._starting: dict[_Part, list[_Entry]] = {}
        parts: dict[str, set[_Part]] = {}
        stems: dict[str, set[_Part]] = {}
        for entry in self.entries:
            self._starting.setdefault(entry.parts[0], []).append(entry)
            for part in entry.parts:
                for form in _forms(part):
                    (stems if part.stem else parts).setdefault(form, set()).add(part)
        self._parts = {form: tuple(sorted(found)) for form, found in parts.items()}
        self._stems = {form: tuple(sorted(found)) for form, found in stems.items()}
        self._begins = tuple(self._stems)
        self._trie = Trie(self._parts, self._stems)
        self._russian = _Skeletons(skeleton.in_russian, self._parts, self._stems, latin=False)
        self._english = _Skeletons(skeleton.in_english, self._parts, self._stems, latin=True)
        self._heard = {heard(form): form for form in self._parts if len(form) >= _LEAST_HEARD}
        self._telling = {max(e.parts, key=lambda part: len(part.word)) for e in self.entries}
        self._word = lru_cache(_CACHED)(self._look_up)
        self._token = lru_cache(_CACHED)(lambda token: tuple(self._read_token(token)))
        self._kinds = Remembered(self._kind, _REMEMBERED)

    def find(self, reading: Reading) -> list[Match]:
        """In the order of the text; one match for an entry at one place."""
        kinds = "".join(map(self._kinds.__getitem__, reading.tokens))
        glued = self._glued(reading)
        if not glued and _MAY_MATCH.search(kinds) is None:
            return []
        hits = [*self._hits(reading.folded, kinds), *glued]
        if not hits:
            return []
        hits.sort()
        there = {hit.part for hit in hits}
        found: dict[tuple[str, str, int, int], Match] = {}
        for hit in hits:
            for entry in self._starting.get(hit.part, ()):
                if not there.issuperset(entry.parts):
                    continue
                whole = _whole(entry, hit, hits, reading.folded)
                if whole is not None:
                    key = (entry.list, entry.text, whole.start, whole.end)
                    found.setdefault(key, whole)
        return _widest(found.values())

    def _glued(self, reading: Reading) -> list[_Hit]:
        """`ду рак`: a listed word in two or three pieces, with one space between them."""
        said = reading.said.split(" ")
        pairs = list(map(add, said, islice(said, 1, None)))
        triples = list(map(add, pairs, islice(said, 2, None)))
        listed = self._parts.keys()
        if listed.isdisjoint(pairs) and listed.isdisjoint(triples):
            return []
        cut = {tuple(said[n : n + 2]) for n, form in enumerate(pairs) if form in listed}
        cut |= {tuple(said[n : n + 3]) for n, form in enumerate(triples) if form in listed}
        found: list[_Hit] = []
        for pieces in cut:
            form = "".join(pieces)
            if len(form) >= _LEAST_GLUED and any(map(_no_word, pieces)):
                for start, end in _places(reading.folded, pieces):
                    found += [_Hit(start, end, part, SPACED, form) for part in self._parts[form]]
        return found

    def _hits(self, text: str, kinds: str) -> Iterator[_Hit]:
        for token, kind in zip(_TOKEN.finditer(text), kinds, strict=True):
            if kind in _WITH_HITS:
                start = token.start()
                for hit in self._in_token(token[0]):
                    yield hit._replace(start=start + hit.start, end=start + hit.end)
        if _MAY_BE_SPELLED_OUT.search(kinds) is not None:
            for spelled in _SPELLED_OUT.finditer(text):
                yield from self._read_spelled_out(spelled[0], spelled.start())

    def _kind(self, token: str) -> str:
        """One sign for what a token may come to, so that most texts are done with at once."""
        if len(token) > _LONGEST_WALKED:
            return _LONG
        word = token.rstrip(_AFTER).lstrip(_BEFORE)
        plain = len(word) > 1 and word.isalpha() and _one_alphabet(word)
        if plain:
            # Most tokens: one word of one alphabet, with nothing to be read into it.
            found: Iterable[_Part] = [part for part, _, _ in self._word(word)]
        else:
            found = [hit.part for hit in self._in_token(token)]
        telling = found and not self._telling.isdisjoint(found)
        if not plain or "!" in token or "(" in token:
            if _SPELLED_OUT.search(token) is not None or _TWO_AT_AN_EDGE.search(token) is not None:
                return _LONG
            if _ONE_AT_AN_EDGE.search(token) is not None:
                return _LONG if telling else "h" if found else "g"
        if found:
            return "k" if telling else "q"
        return "-" if STOPS.issuperset(token) else "."

    def _in_token(self, token: str) -> tuple[_Hit, ...]:
        if len(token) > LONGEST:
            return tuple(self._read_token(token))
        return self._token(token)

    def _read_token(self, token: str) -> Iterator[_Hit]:
        """What stands between white space: its words, and what it may be as a whole."""
        said = {word for word in _WORD.findall(token) if len(word) <= _LONGEST_WALKED}
        listed = {word: found for word in said if (found := self._drawn_out(word))}
        if listed:
            for word in _WORD.finditer(token):
                for part, how, form in listed.get(word[0], ()):
                    yield _Hit(word.start(), word.end(), part, how, form)
        if len(token) <= _LONGEST_WALKED and _ODD.match(token) is not None:
            yield from self._read_odd(token)
        for joined in _JOINED.finditer(token):
            yield from self._read_joined(joined[0], joined.start())
        if not token.isalnum() and len(token) <= _LONGEST_WALKED:
            yield from self._read_parted(token)

    def _read_parted(self, token: str) -> Iterator[_Hit]:
        """`[д][у][р]`: single letters with any signs between them."""
        letters = _LETTER.findall(token)
        if not 4 <= len(letters) <= LONGEST or _RUN_OF_LETTERS.search(token):
            return
        start = token.index(letters[0])
        end = token.rindex(letters[-1]) + 1
        for part, how, form in self._word("".join(letters)):
            if not part.stem:
                yield _Hit(start, end, part, how | SPACED, form)

    def _drawn_out(self, word: str) -> tuple[tuple[_Part, int, str], ...]:
        """Looks a word up; one too long for a word, with its long runs shortened."""
        if len(word) <= LONGEST:
            return self._word(word)
        short = _LONG_RUN.sub(r"\1\1", word)
        if short == word or len(short) > LONGEST:
            return ()
        return tuple((part, how | REPEATED, form) for part, how, form in self._word(short))

    def _look_up(self, word: str) -> tuple[tuple[_Part, int, str], ...]:
        """What a word of one alphabet is, or else what it sounds or looks like."""
        found: list[tuple[_Part, int, str]] = [
            (part, 0, word) for part in self._parts.get(word, ())
        ]
        if word.startswith(self._begins):
            for stem in self._begins:
                if word.startswith(stem):
                    found += [(part, 0, word) for part in self._stems[stem]]
        if found or len(word) < 3:
            return tuple(found)
        latin = word.isascii() and word.isalpha()
        if not latin and word.strip(CYRILLIC):
            return ()
        size = len(word)
        if _DOUBLED.search(word):
            for spelled in walk(
                word, 0, self._trie, SAME, lambda at: at == size, Steps(_WORD_STEPS), stops=False
            ):
                if spelled.how & REPEATED and not _ordinary(word, spelled.form):
                    found += self._named(spelled.form, spelled.how)
        other = in_cyrillic(word) if latin else in_latin(word)
        if not found and other in self._parts and not known(word):
            found += self._named(other, LOOKS)
        if not found and self._may_sound(word, latin=latin):
            for spelled in walk(
                word, 0, self._trie, SOUND, lambda at: at == size, Steps(_WORD_STEPS), stops=False
            ):
                if latin or len(spelled.form) >= 4:
                    found += self._named(spelled.form, spelled.how)
            if found and known(word):
                # A word of its own language: only where both are spoken alike, as `спам`.
                found = [hit for hit in found if _spoken_alike(word, hit[2], latin=latin)]
        if not found and not latin:
            # An English word with a Russian ending: `лузеры`.
            ending = _ENDING.search(word, 4)
            if ending is not None and self._may_sound(word[: ending.start()], latin=False):
                base = self._look_up(word[: ending.start()])
                found += [hit for hit in base if hit[1] & SOUNDS and hit[2].isascii()]
        if not found and size >= 3:
            form = self._heard.get(heard(word))
            if form is not None and form.isascii() is latin and not known(word):
                found += self._named(form, RESPELLED)
        return tuple(dict.fromkeys(found))

    def _may_sound(self, word: str, *, latin: bool) -> bool:
        return (self._russian if latin else self._english).may_have(word)

    def _named(self, form: str, how: int) -> Iterator[tuple[_Part, int, str]]:
        for part in (*self._parts.get(form, ()), *self._stems.get(form, ())):
            yield part, how, form

    def _read_odd(self, text: str) -> list[_Hit]:
        """What stands between white space and is not plain words: letters, digits and signs."""
        if _LINK.match(text):
            return []
        size = len(text)

        def boundary(at: int) -> bool:
            return at in (0, size) or not (text[at - 1].isalnum() and text[at].isalnum())

        found: list[_Hit] = []
        steps = Steps(_ODD_STEPS)
        for start in range(size):
            if steps.left > 0 and text[start] in SIGHT and boundary(start):
                for spelled in walk(text, start, self._trie, SIGHT, boundary, steps, stops=True):
                    if _fair(text, spelled):
                        found += self._hit(spelled)
        if not found:
            for start, end, seen in _masked_rows(text):
                fits = masked(text[start:end], self._trie)
                if fits is not None and not (seen and known(seen)):
                    found += self._hit(fits._replace(start=start, end=end))
        return found

    def _read_joined(self, text: str, offset: int) -> Iterator[_Hit]:
        """`ка-зино`: one word in pieces, where the pieces are none."""
        word = "".join([character for character in text if character.isalnum()])
        if 4 <= len(word) <= LONGEST and not _LINK.match(text):
            for part, how, form in self._word(word):
                spelled = Spelled(0, len(text), form, how | SPACED)
                if not part.stem and _in_pieces(text):
                    yield _Hit(offset, offset + len(text), part, spelled.how, form)

    def _read_spelled_out(self, text: str, offset: int) -> Iterator[_Hit]:
        """`с п а м`: single letters with the like of spaces between them."""
        glyphs = [at for at, character in enumerate(text) if character not in STOPS]
        if 4 <= len(glyphs) <= LONGEST:
            for part, how, form in self._word("".join([text[at] for at in glyphs])):
                if not part.stem and len(form) >= 4:
                    yield _Hit(offset, offset + len(text), part, how | SPACED, form)
        ends = {at + 1 for at in glyphs}
        steps = Steps(_SPELLED_STEPS)
        for start in glyphs:
            if steps.left <= 0:
                break
            if start and text[start - 1] not in STOPS:
                continue
            for spelled in walk(
                text, start, self._trie, SIGHT, ends.__contains__, steps, stops=True
            ):
                whole = spelled.end - spelled.start == len(text)
                if len(spelled.form) >= 4 or (whole and not spelled.how & ~(SPACED | SOUNDS)):
                    for hit in self._hit(spelled):
                        yield hit._replace(
                            start=offset + hit.start, end=offset + hit.end, how=hit.how | SPACED
                        )

    def _hit(self, spelled: Spelled) -> Iterator[_Hit]:
        for part, how, form in self._named(spelled.form, spelled.how):
            yield _Hit(spelled.start, spelled.end, part, how, form)


def _entries(source: Source) -> Iterator[_Entry]:
    for number, line in enumerate(source.lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        exact = text.startswith("=")
        reading = read(text)
        parts = tuple(
            _Part(word.text, reading.folded[word.end : word.end + 1] == "*", exact, source.language)
            for word in reading.words
        )
        if not parts:
            raise ValueError(f"{source.name}:{number}: {text!r} has no word in it")
        yield _Entry(source.name, text, parts)


def _forms(part: _Part) -> Iterable[str]:
    if part.stem or part.exact or len(part.word) < 3:
        return (part.word,)
    return forms(part.word, part.language)


def _no_word(piece: str) -> bool:
    return len(piece) > 1 and piece not in _SMALL and not known(piece)


def _places(text: str, pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the pieces stand with one space, or one new line, between them."""
    for space in " \n":
        written = space.join(pieces)
        start = text.find(written)
        while start >= 0:
            end = start + len(written)
            if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum():
                yield start, end
            start = text.find(written, end)


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
    return any(known(other) for choice in product(*choices) if (other := "".join(choice)) != form)


def _spoken_alike(word: str, form: str, *, latin: bool) -> bool:
    """`лузер` and `loser`, `фак` and its model; not `лазер`."""
    if latin:
        return len(word) >= 5 and heard(word) == heard(spelled_in_latin(form))
    said, listed = heard(spelled_in_latin(word)), heard(form)
    if said == listed.replace(b"u", b"a") != listed:
        return True
    return len(word) >= 4 and said.replace(b"o", b"u") == listed.replace(b"o", b"u")


def _fair(text: str, spelled: Spelled) -> bool:
    """Whether what was read otherwise is likely to be meant so."""
    written = text[spelled.start : spelled.end]
    if not spelled.how or (written.isalpha() and _one_alphabet(written)):
        return False
    if not any(character.isalpha() for character in written):
        signs = sum(not character.isalnum() for character in written)
        return len(spelled.form) >= 4 and signs >= 2
    if _UNITS.fullmatch(written) or (written[0] in "([{<" and known(written[1:])):
        return False
    if len(spelled.form) <= 3 and sum(not character.isalpha() for character in written) > 1:
        return False
    if spelled.how & SPACED:
        return _in_pieces(written)
    # A short word of another language with Cyrillic letters of its own.
    return len(spelled.form) > 3 or not all("\u0400" <= letter <= "\u04ff" for letter in written)


def _in_pieces(written: str) -> bool:
    pieces = re.split(f"{_STOP}+", written)
    if all(len(piece) <= 1 for piece in pieces):
        return True
    # A stop that has no place between words, or pieces that are no words.
    if any(character in "_~*|•·^+=" for character in written):
        return True
    shortest = 3 if set(written) & STOPS <= _HYPHENS else 2
    whole = [piece for piece in pieces if len(piece) >= shortest and piece.isalpha()]
    return sum(map(len, pieces)) >= 5 and not (len(whole) == len(pieces) and all(map(known, whole)))


def _one_alphabet(written: str) -> bool:
    return written.isascii() or not written.strip(CYRILLIC)


def _masked_rows(text: str) -> Iterator[tuple[int, int, str]]:
    """Rows of letters, digits and masks that may be one masked word; and where only its first or
    last letter is masked, what is seen, which must be no word itself."""
    at, size = 0, len(text)
    while at < size:
        end = at
        while end < size and (text[end].isalnum() or is_mask(text[end])):
            end += 1
        start = at
        at = max(end, at + 1)
        while start < end and is_mask(text[start]):
            start += 1
        stop = end
        while stop > start and is_mask(text[stop - 1]):
            stop -= 1
        inner = text[start:stop]
        if not 2 <= len(inner) <= LONGEST:
            continue
        if any(map(is_mask, inner)):
            yield start, stop, ""
            # Its first or last letter may be masked too; else the signs are emphasis.
            if start and is_mask(text[start - 1]):
                yield start - 1, stop, ""
            if stop < end:
                yield start, stop + 1, ""
        elif len(inner) >= 4 and inner.isalpha():
            if stop < end:
                yield start, end, inner
            elif at - len(inner) < start and start:
                yield start - 1, stop, inner


def _whole(entry: _Entry, first: _Hit, hits: list[_Hit], text: str) -> Match | None:
    """The entry's match that begins with this hit: the other words of a phrase must follow."""
    end, how, plain = first.end, first.how, first.form == first.part.word
    for part in entry.parts[1:]:
        following = [
            hit
            for hit in hits
            if hit.part == part
            and hit.start >= end
            and not any(map(str.isalnum, text[end : hit.start]))
        ]
        if not following:
            return None
        end, how = following[0].end, how | following[0].how
        plain = plain and following[0].form == part.word
    named = tuple(name for bit, name in HOW.items() if how & bit)
    return Match(
        entry.list, entry.text, first.start, end, named or ("plain" if plain else "inflected",)
    )


def _widest(matches: Iterable[Match]) -> list[Match]:
    """Drops what another match of the same entry covers."""
    kept: list[Match] = []
    reached: dict[tuple[str, str], int] = {}
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        if match.end > reached.get((match.list, match.entry), -1):
            reached[match.list, match.entry] = match.end
            kept.append(match)
    return kept
