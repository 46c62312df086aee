"""The texts of the ruleset in use, for processes that tell of rules and do not judge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from services.core import db
from services.core.store import rulesets

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0


async def follow(pool: db.Pool, take: Callable[[Mapping[str, str]], None]) -> None:
    """Until cancelled: `take` gets the files of every newer version, in a thread. A database that
    is away, or a ruleset that does not load, leaves what was taken before."""
    known = 0
    while True:
        try:
            async with db.transaction(pool) as connection:
                newest = await rulesets.newest(connection)
                found = (
                    await rulesets.one(connection, newest[0])
                    if newest and newest[0] != known
                    else None
                )
            if found is not None:
                known = found[0].version
                await asyncio.to_thread(take, found[1])
        except db.UNAVAILABLE as error:
            log.debug("could not look for a newer ruleset: %r", error)
        except Exception:  # what is told of rules stays as it was
            log.exception("the ruleset in use is not told")
        await asyncio.sleep(EVERY_SECONDS)
