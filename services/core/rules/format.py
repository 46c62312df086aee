"""One way to write a rule: keys in one order, short forms, comments kept where they stand.

`formatted(formatted(text)) == formatted(text)`, and a formatted file means what it meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from services.core.errors import BadRuleset
from services.core.rules.document import rules_in
from services.core.rules.rule import Case, Condition, Limits, Links, Rule, Scope, Tests, Then
from services.core.rules.strict_yaml import Document, Path, documents

_ORDER = list(
    dict.fromkeys(
        name
        for kind in (Rule, Scope, Condition, Links, Then, Limits, Tests, Case)
        for name in kind.__struct_encode_fields__
    )
)
_WIDTH = 96
_PLAIN = re.compile(r"[^\W\d_][\w ./-]*[\w.]|[^\W\d_]|[a-z_.]+(?:\([a-z_, 0-9]*\))? [<>]=? [\d.%]+")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def formatted(file: str, text: str) -> str:
    """Raises BadRuleset where the text is not YAML as rules are written in."""
    read = documents(file, text)
    tidy = _formatted(read, _comments(text))
    kept = sorted(comment for _, comment in _comments(tidy)) == sorted(
        comment for _, comment in _comments(text)
    )
    if not kept or [one.value for one in documents(file, tidy)] != [one.value for one in read]:
        raise BadRuleset(f"{file}: a comment or a value would be lost: this file is left as it is")
    return tidy


def _formatted(read: Sequence[Document], comments: list[tuple[int, str]]) -> str:
    parts = []
    for document in read:
        lines: list[str] = []
        for path, value in rules_in(document):
            below = list(_mapping(document, path, value, comments, len(path)))
            lines += below if not path else [
                ("- " if not k else "  ") + line[2:] if line.strip() else line
                for k, line in _dashed(below)
            ]  # fmt: skip
        parts.append("\n".join(lines) + "\n")
    rest = "".join(f"{comment}\n" for _, comment in comments)
    return "---\n".join(parts) + rest


def _dashed(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Comments above the first key stay above the dash."""
    first = next((k for k, line in enumerate(lines) if not line.lstrip().startswith("#")), 0)
    for k, line in enumerate(lines):
        yield (k - first if k >= first else 1), line


def _comments(text: str) -> list[tuple[int, str]]:
    """(line, comment) of every comment, those behind a value too."""
    found = []
    tokens = {
        line
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken)
        for line in range(token.start_mark.line, token.end_mark.line + 1)
        if token.start_mark.line != token.end_mark.line
    }
    for number, line in enumerate(text.splitlines()):
        if number not in tokens and (match := re.search(r"(?:^|\s)(#.*)$", _unquoted(line))):
            found.append((number + 1, line[match.start(1) :].rstrip()))
    return found


def _unquoted(line: str) -> str:
    """The line with what stands in quotes blotted out, of the same length."""
    return re.sub(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"", lambda m: "x" * len(m[0]), line)


def _mapping(
    document: Document, path: Path, value: Any, comments: list[tuple[int, str]], depth: int
) -> Iterator[str]:
    pad = "  " * depth
    keys = sorted(value, key=lambda k: _ORDER.index(k) if k in _ORDER else len(_ORDER))
    if path and "facts" in path:
        keys = list(value)
    for key in keys:
        below = (*path, key)
        for comment in _taken(comments, _lines(document, below, value[key])):
            yield f"{pad}{comment}"
        yield from _entry(document, below, f"{pad}{_scalar(key)}:", value[key], comments, depth)


def _entry(
    document: Document,
    path: Path,
    head: str,
    value: Any,
    comments: list[tuple[int, str]],
    depth: int,
) -> Iterator[str]:
    flow = f"{head} {_flow(value) if isinstance(value, dict | list) else _scalar(value)}"
    short = not isinstance(value, dict | list) or not value
    if not short and len(flow) <= _WIDTH and not _deep(value):
        short = not _has_comments(comments, _lines(document, path, value))
    if short:
        yield flow
    elif isinstance(value, dict):
        yield head
        yield from _mapping(document, path, value, comments, depth + 1)
    else:
        yield head
        pad = "  " * (depth + 1)
        for n, item in enumerate(value):
            for comment in _taken(comments, _lines(document, (*path, n), item)):
                yield f"{pad}{comment}"
            line = f"{pad}- {_flow(item)}"
            if isinstance(item, dict) and (len(line) > _WIDTH or _deep(item)):
                inner = list(_mapping(document, (*path, n), item, comments, depth + 2))
                yield f"{pad}- {inner[0].strip()}"
                yield from inner[1:]
            else:
                yield line


def _lines(document: Document, path: Path, value: Any) -> tuple[int, int]:
    """The first and the last line of a key with its value."""
    first = document.keys.get(path, document.places[path])[0]
    places = [place[0] for each, place in document.places.items() if each[: len(path)] == path]
    return first, max([first, *places])


def _has_comments(comments: list[tuple[int, str]], lines: tuple[int, int]) -> bool:
    return any(lines[0] < line <= lines[1] for line, _ in comments)


def _taken(comments: list[tuple[int, str]], lines: tuple[int, int]) -> list[str]:
    """The comments above a key, and behind it on its line; each is taken once."""
    taken = [comment for line, comment in comments if line <= lines[0]]
    comments[:] = [each for each in comments if each[0] > lines[0]]
    return taken


def _deep(value: Any) -> bool:
    """Whether a mapping or list within holds another: such ones are written out."""
    inner = value.values() if isinstance(value, dict) else value
    return any(
        isinstance(one, dict | list)
        and any(isinstance(two, dict) for two in (one.values() if isinstance(one, dict) else one))
        for one in inner
    ) or (isinstance(value, list) and len(value) > 1 and any(isinstance(v, dict) for v in value))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    said = _scalar(value)
    return f'"{said}"' if "," in said and not said.startswith('"') else said


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if _PLAIN.fullmatch(value) and value not in _WORDS and value.isprintable():
        return str(value)
    said = "".join(f"\\{c}" if c in '"\\' else c if c.isprintable() else _escaped(c) for c in value)
    return f'"{said}"'


def _escaped(c: str) -> str:
    code = ord(c)
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
    return short or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
