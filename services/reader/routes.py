"""Threads, counters, streams, and strips that memory does not hold: what all readers see alike."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response

from services.core import codec
from services.core.events import DiscussionKey, Strip, Version
from services.core.problems import Problem, bad_parameter, not_found
from services.core.store import threads
from services.core.store.threads import Listed
from services.reader.answer import parts_of, public
from services.reader.broadcast import Channel, event
from services.reader.cursor import AfterComment, AfterRank
from services.reader.live import reset
from services.reader.names import (
    COMMENT,
    discussion_key,
    feed_key,
    unknown_discussion,
    version_held,
)
from services.reader.open import OpenStream
from services.reader.parts import Parts
from services.reader.reading import reading
from services.reader.rendered import Encoded
from services.reader.shelf import KeptStrip, render_strip, strip_shown
from services.reader.thread import comment_shown, roots_shown

router = APIRouter(prefix="/v1/sites/{site}")

MAX_COUNTERS = 100
MAX_PAGE = 100
MAX_REPLIES = 20

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Replies = Annotated[int, Query(ge=0, le=MAX_REPLIES)]
Cursor = Annotated[str, Query(max_length=1_000)]
Sort = Literal["newest", "oldest", "best"]


@router.get("/discussions/{discussion}", name="discussion")
async def discussion(request: Request, site: str, discussion: str) -> Response:
    kept = await strip_of(parts_of(request), discussion_key(site, discussion))
    return public(request, Encoded(kept.rendered.body, _version_said(kept.strip)))


@router.get("/counters", name="counters")
async def counters(
    request: Request, site: str, discussion: Annotated[list[str], Query()]
) -> Response:
    """Strips of up to 100 discussions at once; unknown ones are named.

    While Postgres is away, those that memory does not hold are named as unavailable.
    """
    parts = parts_of(request)
    asked = list(dict.fromkeys(discussion))
    if len(asked) > MAX_COUNTERS:
        raise bad_parameter("discussion", f"at most {MAX_COUNTERS} discussions at once")
    keys = {name: discussion_key(site, name) for name in asked}
    found: dict[str, Strip] = {}
    for name, key in keys.items():
        if kept := parts.strips.get(key):
            found[name] = kept.strip
    missing = [name for name in asked if name not in found]
    unavailable: list[str] = []
    if missing and not _knows_all(parts):
        try:
            async with reading(parts.pool) as connection:
                read = await threads.strips(connection, [keys[name] for name in missing])
        except Problem:
            if not found:
                raise
            unavailable = missing
        else:
            found |= {name: read[keys[name]] for name in missing if keys[name] in read}
    shown = {
        name: strip_shown(found[name])
        for name in asked
        if name in found and found[name].state != "removed"
    }
    unknown = [name for name in asked if name not in shown and name not in unavailable]
    answer: dict[str, Any] = {"counters": shown, "unknown": unknown}
    body = codec.encode(answer | ({"unavailable": unavailable} if unavailable else {}))
    age = parts.freshness.strips_age_seconds()
    return public(request, Encoded(body, [(b"age", str(age).encode())] if age else None))


@router.get("/discussions/{discussion}/comments", name="comments")
async def comments(
    request: Request,
    site: str,
    discussion: str,
    sort: Sort = "newest",
    limit: Limit = 20,
    replies: Replies = 3,
    cursor: Cursor = "",
) -> Response:
    """A page of roots with their first replies."""
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    version = await _version_of(parts, key)
    listing = f"comments {key} {sort}"

    async def page() -> Encoded:
        if sort == "best":
            shown = await _best(parts, key, listing, limit, replies, cursor)
        else:
            shown = await _in_time(parts, key, listing, sort, limit, replies, cursor)
        return Encoded(
            codec.encode({"discussion": discussion, "version": version, "sort": sort} | shown)
        )

    encoded = await parts.pages.get((key, sort, limit, replies, cursor, version), page)
    return public(request, encoded)


@router.get("/discussions/{discussion}/comments/{comment}/replies", name="replies")
async def replies(
    request: Request,
    site: str,
    discussion: str,
    comment: Annotated[str, Path(pattern=f"^{COMMENT.pattern}$")],
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Response:
    """Everything listed below a comment, the oldest first, each naming its parent."""
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    version = await _version_of(parts, key)
    listing = f"replies {key} {comment}"
    after = parts.cursors.open(listing, cursor, AfterComment) if cursor else None
    async with reading(parts.pool) as connection:
        root = await threads.root_of(connection, key, comment)
        if root is None:
            raise not_found("no such comment in this discussion")
        listed = await threads.replies(
            connection, key, root, comment, after.place if after else None, limit + 1
        )
    more = len(listed) > limit
    shown = listed[:limit]
    body = codec.encode(
        {
            "discussion": discussion,
            "version": version,
            "comment": comment,
            "replies": [comment_shown(reply) for reply in shown],
            "next": _seal(parts, listing, shown[-1]) if more else None,
        }
    )
    return public(request, Encoded(body))


@router.get("/feeds/{feed}/stream", name="feed_stream")
async def feed_stream(
    request: Request,
    site: str,
    feed: str,
    last_event_id: Annotated[str, Header()] = "",
    since: str = "",
) -> Response:
    """Every new version of a feed, whole. What was published last comes at once."""
    parts = parts_of(request)
    key = feed_key(site, feed, request.scope["query_string"])
    held = version_held(last_event_id or since)

    def first(_: Channel) -> tuple[Version | None, bytes]:
        newest = parts.feeds.get(key)
        # Another reader may have been ahead of this one: what is newer comes to both.
        if newest is None or (held is not None and held >= newest.version):
            return held, b""
        return newest.version, event("feed", newest.body, str(newest.version))

    return OpenStream(parts.feed_streams, parts.places, key, first)


@router.get("/discussions/{discussion}/stream", name="discussion_stream")
async def discussion_stream(
    request: Request,
    site: str,
    discussion: str,
    last_event_id: Annotated[str, Header()] = "",
    since: str = "",
) -> Response:
    """Every new strip, with the comments that appeared, changed or vanished before it.

    `since` (or Last-Event-ID) is the version that the client holds: what it missed is sent again
    where it is still known, else `reset` says to load the thread anew.
    """
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    await _version_of(parts, key)
    said = last_event_id or since
    held = version_held(said)
    in_memory = parts.strips.get(key)
    kept = in_memory or await strip_if_written(parts, key)

    def first(channel: Channel) -> tuple[Version | None, bytes]:
        newest = parts.strips.get(key) or kept
        if newest is None or (held is not None and held >= newest.strip.version):
            return held, b""
        version = newest.strip.version
        strip = event("strip", newest.rendered.body, str(version))
        # The comments of this version may still be on their way to the streams.
        before = Version(version.incarnation, version.number - 1)
        if not said:
            return before, strip
        missed = channel.since(held) if held is not None else None
        if missed is not None:
            return held, missed
        lost = reset("some changes are not known any more; load the thread", version)
        return before, lost + strip

    return OpenStream(parts.discussion_streams, parts.places, key, first)


async def strip_of(parts: Parts, key: DiscussionKey) -> KeptStrip:
    """From memory, else from Postgres; raises a Problem where the discussion is not there."""
    kept = parts.strips.get(key) or await strip_if_written(parts, key)
    if kept is None or kept.strip.state == "removed":
        raise unknown_discussion()
    return kept


def _knows_all(parts: Parts) -> bool:
    """Memory holds every published strip, so that Postgres need not be asked for another."""
    return parts.strips.whole and parts.freshness.caught_up()


async def strip_if_written(parts: Parts, key: DiscussionKey) -> KeptStrip | None:
    async with reading(parts.pool) as connection:
        strip = (await threads.strips(connection, [key])).get(key)
    return render_strip(strip, parts.now()) if strip else None


async def _version_of(parts: Parts, key: DiscussionKey) -> str:
    """Of the strip in memory: a page read after it is as new as it, so streams go on from there.

    "" where no strip is in memory. Raises a Problem where the discussion is not there.
    """
    kept = parts.strips.get(key)
    state: str | None
    if kept is not None:
        state = kept.strip.state
    else:
        async with reading(parts.pool) as connection:
            state = await threads.discussion_state(connection, key)
    if state is None or state == "removed":
        raise unknown_discussion()
    return str(kept.strip.version) if kept else ""


async def _in_time(
    parts: Parts,
    key: DiscussionKey,
    listing: str,
    sort: Sort,
    limit: int,
    first_replies: int,
    cursor: str,
) -> dict[str, Any]:
    after = parts.cursors.open(listing, cursor, AfterComment) if cursor else None
    async with reading(parts.pool) as connection:
        listed = await threads.roots(
            connection,
            key,
            newest_first=sort == "newest",
            after=after.place if after else None,
            limit=limit + 1,
            replies=first_replies + 1,
        )
    roots = [comment for comment in listed if comment.root == comment.comment]
    shown = roots_shown(listed, first_replies, _more_replies(parts, key))[:limit]
    more = len(roots) > limit
    return {"comments": shown, "next": _seal(parts, listing, roots[limit - 1]) if more else None}


async def _best(
    parts: Parts, key: DiscussionKey, listing: str, limit: int, first_replies: int, cursor: str
) -> dict[str, Any]:
    after = parts.cursors.open(listing, cursor, AfterRank) if cursor else None

    async def votes() -> list[tuple[Any, str, int, int]]:
        async with reading(parts.pool) as connection:
            return await threads.root_votes(connection, key)

    position, expired = 0, False
    if after is None:
        order = await parts.orders.begin(key, votes)
    else:
        order, position, expired = await parts.orders.resume(key, after, votes)
    ids = [rank[-1] for rank in order.ranks[position : position + limit]]
    async with reading(parts.pool) as connection:
        listed = await threads.roots_by_id(connection, key, ids, first_replies + 1)
    end = position + len(ids)
    more = end < len(order.ranks)
    return {
        "comments": roots_shown(listed, first_replies, _more_replies(parts, key)),
        "order": {"name": order.name, "expired": expired},
        "next": parts.cursors.seal(listing, order.cursor_at(end)) if more else None,
    }


def _more_replies(parts: Parts, key: DiscussionKey) -> Any:
    def seal(root: Listed, last: Listed) -> str:
        listing = f"replies {key} {root.comment}"
        if last is root:
            return parts.cursors.seal(listing, AfterComment(0, ""))
        return _seal(parts, listing, last)

    return seal


def _seal(parts: Parts, listing: str, last: Listed) -> str:
    return parts.cursors.seal(listing, AfterComment.behind(last.submitted_at, last.comment))


def _version_said(strip: Strip) -> list[tuple[bytes, bytes]]:
    return [(b"veche-version", str(strip.version).encode())]
