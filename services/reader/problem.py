"""RFC 9457 problem documents: what went wrong and what the caller can do."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from services.core import codec


class Problem(Exception):
    """An answer other than success.

    Attributes:
        kind: the last part of the problem's type, `/problems/{kind}`; a closed set in docs/api.md.
        retry_after_seconds: None where trying again does not help.
        members: extension members, such as `parameter`.
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

    def body(self) -> bytes:
        return codec.encode(
            {
                "type": f"/problems/{self.kind}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                **self.members,
            }
        )

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"cache-control", b"no-store"),
        ]
        if self.retry_after_seconds is not None:
            headers.append((b"retry-after", str(self.retry_after_seconds).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Bearer"))
        return headers


def not_found(detail: str) -> Problem:
    return Problem(404, "not-found", detail)


def bad_parameter(parameter: str, detail: str) -> Problem:
    return Problem(400, "bad-parameter", detail, parameter=parameter)


def unavailable(detail: str, at_least_seconds: int = 1, at_most_seconds: int = 5) -> Problem:
    """503; Retry-After differs from client to client, so that they do not return at once."""
    spread = secrets.randbelow(at_most_seconds - at_least_seconds + 1)
    return Problem(503, "unavailable", detail, retry_after_seconds=at_least_seconds + spread)
