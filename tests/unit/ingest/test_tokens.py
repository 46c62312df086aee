"""Tokens: what is believed, and forty-odd ways to lie that are not."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.core import keys
from services.core.callers import caller
from services.core.errors import Misconfigured, Retryable
from services.core.problems import Problem
from services.core.tokens import Issuers, Untrusted
from tests.unit.ingest.build import ISS, NOW, SECRET, claims, issuers, token

SECONDS = NOW.timestamp()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = ed25519.Ed25519PrivateKey.generate()
RSA_ISS, ED_ISS, EC_ISS = "https://rsa.test", "https://ed.test", "https://ec.test"
EC = ec.generate_private_key(ec.SECP256R1())
RSA_PEM = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def jwk(key: Any, alg: str, kid: str) -> dict[str, Any]:
    stated: dict[str, Any] = jwt.get_algorithm_by_name(alg).to_jwk(key.public_key(), as_dict=True)
    return stated | {"kid": kid, "use": "sig"}


@pytest.fixture
def known(tmp_path: Path) -> Issuers:
    (tmp_path / "rsa.json").write_text(json.dumps({"keys": [jwk(RSA, "RS256", "k1")]}))
    (tmp_path / "ed.json").write_text(json.dumps({"keys": [jwk(ED, "EdDSA", "e1")]}))
    (tmp_path / "ec.json").write_text(json.dumps({"keys": [jwk(EC, "ES256", "c1")]}))
    text = f"""
        [[issuer]]
        iss = "{ISS}"
        sites = ["gazette"]
        roles = ["reader", "portal"]
        algorithms = ["HS256"]
        secret = "{SECRET}"
    """
    for iss, alg, file in (
        (RSA_ISS, "RS256", "rsa"),
        (ED_ISS, "EdDSA", "ed"),
        (EC_ISS, "ES256", "ec"),
    ):
        text += f"""
        [[issuer]]
        iss = "{iss}"
        sites = ["gazette"]
        roles = ["reader"]
        algorithms = ["{alg}"]
        jwks_file = "{file}.json"
        """
    return issuers(tmp_path, text)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(
    header: Any, payload: Any | None = None, secret: bytes = SECRET.encode(), hash: str = "sha256"
) -> str:
    """Signed rightly by HMAC, whatever the header says."""
    said = f"{part(header)}.{part(claims() if payload is None else payload)}"
    return f"{said}.{part(hmac.new(secret, said.encode(), hash).digest())}"


HS: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}
GOOD = token()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")

LIES: dict[str, str] = {
    # the algorithm
    "alg none, no signature": f"{part({'alg': 'none'})}.{PAYLOAD}.",
    "alg None": f"{part({'alg': 'None'})}.{PAYLOAD}.{SIGNATURE}",
    "alg none, a signature": f"{part({'alg': 'none'})}.{PAYLOAD}.{SIGNATURE}",
    "alg empty": forged({"alg": ""}),
    "alg missing": forged({"typ": "JWT"}),
    "alg a list": forged({"alg": ["HS256"]}),
    "alg lower case": forged({"alg": "hs256"}),
    "alg not of this issuer": forged({"alg": "HS512"}, hash="sha512"),
    "alg twice": forged(b'{"alg":"none","alg":"HS256"}'),
    "HMAC with the public key as PEM": forged(HS, claims(iss=RSA_ISS), RSA_PEM),
    "HMAC with the public key, asymmetric header": forged(
        {"alg": "RS256", "kid": "k1"}, claims(iss=RSA_ISS), RSA_PEM
    ),
    "HMAC with the JWK's text": forged(
        HS, claims(iss=RSA_ISS), json.dumps(jwk(RSA, "RS256", "k1")).encode()
    ),
    "right key, neighbouring algorithm": jwt.encode(
        claims(iss=RSA_ISS), RSA, algorithm="PS256", headers={"kid": "k1"}
    ),
    # the signature
    "no signature": f"{HEAD}.{PAYLOAD}.",
    "two parts": f"{HEAD}.{PAYLOAD}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "another secret": token(key="t" * 32),
    "payload altered": f"{HEAD}.{part(claims(role='portal'))}.{SIGNATURE}",
    "signature cut": GOOD[:-4],
    "signature not base64url": f"{HEAD}.{PAYLOAD}.+/==",
    "blanks inside": f"{HEAD}.{PAYLOAD}. {SIGNATURE}",
    "empty secret": forged(HS, secret=b""),
    "RSA key of another": jwt.encode(
        claims(iss=RSA_ISS), OTHER_RSA, algorithm="RS256", headers={"kid": "k1"}
    ),
    "ECDSA of zeros": f"{part({'alg': 'ES256', 'kid': 'c1'})}.{part(claims(iss=EC_ISS))}."
    + part(bytes(64)),
    "JSON serialisation": json.dumps({"payload": PAYLOAD, "signatures": []}),
    # the header's own rules and keys
    "crit": forged(HS | {"crit": ["exp"]}),
    "crit empty": forged(HS | {"crit": []}),
    "b64 false": forged(HS | {"b64": False, "crit": ["b64"]}),
    "jku": forged(HS | {"jku": "https://evil.test/keys"}),
    "x5u": forged(HS | {"x5u": "https://evil.test/cert"}),
    "jwk": jwt.encode(
        claims(iss=RSA_ISS),
        OTHER_RSA,
        algorithm="RS256",
        headers={"kid": "k1", "jwk": jwk(OTHER_RSA, "RS256", "k1")},
    ),
    "zip": forged(HS | {"zip": "DEF"}),
    "typ of another purpose": forged(HS | {"typ": "logout+jwt"}),
    "header not JSON": forged(b"alg=HS256"),
    "header a list": forged(["HS256"]),
    # kid
    "kid unknown": jwt.encode(claims(iss=RSA_ISS), RSA, algorithm="RS256", headers={"kid": "k2"}),
    "kid a path": jwt.encode(
        claims(iss=RSA_ISS), b"x" * 32, algorithm="HS256", headers={"kid": "../../dev/null"}
    ),
    "kid SQL": jwt.encode(
        claims(iss=RSA_ISS), OTHER_RSA, algorithm="RS256", headers={"kid": "k1' UNION SELECT 1--"}
    ),
    "kid a number": forged(HS | {"kid": 1}),
    # the issuer
    "iss missing": forged(HS, claims(iss=None)),
    "iss a list": forged(HS, claims(iss=[ISS])),
    "iss unknown": token(iss="https://evil.test"),
    "iss a part of a known one": token(iss=ISS[:-1]),
    "iss with a slash more": token(iss=ISS + "/"),
    "iss in capitals": token(iss=ISS.upper()),
    "iss of another's key": token(iss=ED_ISS),
    "iss twice": forged(HS, json.dumps(claims())[:-1].encode() + b',"iss":"https://evil.test"}'),
    # the audience
    "aud missing": token(aud=None),
    "aud another": token(aud="veche2"),
    "aud a part": token(aud="vech"),
    "aud a list without us": token(aud=["a", "b"]),
    "aud an object": forged(HS, claims(aud={"veche": True})),
    # the time
    "exp missing": token(exp=None),
    "exp past the skew": token(exp=int(SECONDS) - 61),
    "exp a text": forged(HS, claims(exp=str(int(SECONDS) + 600))),
    "exp true": forged(HS, claims(exp=True)),
    "exp infinite": forged(HS, json.dumps(claims(exp=1)).replace(": 1}", ": 1e999}").encode()),
    "exp NaN": forged(HS, claims(exp=float("nan"))),
    "nbf beyond the skew": token(nbf=int(SECONDS) + 61),
    "iat beyond the skew": token(iat=int(SECONDS) + 61),
    # what the issuer may not grant
    "site of another": token(site="herald"),
    "site missing": token(site=None),
    "site a list": token(site=["gazette"]),
    "role not granted": token(role="moderator"),
    "role unknown": token(role="root"),
    "role missing": token(role=None),
    "sub missing": token(sub=None),
    "sub empty": token(sub=""),
    "sub with a bar": token(sub="ada|bob"),
    "sub with a newline": token(sub="ada\n"),
    "sub with a NUL": forged(HS, claims(sub="ada\x00")),
    "sub of an anonymous viewer": token(sub="anon:q5MTA3rXkTQyraASCdRe7g"),
    "sub a number": forged(HS, claims(sub=7)),
    "name too long": token(name="н" * 101),
    # what is no token
    "empty": "",
    "dots": "..",
    "beyond the length": token(filler="x" * 9000),
    "not ASCII": GOOD[:-1] + "é",
    "payload nests too deeply": forged(HS, claims(deep=json.loads("[" * 30 + "]" * 30))),
}


@pytest.mark.parametrize("lie", LIES)
async def test_lie_is_not_believed(known: Issuers, lie: str) -> None:
    with pytest.raises(Untrusted):
        await known.verify(LIES[lie], SECONDS)


def test_the_corpus_has_more_than_forty_lies() -> None:
    assert len(LIES) > 40


TRUTHS: dict[str, str] = {
    "HS256": GOOD,
    "RS256": jwt.encode(claims(iss=RSA_ISS), RSA, algorithm="RS256", headers={"kid": "k1"}),
    "RS256 without a kid, one key": jwt.encode(claims(iss=RSA_ISS), RSA, algorithm="RS256"),
    "EdDSA": jwt.encode(claims(iss=ED_ISS), ED, algorithm="EdDSA", headers={"kid": "e1"}),
    "ES256": jwt.encode(claims(iss=EC_ISS), EC, algorithm="ES256", headers={"kid": "c1"}),
    "aud in a list": token(aud=["other", "veche"]),
    "exp within the skew": token(exp=int(SECONDS) - 59),
    "nbf within the skew": token(nbf=int(SECONDS) + 59),
    "typ at+jwt": jwt.encode(claims(), SECRET, headers={"typ": "at+JWT"}),
    "typ left out": forged({"alg": "HS256"}),
    "claims that we do not know": token(email="ada@gazette.test"),
    "no name": token(name=None),
}


@pytest.mark.parametrize("truth", TRUTHS)
async def test_truth_is_believed(known: Issuers, truth: str) -> None:
    identity = await known.verify(TRUTHS[truth], SECONDS)
    assert (identity.subject, identity.site, identity.role) == ("ada", "gazette", "reader")
    assert identity.name == ("" if truth == "no name" else "Ада")


async def test_a_remembered_token_still_expires(known: Issuers) -> None:
    short = token(exp=int(SECONDS) + 10)
    await known.verify(short, SECONDS)
    await known.verify(short, SECONDS + 69)
    with pytest.raises(Untrusted, match="expired"):
        await known.verify(short, SECONDS + 71)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("algorithms", '["none"]'), "algorithms"),
        (("algorithms", '["HS256", "RS256"]'), "a secret goes with"),
        (("algorithms", "[]"), "algorithms"),
        (("algorithms", '["HS512"]'), "64 bytes"),
        (("roles", '["root"]'), "roles"),
        (("sites", '["Gazette"]'), "issuers.toml"),
        (("secret", '"short"'), "32 bytes"),
        (("jwks_url", '"https://keys.test"'), "must state one of"),
        (("jku", '"x"'), "unknown jku"),
        (("iss", '""'), "no iss"),
    ],
)
def test_an_issuer_that_could_be_fooled_is_refused_at_start(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    stated = {
        "iss": f'"{ISS}"',
        "sites": '["gazette"]',
        "roles": '["reader"]',
        "algorithms": '["HS256"]',
        "secret": f'"{SECRET}"',
    } | dict([change])
    text = "[[issuer]]\n" + "\n".join(f"{name} = {value}" for name, value in stated.items())
    with pytest.raises(Misconfigured, match=says):
        issuers(tmp_path, text)


def test_keys_that_do_not_serve_are_left_out_of_a_set() -> None:
    private = jwt.get_algorithm_by_name("RS256").to_jwk(RSA, as_dict=True)
    stated = [
        jwk(SHORT_RSA, "RS256", "short"),
        private | {"kid": "private"},
        jwk(OTHER_RSA, "RS256", "for-encryption") | {"use": "enc"},
        jwk(OTHER_RSA, "RS256", "other-alg") | {"alg": "PS256"},
        {"kty": "oct", "k": part(b"x" * 32), "kid": "oct"},
        {"kty": "RSA", "kid": "broken"},
        jwk(RSA, "RS256", "good"),
    ]
    raw = json.dumps({"keys": stated}).encode()
    assert {kid for kid, _ in keys.parse_jwks(raw, frozenset({"RS256"}))} == {"good"}


# --- a JWK Set behind a URL


class Server:
    """What the issuer's server would answer, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.kids = ["k1"]
        self.up = True

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        if not self.up:
            raise OSError("away")
        return json.dumps({"keys": [jwk(RSA, "RS256", kid) for kid in self.kids]}).encode()


