"""What moderators may send: strict JSON bodies, read within bounds of time and size."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, TypeVar

from fastapi import Request
from msgspec import Meta, Struct

from services.console.problem import Problem, bad_field
from services.core import strict
from services.core.errors import BadEvent
from services.core.events import CommentId, DiscussionId, EventId, Policy, Revision, Ruling, Status

MAX_BODY_BYTES = 256 * 1024
BODY_SECONDS = 10.0
MAX_ITEMS = 100

Reason = Annotated[str, Meta(max_length=1_000)]
T = TypeVar("T", bound=Struct)


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    discussion: DiscussionId
    comment: CommentId


class ClaimBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Either the next `count` of the queue, or `items` by name."""

    count: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] | None = None
    items: Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)] | None = None


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """The comment as the queue showed it, sent back unchanged."""

    revision: Revision
    status: Status


class DecisionBody(Struct, frozen=True, forbid_unknown_fields=True):
    discussion: DiscussionId
    comment: CommentId
    ruling: Ruling
    expected: Seen
    reason: Reason = ""
    """What the author is told; required for `reject`."""
    id: EventId | None = None
    """Send the same id again after a 503 or 202: it takes effect once."""


class BulkBody(Struct, frozen=True, forbid_unknown_fields=True):
    decisions: Annotated[list[DecisionBody], Meta(min_length=1, max_length=MAX_ITEMS)]


class PolicyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy of a site: a PUT leaves nothing to be guessed."""

    policy: Policy
    report_threshold: Annotated[int, Meta(ge=1, le=1_000)]
    edit_hold: Literal["keep", "hide"]
    id: EventId | None = None


async def read(request: Request, type: type[T]) -> T:
    """Raises a Problem that names the field at fault."""
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated != "application/json":
        raise Problem(415, "not-json", "send the body as application/json")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise Problem(413, "too-large", f"a body holds at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise Problem(408, "too-slow", f"send the body within {BODY_SECONDS:.0f} s") from None
    try:
        return strict.convert(strict.parse(bytes(raw)), type)
    except BadEvent as error:
        if error.code == "bad_schema":
            raise bad_field(error.field, error.detail) from None
        raise Problem(400, error.code.replace("_", "-"), error.detail, field=error.field) from None
