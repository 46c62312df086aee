"""The ruleset, a value: rules in order, compiled, and the hash that names them.

Loaded from texts (the process's `__main__` reads the files). A mistake is a BadRuleset that names
the file, the line and the nearest valid name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import msgspec

from services.core.errors import BadRuleset
from services.core.rules import behaviour, links, shape, words
from services.core.rules.facts import Windows
from services.core.rules.rule import Check, Lists, Rule, Texts
from services.core.rules.strict_yaml import Document, Path

FAMILIES: dict[str, type[Rule]] = {
    "words": words.Words,
    "links": links.Links,
    "repeats": behaviour.Repeats,
    "floods": behaviour.Floods,
    "new_authors": behaviour.NewAuthors,
    "shouting": shape.Shouting,
    "length": shape.Length,
}
RESERVED = frozenset({"policy", "rule_error", "report", "rejected_before"})
"""Names that findings and reasons of the machinery have."""

_PATH_PART = re.compile(r"\[(\d+)\]|\.([^.\[]+)")


@dataclass(frozen=True)
class Ruleset:
    rules: tuple[Rule, ...]
    checks: tuple[Check, ...]
    windows: Windows
    hash: str
    """Hex SHA-256 of the canonical content: rules in order, and the word lists that they name."""

    def rule(self, id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == id), None)


def load(texts: Mapping[str, str]) -> Ruleset:
    """A ruleset from a folder's texts by file name: `*.yml` in name order, `words/*.txt`.

    Raises BadRuleset.
    """
    rules: list[Rule] = []
    checks: list[Check] = []
    lists = {name: text for name, text in texts.items() if name.endswith(".txt")}
    for file in sorted(name for name in texts if name.endswith((".yml", ".yaml"))):
        document = Document(file, texts[file])
        for position, stated in enumerate(_rules_of(document)):
            path: Path = ("rules", position)
            rule = _rule(document, path, stated)
            if rule.id in RESERVED or any(rule.id == other.id for other in rules):
                raise document.at((*path, "id"), f"the id {rule.id!r} is taken")
            try:
                checks.append(_compile(rule, lists))
            except BadRuleset as error:
                raise document.at(path, str(error)) from None
            rules.append(rule)
    return Ruleset(tuple(rules), tuple(checks), _windows(rules), _hash(rules, lists))


def _rules_of(document: Document) -> list[Any]:
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("rules"), list):
        raise document.at((), "a ruleset is a document with a list named `rules`")
    for key in value:
        if key != "rules":
            raise document.at((key,), f"{key!r} is not known here; did you mean 'rules'?")
    return list(value["rules"])


def _rule(document: Document, path: Path, stated: Any) -> Rule:
    if not isinstance(stated, dict):
        raise document.at(path, "a rule is a mapping with id, family, action, title and reason")
    family = stated.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise document.at(
            (*path, "family"), f"there is no family {family!r}{_nearest(family, FAMILIES)}"
        )
    kind = FAMILIES[family]
    known = ["family", *kind.__struct_fields__]
    _only(document, path, stated, known)
    for texts in ("title", "reason"):
        if isinstance(stated.get(texts), dict):
            _only(document, (*path, texts), stated[texts], list(Texts.__struct_fields__))
    try:
        return msgspec.convert(stated, kind, strict=True)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        parts: Path = tuple(
            int(index) if index else name for index, name in _PATH_PART.findall(where.rstrip("`"))
        )
        name = "".join(f".{part}" for part in parts)
        raise document.at((*path, *parts), f"{text}{f' ({name[1:]})' if name else ''}") from None


def _only(document: Document, path: Path, stated: dict[str, Any], known: list[str]) -> None:
    for key in stated:
        if key not in known:
            raise document.at((*path, key), f"{key!r} is not known here{_nearest(key, known)}")


def _nearest(name: object, known: list[str] | dict[str, Any]) -> str:
    close = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _compile(rule: Rule, lists: Lists) -> Check:
    match rule:
        case words.Words():
            return words.compile_words(rule, lists)
        case links.Links():
            return links.compile_links(rule)
        case behaviour.Repeats():
            return behaviour.compile_repeats(rule)
        case behaviour.Floods():
            return behaviour.compile_floods(rule)
        case behaviour.NewAuthors():
            return behaviour.compile_new_authors(rule)
        case shape.Shouting():
            return shape.compile_shouting(rule)
        case shape.Length():
            return shape.compile_length(rule)
    raise AssertionError(rule)


def _windows(rules: list[Rule]) -> Windows:
    floods = [rule for rule in rules if isinstance(rule, behaviour.Floods)]
    repeats = [rule for rule in rules if isinstance(rule, behaviour.Repeats)]
    own = [rule.at_least for rule in repeats if rule.scope == "author"]
    site = [rule.at_least for rule in repeats if rule.scope == "site"]
    return Windows(
        recent=timedelta(minutes=max((rule.within_minutes for rule in floods), default=0)),
        recent_most=max((rule.more_than for rule in floods), default=0),
        copies=timedelta(minutes=max((rule.within_minutes for rule in repeats), default=0)),
        own_copies_most=max(own, default=0),
        site_copies_most=max(site, default=0),
    )


def _hash(rules: list[Rule], lists: Lists) -> str:
    named = {name for rule in rules if isinstance(rule, words.Words) for name in rule.lists}
    content = {
        "rules": [msgspec.to_builtins(rule) for rule in rules],
        "lists": {name: lists[name] for name in sorted(named)},
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
