"""`/v1/receipts/{receipt}`: what became of an accepted event. A 202 is never the last word."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from services.core import codec, topics
from services.core.db import Connection
from services.core.problems import not_found
from services.core.receipts import BadReceipt, Receipt, read
from services.core.store import receipts as store
from services.core.store.receipts import CommentNow, Recorded
from services.reader.answer import parts_of, private
from services.reader.reading import reading
from services.reader.verdict import RuleReasons, findings_shown, reason_shown

GROUPS = {
    topics.COMMENTS: topics.MODERATION_GROUP,
    topics.CONTROL: topics.MODERATION_GROUP,
    topics.VOTES: topics.COUNTERS_GROUP,
    topics.VIEWS: topics.COUNTERS_GROUP,
}
"""Who applies a topic's records."""


def router(secret: bytes, by_rule: RuleReasons) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/receipts/{receipt}", name="receipt")
    async def receipt(request: Request, receipt: str) -> Response:
        try:
            held = read(receipt, secret)
        except BadReceipt:
            raise not_found("no such receipt") from None
        async with (
            reading(parts_of(request).pool) as connection,
            # One snapshot: a fence and the effects behind it.
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            told = await became(connection, held, by_rule)
        about = {
            "event": held.event,
            "type": held.type,
            "discussion": held.discussion.partition("/")[2],
            "comment": held.comment or None,
        }
        return private(codec.encode(about | told))

    return routes


async def became(connection: Connection, held: Receipt, by_rule: RuleReasons) -> dict[str, Any]:
    """`result` is waiting, applied, published, held, rejected, refused or dead_lettered."""
    group = GROUPS.get(held.topic)
    if group is None:
        raise not_found("no such receipt")
    progress = await store.progress(connection, group, held.topic, held.partition)
    recorded = await store.outcome(
        connection, held.discussion, held.event, bytes.fromhex(held.digest)
    )
    if recorded is not None:
        return await _recorded(connection, held, recorded, by_rule)
    if progress is None or progress.next_offset <= held.offset:
        stopped = progress is not None and progress.stopped_reason is not None
        return _result("waiting", "stopped" if stopped else "waiting")
    if held.topic == topics.VOTES:
        return await _vote(connection, held)
    if held.topic in (topics.VIEWS, topics.CONTROL):
        return _result("applied")
    return _result("dead_lettered", "dead_lettered")


async def _recorded(
    connection: Connection, held: Receipt, recorded: Recorded, by_rule: RuleReasons
) -> dict[str, Any]:
    told = _result(recorded.result, recorded.reason) | {"recorded_at": recorded.recorded_at}
    if recorded.verdict is not None:
        told["findings"] = findings_shown(recorded.verdict, by_rule)
    if recorded.revision:
        told["revision"] = recorded.revision
    if recorded.result != "refused" and recorded.comment:
        now = await store.comment_now(connection, held.discussion, recorded.comment)
        if now is not None:
            told["now"] = comment_now(now)
    return told


def comment_now(now: CommentNow) -> dict[str, Any]:
    """The comment as it is, since moderators, readers and its author go on after an outcome."""
    shown: dict[str, Any] = {
        "status": "deleted" if now.deleted_at else now.status,
        "revision": now.revision,
        "published_revision": now.published_revision,
        "waits_for_moderator": now.held_revision is not None,
    }
    if now.ruling is not None:
        shown["ruling"] = {
            "ruling": now.ruling,
            "revision": now.ruled_revision,
            "reason": reason_shown("moderator", now.ruling_reason or ""),
        }
    return shown


async def _vote(connection: Connection, held: Receipt) -> dict[str, Any]:
    """Counted votes leave no outcome: the vote itself tells."""
    target = held.comment
    if await store.is_parked(connection, held.discussion, target, held.actor, held.event):
        return _result("waiting", "waiting_for_comment")
    vote = await store.vote_now(connection, held.discussion, target, held.actor)
    if vote is None:
        return _result("dead_lettered", "dead_lettered")
    newest = vote.changes[0].rpartition(":")[0] if vote.changes else ""
    if newest == held.event:
        return _result("applied") | {"vote": vote.value}
    # It was counted once; what is no longer remembered was replaced long ago.
    return _result("applied", "superseded") | {"vote": vote.value}


def _result(result: str, reason: str = "") -> dict[str, Any]:
    return {"result": result, "reason": reason_shown(reason)}
