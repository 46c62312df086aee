"""One version of a feed or strip as bytes: encoded once, hashed and compressed once per coding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

import cramjam

from services.core.events import Version
from services.core.headers import NOSNIFF, Headers

COMPRESS_FROM_BYTES = 512
"""Below this a response fits one packet anyway."""

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: bytes(cramjam.zstd.compress(body, 6)),
    "br": lambda body: bytes(cramjam.brotli.compress(body, 5)),
    "gzip": lambda body: bytes(cramjam.gzip.compress(body, 6)),
}
"""In order of preference among codings that a client weighs alike."""

MAX_REMEMBERED = 200
"""Bytes of what a stranger asks with that are kept as a key: longer ones are worked out anew."""

FRESH = b"public, max-age=1, stale-while-revalidate=10, stale-if-error=600"


@dataclass(frozen=True, slots=True)
class Coded:
    """Bytes of one content coding. `headers` serve 200, `unchanged` serve 304."""

    body: bytes
    etag: bytes
    headers: Headers
    unchanged: Headers


class Encoded:
    """One body in every coding that was asked for; `said` are headers of its own."""

    __slots__ = ("_coded", "_said", "body")

    def __init__(self, body: bytes, said: Headers | None = None) -> None:
        self.body = body
        self._said = said or []
        self._coded: dict[str, Coded] = {}

    def coded_as(self, coding: str) -> Coded:
        """`coding` is "" (identity) or a key of the compressors; made at its first use."""
        made = self._coded.get(coding)
        if made is None:
            if coding and len(self.body) < COMPRESS_FROM_BYTES:
                made = self.coded_as("")
            else:
                made = code(self.body, coding, FRESH, self._said)
            self._coded[coding] = made
        return made


class Rendered(Encoded):
    """One version of a snapshot; `published_at` is the time of its record."""

    __slots__ = ("published_at", "version")

    def __init__(self, version: Version, published_at: datetime, body: bytes) -> None:
        modified = format_datetime(published_at, usegmt=True)
        super().__init__(
            body,
            [
                (b"veche-version", str(version).encode()),
                (b"last-modified", modified.encode()),
            ],
        )
        self.version = version
        self.published_at = published_at


def code(body: bytes, coding: str, cache_control: bytes, said: Headers) -> Coded:
    """Compresses and hashes `body`, and lays out its headers."""
    encoded = _COMPRESSORS[coding](body) if coding else body
    etag = b'"' + hashlib.blake2b(encoded, digest_size=16).hexdigest().encode() + b'"'
    unchanged = [
        (b"etag", etag),
        (b"cache-control", cache_control),
        (b"vary", b"accept-encoding, origin"),
        *said,
        # The rest of SECURITY says nothing about JSON, and each header costs a request 1 µs.
        NOSNIFF,
    ]
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(encoded)).encode()),
        *unchanged,
    ]
    if coding:
        headers.append((b"content-encoding", coding.encode()))
    return Coded(encoded, etag, headers, unchanged)


class CodingChoice:
    """Which coding a client gets for its Accept-Encoding, remembered for the usual headers."""

    def __init__(self, bound: int = 1_000) -> None:
        self._known: dict[bytes, str] = {b"": ""}
        self._bound = bound

    def __call__(self, accept_encoding: bytes) -> str:
        coding = self._known.get(accept_encoding)
        if coding is None:
            coding = choose(accept_encoding)
            if len(accept_encoding) <= MAX_REMEMBERED:
                if len(self._known) >= self._bound:
                    self._known.clear()
                self._known[accept_encoding] = coding
        return coding


def choose(accept_encoding: bytes) -> str:
    """The acceptable coding with the highest weight; "" where none of ours is acceptable."""
    weights: dict[str, float] = {}
    for part in accept_encoding.decode("latin-1").lower().split(","):
        name, _, parameters = part.strip().partition(";")
        try:
            weight = float(parameters.replace(" ", "").removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weights[name.strip()] = weight
    other = weights.get("*", 0.0)
    best = max(_COMPRESSORS, key=lambda name: weights.get(name, other))
    return best if weights.get(best, other) > 0 else ""


def matches(if_none_match: bytes, etag: bytes) -> bool:
    """Weak comparison, as If-None-Match asks: any listed tag, or `*`."""
    if if_none_match == etag:
        return True
    tags = (tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b","))
    return any(tag in (etag, b"*") for tag in tags)
