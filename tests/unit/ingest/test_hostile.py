"""Bodies sent in bad faith: each gets a problem that names its fault; none a 500, none is cut."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.core import codec, strict
from services.core.errors import BadEvent
from services.core.problems import TITLES
from tests.unit.ingest.build import KeepingLog, bearer, client, item


def nested(levels: int) -> bytes:
    """An event whose innermost array lies at the given level; the event itself is the first."""
    arrays = levels - 2
    return raw(data={"discussion": "d", "value": 0, "x": "@"}).replace(
        b'"@"', b"[" * arrays + b"]" * arrays
    )


def raw(**changes: Any) -> bytes:
    return json.dumps(item("veche.vote.cast.v1") | changes).encode()


def comment(body: str, *, escaped: bool = False) -> bytes:
    data = {"discussion": "d", "comment": "c", "body": body}
    return json.dumps(item(data=data), ensure_ascii=escaped).encode("utf-8", "surrogatepass")


VOTE = raw()
D = b'"data":{"discussion":"d","value":'

# name: (body, status, code, field)
HOSTILE: dict[str, tuple[bytes, int, str, str | None]] = {
    "nothing": (b"", 400, "bad_json", None),
    "blank": (b"  \n", 400, "bad_json", None),
    "cut short": (VOTE[:-1], 400, "bad_json", None),
    "two values": (VOTE + b"{}", 400, "bad_json", None),
    "a comma too many": (VOTE[:-1] + b",}", 400, "bad_json", None),
    "a comment in JSON": (b"/* */" + VOTE, 400, "bad_json", None),
    "single quotes": (VOTE.replace(b'"', b"'"), 400, "bad_json", None),
    "a list": (b"[" + VOTE + b"]", 422, "bad_schema", None),
    "a text": (b'"vote"', 422, "bad_schema", None),
    "null": (b"null", 422, "bad_schema", None),
    "a number": (b"5", 422, "bad_schema", None),
    "form data": (b"id=1&type=x", 400, "bad_json", None),
    # F27: characters
    "byte order mark": (b"\xef\xbb\xbf" + VOTE, 400, "bad_json", None),
    "UTF-16 with a mark": (VOTE.decode().encode("utf-16"), 400, "bad_utf8", None),
    "UTF-16 without one": (VOTE.decode().encode("utf-16-le"), 400, "bad_json", None),
    "UTF-32": (VOTE.decode().encode("utf-32-le"), 400, "bad_json", None),
    "Latin-1": (comment("é").replace(b"\xc3\xa9", b"\xe9"), 400, "bad_utf8", None),
    "an overlong slash": (comment("/").replace(b"/", b"\xc0\xaf"), 400, "bad_utf8", None),
    "a surrogate in UTF-8": (comment("\ud83d"), 400, "bad_utf8", None),
    "beyond Unicode": (comment("?").replace(b"?", b"\xf5\x80\x80\x80"), 400, "bad_utf8", None),
    "a raw NUL": (comment("a\x00b").replace(b"\\u0000", b"\x00"), 400, "bad_json", None),
    "an escaped NUL": (comment("a\x00b"), 400, "bad_text", "/data/body"),
    "NUL in a name": (raw(**{"a\x00": 1}), 400, "bad_text", None),
    "high surrogate alone": (comment("\ud83d", escaped=True), 400, "bad_text", "/data/body"),
    "low surrogate alone": (comment("\ude00", escaped=True), 400, "bad_text", "/data/body"),
    "surrogates swapped": (comment("\ude00\ud83d", escaped=True), 400, "bad_text", "/data/body"),
    "surrogate in a name": (raw(**{"\ud83d": 1}), 400, "bad_text", None),
    "surrogate in the id": (raw(id="\ud83d"), 400, "bad_text", "/id"),
    "a raw newline in a text": (comment("x").replace(b'"x"', b'"\n"'), 400, "bad_json", None),
    "half an escape": (comment("x").replace(b'"x"', b'"\\u12"'), 400, "bad_json", None),
    # F27: numbers
    "NaN": (b"{" + D + b"NaN}}", 400, "bad_number", None),
    "Infinity": (b"{" + D + b"Infinity}}", 400, "bad_number", None),
    "minus Infinity": (b"{" + D + b"-Infinity}}", 400, "bad_number", None),
    "1e400": (b"{" + D + b"1e400}}", 400, "bad_number", None),
    "5,000 digits": (b"{" + D + b"9" * 5000 + b"}}", 400, "bad_number", None),
    "2^63": (raw(data={"discussion": "d", "value": 2**63}), 422, "bad_schema", "/data/value"),
    "a leading zero": (b"{" + D + b"01}}", 400, "bad_json", None),
    "hexadecimal": (b"{" + D + b"0x1}}", 400, "bad_json", None),
    "a fraction": (raw(data={"discussion": "d", "value": 0.5}), 422, "bad_schema", "/data/value"),
    "true for 1": (raw(data={"discussion": "d", "value": True}), 422, "bad_schema", "/data/value"),
    "a vote of 2": (raw(data={"discussion": "d", "value": 2}), 422, "bad_schema", "/data/value"),
    # F27: members and depth
    "id twice": (VOTE[:-1] + b',"id":"e2"}', 400, "duplicate_member", None),
    "twice within data": (b"{" + D + b'1,"value":-1}}', 400, "duplicate_member", None),
    "twice, once escaped": (b'{"id":"a","\\u0069d":"b"}', 400, "duplicate_member", None),
    "depth 17": (nested(17), 400, "too_deep", None),
    "depth 5,000": (nested(5_000), 400, "too_deep", None),
    "depth 60,000, never closed": (b"[" * 60_000, 400, "too_deep", None),
    "depth of objects": (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, 400, "too_deep", None),
    "depth 16 is deep enough to be looked at": (nested(16), 422, "bad_schema", "/data/x"),
    "unknown member": (raw(admin=True), 422, "bad_schema", "/admin"),
    "unknown member of data": (
        raw(data={"discussion": "d", "value": 1, "weight": 9}),
        422,
        "bad_schema",
        "/data/weight",
    ),
    "status in the body": (raw(status="published"), 422, "bad_schema", "/status"),
    "role in the body": (raw(role="moderator"), 422, "bad_schema", "/role"),
    "a signature": (raw(signature="x"), 422, "bad_schema", "/signature"),
    "__proto__": (raw(__proto__={}), 422, "bad_schema", "/__proto__"),
    "a slash in a name": (raw(**{"a/b~c": 1}), 422, "bad_schema", "/a~1b~0c"),
    # who it is from comes from the token
    "site in the body": (raw(site="herald"), 403, "not_allowed", "/site"),
    "actor in a reader's body": (raw(actor="bob"), 403, "not_allowed", "/actor"),
    "actorname in a reader's body": (raw(actorname="Bob"), 403, "not_allowed", "/actorname"),
    "occurredat by a reader": (
        raw(occurredat="2020-01-01T00:00:00Z"),
        403,
        "not_allowed",
        "/occurredat",
    ),
    # ids
    "no id": (VOTE.replace(b'"id"', b'"time"'), 422, "bad_schema", "/time"),
    "id empty": (raw(id=""), 422, "bad_schema", "/id"),
    "id of 101": (raw(id="i" * 101), 422, "bad_schema", "/id"),
    "id with a blank": (raw(id="a b"), 422, "bad_schema", "/id"),
    "id with a newline at its end": (raw(id="a\n"), 422, "bad_schema", "/id"),
    "id in Cyrillic": (raw(id="ид"), 422, "bad_schema", "/id"),
    "id a number": (raw(id=1), 422, "bad_schema", "/id"),
    "discussion with a slash": (
        raw(data={"discussion": "a/b", "value": 1}),
        422,
        "bad_schema",
        "/data/discussion",
    ),
    "discussion with a bar": (
        raw(data={"discussion": "a|b", "value": 1}),
        422,
        "bad_schema",
        "/data/discussion",
    ),
    # types and times
    "type of another address": (raw(type="veche.comment.edited.v1"), 422, "wrong_type", "/type"),
    "a decision": (raw(type="veche.decision.made.v1"), 422, "unknown_type", "/type"),
    "a policy": (raw(type="veche.site.policy_set.v1"), 422, "unknown_type", "/type"),
    "an unknown type": (raw(type="veche.vote.cast.v2"), 422, "unknown_type", "/type"),
    "type a list": (raw(type=["veche.vote.cast.v1"]), 422, "unknown_type", "/type"),
    "data a text": (raw(data="x"), 422, "bad_schema", "/data"),
    "data missing": (b'{"id":"a"}', 422, "bad_schema", "/data"),
    "time without an offset": (raw(time="2026-11-24T09:30:00"), 422, "bad_schema", "/time"),
    "time a number": (raw(time=1_700_000_000), 422, "bad_schema", "/time"),
    "the year 1 far east": (raw(time="0001-01-01T00:00:00+14:00"), 422, "bad_value", "/time"),
    "the year 9999 far west": (raw(time="9999-12-31T23:59:59-12:00"), 422, "bad_value", "/time"),
    # F26
    "an empty comment": (comment(""), 422, "bad_schema", "/data/body"),
    "10,001 code points": (comment("ы" * 10_001), 422, "bad_schema", "/data/body"),
    "100,000 combining marks": (comment("e" + "\u0301" * 50_000), 422, "bad_schema", "/data/body"),
    "10 MB": (comment("a" * 10_000_000), 413, "too_large", None),
    "1 MB of zero-width": (comment("\u200b" * 350_000), 413, "too_large", None),
    "only blanks": (comment(" \t\n\u3000\u00a0"), 422, "blank", "/data/body"),
    "only invisibles": (comment("\u200b\u2060\ufeff\u00ad\u202e"), 422, "blank", "/data/body"),
    "only fillers": (comment("\u3164\u115f\u2800\ufe0f\u034f"), 422, "blank", "/data/body"),
    "10,000 zero-width": (comment("\u200b" * 10_000), 422, "blank", "/data/body"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_body_gets_a_problem_that_names_its_fault(name: str, tmp_path: Path) -> None:
    body, status, code, field = HOSTILE[name]
    log = KeepingLog()
    kind = "comment" if b'"comment"' in body else "vote"
    headers = bearer() | {"content-type": "application/json"}
    async with client(tmp_path, log) as http:
        answer = await http.post(f"/v1/events/{kind}", content=body, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem.get("field")) == (
        status,
        code,
        field or problem.get("field"),
    ), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:veche:problem:{code}"
    assert problem["title"] == TITLES[code]
    assert problem["status"] == status
    assert log.kept == []


@pytest.mark.parametrize(
    "body",
    [
        "a",
        "ы" * 10_000,
        "👨‍👩‍👧‍👦" * 1_400,
        "\U0001f600" * 10_000,
        "a\u0000b".replace("\x00", "\\u0000"),
        "e" + "\u0301" * 9_999,
        " \u200bx\u200b ",
        "<script>alert(1)</script>",
        "שלום \u202eabc",
        "'; DROP TABLE comments; --",
        "x\ufffe\uffff",
    ],
    ids=lambda body: ascii(body[:12]),
)
@pytest.mark.parametrize("escaped", [False, True])
async def test_what_may_be_said_is_kept_to_the_last_character(
    body: str, escaped: bool, tmp_path: Path
) -> None:
    log = KeepingLog()
    headers = bearer() | {"content-type": "application/json"}
    async with client(tmp_path, log) as http:
        answer = await http.post(
            "/v1/events/comment", content=comment(body, escaped=escaped), headers=headers
        )
    assert answer.status_code == 202, answer.text
    [kept] = log.kept
    assert kept.value is not None
    event = codec.decode_comments(kept.value)
    assert event.data.body == body  # type: ignore[union-attr]


# --- the request around the body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/jsonp"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 202),
        ({"content-type": "APPLICATION/JSON"}, 202),
    ],
)
async def test_only_json_is_taken(headers: dict[str, str], status: int, tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        answer = await http.post("/v1/events/vote", content=VOTE, headers=bearer() | headers)
    assert answer.status_code == status, answer.text


async def test_an_endless_body_is_refused_while_it_is_read(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'{"id":"'
        while True:
            read += 4096
            yield b"a" * 4096

    headers = bearer() | {"content-type": "application/json"}
    app = client(tmp_path)._transport.app  # type: ignore[attr-defined]
    chunks = endless()
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events/vote",
        "raw_path": b"/v1/events/vote",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    assert answers[0]["status"] == 413
    assert read <= 128 * 1024 + 4096
    await chunks.aclose()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/events", 405),
        ("PUT", "/v1/events/vote", 405),
        ("POST", "/v1/events/decision", 404),
        ("POST", "/v1/events/vote/", 404),
        ("POST", "/v1/events/%00", 404),
        ("POST", "/v1/events/..%2fvote", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/metrics", 404),
    ],
)
async def test_other_addresses_answer_problems_too(
    method: str, path: str, status: int, tmp_path: Path
) -> None:
    async with client(tmp_path) as http:
        answer = await http.request(method, path, headers=bearer())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


JSONISH = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(some.binary(max_size=200) | JSONISH.map(lambda value: json.dumps(value).encode()))
def test_whatever_parses_can_be_encoded_again(body: bytes) -> None:
    try:
        value = strict.parse(body)
    except BadEvent:
        return
    assert json.loads(json.dumps(value, ensure_ascii=False).encode()) == value
