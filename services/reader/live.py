"""From published snapshots to memory and to open streams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.core import codec
from services.core.errors import BadEvent, Retryable
from services.core.events import DiscussionKey, FeedPublished, Strip, StripPublished, Version
from services.core.problems import Problem
from services.core.store.threads import Listed
from services.reader.broadcast import Broadcaster, event
from services.reader.shelf import Feeds, Strips, follows, strip_shown
from services.reader.thread import comment_shown

log = logging.getLogger(__name__)

MAX_CHANGES = 200
"""More changed comments than this at once: readers load the thread again instead."""

FetchComments = Callable[[DiscussionKey, list[str]], Awaitable[list[Listed]]]
"""Listed comments by id, with a deadline; raises Problem or Retryable where Postgres is away."""


@dataclass(slots=True)
class Changed:
    """What happened to a discussion since its streams last heard of it."""

    strip: Strip
    comments: set[str] | None
    """None: too many, or unknown."""

    def then(self, strip: Strip, comments: set[str] | None) -> Changed:
        both = self.comments is not None and comments is not None
        return Changed(strip, self.comments | comments if both else None)  # type: ignore[operator]


class Live:
    """Applies records of feeds.v1 and strips.v1: the highest version of a key wins."""

    def __init__(
        self,
        feeds: Feeds,
        strips: Strips,
        feed_streams: Broadcaster,
        discussion_streams: Broadcaster,
        fetch_comments: FetchComments,
    ) -> None:
        self._feeds = feeds
        self._strips = strips
        self._feed_streams = feed_streams
        self._discussion_streams = discussion_streams
        self._fetch_comments = fetch_comments
        self._pending: dict[str, Changed] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def feed_record(self, key: str, value: bytes | None, recorded_at: datetime) -> None:
        if value is None:
            self._feeds.drop(key)
            return
        try:
            feed = codec.decode(value, FeedPublished).data
        except BadEvent as error:
            log.error("feeds.v1: the record of %s is no feed: %s", key, error)
            return
        if self._feeds.put(key, feed, recorded_at) and self._feed_streams.channel(key):
            self._tell(key, self._tell_feed)

    def strip_record(self, key: str, value: bytes | None, recorded_at: datetime) -> None:
        if value is None:
            self._strips.drop(key)
            return
        try:
            strip = codec.decode(value, StripPublished).data
        except BadEvent as error:
            log.error("strips.v1: the record of %s is no strip: %s", key, error)
            return
        before = self._strips.newest(key)
        if not self._strips.put(key, strip, recorded_at):
            return
        # Also where a telling goes on that its listeners left: who comes meanwhile finds what it
        # tells in the channel's history, and would take that for the newest.
        if self._discussion_streams.channel(key) or key in self._telling:
            comments = _changes(strip, before.version if before else None)
            waiting = self._pending.get(key)
            self._pending[key] = (
                waiting.then(strip, comments) if waiting else Changed(strip, comments)
            )
            self._tell(key, self._tell_strip)

    def _tell(self, key: str, tell: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Coalesces: while one telling runs, later versions of its key wait as one."""
        if key not in self._telling:
            self._telling[key] = asyncio.create_task(self._all_told(key, tell))

    async def _all_told(self, key: str, tell: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        try:
            await tell(key)
        finally:
            del self._telling[key]

    async def _tell_feed(self, key: str) -> None:
        told: Version | None = None
        while (feed := self._feeds.newest(key)) and feed.version != told:
            told = feed.version
            await self._feed_streams.publish(key, told, event("feed", feed.body, str(told)))

    async def _tell_strip(self, key: str) -> None:
        while changed := self._pending.pop(key, None):
            chunk = await self._comments_event(key, changed)
            version = changed.strip.version
            chunk += event("strip", codec.encode(strip_shown(changed.strip)), str(version))
            await self._discussion_streams.publish(key, version, chunk)

    async def _comments_event(self, key: str, changed: Changed) -> bytes:
        """One query per version, however many listen. Has no id: the strip behind it does."""
        ids = changed.comments
        if ids is not None and not ids:
            return b""
        if ids is None or len(ids) > MAX_CHANGES:
            return reset("the thread changed too much; load it again", changed.strip.version)
        try:
            listed = await self._fetch_comments(DiscussionKey(key), sorted(ids))
        except Exception as error:
            # A version that nobody is told would be missed for good: the next one follows on it.
            if not isinstance(error, Problem | Retryable):
                log.exception("changed comments of %s could not be read", key)
            return reset(
                "changed comments cannot be read now; load the thread again", changed.strip.version
            )
        shown = [comment_shown(comment) for comment in listed]
        vanished = sorted(ids - {comment.comment for comment in listed})
        return event(
            "comments",
            codec.encode(
                {"version": changed.strip.version, "comments": shown, "vanished": vanished}
            ),
        )

    async def stop(self) -> None:
        tasks = list(self._telling.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def reset(reason: str, version: Version) -> bytes:
    """Tells a client that what it holds may miss changes: load the resource again."""
    return event("reset", codec.encode({"reason": reason, "version": version}))


def _changes(strip: Strip, previous: Version | None) -> set[str] | None:
    """None where the version before this one was not seen: its changes are unknown."""
    if strip.changed_comments is None:
        return None
    if previous is not None and not follows(strip.version, previous):
        return None
    return set(strip.changed_comments)
