from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from services.core.errors import BadEvent
from services.core.strict import convert


class Body(Struct):
    files: dict[Annotated[str, Meta(pattern="^[a-z]+$")], str]
    reasons: list[str] = []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"files": {"../x": "y"}}, "/files"),
        ({"files": {"x": 5}}, "/files"),
        ({"files": {"x": "y"}, "reasons": ["a", 5]}, "/reasons/1"),
        ({}, "/files"),
        ([], ""),
    ],
)
def test_what_does_not_fit_is_named_by_a_json_pointer(body: Any, pointer: str) -> None:
    with pytest.raises(BadEvent) as raised:
        convert(body, Body)
    assert raised.value.field == pointer