def behind(server: Server) -> Callable[[str, float], Any]:
    source = keys.UrlKeys("https://keys.test", frozenset({"RS256"}), server.fetch)

    async def find(kid: str, now: float) -> Any:
        return await source.find(kid, "RS256", now)

    return find


async def test_unknown_kids_cause_one_fetch_a_minute_at_most() -> None:
    server = Server()
    find = behind(server)
    assert await find("k1", 1000.0)
    for number in range(100):
        assert await find(f"unknown-{number}", 1000.0 + number / 2) is None
    assert server.asked == 1
    server.kids = ["k1", "k2"]
    assert await find("k2", 1060.0)
    assert server.asked == 2


async def test_a_hundred_requests_at_once_share_one_fetch() -> None:
    server = Server()
    find = behind(server)
    assert all(await asyncio.gather(*(find("k1", 1000.0) for _ in range(100))))
    assert server.asked == 1


async def test_known_keys_serve_for_a_day_while_the_server_is_away() -> None:
    server = Server()
    find = behind(server)
    assert await find("k1", 1000.0)
    server.up = False
    assert await find("k1", 1000.0 + 23 * 3600)
    with pytest.raises(Retryable):
        await find("k1", 1000.0 + 24 * 3600 + 1)
    server.up = True
    assert await find("k1", 1000.0 + 24 * 3600 + 62)


