"""What ingest refuses for its bytes, consumers refuse too: a dead letter, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.core import codec
from services.core.errors import BadEvent
from tests.contract.generated import SCHEMAS

GOOD: dict[str, Any] = json.loads(
    (SCHEMAS / "examples/veche.comment.submitted.v1/good/first_words.json").read_text("utf-8")
)
RECORD = json.dumps(GOOD).encode()


def with_body(raw: bytes) -> bytes:
    """The good record with these bytes as the JSON of its body."""
    return json.dumps(GOOD | {"data": GOOD["data"] | {"body": "@"}}).encode().replace(b'"@"', raw)


POISON: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"\x00\x01",
    "a list": b"[]",
    "null": b"null",
    "cut short": RECORD[:-1],
    "two values": RECORD + b"{}",
    "UTF-16": RECORD.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + RECORD,
    "an escaped NUL": with_body(b'"a\\u0000b"'),
    "NUL after a backslash": with_body(b'"\\\\\\u0000"'),
    "a raw NUL": with_body(b'"a\x00b"'),
    "high surrogate alone": with_body(b'"\\ud83d"'),
    "high surrogate and a letter": with_body(b'"\\ud83dabcdef"'),
    "low surrogate alone": with_body(b'"\\ude00"'),
    "surrogates swapped": with_body(b'"\\ude00\\ud83d"'),
    "two high surrogates": with_body(b'"\\ud83d\\ud83d"'),
    "a surrogate in UTF-8": with_body(b'"\xed\xa0\xbd"'),
    "invalid UTF-8": with_body(b'"\xff"'),
    "NaN": with_body(b"NaN"),
    "1e400": with_body(b"1e400"),
    "2^63": with_body(str(2**63).encode()),
    "10,001 code points": with_body(json.dumps("ы" * 10_001).encode()),
    "depth 100,000": b'{"x":' + b"[" * 100_000,
    "depth 100,000 of a body": with_body(b"[" * 100_000 + b"]" * 100_000),
    "a decision without a signature": RECORD.replace(b"comment.submitted", b"decision.made"),
    "a vote among comments": RECORD.replace(b"veche.comment.submitted.v1", b"veche.vote.cast.v1"),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_a_bad_event(name: str) -> None:
    with pytest.raises(BadEvent):
        codec.decode_comments(POISON[name])


@pytest.mark.parametrize("body", [b'"a\\\\u0000b"', b'"\\ud83d\\ude00"', b'"\\u0451"'])
def test_what_only_looks_like_poison_is_read(body: bytes) -> None:
    assert codec.decode_comments(with_body(body)).data.body == json.loads(body)  # type: ignore[union-attr]
