"""Why not? Each rule in use looks again at a stored comment, on the facts that were recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response

from services.console import show
from services.console.decide import ACQUIRE_SECONDS
from services.console.identity import Moderator
from services.console.rehearse import SECONDS
from services.console.routes import CommentName, DiscussionName, answer, pool_of
from services.core.db import Pool
from services.core.errors import VecheError
from services.core.events import DiscussionKey
from services.core.problems import away, not_found
from services.core.rules import Facts, Ruleset, Submission, load, read
from services.core.rules.trial import explain
from services.core.store import judged, rulesets

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/console/sites/{site}")
T = TypeVar("T")


class Explainer:
    """Loads and asks the rules on a thread of its own, so that the console goes on answering.

    `folder` gives the texts of VECHE_RULES_DIR, for as long as no ruleset was ever activated.
    """

    def __init__(self, pool: Pool, folder: Callable[[], Mapping[str, str]]) -> None:
        self._pool = pool
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "why")
        self._looking = asyncio.Lock()
        self._known: str | Mapping[str, str] = ""
        """What is loaded: its hash, or the texts of the folder."""
        self._ruleset: Ruleset | None = None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def in_use(self) -> tuple[int, Ruleset]:
        """(version, ruleset); version 0 is the folder. Raises Problem where it does not load."""
        async with self._looking:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                newest = await rulesets.newest(connection)
                if newest is not None and self._ruleset is not None and newest[1] == self._known:
                    return newest[0], self._ruleset
                found = await rulesets.one(connection, newest[0]) if newest else None
            try:
                files = found[1] if found else await self._run(self._folder)
                known = found[0].hash if found else files
                if self._ruleset is None or known != self._known:
                    self._ruleset = await self._run(load, files)
                    self._known = known
            except VecheError as error:
                log.warning("the ruleset in use does not load here: %s", error)
                raise away("the ruleset in use does not load here; the log says why") from None
            return found[0].version if found else 0, self._ruleset

    async def explain(
        self, ruleset: Ruleset, discussion: str, comment: str, stood: judged.Stood, reported: bool
    ) -> list[dict[str, Any]]:
        return await self._run(explained, ruleset, discussion, comment, stood, reported)

    async def _run(self, work: Callable[..., T], *given: Any) -> T:
        """Raises Problem: rules that take longer to load are never proposed."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
        try:
            return await asyncio.wait_for(future, SECONDS)
        except TimeoutError:
            raise away(f"the rules took longer than {SECONDS:.0f} s; ask again later") from None


def explained(
    ruleset: Ruleset, discussion: str, comment: str, stood: judged.Stood, reported: bool
) -> list[dict[str, Any]]:
    submission = Submission(
        discussion=DiscussionKey(discussion),
        comment=comment,
        revision=stood.revision,
        site=discussion.partition("/")[0],
        author=stood.author,
        at=stood.recorded_at if reported else stood.written_at,
        reading=read(stood.body),
        section=stood.section,
        language=stood.language,
        reported=reported,
    )
    return explain(submission, Facts(stood.facts), ruleset)


@router.get("/comments/{discussion}/{comment}/why")
async def why(
    request: Request,
    identity: Moderator,
    discussion: DiscussionName,
    comment: CommentName,
    event: Annotated[Literal["written", "reported"], Query()] = "written",
) -> Response:
    """The newest judged revision, as it was written, or as it was reported last."""
    explainer: Explainer = request.app.state.explainer
    key, reported = f"{identity.site}/{discussion}", event == "reported"
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        stood = await judged.newest_of(connection, key, comment, reported=reported)
    if stood is None:
        raise not_found(f"rules never looked at such a comment when it was {event}")
    version, ruleset = await explainer.in_use()
    rules = await explainer.explain(ruleset, key, comment, stood, reported)
    titles: show.Titles = request.app.state.titles
    then = stood.verdict
    return answer(
        {
            "discussion": discussion,
            "comment": comment,
            "revision": stood.revision,
            "event": event,
            "body": stood.body,
            "recorded_at": stood.recorded_at,
            "result": stood.result,
            "verdict": {"action": then.action, "findings": show.findings(then, titles)},
            "facts": stood.facts,
            "ruleset": {
                "then": then.ruleset,
                "now": ruleset.hash,
                "version": version,
                "same": then.ruleset == ruleset.hash,
            },
            "rules": [{**one, "title": show.title(one["rule"], titles)} for one in rules],
        }
    )
