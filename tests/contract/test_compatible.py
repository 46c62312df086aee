"""The judge of schema changes: what it lets through, and what it must not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.contract.compatible import breaks

RELEASED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 10},
        "kind": {"enum": ["a", "b"]},
        "data": {"$ref": "#/$defs/Data"},
        "note": {"type": "string", "default": ""},
    },
    "required": ["id", "data"],
    "$defs": {"Data": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}},
}


def changed(change: str) -> dict[str, Any]:
    schema = copy.deepcopy(RELEASED)
    members, data = schema["properties"], schema["$defs"]["Data"]["properties"]
    exec(change, {"schema": schema, "members": members, "data": data})
    return schema


@pytest.mark.parametrize(
    "change",
    [
        "pass",
        "members['mood'] = {'type': 'string'}",
        "data['m'] = {'type': 'integer'}",
        "members['kind']['enum'].append('c')",
        "members['id']['maxLength'] = 20",
        "del members['id']['maxLength']",
        "data['n']['minimum'] = 0",
        "schema['description'] = 'said better'",
    ],
)
def test_additions_and_wider_bounds_are_compatible(change: str) -> None:
    assert breaks(RELEASED, changed(change)) == []


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ("del members['note']", "$.note"),
        ("schema['required'].append('note')", "$"),
        ("schema['required'].remove('id')", "$"),
        ("members['id']['type'] = 'integer'", "$.id"),
        ("members['id']['maxLength'] = 5", "$.id"),
        ("members['id']['minLength'] = 1", "$.id"),
        ("members['id']['pattern'] = '^[a-f]+$'", "$.id"),
        ("members['kind']['enum'].remove('b')", "$.kind"),
        ("members['note']['default'] = 'x'", "$.note"),
        ("del data['n']", "$.data.n"),
        ("data['n']['minimum'] = 2", "$.data.n"),
        ("data['n']['maximum'] = 9", "$.data.n"),
        ("schema['additionalProperties'] = False", "$"),
    ],
)
def test_what_old_records_or_old_consumers_trip_over_is_named(change: str, at: str) -> None:
    [sentence] = breaks(RELEASED, changed(change))
    assert sentence.startswith(f"{at}: ")
