"""The console's routes: the queue, claims, decisions, notices, policy, figures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from services.console import bodies, show
from services.console.decide import ACQUIRE_SECONDS, Decider, Settled
from services.console.identity import Administrator, Moderator
from services.core import codec
from services.core.db import Pool
from services.core.events import SitePolicy
from services.core.problems import MEDIA_TYPE, Problem, retry_after
from services.core.store import decisions, notices, policies, queue

CLAIM_SECONDS = 240.0

DiscussionName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,100}$")]
CommentName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,64}$")]
EventName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~:-]{1,100}$")]

router = APIRouter(prefix="/v1/console/sites/{site}")


def answer(body: Any, status: int = 200) -> Response:
    kind = MEDIA_TYPE if status >= 400 else "application/json"
    headers = {"content-type": kind}
    if status == 503:
        headers |= retry_after()
    return Response(codec.encode(body), status, headers=headers)


def settled(result: Settled) -> Response:
    response = answer(result.body, result.status)
    if result.status == 202 and "poll" in result.body:
        response.headers["location"] = result.body["poll"]
    return response


def pool_of(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


def decider_of(request: Request) -> Decider:
    decider: Decider = request.app.state.decider
    return decider


@router.get("/queue")
async def list_queue(
    request: Request,
    identity: Moderator,
    after: Annotated[str, Query(max_length=600)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    reason: Annotated[str, Query(pattern=r"^[a-z_]{0,32}$")] = "",
    label: Annotated[str, Query(pattern=r"^[a-z0-9_-]{0,64}$")] = "",
) -> Response:
    place = show.place(after) if after else queue.START
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        page = await queue.held_page(connection, identity.site, place, limit + 1, reason, label)
        items = page[:limit]
        names = [(item.discussion, item.comment, item.held_revision) for item in items]
        reports = await queue.reports_on(connection, names)
        weights = await queue.report_weights(connection, names)
    titles: show.Titles = request.app.state.titles
    return answer(
        {
            "items": [
                show.held(item, reports.get(name, {}), titles, weights.get(name, 0.0))
                for item, name in zip(items, names, strict=True)
            ],
            "next": show.after(items[-1].place) if len(page) > limit else None,
        }
    )


@router.get("/notices")
async def list_notices(
    request: Request,
    identity: Moderator,
    channel: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_-]{0,63}$")],
    after: Annotated[str, Query(max_length=600)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """In the order in which they were stored; `next` is where to go on, also from the last page."""
    place = show.notice_place(after) if after else notices.START
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        if not await notices.known(connection, place):
            raise show.foreign_notices()
        page = await notices.page(connection, identity.site, channel, place, limit)
    titles: show.Titles = request.app.state.titles
    return answer(
        {
            "items": [show.notice(told, titles) for told in page],
            "next": show.after(page[-1].place) if page else after or None,
            "more": len(page) == limit,
        }
    )


@router.post("/claims")
async def claim(request: Request, identity: Moderator) -> Response:
    body = await bodies.read(request, bodies.ClaimBody)
    if (body.count is None) == (body.items is None):
        raise Problem(422, "bad_schema", "name either `count` or `items`")
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        if body.items is not None:
            asked = sorted({(f"{identity.site}/{i.discussion}", i.comment) for i in body.items})
        else:
            count = body.count or 0
            asked = await queue.free_items(connection, identity.site, identity.subject, count)
        states = await decisions.states(connection, asked)
        waiting = [i for i in asked if i in states and states[i].held_revision is not None]
        claims = await queue.claim_items(connection, waiting, identity.subject, CLAIM_SECONDS)
    shown = [
        {
            "discussion": show.discussion_id(claim.discussion),
            "comment": claim.comment,
            "moderator": claim.moderator,
            "expires_at": claim.expires_at,
        }
        for claim in claims
    ]
    return answer(
        {
            "claimed": [claim for claim in shown if claim["moderator"] == identity.subject],
            "taken": [claim for claim in shown if claim["moderator"] != identity.subject],
            "not_held": [_name(item) for item in asked if item not in waiting],
        }
    )


@router.delete("/claims")
async def release_all(request: Request, identity: Moderator) -> Response:
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        released = await queue.release_all(connection, identity.site, identity.subject)
    return answer({"released": [_name(item) for item in released]})


@router.delete("/claims/{discussion}/{comment}")
async def release_one(
    request: Request, identity: Moderator, discussion: DiscussionName, comment: CommentName
) -> Response:
    item = (f"{identity.site}/{discussion}", comment)
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        released = await queue.release(connection, [item], identity.subject)
    return answer({"released": [_name(item) for item in released]})


@router.post("/decisions")
async def decide(request: Request, identity: Moderator) -> Response:
    body = await bodies.read(request, bodies.DecisionBody)
    [result] = await decider_of(request).decide(identity, [body])
    return settled(result)


@router.post("/decisions/bulk")
async def decide_in_bulk(request: Request, identity: Moderator) -> Response:
    body = await bodies.read(request, bodies.BulkBody)
    results = await decider_of(request).decide(identity, body.decisions)
    return answer({"results": [{"status": r.status, **r.body} for r in results]})


@router.get("/decisions/{discussion}/{event}")
async def what_became(
    request: Request,
    identity: Moderator,
    discussion: DiscussionName,
    event: EventName,
    digest: Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")],
) -> Response:
    name = (f"{identity.site}/{discussion}", event, bytes.fromhex(digest))
    return settled(await decider_of(request).look(name))


@router.get("/policy")
async def policy(request: Request, identity: Administrator) -> Response:
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        found = await policies.of(connection, [identity.site])
    stated = found.get(identity.site, SitePolicy())
    return answer(
        {
            "policy": stated.policy,
            "report_threshold": stated.report_threshold,
            "edit_hold": stated.edit_hold,
            "late_scores": stated.late_scores,
        }
    )


@router.put("/policy")
async def set_policy(request: Request, identity: Administrator) -> Response:
    body = await bodies.read(request, bodies.PolicyBody)
    return settled(await decider_of(request).set_policy(identity, body))


@router.get("/stats")
async def stats(request: Request, identity: Moderator) -> Response:
    async with pool_of(request).acquire(timeout=ACQUIRE_SECONDS) as connection:
        by_reason, claims = await queue.stats(connection, identity.site)
    oldest = min((row.oldest_held_since for row in by_reason), default=None)
    now = request.app.state.decider.clock()
    return answer(
        {
            "held": sum(row.held for row in by_reason),
            "by_reason": {row.reason: row.held for row in by_reason},
            "oldest_held_since": oldest,
            "oldest_held_seconds": max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
            "claims": claims,
        }
    )


def _name(item: decisions.Item) -> dict[str, str]:
    return {"discussion": show.discussion_id(item[0]), "comment": item[1]}
