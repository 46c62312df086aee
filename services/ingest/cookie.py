"""The signed cookie of readers without a token: a view counts once, and no more is known."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode

COOKIE = "veche_viewer"
_MAX_AGE_SECONDS = 365 * 24 * 3600
_SHAPE = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})")
_PURPOSE = b"veche viewer\x00"


def mint(secret: bytes) -> str:
    """A new cookie value: 128 random bits and 128 bits of HMAC-SHA256."""
    viewer = secrets.token_urlsafe(16)
    return f"{viewer}.{_mac(viewer, secret)}"


def viewer_of(value: str, secret: bytes) -> str | None:
    """The actor (`anon:…`) that a cookie value names; None where we did not sign it."""
    shape = _SHAPE.fullmatch(value)
    if not shape or not hmac.compare_digest(shape[2], _mac(shape[1], secret)):
        return None
    return f"anon:{shape[1]}"


def from_headers(headers: list[tuple[bytes, bytes]]) -> str:
    """Our cookie's value; "" where it is not there. HTTP/2 may split cookies over headers."""
    for name, header in headers:
        if name == b"cookie":
            for pair in header.decode("latin-1").split(";"):
                cookie, _, value = pair.strip().partition("=")
                if cookie == COOKIE:
                    return value
    return ""


def set_cookie(value: str, *, secure: bool) -> str:
    """The Set-Cookie header."""
    return f"{COOKIE}={value}; Path=/v1; Max-Age={_MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax" + (
        "; Secure" if secure else ""
    )


def _mac(viewer: str, secret: bytes) -> str:
    mac = hmac.digest(secret, _PURPOSE + viewer.encode(), "sha256")
    return urlsafe_b64encode(mac[:16]).rstrip(b"=").decode()
