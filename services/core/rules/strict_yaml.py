"""YAML without surprises: no tags, anchors or duplicate keys; `no` is a word, `true` is a truth.

Every value keeps the line that it stands on, so an error can name it.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from services.core.errors import BadRuleset

Path = tuple[str | int, ...]
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)").fullmatch
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+").fullmatch


class Document:
    """A parsed text: `value` of plain dicts, lists and scalars, and the line of every path."""

    def __init__(self, file: str, text: str) -> None:
        """Raises BadRuleset with file and line."""
        self.file = file
        self.lines: dict[Path, int] = {(): 1}
        try:
            # These show as events only: a composed node does not tell them.
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if getattr(event, "anchor", None) or getattr(event, "tag", None):
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    raise self._bad(line, "anchors and aliases, and tags, are not used here")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise self._bad(line, getattr(error, "problem", None) or str(error)) from None
        self.value = self._value(node, ()) if node is not None else None

    def at(self, path: Path, message: str) -> BadRuleset:
        """An error at the deepest part of `path` whose line is known."""
        while path not in self.lines:
            path = path[:-1]
        return self._bad(self.lines[path], message)

    def _bad(self, line: int, message: str) -> BadRuleset:
        return BadRuleset(f"{self.file}:{line}: {message}")

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, n)) for n, item in enumerate(node.value)]
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
        return _scalar(node.value, quoted=quoted)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._bad(line, "a key must be a word")
            key = key_node.value
            if key in mapping:
                raise self._bad(line, f"the key {key!r} stands here twice")
            mapping[key] = self._value(value_node, (*path, key))
            self.lines[(*path, key)] = line
        return mapping


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
