"""Tokens of the demonstration: a sample portal's readers, and the portal itself."""

from __future__ import annotations

from dataclasses import dataclass

import jwt

ISSUER = "veche:demo"
SITE = "demo"
AUDIENCE = "veche"
READER_SECONDS = 3_600
PORTAL_SECONDS = 600


@dataclass(frozen=True)
class Reader:
    """A sample reader; `name` is shown beside comments, `ru` and `en` in the picker."""

    id: str
    name: str
    ru: str
    en: str


READERS = {
    reader.id: reader
    for reader in (
        Reader("nina", "Нина", "Нина, читает утром", "Nina, reads in the morning"),
        Reader("gleb", "Глеб", "Глеб, спорит вежливо", "Gleb, argues politely"),
        Reader("alice", "Alice", "Элис, пишет по-английски", "Alice, writes in English"),
        Reader("tom", "Tom", "Том, голосует за всё", "Tom, votes for everything"),
        Reader("zoya", "Зоя", "Зоя, здесь впервые", "Zoya, new here"),
    )
}


@dataclass(frozen=True)
class Token:
    token: str
    expires_at: int
    """Seconds since 1970."""


@dataclass(frozen=True)
class Issuer:
    """Signs with HS256; `veche up` writes the same key into the issuers file."""

    secret: bytes

    def reader(self, reader: Reader, now: int) -> Token:
        return self._sign(reader.id, reader.name, "reader", now, READER_SECONDS)

    def portal(self, now: int) -> Token:
        return self._sign("sample-portal", "Sample portal", "portal", now, PORTAL_SECONDS)

    def _sign(self, sub: str, name: str, role: str, now: int, seconds: int) -> Token:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": sub,
            "name": name,
            "site": SITE,
            "role": role,
            "iat": now,
            "exp": now + seconds,
        }
        return Token(jwt.encode(claims, self.secret, algorithm="HS256"), now + seconds)
