"""`/v1/me`: what depends on who asks. Read from Postgres each time, and kept by no cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from services.core import codec
from services.core.callers import caller
from services.core.store import threads
from services.core.store.threads import Own
from services.core.tokens import Identity, Issuers
from services.reader.answer import parts_of, private
from services.reader.names import discussion_key
from services.reader.reading import reading
from services.reader.verdict import RuleReasons, findings_shown, reason_shown

MAX_OWN = 200

Bearer = Annotated[str, Header(alias="authorization")]


def router(issuers: Issuers, clock: Callable[[], float], by_rule: RuleReasons) -> APIRouter:
    """`clock` is the time of day in seconds since 1970."""
    routes = APIRouter(prefix="/v1/me/sites/{site}/discussions/{discussion}")

    async def who(authorization: str, site: str) -> Identity:
        return await caller(issuers, authorization, clock(), site)

    @routes.get("/comments", name="own_comments")
    async def comments(
        request: Request, site: str, discussion: str, authorization: Bearer = ""
    ) -> Response:
        """The reader's comments here that others do not see as written, with the reasons."""
        identity = await who(authorization, site)
        key = discussion_key(site, discussion)
        async with reading(parts_of(request).pool) as connection:
            own = await threads.own_comments(connection, key, identity.subject, MAX_OWN)
        return private(codec.encode({"comments": [own_shown(comment, by_rule) for comment in own]}))

    @routes.get("/votes", name="own_votes")
    async def votes(
        request: Request, site: str, discussion: str, authorization: Bearer = ""
    ) -> Response:
        """The reader's votes here: on the discussion, and by comment."""
        identity = await who(authorization, site)
        key = discussion_key(site, discussion)
        async with reading(parts_of(request).pool) as connection:
            own = await threads.own_votes(connection, key, identity.subject)
        on_discussion = own.pop("", None)
        return private(
            codec.encode(
                {
                    "discussion": on_discussion.value if on_discussion else 0,
                    "comments": {target: vote.value for target, vote in own.items()},
                }
            )
        )

    return routes


def own_shown(comment: Own, by_rule: RuleReasons) -> dict[str, Any]:
    """The newest revision as its author wrote it, and what it waits for."""
    ruled = comment.ruling == "reject" and comment.ruled_revision == comment.revision
    if ruled:
        reason = reason_shown("moderator", comment.ruling_reason or "")
    else:
        reason = reason_shown(comment.held_reason or comment.outcome_reason or "rule")
    return {
        "id": comment.comment,
        "parent": comment.parent,
        "body": comment.body,
        "submitted_at": comment.submitted_at,
        "written_at": comment.written_at,
        "status": comment.status,
        "revision": comment.revision,
        "published_revision": comment.published_revision,
        "waits_for_moderator": comment.held_revision is not None,
        "reason": reason,
        "findings": [] if ruled else findings_shown(comment.verdict, by_rule),
    }
