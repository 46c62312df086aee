"""What a change of a schema would break: old records in the log, or consumers not yet updated.

Allowed: new optional members, wider bounds, more values of an enum (consumers go first).
"""

from __future__ import annotations

import operator
from typing import Any

_LOWER = ("minimum", "minLength", "minItems")
_UPPER = ("maximum", "maxLength", "maxItems")
_SAME = ("type", "const", "pattern", "format", "default")


def breaks(released: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """One sentence for each break, with its place; empty where every old record still fits."""
    return _breaks(released, current, released, current, "$", frozenset())


def _breaks(
    old: dict[str, Any],
    new: dict[str, Any],
    old_root: dict[str, Any],
    new_root: dict[str, Any],
    at: str,
    seen: frozenset[str],
) -> list[str]:
    if "$ref" in old:
        if old["$ref"] in seen:
            return []
        seen |= {old["$ref"]}
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    found = [f"{at}: {word} changed" for word in _SAME if old.get(word) != new.get(word)]
    found += [
        f"{at}: {word} is narrower"
        for words, narrower in ((_LOWER, operator.gt), (_UPPER, operator.lt))
        for word in words
        if word in new and (word not in old or narrower(new[word], old[word]))
    ]
    if new.get("additionalProperties", True) is False and "additionalProperties" not in old:
        found.append(f"{at}: closed against further members")
    if "enum" in new and not set(old.get("enum", [object()])) <= set(new["enum"]):
        found.append(f"{at}: enum lost a value")
    if set(old.get("required", [])) != set(new.get("required", [])):
        found.append(f"{at}: required changed")
    members = new.get("properties", {})
    for name, member in old.get("properties", {}).items():
        if name in members:
            found += _breaks(member, members[name], old_root, new_root, f"{at}.{name}", seen)
        else:
            found.append(f"{at}.{name}: removed")
    for word in ("items", "additionalProperties"):
        if isinstance(old.get(word), dict) and isinstance(new.get(word), dict):
            found += _breaks(old[word], new[word], old_root, new_root, f"{at}[]", seen)
    for word in ("prefixItems", "anyOf"):
        if len(old.get(word, [])) != len(new.get(word, [])):
            found.append(f"{at}: {word} changed")
        for one, other in zip(old.get(word, []), new.get(word, []), strict=False):
            found += _breaks(one, other, old_root, new_root, f"{at}({word})", seen)
    return found


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema
