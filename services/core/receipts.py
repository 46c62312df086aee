"""Receipts: where an accepted event stands in the log, signed so that only its holder can ask.

Compact text: base64url of a JSON array, a dot, base64url of keyed BLAKE2b over it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from hashlib import blake2b

from msgspec import Struct

from services.core import codec
from services.core.errors import BadEvent, VecheError

MAX_LENGTH = 2_000
_PURPOSE = b"veche receipt"


class BadReceipt(VecheError):
    """The text is not a receipt that this secret signed."""


class Receipt(Struct, frozen=True, array_like=True):
    topic: str
    """As in schemas/topics.toml, without a prefix."""
    partition: int
    offset: int
    event: str
    """The event's id."""
    type: str
    digest: str
    """Hex of `codec.digest`."""
    discussion: str
    """`site/discussion`."""
    actor: str
    comment: str = ""
    """The comment that the event is about; "" where it is about the discussion itself."""


def issue(receipt: Receipt, secret: bytes) -> str:
    said = urlsafe_b64encode(codec.encode(receipt)).rstrip(b"=")
    return f"{said.decode()}.{_mac(said, secret)}"


def read(text: str, secret: bytes) -> Receipt:
    """Raises BadReceipt where a single character differs from what `issue` gave."""
    said, dot, mac = text.partition(".")
    if not dot or len(text) > MAX_LENGTH or not text.isascii():
        raise BadReceipt("this is not a receipt")
    if not hmac.compare_digest(mac.encode(), _mac(said.encode(), secret).encode()):
        raise BadReceipt("this receipt was not signed here, or was altered")
    try:
        return codec.decode(urlsafe_b64decode(said + "=" * (-len(said) % 4)), Receipt)
    except (ValueError, BadEvent):
        raise BadReceipt("this receipt was issued by another version") from None


def _mac(said: bytes, secret: bytes) -> str:
    mac = blake2b(said, digest_size=32, key=_key(secret), person=_PURPOSE).digest()
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


@cache
def _key(secret: bytes) -> bytes:
    """BLAKE2 takes keys of up to 64 bytes."""
    return blake2b(secret).digest()
