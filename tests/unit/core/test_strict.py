from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from services.core.errors import BadEvent
from services.core.strict import convert, parse


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


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}', "an object names the member 'c' twice"),
        (b'{"a": 1, "b": 2, "b": 3, "a": 4}', "an object names the member 'b' twice"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "an object names the member '\\ud800' twice"),
        (b'{"%s": 1, "%s": 2}' % (b"x" * 99, b"x" * 99),
         f"an object names the member '{'x' * 80}' twice"),
    ],
)  # fmt: skip
def test_a_member_that_is_there_twice_is_named(raw: bytes, says: str) -> None:
    with pytest.raises(BadEvent) as raised:
        parse(raw)
    assert (raised.value.code, raised.value.detail) == ("duplicate_member", says)
