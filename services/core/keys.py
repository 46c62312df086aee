"""The keys of token issuers: a shared secret, or a JWK Set from a file or a URL.

A URL is fetched at most once in 60 s, whatever tokens ask for; what was fetched serves on for 24 h
while the issuer's server is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import httpx
import jwt

from services.core import strict
from services.core.errors import BadEvent, Misconfigured, Retryable

log = logging.getLogger(__name__)

ALGORITHMS: dict[str, jwt.algorithms.Algorithm] = {
    name: jwt.get_algorithm_by_name(name)
    for name in (
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES256", "ES384", "ES512", "EdDSA",
    )
}  # fmt: skip
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
_MAX_SET_BYTES = 256 * 1024

FETCH_EVERY_SECONDS = 60
REFRESH_AFTER_SECONDS = 300
STALE_AFTER_SECONDS = 24 * 3600
FETCH_SECONDS = 3.0

KeySet = Mapping[tuple[str | None, str], Any]
"""(kid, algorithm) → a key prepared for that algorithm. A kid of None: the only key there is."""


class Keys(Protocol):
    async def find(self, kid: str | None, alg: str, now: float) -> Any | None:
        """The key, or None where the issuer has no such key. `now` in seconds since 1970."""


class FixedKeys:
    def __init__(self, keys: KeySet, *, any_kid: bool = False) -> None:
        self._keys = keys
        self._any_kid = any_kid

    async def find(self, kid: str | None, alg: str, now: float) -> Any | None:
        return self._keys.get((None if self._any_kid else kid, alg))


def secret_keys(secret: str, algorithms: frozenset[str]) -> FixedKeys:
    """One shared secret, whatever kid a token names."""
    keys: dict[tuple[str | None, str], Any] = {}
    for alg in algorithms:
        if len(secret.encode()) < _SECRET_BYTES[alg]:
            raise Misconfigured(f"a secret for {alg} needs {_SECRET_BYTES[alg]} bytes or more")
        try:
            keys[None, alg] = ALGORITHMS[alg].prepare_key(secret)
        except jwt.InvalidKeyError as error:
            raise Misconfigured(f"the secret is no secret: {error}") from None
    return FixedKeys(keys, any_kid=True)


def parse_jwks(raw: bytes, algorithms: frozenset[str]) -> KeySet:
    """The public keys of a JWK Set that go with `algorithms`; other keys are left out.

    Raises Misconfigured where it is no JWK Set or holds no key that serves.
    """
    try:
        stated = strict.parse(raw)
        jwks = [jwk for jwk in stated["keys"] if isinstance(jwk, dict)]
    except (BadEvent, TypeError, KeyError):
        raise Misconfigured("this is not a JWK Set") from None
    keys: dict[tuple[str | None, str], Any] = {}
    for alg in algorithms:
        serving = [jwk for jwk in jwks if _serves(jwk, alg)]
        for jwk in serving:
            try:
                key = ALGORITHMS[alg].from_jwk(jwk)
            except (jwt.InvalidKeyError, ValueError, TypeError, KeyError) as error:
                log.warning("a key of a JWK Set was left out: %s", type(error).__name__)
                continue
            if getattr(key, "key_size", 4096) < 2048 and jwk["kty"] == "RSA":
                log.warning("an RSA key shorter than 2,048 bits was left out")
                continue
            keys[jwk.get("kid"), alg] = key
            if len(serving) == 1:
                keys[None, alg] = key
    if not keys:
        raise Misconfigured(f"no key of the JWK Set serves {', '.join(sorted(algorithms))}")
    return keys


def _serves(jwk: dict[str, Any], alg: str) -> bool:
    family = {"R": "RSA", "P": "RSA", "E": "EC"}[alg[0]] if alg != "EdDSA" else "OKP"
    return (
        jwk.get("kty") == family
        and jwk.get("alg", alg) == alg
        and jwk.get("use", "sig") == "sig"
        and (alg not in _CURVES or jwk.get("crv") == _CURVES[alg])
        and "d" not in jwk
        and isinstance(jwk.get("kid", ""), str)
    )


Fetch = Callable[[str], Awaitable[bytes]]


async def _fetch(url: str) -> bytes:
    """At most 256 KiB, no redirects. Raises httpx.HTTPError or ValueError."""
    async with (
        httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as client,
        client.stream("GET", url, headers={"accept": "application/json"}) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        raw = b""
        async for chunk in answer.aiter_bytes():
            raw += chunk
            if len(raw) > _MAX_SET_BYTES:
                raise ValueError("too large for a JWK Set")
        return raw


class UrlKeys:
    """A JWK Set behind a URL. A known key never waits for a fetch; an unknown one waits 3 s."""

    def __init__(self, url: str, algorithms: frozenset[str], fetch: Fetch = _fetch) -> None:
        if not url.startswith(("https://", "http://")):
            raise Misconfigured(f"jwks_url must begin with https:// or http://, not {url!r}")
        self._url = url
        self._algorithms = algorithms
        self._fetch = fetch
        self._keys: KeySet = {}
        self._fetched_at = 0.0
        self._tried_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, alg: str, now: float) -> Any | None:
        """Raises Retryable where no keys are known and none could be fetched."""
        if self._keys and now - self._fetched_at > STALE_AFTER_SECONDS:
            self._keys = {}
        key = self._keys.get((kid, alg))
        if key is None or now - self._fetched_at > REFRESH_AFTER_SECONDS:
            fetching = self._refresh(now)
            if key is None and fetching:
                await asyncio.wait({fetching}, timeout=FETCH_SECONDS + 1)
                key = self._keys.get((kid, alg))
        if not self._keys:
            raise Retryable("the issuer's keys cannot be fetched")
        return key

    def _refresh(self, now: float) -> asyncio.Task[None] | None:
        """The fetch in flight, or a new one where the last try is long enough ago."""
        if self._fetching and not self._fetching.done():
            return self._fetching
        if abs(now - self._tried_at) < FETCH_EVERY_SECONDS:
            return None
        self._tried_at = now
        self._fetching = asyncio.create_task(self._replace(now))
        return self._fetching

    async def _replace(self, now: float) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                raw = await self._fetch(self._url)
            self._keys = parse_jwks(raw, self._algorithms)
            self._fetched_at = now
        except (httpx.HTTPError, ValueError, TimeoutError, OSError, Misconfigured) as error:
            log.warning("keys of %s were not fetched: %s", self._url, error)
