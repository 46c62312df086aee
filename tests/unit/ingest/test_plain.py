"""The quick reader of events never takes what the strict one refuses, or otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.core import strict
from services.core.errors import BadEvent
from services.ingest.admit import ITEMS, KINDS, PLAIN

VOTE = b'{"id":"e1","data":{"discussion":"d1","value":1,"comment":"c1"}}'


def read_strictly(raw: bytes, kind: str) -> Any:
    """None where it is refused."""
    try:
        stated = strict.parse(raw)
        [only, *_] = KINDS[kind]
        return strict.convert(stated, ITEMS[stated.get("type", only)])
    except (BadEvent, KeyError, TypeError, AttributeError):
        return None


@pytest.mark.parametrize(
    "raw",
    [
        VOTE,
        VOTE.replace(b'"id"', b' "type" : "veche.vote.cast.v1" , "id"'),
        VOTE.replace(b'"id"', b'"type":"veche.vote.cast.v1","id"'),
        VOTE.replace(b"e1", b"a:b:c"),
    ],
)
def test_what_is_plainly_right_is_read_as_strictly(raw: bytes) -> None:
    read = PLAIN["vote"].read(raw)
    assert read is None or read == read_strictly(raw, "vote")
    assert PLAIN["vote"].read(VOTE) is not None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"e1","id":"e2","data":{"discussion":"d1","value":1}}',
        b'{"id":"type","id":"type","data":{"discussion":"d1","value":1}}',
        b'{"id":"e:1","id":"e2","data":{"discussion":"d1","value":1}}',
        b'{"type":"veche.vote.cast.v1","id":"e1","data":{"discussion":"d1","value":1,"value":0}}',
        b'{"id":"e1","data":{"discussion":"d0","value":1},"data":{"discussion":"d1","value":1}}',
        b'{"id":"e1","data":{"discussion":"d1","value":1,"comment":null,"comment":"c"}}',
        b'{"id":"e1","\\u0069d":"e1","data":{"discussion":"d1","value":1}}',
        VOTE + b"x",
        VOTE[:-1],
        VOTE.replace(b"e1", b"e\xff"),
        VOTE.replace(b"e1", b"e\x00"),
        VOTE.replace(b"1,", b"1.0,"),
        VOTE.replace(b"1,", b"NaN,"),
        b"",
        b"[" * 60_000,
    ],
)
def test_what_is_not_plainly_right_is_left_to_the_strict_reader(raw: bytes) -> None:
    assert PLAIN["vote"].read(raw) is None


words = some.sampled_from(["e1", "a:b", "type", "id", "d1", ":", "", "é", 'q"', "\u2028", "null"])
names = some.sampled_from(
    ["id", "type", "data", "discussion", "comment", "parent", "body", "value", "actor", "site"]
)
values = some.one_of(
    words, some.none(), some.integers(-2, 2), some.just("veche.comment.submitted.v1")
)


def written(members: list[tuple[str, Any]], space: str) -> str:
    """A JSON object that may name a member twice."""
    return "{" + ",".join(f"{json.dumps(name)}{space}:{value}" for name, value in members) + "}"


@given(
    some.lists(some.tuples(names, values.map(json.dumps)), max_size=6),
    some.lists(some.tuples(names, values.map(json.dumps)), max_size=5),
    some.sampled_from(["", " ", "\n"]),
    some.booleans(),
    some.sampled_from(sorted(KINDS)),
)
def test_the_quick_reader_agrees_with_the_strict_one(
    outer: list[tuple[str, str]],
    inner: list[tuple[str, str]],
    space: str,
    whole: bool,
    kind: str,
) -> None:
    if whole:  # so that many are near to right
        inner = [("discussion", '"d1"'), *inner]
        inner += [] if kind in ("vote", "view") else [("comment", '"c1"'), ("body", '"b"')]
        inner += [("value", "1")] if kind == "vote" else []
        outer = [("id", '"e1"'), *outer]
    raw = written([*outer, ("data", written(inner, space))], space).encode()
    read = PLAIN[kind].read(raw)
    if read is not None:
        assert read == read_strictly(raw, kind)
