"""Rules as they stand in their files: read strictly, each with the way back to file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import msgspec
from msgspec import Struct

from services.core.errors import BadRuleset
from services.core.rules.rule import (
    Action,
    Case,
    Condition,
    Event,
    Limits,
    Links,
    OnMissing,
    Rule,
    Scope,
    Status,
    Tests,
    Texts,
    Then,
)
from services.core.rules.strict_yaml import Document, Path, documents

_PATH_PART = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_CHOSEN = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_KINDS = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`")
_BOUNDS = re.compile(r"Expected `(?:int|float|(str))`(?: of length)? (>=|<=) (.+)")
_SHAPED = re.compile(r"Expected `str` matching regex")
_KIND = {
    "array": "a list, such as [a, b]",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping, such as {key: value}",
    "str": "a text",
}
_SHAPES: dict[str | int, str] = {
    "id": "small Latin letters, digits and _, 64 at most, a letter first",
    "lists": "words/NAME.txt or lists/NAME.txt",
    "domain_lists": "words/NAME.txt or lists/NAME.txt",
    "labels": "small Latin letters, digits, _ and -, 64 at most, a letter first",
    "notify": "small Latin letters, digits, _ and -, 64 at most, a letter first",
    "limit": "a time such as 30s, 10m, 2h or 1d",
    "expires": "a day such as 2026-12-31",
}
"""What a text under a key looks like."""
_CHOICES: dict[str | int, list[str]] = {
    "then": list(get_args(Action)),
    "action": list(get_args(Action)),
    "status": list(get_args(Status)),
    "event": list(get_args(Event)),
    "on_missing": list(get_args(OnMissing)),
}
"""The words that may stand under a key."""
_KNOWN: dict[str, type[Struct]] = {
    "title": Texts,
    "reason": Texts,
    "scope": Scope,
    "then": Then,
    "limits": Limits,
    "tests": Tests,
    "links": Links,
    "must_match": Case,
    "must_not_match": Case,
    "evasions": Case,
}
"""The mapping that may stand under a key; under those of `when`, a condition."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A rule, and where it stands."""

    document: Document
    path: Path
    value: dict[str, Any]
    rule: Rule

    def at(self, path: Path, message: str) -> BadRuleset:
        return self.document.at((*self.path, *path), message)

    def at_key(self, path: Path, message: str) -> BadRuleset:
        return self.document.at_key((*self.path, *path), message)

    @property
    def file(self) -> str:
        return self.document.file


def stated_rules(texts: Mapping[str, str]) -> Iterator[Stated]:
    """The rules of all `*.yml`, in the order of names and lines. Raises BadRuleset."""
    for file in sorted(name for name in texts if name.endswith((".yml", ".yaml"))):
        for document in documents(file, texts[file]):
            for path, value in rules_in(document):
                yield Stated(document, path, value, _rule(document, path, value))


def rules_in(document: Document) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A document is one rule, or a list of them."""
    value = document.value
    listed = enumerate(value) if isinstance(value, list) else [(None, value)]
    for n, rule in listed:
        path: Path = () if n is None else (n,)
        if not isinstance(rule, dict):
            raise document.at(path, "a rule is a mapping with id, title, reason, when and then")
        yield path, rule


def _rule(document: Document, path: Path, value: dict[str, Any]) -> Rule:
    _only_known(document, path, value, Rule)
    try:
        return msgspec.convert(value, Rule, strict=True)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `")
        parts: Path = tuple(
            int(index) if index.isdigit() else name or index
            for index, name in _PATH_PART.findall(where.rstrip("`"))
        )
        raise document.at((*path, *parts), _said(text, parts)) from None


def _said(text: str, parts: Path) -> str:
    """msgspec's sentence in the words of those who write rules."""
    name = ".".join(str(part) for part in parts)
    if chosen := _CHOSEN.fullmatch(text):
        known = _CHOICES[[part for part in parts if part in _CHOICES][-1]]
        return f"{name} cannot be {chosen[1]!r}{nearest(chosen[1], known)}"
    if missing := _MISSING.fullmatch(text):
        return f"`{missing[1]}` is missing" + (f" in {name}" if name else "")
    if kinds := _KINDS.fullmatch(text):
        wanted = " or ".join(_KIND.get(kind, kind) for kind in kinds[1].split(" | "))
        return f"{name} must be {wanted}, not {_KIND.get(kinds[2], kinds[2]).partition(',')[0]}"
    if bounds := _BOUNDS.fullmatch(text):
        end = "at least" if bounds[2] == ">=" else "at most"
        if not bounds[1]:
            return f"{name} must be {bounds[3]} {end}"
        return f"{name} must have {bounds[3]} character{'s' * (bounds[3] != '1')} {end}"
    if _SHAPED.match(text):
        shape = next(_SHAPES[part] for part in reversed(parts) if part in _SHAPES)
        return f"{name} must be {shape}"
    return f"{text} ({name})"


def _only_known(document: Document, path: Path, value: Any, kind: type[Struct]) -> None:
    if isinstance(value, list):
        for n, item in enumerate(value):
            _only_known(document, (*path, n), item, kind)
    elif isinstance(value, dict):
        known = list(kind.__struct_encode_fields__)
        for key, below in value.items():
            if key not in known:
                raise document.at_key(
                    (*path, key), f"{key!r} is not known here{nearest(key, known)}"
                )
            if kind is Case and key == "facts":
                continue
            _only_known(document, (*path, key), below, _KNOWN.get(key, Condition))


def nearest(name: object, known: list[str]) -> str:
    close = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
