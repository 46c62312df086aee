"""Comparisons: `text.upper >= 0.7`, `count(author, 10m) > 5`, `text.language in ru, uk`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from services.core.errors import BadRuleset
from services.core.rules.facts import Query, Value
from services.core.rules.features import FACTS, LANGUAGES, LONGEST_WINDOW, SHARES, TEXT, UNITS

_FORM = re.compile(
    r"\s*(?P<name>[a-z_][a-z_.]*)\s*(?:\(\s*(?P<inside>[^()]*)\))?"
    r"\s*(?P<sign>>=|<=|==|!=|>|<|\bin\b)\s*(?P<bound>.+?)\s*"
)
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DURATION = re.compile(r"([1-9]\d{0,4})([smhd])")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Comparison:
    key: str
    """The feature as it is named everywhere: `count(author, 10m)`."""
    sign: str
    bound: Value | tuple[str, ...]
    may_miss: bool
    query: Query | None = None
    score: str = ""
    """The classifier that is asked."""

    @property
    def text(self) -> str:
        bound = ", ".join(self.bound) if isinstance(self.bound, tuple) else str(self.bound)
        return f"{self.key} {self.sign} {bound}"

    def test(self) -> Holds:
        """Whether a value holds."""
        bound: Any = self.bound
        match self.sign:
            case "in":
                return lambda value: value in bound
            case ">":
                return lambda value: value > bound
            case ">=":
                return lambda value: value >= bound
            case "<":
                return lambda value: value < bound
            case "<=":
                return lambda value: value <= bound
            case "!=":
                return lambda value: value != bound
        return lambda value: value == bound


def parse(text: str) -> Comparison:
    """Raises BadRuleset: what is wrong, and the nearest name."""
    form = _FORM.fullmatch(text)
    if form is None and "(" in text and ")" not in text:
        raise BadRuleset(f"{text!r} ends too early: within [ ] or {{ }}, put a comma in quotes")
    if form is None:
        raise BadRuleset(
            f"{text!r} is no comparison; write one such as `author.published < 3` "
            "or `count(author, 10m) > 5`"
        )
    name, inside, sign, bound = form["name"], form["inside"], form["sign"], form["bound"]
    key, query, score = _subject(name, inside)
    fact = FACTS.get(name if name == "score" else key) or FACTS.get(_bare(name, inside))
    feature = TEXT.get(key)
    kind = feature.kind if feature else fact.kind if fact else "number"
    return Comparison(
        key, sign, _bound(key, kind, sign, bound),
        may_miss=fact.may_miss if fact else False, query=query, score=score,
    )  # fmt: skip


def subject(key: str) -> tuple[str, str]:
    """(canonical name, kind) of a feature as a test's facts name it. Raises BadRuleset."""
    form = re.fullmatch(r"\s*([a-z_][a-z_.]*)\s*(?:\(([^()]*)\))?\s*", key)
    if form is None:
        raise BadRuleset(f"{key!r} is no feature's name")
    canonical, _, _ = _subject(form[1], form[2])
    if canonical in TEXT:
        raise BadRuleset(f"{canonical} is read from the comment; it cannot be stated")
    return canonical, "number"


def _subject(name: str, inside: str | None) -> tuple[str, Query | None, str]:
    if inside is None and name != "score":
        if name in TEXT or (name in FACTS and not FACTS[name].argument):
            return name, None, ""
        raise _unknown(name)
    if name == "score":
        scored = (inside or "").strip()
        if not _NAME.fullmatch(scored):
            raise BadRuleset("score takes a classifier's name, such as score(toxicity)")
        return f"score({scored})", None, scored
    over, _, window = (part.strip() for part in (inside or "").partition(","))
    if f"{name}({over})" not in FACTS:
        raise _unknown(f"{name}({over})")
    duration = _DURATION.fullmatch(window)
    if duration is None:
        raise BadRuleset(f"{name}({over}, …) takes a window such as 10m, 2h or 1d, not {window!r}")
    length = timedelta(seconds=int(duration[1]) * UNITS[duration[2]])
    if length > LONGEST_WINDOW:
        raise BadRuleset(f"the window {window} is longer than {LONGEST_WINDOW.days}d")
    query = Query(name, over, length, f"{name}({over}, {window})")
    return query.key, query, ""


def _bare(name: str, inside: str | None) -> str:
    return f"{name}({(inside or '').partition(',')[0].strip()})"


def _bound(key: str, kind: str, sign: str, bound: str) -> Value | tuple[str, ...]:
    if kind == "text":
        if sign not in ("==", "!=", "in"):
            raise BadRuleset(f"{key} is a text: compare it by ==, != or in, not {sign}")
        stated = [word.strip() for word in bound.strip("[]").split(",")]
        if "" in stated:
            raise BadRuleset(
                f"{key} {sign} {bound}: a text is missing before or after a comma; "
                'an empty one is written ""'
            )
        words = tuple(word.strip("\"'") for word in stated)
        if key == "text.language" and (never := [w for w in words if w not in ("", *LANGUAGES)]):
            known = ", ".join(LANGUAGES)
            raise BadRuleset(f"{key} is never {never[0]!r}; known: {known} (any Latin), or empty")
        if sign == "in":
            return words
        if len(words) > 1:
            several = f"{key} in {', '.join(stated)}"
            meant = f"`{several}`" if sign == "==" else f"`not: {several}`"
            raise BadRuleset(f"{key} {sign} takes one text: for several write {meant}")
        return words[0]
    share = bound.removesuffix("%").strip()
    if sign == "in" or not _NUMBER.fullmatch(share):
        raise BadRuleset(f"{key} is a number: compare it with one, not with {bound!r}")
    number = float(share) / (100 if bound.endswith("%") else 1)
    if (key in SHARES or key.startswith("score(")) and not 0 <= number <= 1:
        raise BadRuleset(f"{key} runs from 0 to 1, or to 100 %: {bound} is never reached")
    return int(number) if number.is_integer() else number


def _unknown(name: str) -> BadRuleset:
    known = [*TEXT, *FACTS]
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    nearest = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return BadRuleset(f"there is no feature {name!r}; {nearest}")
