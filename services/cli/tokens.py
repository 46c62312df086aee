"""Bearer tokens from an issuers file: for operators, tests by hand and the demonstration."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import jwt

from services.core.errors import Misconfigured
from services.core.settings import Local, issuers_file

AUDIENCE = "veche"
HOUR = 3600


def from_issuers_file(
    *,
    site: str,
    role: str,
    user: str,
    name: str = "",
    hours: float = 12.0,
    file: Path | None = None,
) -> str:
    """A token signed with the secret of the first issuer that may speak for this site and role.

    `file` is VECHE_ISSUERS_FILE if left out, else the one of `veche up`.
    Raises Misconfigured where no issuer with a shared secret may.
    """
    file = file or issuers_file() or Local.read().data_dir / "issuers.toml"
    issuer = _issuer(file, site, role)
    now = int(time.time())
    claims = {
        "iss": issuer["iss"],
        "aud": AUDIENCE,
        "sub": user,
        "site": site,
        "role": role,
        "name": name or user,
        "iat": now,
        "exp": now + int(hours * HOUR),
    }
    return jwt.encode(claims, issuer["secret"], algorithm="HS256")


def _issuer(file: Path, site: str, role: str) -> dict[str, Any]:
    try:
        issuers = tomllib.loads(file.read_text())["issuer"]
    except FileNotFoundError:
        raise Misconfigured(
            f"{file} does not exist: run `veche up` or `veche secrets` once, or name the issuers "
            f"file with VECHE_ISSUERS_FILE"
        ) from None
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise Misconfigured(f"{file} is not an issuers file: {error}") from error
    for issuer in issuers:
        may = role in issuer["roles"] and site in issuer["sites"]
        if may and "secret" in issuer and "HS256" in issuer["algorithms"]:
            return dict(issuer)
    raise Misconfigured(
        f"no issuer of {file} with a shared secret may say {role} for site {site!r}"
    )
