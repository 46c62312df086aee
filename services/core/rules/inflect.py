"""Words in all their forms, when a list is compiled: Russian by pymorphy3, English by lemminflect.

Both carry their dictionaries with them, so equal words give equal forms wherever they run.
Everything here is folded: lower case, `ё` as `е`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pymorphy3 import MorphAnalyzer
    from pymorphy3.tagset import OpencorporaTag

Language = Literal["ru", "en"]

_DECLINED = frozenset({"NOUN", "ADJF", "PRTF", "NPRO"})
_UNLISTED = frozenset({
    "a", "an", "the", "and", "or", "nor", "but", "if", "of", "to", "in", "on", "at", "by", "for",
    "from", "with", "as", "is", "it", "he", "she", "we", "you", "my", "his", "her", "our", "your",
    "not", "no", "so", "me", "us", "him", "them", "this", "that", "than", "cannot", "because",
    "although", "until", "unless", "against", "among", "amongst", "amid", "beneath", "beside",
    "during", "into", "onto", "toward", "upon", "every", "three", "four", "five", "six", "seven",
    "eight", "nine", "ten", "ok", "hi", "hey", "oh", "per", "versus", "lest", "whereas", "albeit",
    "shiite", "niger", "nigeria",
})  # fmt: skip
"""English words that lemminflect has no lemma for."""
_FLEETING = re.compile(r"(?<=[бвгджзклмнпрстфхцчшщ])[ое](?=[кц]$)")
_NOUN_ENDINGS = ("а", "у", "ом", "ем", "е", "и", "ы", "ов", "ев", "ам", "ами", "ах")
_FEMININE_ENDINGS = ("", "ы", "и", "е", "у", "ой", "ам", "ами", "ах")
_CONSONANTS = frozenset("бвгджзклмнпрстфхцчшщ")
_LEAST_DECLINED = 4
_ADJECTIVE_ENDINGS = (
    "ый", "ая", "ое", "ые", "ого", "ой", "ому", "ую", "ым", "ом", "ых", "ыми", "", "а", "о", "ы"
)  # fmt: skip
_VERB_ENDINGS = ("ит", "ишь", "им", "ите", "ят", "и", "я", "ет", "ешь", "ем", "ете", "ут", "у")


def language_of(word: str) -> Language:
    """By its letters: a list may mix both."""
    return "ru" if any("а" <= letter <= "ё" for letter in word.casefold()) else "en"


@lru_cache(maxsize=32_768)
def forms(word: str, language: Language | None = None) -> frozenset[str]:
    """The folded word and its inflected forms.

    A base form (`дурак`, `тупой`, `cheat`) gives all of them, and so does an inflected Russian noun
    or adjective; an inflected Russian verb (`заткнись`) those of its mood and tense.
    """
    word = _folded(word)
    made = _russian(word) if (language or language_of(word)) == "ru" else _english(word)
    return frozenset({word, *made})


@lru_cache(maxsize=65_536)
def known(word: str) -> bool:
    """Whether the folded word, as it is, stands in the dictionary of its alphabet's language."""
    if word in _UNLISTED:
        return True
    if language_of(word) == "ru":
        return bool(_morphology().word_is_known(word))
    return bool(_lemmas(word))


def is_base(word: str) -> bool:
    """Whether the folded Russian word is the base form of a word in the dictionary."""
    return any(
        parse.is_known and _folded(parse.normal_form) == word for parse in _morphology().parse(word)
    )


def _russian(word: str) -> Iterable[str]:
    parses = _morphology().parse(word)
    # A paradigm that is only guessed holds for a word that no dictionary knows.
    sure = [parse for parse in parses if parse.is_known] or parses[:1]
    base = [parse for parse in sure if _folded(parse.normal_form) == word]
    if base:
        # Of a noun that is a verb too (`сволочь`), what it mostly is.
        noun = base[0].tag.POS in _DECLINED
        alike = [parse for parse in base if not (noun and parse.tag.POS == "INFN")]
        made = {_folded(form.word) for parse in alike for form in parse.lexeme}
        made |= {
            _folded(form.word).replace("нн", "н", 1)
            for parse in alike
            for form in parse.lexeme
            if form.tag.POS == "PRTF"
        }
        return made if base[0].is_known else made | _otherwise(word, base[0].tag) | _declined(word)
    made = {
        _folded(form.word)
        for parse in sure[:1]
        for form in parse.lexeme
        if parse.tag.POS in _DECLINED or _use(form.tag) == _use(parse.tag)
    }
    return made if sure[0].is_known else made | _declined(word)


def _otherwise(word: str, tag: OpencorporaTag) -> set[str]:
    """What a guess for a word in no dictionary may lack: `-к-` of `-ок`, `-ят` of `-еть`."""
    fleeting = _FLEETING.search(word)
    if tag.POS == "NOUN" and fleeting is not None:
        stem = word[: fleeting.start()] + word[fleeting.end() :]
        return {stem + ending for ending in _NOUN_ENDINGS}
    if tag.POS == "INFN" and word.endswith(("еть", "ать")):
        passive = {word[:-2] + "н" + ending for ending in _ADJECTIVE_ENDINGS}
        return passive | {word[:-3] + ending for ending in _VERB_ENDINGS}
    return set()


def _declined(word: str) -> set[str]:
    """Forms as of a noun: a guess takes `долбоёб` for a verb, and `колорад` for one of many."""
    if len(word) < _LEAST_DECLINED:
        return set()
    if word[-1] in _CONSONANTS:
        made = {word + ending for ending in _NOUN_ENDINGS}
    elif word[-1] == "а":
        made = {word[:-1] + ending for ending in _FEMININE_ENDINGS}
    else:
        return set()
    # Not `known`: to guess at a word takes a hundred times as long as to look it up.
    return {form for form in made if not _morphology().word_is_known(form)}


def _use(tag: OpencorporaTag) -> tuple[object, ...]:
    return (tag.POS, tag.mood, tag.tense)


def _english(word: str) -> Iterable[str]:
    import lemminflect

    if not word.isascii() or not word.isalpha():
        return ()
    lemmas = _lemmas(word)
    if lemmas and word not in lemmas:
        return ()
    found = dict(lemminflect.getAllInflections(word))
    made = {form for forms_ in found.values() for form in forms_}
    # The dictionary misses some plurals (`casinos`), and new words have no entry at all.
    if "NN" in found or not found:
        nouns = lemminflect.getAllInflectionsOOV(word, "NOUN")
        made |= {form for forms_ in nouns.values() for form in forms_}
    if not found:
        # Rude words have none: they may as well be verbs.
        verbs = lemminflect.getAllInflectionsOOV(word, "VERB")
        made |= {form for forms_ in verbs.values() for form in forms_}
    return {_folded(form) for form in made}


@lru_cache(maxsize=65_536)
def _lemmas(word: str) -> frozenset[str]:
    import lemminflect

    return frozenset(
        lemma for lemmas in lemminflect.getAllLemmas(word).values() for lemma in lemmas
    )


@cache
def _morphology() -> MorphAnalyzer:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


def _folded(word: str) -> str:
    return word.casefold().replace("ё", "е")
