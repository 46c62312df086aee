"""Bearer tokens (JWT): who acts, for which site, in which role.

An issuers file says whom we believe; a token can name nothing beyond what its issuer may grant:

    [[issuer]]
    iss = "https://portal.example"       # compared as an exact string
    sites = ["portal"]
    roles = ["reader", "portal"]
    algorithms = ["HS256"]               # fixed; the token's header only chooses among them
    secret = "…"                         # or secret_file, jwks_file (beside this file), jwks_url

Claims: iss, sub, aud "veche", exp; site, role; optional name, nbf, iat (60 s of skew allowed).
`kid` is only ever a dictionary key. Headers that bring their own key or rules are refused.
"""

from __future__ import annotations

import re
import tomllib
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from services.core import events, strict
from services.core.errors import BadEvent, Misconfigured, Retryable, VecheError
from services.core.keys import ALGORITHMS, FixedKeys, Keys, UrlKeys, parse_jwks, secret_keys

AUDIENCE = "veche"
ALL_SITES = "*"
"""In place of a site, where an issuer lists it: who may change rules of all sites, with the roles
moderator and admin only."""
SKEW_SECONDS = 60
MAX_LENGTH = 8_192
REMEMBERED_TOKENS = 10_000
REMEMBERED_SECONDS = 60
"""A verified token is not verified again for this long, so a withdrawn key works on for as long."""

_REFUSED_HEADERS = frozenset({"crit", "jku", "x5u", "jwk", "x5c", "b64", "zip"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})

__all__ = ["Identity", "Issuers", "Retryable", "Untrusted"]


