"""Cursors: opaque to clients, and checked, so that only what we gave out comes back.

A cursor names the listing that it continues (kind and scope), so it fits no other.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from services.core import codec
from services.core.errors import BadEvent
from services.core.problems import bad_parameter

_MAC_BYTES = 12
_MAX_CHARS = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Since 1970: exact, unlike a float of seconds."""
    return (at - _EPOCH) // timedelta(microseconds=1)


C = TypeVar("C", bound=msgspec.Struct)


class AfterComment(msgspec.Struct, frozen=True, array_like=True):
    """Continues behind this comment, in order of time."""

    submitted_us: int
    comment: str

    @classmethod
    def behind(cls, submitted_at: datetime, comment: str) -> AfterComment:
        return cls(microseconds(submitted_at), comment)

    @property
    def place(self) -> tuple[datetime, str]:
        return _EPOCH + timedelta(microseconds=self.submitted_us), self.comment


class AfterRank(msgspec.Struct, frozen=True, array_like=True):
    """Continues a frozen order behind `position`; once it expired, behind `rank` in a new one."""

    order: str
    position: int
    minus_score: float
    submitted_us: int
    comment: str

    @property
    def rank(self) -> tuple[float, int, str]:
        return self.minus_score, self.submitted_us, self.comment


class Cursors:
    """Seals and opens cursors with one key; every reader of a cluster has the same."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"veche-cursor").digest()

    def seal(self, listing: str, place: msgspec.Struct) -> str:
        said = codec.encode(place)
        return _text(self._mac(listing, said) + said)

    def open(self, listing: str, cursor: str, type: type[C]) -> C:
        """Raises a Problem, naming the parameter, where it was not sealed for `listing`."""
        if len(cursor) <= _MAX_CHARS and cursor.isascii():
            try:
                raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
                mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
                # base64 reads many texts as the same bytes: we gave out one.
                as_given = _text(raw) == cursor
                if as_given and hmac.compare_digest(mac, self._mac(listing, said)):
                    return codec.decode(said, type)
            except (NotBase64, ValueError, BadEvent):
                pass
        raise bad_parameter("cursor", "this cursor does not belong to this listing; begin again")

    def _mac(self, listing: str, said: bytes) -> bytes:
        return hashlib.blake2b(
            listing.encode() + b"\x00" + said, key=self._key, digest_size=_MAC_BYTES
        ).digest()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
