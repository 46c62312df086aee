"""RFC 9457 problem documents: what went wrong and what the moderator's client can do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from services.core import codec


class Problem(Exception):
    """An answer other than success.

    Attributes:
        kind: the last part of the problem's type, `/problems/{kind}`; a closed set in docs/api.md.
        members: extension members, such as `field` or `current`.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        retry_after_seconds: int | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.members = members

    def document(self) -> dict[str, Any]:
        return {
            "type": f"/problems/{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def body(self) -> bytes:
        return codec.encode(self.document())

    def headers(self) -> dict[str, str]:
        headers = {"content-type": "application/problem+json"}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(self.retry_after_seconds)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = "Bearer"
        return headers


def bad_field(field: str, detail: str) -> Problem:
    return Problem(422, "bad-field", detail, field=field)


def unavailable(detail: str, **members: Any) -> Problem:
    return Problem(503, "unavailable", detail, retry_after_seconds=1, **members)
