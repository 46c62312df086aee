"""How often moderators of a site ruled as each rule says: what to look at before a rule goes live.

The share's interval is Wilson's of 95 %: Wilson, E. B. (1927), "Probable inference, the law of
succession, and statistical inference", Journal of the American Statistical Association 22 (158),
209–212.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.console.decide import ACQUIRE_SECONDS
from services.console.identity import ModeratorAnywhere
from services.console.routes import answer, pool_of
from services.core.store import judged

router = APIRouter(prefix="/v1/console/rulesets")


@router.get("/agreement")
async def agreement(
    request: Request,
    identity: ModeratorAnywhere,
    days: Annotated[float, Query(gt=0, le=31)] = 7.0,
) -> Response:
    since = request.app.state.decider.clock() - timedelta(days=days)
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        found, reaches = await judged.agreement(connection, since, identity.site)
    return answer(
        {
            "site": identity.site,
            "since": reaches,
            "complete": reaches == since,
            "rules": judged.shown(found),
        }
    )
