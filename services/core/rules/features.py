"""Features: the typed values that comparisons such as `text.upper >= 0.7` are about.

An engineer adds one by writing a pure function of a submission and entering it in TEXT below; the
loader, the editors' schema and `veche rules explain` know it from there. What is not read from the
comment itself comes with the facts, under the same names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple

from services.core.rules import links
from services.core.rules.facts import Submission, Value
from services.core.rules.reading import ascii_of

Kind = Literal["number", "text"]

_PAGE = bytes(range(256)).decode("cp1251", "replace")
_UPPER = bytes(n for n, character in enumerate(_PAGE) if character.isupper())
_LOWER = bytes(n for n, character in enumerate(_PAGE) if character.islower())
_LATIN = re.compile(rb"[a-z]")
_SCRIPTS_MEET = re.compile(r"[a-z](?=[\u0400-\u04ff])|[\u0400-\u04ff](?=[a-z])")


class Feature(NamedTuple):
    kind: Kind
    value: Callable[[Submission], Value]
    about: str


class Fact(NamedTuple):
    kind: Kind
    about: str
    argument: Literal["", "window", "name"] = ""
    may_miss: bool = True


def _length(comment: Submission) -> int:
    return len(comment.reading.folded.strip())


def _letters(comment: Submission) -> int:
    return sum(_cases(comment.reading.original))


def _upper(comment: Submission) -> float:
    upper, lower = _cases(comment.reading.original)
    return upper / (upper + lower) if upper else 0.0


@lru_cache(maxsize=2)
def _cases(text: str) -> tuple[int, int]:
    """Letters in upper and in lower case. Texts of one code page are counted as bytes."""
    paged = text.encode("cp1251", "ignore")
    if len(paged) < len(text):
        return sum(map(str.isupper, text)), sum(map(str.islower, text))
    size = len(paged)
    return size - len(paged.translate(None, _UPPER)), size - len(paged.translate(None, _LOWER))


def _digits(comment: Submission) -> float:
    text = comment.reading.original
    return sum(map(str.isdigit, text)) / seen if (seen := _visible(text)) else 0.0


def _non_letters(comment: Submission) -> float:
    text = comment.reading.original
    return 1 - sum(map(str.isalpha, text)) / seen if (seen := _visible(text)) else 0.0


def _visible(text: str) -> int:
    return len(text) - sum(map(str.isspace, text))


def _longest_run(comment: Submission) -> int:
    runs = (len(list(same)) for sign, same in groupby(comment.reading.folded) if sign.strip())
    return max(runs, default=0)


def _mixed_words(comment: Submission) -> int:
    """iPhone'ом is two words here; C-300 mixes nothing."""
    folded = comment.reading.folded
    if (
        folded.isascii()
        or _LATIN.search(ascii_of(folded)) is None
        or _SCRIPTS_MEET.search(folded) is None
    ):
        return 0
    return sum(_SCRIPTS_MEET.search(word) is not None for word in comment.reading.said.split(" "))


def _invisible(comment: Submission) -> int:
    if not comment.reading.odd:
        return 0
    return sum(map("\u200b\u200c\u2060\u00ad\ufeff\u3164\u2800".count, comment.reading.original))


# Letters that Russian does not have, by whose they are.
_OWN = {"uk": frozenset("іїєґ"), "be": frozenset("ў"), "kk": frozenset("әғқңөұүһ")}


def language(comment: Submission) -> str:
    """Counts scripts first: `ru`, `uk`, `be`, `kk`, `en` (any Latin), or empty for none of them."""
    counts = Counter(comment.reading.folded)
    cyrillic = sum(n for c, n in counts.items() if "\u0400" <= c <= "\u04ff")
    latin = sum(n for c, n in counts.items() if "a" <= c <= "z")
    if not cyrillic and not latin:
        return ""
    if latin > cyrillic:
        return "en"
    own = {name: sum(counts[c] for c in letters) for name, letters in _OWN.items()}
    name, most = max(own.items(), key=lambda item: item[1])
    return name if most * 50 >= cyrillic else "ru"


TEXT: dict[str, Feature] = {
    "text.length": Feature("number", _length, "code points of the folded text"),
    "text.words": Feature("number", lambda c: len(c.reading.said.split()), "words"),
    "text.lines": Feature("number", lambda c: c.reading.original.count("\n") + 1, "lines"),
    "text.letters": Feature("number", _letters, "letters that have a case"),
    "text.upper": Feature("number", _upper, "upper case among the letters that have a case, 0–1"),
    "text.digits": Feature("number", _digits, "digits among the signs that are no spaces, 0–1"),
    "text.non_letters": Feature(
        "number", _non_letters, "what is no letter among the signs that are no spaces, 0–1"
    ),
    "text.longest_run": Feature("number", _longest_run, "the longest run of one sign"),
    "text.mixed_words": Feature("number", _mixed_words, "words that mix Cyrillic and Latin"),
    "text.invisible": Feature("number", _invisible, "invisible signs"),
    "text.links": Feature("number", lambda c: len(links.links_of(c.reading)), "links"),
    "text.language": Feature("text", language, "ru, uk, be, kk, en (any Latin) or empty"),
    "comment.revision": Feature("number", lambda c: c.revision, "1 where it is not an edit"),
    "discussion.site": Feature("text", lambda c: c.site, "the site"),
    "discussion.section": Feature("text", lambda c: c.section, "the section"),
    "discussion.language": Feature("text", lambda c: c.language, "the discussion's language"),
}
"""Read from the comment itself; never unknown."""

FACTS: dict[str, Fact] = {
    "author.published": Fact("number", "comments that stand published on the site", "", False),
    "author.rejected": Fact("number", "comments that stand rejected on the site", "", False),
    "author.age_days": Fact("number", "days since the first comment on the site", "", False),
    "author.karma": Fact("number", "ratings of the author's newest comments, added up"),
    "discussion.comments": Fact("number", "comments that readers see there", "", False),
    "discussion.age_hours": Fact("number", "hours since the discussion was opened"),
    "count(author)": Fact("number", "the author's comments, this one too", "window", False),
    "count(author_here)": Fact("number", "those in this discussion", "window", False),
    "discussions(author)": Fact("number", "discussions the author wrote in", "window", False),
    "copies(author)": Fact("number", "other comments by the author, same text", "window", False),
    "copies(site)": Fact("number", "other comments on the site, same text", "window", False),
    "authors(copies)": Fact("number", "authors of the same text, this one too", "window", False),
    "near(author)": Fact("number", "the same by the author, nearly equal texts", "window", False),
    "near(site)": Fact("number", "the same by anybody", "window", False),
    "authors(near)": Fact("number", "authors of nearly equal texts", "window", False),
    "reports.count": Fact("number", "readers who report this revision", "", False),
    "reports.weight": Fact("number", "the same, each weighed by their record", "", False),
    "score": Fact("number", "what a classifier says, 0–1", "name"),
}
"""Gathered for the comment; `name(what, window)`. Those that may be unknown say so."""

SHARES = frozenset({"text.upper", "text.digits", "text.non_letters"})
"""Those that run from 0 to 1."""

LANGUAGES = ("ru", *_OWN, "en")
"""What `text.language` may be, beside empty."""

OF_STANDING = ("author.published", "author.rejected")

OF_DISCUSSIONS = ("discussion.comments", "discussion.age_hours")

OF_REPORTS = ("reports.count", "reports.weight")
"""Known where a report is judged, and nowhere else."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_WINDOW = timedelta(days=7)