class Untrusted(VecheError):
    """The token gives no identity: answer 401.

    Attributes:
        code: a snake_case reason from a closed set.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Identity:
    subject: str
    site: str
    role: events.Role
    name: str
    expires_at: float
    """Seconds since 1970."""


Seconds = Annotated[float, Meta(ge=0, le=253_402_300_799)]


class Claims(Struct, frozen=True):
    iss: str
    sub: events.ReaderId
    aud: str | list[str]
    exp: Seconds
    site: Annotated[str, Meta(pattern=r"^([a-z0-9-]{1,32}|\*)(?!\n)$")]
    role: events.Role
    name: Annotated[str, Meta(max_length=100)] = ""
    nbf: Seconds = 0
    iat: Seconds = 0


class _Whose(Struct, frozen=True):
    iss: str


class _Header(Struct, frozen=True):
    alg: str
    typ: str = "JWT"
    kid: str | None = None


@dataclass(frozen=True)
class Issuer:
    iss: str
    sites: frozenset[str]
    roles: frozenset[str]
    algorithms: frozenset[str]
    keys: Keys


class Issuers:
    """Verifies tokens of the issuers that it knows.

    Attributes:
        sites: every site that an issuer speaks for.
    """

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.iss: issuer for issuer in issuers}
        if len(self._issuers) != len(issuers):
            raise Misconfigured("the issuers file names the same iss twice")
        sites: frozenset[str] = frozenset().union(*(issuer.sites for issuer in issuers))
        self.sites = sites - {ALL_SITES}
        self._remembered: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    @classmethod
    def load(cls, path: Path) -> Issuers:
        """Raises Misconfigured, naming the file and the entry."""
        try:
            stated = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise Misconfigured(f"the issuers file {path} cannot be read: {error}") from error
        entries = stated.get("issuer")
        if not isinstance(entries, list) or set(stated) != {"issuer"}:
            raise Misconfigured(f"the issuers file {path} must hold [[issuer]] entries only")
        try:
            return cls([_issuer(entry, path.parent) for entry in entries])
        except (Misconfigured, BadEvent, KeyError, TypeError, ValueError, OSError) as error:
            raise Misconfigured(f"the issuers file {path}: {error}") from error

    async def verify(self, token: str, now: float) -> Identity:
        """`now` in seconds since 1970. Raises Untrusted, or Retryable where keys cannot be had."""
        remembered = self._remembered.get(token)
        if remembered and now < remembered[1]:
            return remembered[0]
        identity = await self._verify(token, now)
        until = min(now + REMEMBERED_SECONDS, identity.expires_at + SKEW_SECONDS)
        self._remembered[token] = (identity, until)
        if len(self._remembered) > REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)
        return identity

    async def _verify(self, token: str, now: float) -> Identity:
        parts = token.split(".") if len(token) <= MAX_LENGTH and token.isascii() else []
        if len(parts) != 3:
            raise Untrusted("malformed", "this is not a signed JWT in compact form")
        fields = _parsed(parts[0], "header")
        if not isinstance(fields, dict) or _REFUSED_HEADERS & fields.keys():
            raise Untrusted("bad_header", "the token's header brings a key or rules of its own")
        header = _converted(fields, _Header, "bad_header")
        if header.typ.lower() not in _TYPES:
            raise Untrusted("bad_header", "the token's typ is not JWT")
        payload = _parsed(parts[1], "payload")
        issuer = self._issuers.get(_converted(payload, _Whose, "bad_claims").iss)
        if issuer is None:
            raise Untrusted("unknown_issuer", "the token's issuer is not known here")
        if header.alg not in issuer.algorithms:
            raise Untrusted("bad_algorithm", "this issuer does not sign with the token's algorithm")
        key = await issuer.keys.find(header.kid, header.alg, now)
        if key is None:
            raise Untrusted("unknown_key", "the issuer has no such key")
        signature = _decoded(parts[2], "signature")
        said = f"{parts[0]}.{parts[1]}".encode()
        if not ALGORITHMS[header.alg].verify(said, key, signature):
            raise Untrusted("bad_signature", "the token's signature does not hold")
        return _identity(_converted(payload, Claims, "bad_claims"), issuer, now)


def _identity(claims: Claims, issuer: Issuer, now: float) -> Identity:
    if AUDIENCE not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise Untrusted("bad_audience", f"the token is not meant for {AUDIENCE!r}")
    if now > claims.exp + SKEW_SECONDS:
        raise Untrusted("expired", "the token has expired")
    if max(claims.nbf, claims.iat) > now + SKEW_SECONDS:
        raise Untrusted("not_yet_valid", "the token is not valid yet")
    if claims.site not in issuer.sites or claims.role not in issuer.roles:
        raise Untrusted("not_granted", "the issuer may not grant this site or role")
    if claims.site == ALL_SITES and claims.role not in ("moderator", "admin"):
        raise Untrusted("not_granted", "only moderators and administrators may be of all sites")
    if claims.sub.startswith("anon:"):
        raise Untrusted("bad_claims", "a sub may not begin with anon:")
    return Identity(claims.sub, claims.site, claims.role, claims.name, claims.exp)


def _decoded(part: str, what: str) -> bytes:
    if not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        raise Untrusted("malformed", f"the token's {what} is not base64url")
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _parsed(part: str, what: str) -> Any:
    try:
        return strict.parse(_decoded(part, what))
    except BadEvent as error:
        raise Untrusted("malformed", f"the token's {what}: {error.detail}") from None


def _converted(value: Any, type: type[strict.T], code: str) -> strict.T:
    try:
        return strict.convert(value, type)
    except BadEvent as error:
        raise Untrusted(code, f"{error.detail} at {error.field or 'the top'}") from None


_KEY_SOURCES = ("secret", "secret_file", "jwks_file", "jwks_url")
_ROLES = frozenset({"reader", "portal", "importer", "moderator", "admin"})


def _issuer(entry: dict[str, Any], folder: Path) -> Issuer:
    iss = str(entry.get("iss", ""))
    if not iss:
        raise Misconfigured("an [[issuer]] has no iss")
    unknown = entry.keys() - {"iss", "sites", "roles", "algorithms", *_KEY_SOURCES}
    given = [name for name in _KEY_SOURCES if entry.get(name)]
    algorithms = frozenset(entry["algorithms"])
    roles = frozenset(entry["roles"])
    if unknown:
        raise Misconfigured(f"issuer {iss} states unknown {', '.join(sorted(unknown))}")
    if len(given) != 1:
        raise Misconfigured(f"issuer {iss} must state one of {', '.join(_KEY_SOURCES)}")
    if not algorithms or algorithms - ALGORITHMS.keys():
        raise Misconfigured(f"issuer {iss} must list algorithms out of {', '.join(ALGORITHMS)}")
    if not roles or roles - _ROLES:
        raise Misconfigured(f"issuer {iss} must list roles out of {', '.join(sorted(_ROLES))}")
    symmetric = {name for name in algorithms if name.startswith("HS")}
    if symmetric != (algorithms if "secret" in given[0] else set()):
        raise Misconfigured(
            f"issuer {iss}: a secret goes with HS256, HS384 or HS512 and with nothing else"
        )
    sites = frozenset(
        site if site == ALL_SITES else strict.convert(site, events.Site) for site in entry["sites"]
    )
    return Issuer(iss, sites, roles, algorithms, _keys(given[0], entry, algorithms, folder))


def _keys(source: str, entry: dict[str, Any], algorithms: frozenset[str], folder: Path) -> Keys:
    value = str(entry[source])
    if source == "secret":
        return secret_keys(value, algorithms)
    if source == "secret_file":
        return secret_keys((folder / value).read_text().strip(), algorithms)
    if source == "jwks_file":
        return FixedKeys(parse_jwks((folder / value).read_bytes(), algorithms))
    return UrlKeys(value, algorithms)