async def test_no_keys_yet_is_no_verdict_on_the_token() -> None:
    server = Server()
    server.up = False
    with pytest.raises(Retryable):
        await behind(server)("k1", 1000.0)


ALL = f"""
[[issuer]]
iss = "{ISS}"
sites = ["gazette", "*"]
roles = ["reader", "admin"]
algorithms = ["HS256"]
secret = "{SECRET}"
"""


async def test_a_token_for_all_sites_is_an_administrator_s_and_good_for_nothing_but_rules(
    tmp_path: Path, known: Issuers
) -> None:
    everywhere = issuers(tmp_path, ALL)
    assert everywhere.sites == {"gazette"}
    admin = jwt.encode(claims(site="*", role="admin"), SECRET, algorithm="HS256")
    header = f"Bearer {admin}"
    assert (await caller(everywhere, header, SECONDS, all_sites=True)).site == "*"
    for site in ("", "gazette"):
        with pytest.raises(Problem, match="403 other_site"):
            await caller(everywhere, header, SECONDS, site)
    reader = jwt.encode(claims(site="*", role="reader"), SECRET, algorithm="HS256")
    for believing, told in ((everywhere, reader), (known, admin)):
        with pytest.raises(Problem, match="401 unauthorized"):
            await caller(believing, f"Bearer {told}", SECONDS, all_sites=True)
