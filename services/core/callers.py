"""Who sends a request: the bearer token's identity, or the problem that says why there is none."""

from __future__ import annotations

from services.core.errors import Retryable
from services.core.problems import Problem, away
from services.core.tokens import ALL_SITES, Identity, Issuers, Untrusted


async def caller(
    issuers: Issuers, authorization: str, now: float, site: str = "", *, all_sites: bool = False
) -> Identity:
    """`authorization` is the header, `now` seconds since 1970, `site` the one that is asked for.

    `all_sites`: whether a token for all of them will do, as it does for rules and nothing else.

    Raises Problem: 401 without a valid token, 403 for another site, 503 where the issuer's keys
    cannot be had.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(401, "unauthorized", "send Authorization: Bearer and a token of your portal")
    try:
        identity = await issuers.verify(token.strip(), now)
    except Untrusted as error:
        raise Problem(
            401,
            "unauthorized",
            error.detail,
            headers={"www-authenticate": 'Bearer realm="veche", error="invalid_token"'},
            reason=error.code,
        ) from None
    except Retryable as error:
        raise away(str(error), "keys_unavailable") from None
    if identity.site == ALL_SITES and not all_sites:
        raise Problem(403, "other_site", "a token for all sites changes rules; bring one of a site")
    if site and identity.site != site:
        raise Problem(403, "other_site", f"this token is for the site {identity.site}")
    return identity
