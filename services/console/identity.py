"""Who asks: a moderator or an administrator of the site, by the portal's signed token."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from services.console.problem import Problem, unavailable
from services.core.errors import Retryable
from services.core.tokens import Identity, Issuers, Untrusted

SiteName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,32}$")]

MODERATORS = ("moderator", "admin")


async def moderator(request: Request, site: SiteName) -> Identity:
    """The verified identity; raises 401 without a valid token, 403 for the wrong site or role."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "no-token", "send a moderator's token: Authorization: Bearer …")
    try:
        issuers: Issuers = request.app.state.issuers
        identity = await issuers.verify(
            token.strip(), request.app.state.decider.clock().timestamp()
        )
    except Untrusted as error:
        raise Problem(401, "bad-token", error.detail, code=error.code) from None
    except Retryable:
        raise unavailable("the token's issuer does not give its keys now; try again") from None
    if identity.site != site:
        raise Problem(403, "other-site", f"this token is for the site {identity.site}")
    if identity.role not in MODERATORS:
        raise Problem(403, "not-a-moderator", "the console answers moderators only")
    return identity


async def administrator(identity: Annotated[Identity, Depends(moderator)]) -> Identity:
    if identity.role != "admin":
        raise Problem(403, "not-an-admin", "only an administrator of the site may do this")
    return identity


Moderator = Annotated[Identity, Depends(moderator)]
Administrator = Annotated[Identity, Depends(administrator)]
