"""The addresses of streams: what a newcomer gets at once, before what comes.

A client that comes back says which version it holds. One that this log never gave out, since the
data was wiped or begun anew behind the client's back, is as good as none: else the client would
hear nothing until the new versions had overtaken the old one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from services.core.events import DiscussionKey, Version
from services.core.problems import Problem
from services.core.store import threads
from services.reader.answer import parts_of
from services.reader.broadcast import Channel, event
from services.reader.live import reset
from services.reader.names import discussion_key, feed_key, version_held
from services.reader.open import OpenStream
from services.reader.parts import Parts
from services.reader.reading import reading
from services.reader.shared import Shared
from services.reader.shelf import KeptStrip
from services.reader.strips import strip_if_any, strip_written

router = APIRouter(prefix="/v1/sites/{site}")

UNKNOWN = "what changed since the version that you hold is not known; load the resource again"


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
    said = last_event_id or since
    kept = parts.feeds.newest(key)
    held = await believed(
        version_held(said),
        kept.version if kept else None,
        key,
        partial(_feed_written, parts, key),
        parts.written,
    )

    def first(_: Channel) -> tuple[Version | None, bytes]:
        newest = parts.feeds.get(key)
        # Another reader may have been ahead of this one: what is newer comes to both.
        if newest is None or (held is not None and held >= newest.version):
            return held, b""
        lost = reset(UNKNOWN, newest.version) if said and held is None else b""
        return newest.version, lost + event("feed", newest.body, str(newest.version))

    return OpenStream(parts.feed_streams, parts.places, key, first)


@router.get("/discussions/{discussion}/stream", name="discussion_stream")
async def discussion_stream(
    request: Request,
    site: str,
    discussion: str,
    last_event_id: Annotated[str, Header()] = "",
    since: str | None = None,
) -> Response:
    """Every new strip, with the comments that appeared, changed or vanished before it.

    `since` (or Last-Event-ID) is the version that the client holds: what it missed is sent again
    where it is still known, else `reset` says to load the thread anew. An empty one is the version
    of a page that was read before there was a strip: whatever came since is not known.
    """
    parts = parts_of(request)
    key = discussion_key(site, discussion)
    kept = await strip_if_any(parts, key)
    said = last_event_id or since
    held = await believed(
        version_held(said or ""),
        kept.version if kept else None,
        key,
        partial(_strip_written, parts, key),
        parts.written,
    )

    def first(channel: Channel) -> tuple[Version | None, bytes]:
        return first_told(said is not None, held, parts.strips.get(key) or kept, channel)

    return OpenStream(parts.discussion_streams, parts.places, key, first)


def first_told(
    said: bool, held: Version | None, newest: KeptStrip | None, channel: Channel
) -> tuple[Version | None, bytes]:
    """(version held from then on, what a discussion's newcomer is sent at once)."""
    if newest is None or (held is not None and held >= newest.version):
        return held, b""
    version = newest.version
    strip = event("strip", newest.body, str(version))
    # The comments of this version may still be on their way to the streams.
    before = Version(version.incarnation, version.number - 1)
    if not said:
        return before, strip
    if held is not None and held >= newest.quiet_since:
        # What is on its way names comments of versions up to `quiet_since` only.
        return version, strip
    missed = channel.since(held) if held is not None else None
    if missed is not None:
        return held, missed
    return before, reset(UNKNOWN, version) + strip


async def believed(
    held: Version | None,
    newest: Version | None,
    key: str,
    written: Callable[[], Awaitable[Version | None]],
    answers: Shared[Version | None],
) -> Version | None:
    """`held`; None where this log never gave it out. `newest` is what memory holds.

    Another reader may be ahead of this one, but none is ahead of `written`, which asks Postgres:
    the publisher commits a version there before it sends it. While Postgres is away, clients are
    believed.
    """
    if held is None or (newest is not None and held <= newest):
        return held
    try:
        # An answer for others may be older than what this client was given since: only those for
        # the same version are shared.
        highest = await answers.get((key, held), written)
    except Problem:
        return held
    return held if highest is not None and held <= highest else None


async def _feed_written(parts: Parts, key: str) -> Version | None:
    async with reading(parts.pool) as connection:
        return await threads.feed_version(connection, *key.split("/"))


async def _strip_written(parts: Parts, key: DiscussionKey) -> Version | None:
    strip = await strip_written(parts, key)
    return strip.version if strip else None
