"""Problem documents (RFC 9457): every answer of an HTTP service other than success.

They name what went wrong and what the caller can do, and never show a stack, a query or a path.
"""

from __future__ import annotations

import secrets
from typing import Any

from services.core import codec

TITLES = {
    "bad_json": "The body is not JSON",
    "bad_utf8": "The body is not UTF-8",
    "bad_number": "A number is not one that JSON allows here",
    "bad_text": "A text holds what cannot be stored",
    "duplicate_member": "A member is stated twice",
    "too_deep": "The body nests too deeply",
    "bad_parameter": "A parameter of the address is not possible",
    "unauthorized": "A valid bearer token is needed",
    "role_not_allowed": "The token's role may not do this",
    "other_site": "The token is for another site",
    "not_allowed": "The member may not be stated",
    "not_found": "There is nothing at this address",
    "discussion_unknown": "There is no such discussion",
    "comment_unknown": "There is no such comment in this discussion",
    "method_not_allowed": "The address does not take this method",
    "timeout": "The body did not arrive in time",
    "conflict": "The comment changed since it was seen",
    "comment_deleted": "The comment's author deleted it",
    "id_taken": "The id names another event",
    "refused": "The decision had no effect",
    "bad_ruleset": "The rules do not load",
    "tests_failed": "Tests beside the rules fail",
    "second_person": "Another person must approve this",
    "stale": "The rules changed since this was proposed",
    "unchanged": "There is nothing to change",
    "settled": "The proposal waits no more",
    "too_large": "The body is too large",
    "unsupported_media_type": "The body must be application/json",
    "bad_schema": "The body does not fit the schema",
    "bad_value": "A value is not possible",
    "blank": "The text shows nothing",
    "unknown_type": "No such event type is accepted here",
    "wrong_type": "The event type belongs to another address",
    "unknown_site": "No such site is known here",
    "internal": "Something broke on our side",
    "outcome_unknown": "The log did not confirm in time",
    "busy": "Too much is in flight",
    "keys_unavailable": "The token cannot be verified now",
    "unavailable": "What the answer needs is away",
}
"""Every code, with what it means. Codes are stable; `type` is `urn:veche:problem:` and the code."""

MEDIA_TYPE = "application/problem+json"

# The body is no acceptable JSON at all: 400. All else that it may say wrong: 422.
_TEXT_CODES = frozenset(
    {"bad_json", "bad_utf8", "bad_number", "bad_text", "duplicate_member", "too_deep"}
)


class Problem(Exception):
    """An answer other than success.

    Attributes:
        field: a JSON pointer into the body, "" for the whole.
        headers: lower-case names; a 401 always challenges.
        members: extension members of the document, such as `parameter` or `current`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        field: str = "",
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.headers = headers or {}
        if status == 401:
            self.headers = {"www-authenticate": 'Bearer realm="veche"'} | self.headers
        self.members = members

    def document(self, at: str = "") -> dict[str, Any]:
        """`at`: the pointer of the item that `field` is relative to."""
        document = {
            "type": f"urn:veche:problem:{self.code}",
            "title": TITLES[self.code],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }
        if self.field or at:
            document["field"] = at + self.field
        return document

    def encoded(self) -> bytes:
        return codec.encode(self.document())


def of_body(code: str, detail: str, field: str) -> Problem:
    """What `strict` found in a body, as 400 or 422."""
    return Problem(400 if code in _TEXT_CODES else 422, code, detail, field)


def not_found(detail: str) -> Problem:
    return Problem(404, "not_found", detail)


def bad_parameter(parameter: str, detail: str) -> Problem:
    return Problem(400, "bad_parameter", detail, parameter=parameter)


def away(
    detail: str, code: str = "unavailable", *, seconds: tuple[int, int] = (1, 5), **members: Any
) -> Problem:
    """503, with `retry_after`."""
    return Problem(503, code, detail, headers=retry_after(*seconds), **members)


def retry_after(first: int = 1, last: int = 5) -> dict[str, str]:
    """The header, spread over so many seconds: those refused return one by one."""
    return {"retry-after": str(first + secrets.randbelow(last - first + 1))}
