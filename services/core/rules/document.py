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
        name = ".".join(str(part) for part in parts)
        said = f"{text}{f' ({name})' if name else ''}"
        if chosen := _CHOSEN.fullmatch(text):
            said += nearest(chosen[1], _CHOICES[[part for part in parts if part in _CHOICES][-1]])
        raise document.at((*path, *parts), said) from None


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
