"""Headers of requests and answers, as ASGI gives and takes them."""

from __future__ import annotations

from services.core.problems import MEDIA_TYPE, Problem

Headers = list[tuple[bytes, bytes]]
"""Names are in lower case."""

NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")
"""No cache keeps the answer: it is about one caller, or about one moment."""
SECURITY: Headers = [
    NOSNIFF,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
"""No answer of ours is a page."""


def values(headers: Headers, *names: bytes) -> list[str]:
    """The values of headers, "" where one is absent. Raises Problem where one is there twice."""
    found = dict(headers)
    if len(found) != len(headers):
        there = [key for key, _ in headers]
        for name in names:
            if there.count(name) > 1:
                raise Problem(400, "bad_value", f"the header {name.decode()} is there twice")
    return [found.get(name, b"").decode("latin-1") for name in names]


def header(headers: Headers, name: bytes) -> str:
    """One header's value, as `values` gives it."""
    return values(headers, name)[0]


def of_problem(problem: Problem, length: int) -> Headers:
    """`length` of the encoded document, in bytes."""
    return [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(length).encode()),
        NO_STORE,
        (b"vary", b"origin"),
        *SECURITY,
        *((name.encode(), value.encode()) for name, value in problem.headers.items()),
    ]
