"""YAML without surprises: no tags, anchors or duplicate keys; `no` is a word, `true` is a truth.

Every value keeps the line and column that it stands on, so an error can name them.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from services.core.errors import BadRuleset

Path = tuple[str | int, ...]
_DEEPEST = 40
"""Mappings and lists within each other."""
_LONGEST = 1_000_000
"""Characters of a file: what a ruleset may have, as it goes through Kafka."""
# Longer ones are words.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})").fullmatch
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}").fullmatch
Place = tuple[int, int]
"""Line and column, from 1."""


class Document:
    """A parsed document: `value` of plain dicts, lists and scalars, and the place of every path."""

    def __init__(self, file: str, node: yaml.Node) -> None:
        """Raises BadRuleset with file, line and column."""
        self.file = file
        self.places: dict[Path, Place] = {(): _place(node.start_mark)}
        self.keys: dict[Path, Place] = {}
        self.value = self._value(node, ())

    def at(self, path: Path, message: str) -> BadRuleset:
        """An error at the deepest part of `path` whose place is known."""
        while path not in self.places:
            path = path[:-1]
        return bad(self.file, self.places[path], message)

    def at_key(self, path: Path, message: str) -> BadRuleset:
        return bad(self.file, self.keys[path], message)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self.places[path] = _place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, n)) for n, item in enumerate(node.value)]
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise bad(self.file, self.places[path], "half of a surrogate pair is no character")
        if "\0" in node.value:  # Postgres keeps none
            raise bad(self.file, self.places[path], "NUL is no character of a text")
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
        return _scalar(node.value, quoted=quoted)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                raise bad(self.file, place, "a key must be a word")
            key = key_node.value
            if key in mapping:
                raise bad(self.file, place, f"the key {key!r} stands here twice")
            mapping[key] = self._value(value_node, (*path, key))
            self.keys[*path, key] = place
            # A mistake in a scalar shows at the scalar, one in a mapping at its key.
            if not isinstance(value_node, yaml.ScalarNode):
                self.places[(*path, key)] = place
        return mapping


def documents(file: str, text: str) -> list[Document]:
    """The documents of a text, empty ones left out. Raises BadRuleset."""
    if len(text) > _LONGEST:
        message = f"a file of rules has {_LONGEST:,} characters at most, this one {len(text):,}"
        raise bad(file, (1, 1), f"{message}: part it, or put words into lists")
    depth = 0
    try:
        # These show as events only: a composed node does not tell them.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                place = _place(event.start_mark)
                raise bad(file, place, f"mappings and lists nest {_DEEPEST} deep at most")
            if getattr(event, "anchor", None) or getattr(event, "tag", None):
                place = _place(event.start_mark)
                raise bad(file, place, "anchors and aliases, and tags, are not used here")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise bad(
            file, place, f"the character U+{ord(text[error.position]):04X} is not allowed"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error)
        raise bad(file, _place(mark), said) from None
    return [
        Document(file, node)
        for node in nodes
        if not (isinstance(node, yaml.ScalarNode) and node.value == "")
    ]


def bad(file: str, place: Place, message: str) -> BadRuleset:
    return BadRuleset(f"{file}:{place[0]}:{place[1]}: {message}")


def _place(mark: Any) -> Place:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _scalar(text: str, *, quoted: bool) -> str | int | float | bool | None:
    if quoted:
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    if _WHOLE(text):
        return int(text)
    if _DECIMAL(text):
        return float(text)
    return text
