"""What ingest answers to what it cannot accept: problem documents (RFC 9457)."""

from __future__ import annotations

from typing import Any

from services.core import codec

TITLES = {
    "bad_json": "The body is not JSON",
    "bad_utf8": "The body is not UTF-8",
    "bad_number": "A number is not one that JSON allows here",
    "bad_text": "A text holds what cannot be stored",
    "duplicate_member": "A member is stated twice",
    "too_deep": "The body nests too deeply",
    "bad_schema": "The body does not fit the schema",
    "unknown_type": "No such event type is accepted here",
    "wrong_type": "The event type belongs to another address",
    "blank": "The text shows nothing",
    "bad_value": "A value is not possible",
    "not_allowed": "The member may not be stated",
    "role_not_allowed": "The token's role may not send this event",
    "unknown_site": "No such site is known here",
    "unauthorized": "A valid bearer token is needed",
    "too_large": "The body is too large",
    "unsupported_media_type": "The body must be application/json",
    "timeout": "The body did not arrive in time",
    "not_found": "There is nothing at this address",
    "method_not_allowed": "The address does not take this method",
    "outcome_unknown": "The log did not confirm in time",
    "busy": "Too much is in flight",
    "keys_unavailable": "The token cannot be verified now",
    "internal": "Something broke on our side",
}
"""Every code, with what it means. Codes are stable; `type` is `urn:veche:problem:` and the code."""

_STATUS_OF_TEXT = 400
_TEXT_CODES = frozenset(
    {"bad_json", "bad_utf8", "bad_number", "bad_text", "duplicate_member", "too_deep"}
)


class Problem(Exception):
    """An answer other than success. `field` is a JSON pointer into the body, "" for the whole."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        field: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.headers = headers or {}

    def document(self, at: str = "") -> dict[str, Any]:
        """`at`: the pointer of the item that `field` is relative to."""
        document = {
            "type": f"urn:veche:problem:{self.code}",
            "title": TITLES[self.code],
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.field or at:
            document["field"] = at + self.field
        return document

    def encoded(self) -> bytes:
        return codec.encode(self.document())


def of_body(code: str, detail: str, field: str) -> Problem:
    """400 where the text is not acceptable JSON at all, 422 where it says something wrong."""
    return Problem(_STATUS_OF_TEXT if code in _TEXT_CODES else 422, code, detail, field)
