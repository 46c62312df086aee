"""Who asks: a moderator or an administrator of the site, by the portal's signed token."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from services.core.callers import caller
from services.core.problems import Problem
from services.core.tokens import Identity, Issuers

SiteName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,32}$")]

MODERATORS = ("moderator", "admin")


async def moderator(request: Request, site: SiteName) -> Identity:
    """The verified identity; raises 401 without a valid token, 403 for the wrong site or role."""
    return await _known(request, site, all_sites=False)


async def _known(request: Request, site: str, *, all_sites: bool) -> Identity:
    state = request.app.state
    issuers: Issuers = state.issuers
    stated = request.headers.get("authorization", "")
    now = state.decider.clock().timestamp()
    identity = await caller(issuers, stated, now, site, all_sites=all_sites)
    if identity.role not in MODERATORS:
        raise Problem(403, "role_not_allowed", "the console answers moderators only")
    return identity


async def moderator_anywhere(request: Request) -> Identity:
    """As `moderator`, where the address names no site: the token's counts."""
    return await moderator(request, "")


async def any_moderator(request: Request) -> Identity:
    """Of whatever site, or of all: rules hold for the whole installation."""
    return await _known(request, "", all_sites=True)


async def administrator(identity: Annotated[Identity, Depends(moderator)]) -> Identity:
    if identity.role != "admin":
        raise Problem(403, "role_not_allowed", "only an administrator may do this")
    return identity


async def administrator_anywhere(
    identity: Annotated[Identity, Depends(moderator_anywhere)],
) -> Identity:
    return await administrator(identity)


async def any_administrator(
    identity: Annotated[Identity, Depends(any_moderator)],
) -> Identity:
    return await administrator(identity)


AdministratorAnywhere = Annotated[Identity, Depends(administrator_anywhere)]
AnyModerator = Annotated[Identity, Depends(any_moderator)]
AnyAdministrator = Annotated[Identity, Depends(any_administrator)]
Moderator = Annotated[Identity, Depends(moderator)]
ModeratorAnywhere = Annotated[Identity, Depends(moderator_anywhere)]
Administrator = Annotated[Identity, Depends(administrator)]
