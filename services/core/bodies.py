"""Reading a request's body: bounded in bytes and in time, JSON only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from services.core import strict
from services.core.deadlines import Deadlines
from services.core.errors import BadEvent
from services.core.headers import Headers, values
from services.core.problems import Problem, of_body

ARRIVAL_SECONDS = 10.0
_arriving = Deadlines(ARRIVAL_SECONDS)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_json(headers: Headers, receive: Receive, limit_bytes: int) -> Any:
    """The body as a JSON value. Raises Problem; stops reading where the limit is passed."""
    return json_of(await read_body(headers, receive, limit_bytes))


def json_of(raw: bytes) -> Any:
    """Raises Problem."""
    try:
        return strict.parse(raw)
    except BadEvent as error:
        raise of_body(error.code, error.detail, error.field) from None


async def read_body(headers: Headers, receive: Receive, limit_bytes: int) -> bytes:
    """The body of a request that says it is JSON. Raises Problem."""
    media_type, encoding, length = values(
        headers, b"content-type", b"content-encoding", b"content-length"
    )
    _check_type(media_type, encoding)
    if length.isdecimal() and (len(length) > 12 or int(length) > limit_bytes):
        raise _too_large(limit_bytes)
    try:
        with _arriving:
            return await _read(receive, limit_bytes)
    except TimeoutError:
        raise Problem(
            408, "timeout", f"the body took longer than {ARRIVAL_SECONDS:.0f} s"
        ) from None


async def _read(receive: Receive, limit_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "bad_json", "the body ended early")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if not message.get("more_body"):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def _check_type(content_type: str, encoding: str) -> None:
    if content_type == "application/json" and not encoding:
        return
    media, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower()
    if media.strip().lower() != "application/json" or charset not in (
        "", "charset=utf-8", 'charset="utf-8"',
    ):  # fmt: skip
        raise Problem(
            415, "unsupported_media_type", "send Content-Type: application/json, in UTF-8"
        )
    if encoding not in ("", "identity"):
        raise Problem(415, "unsupported_media_type", "send the body without Content-Encoding")


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "too_large", f"this address takes bodies of up to {limit_bytes} bytes")
