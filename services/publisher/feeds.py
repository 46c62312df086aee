"""Strips to feeds: fold what is due, give a version where it differs, send, remember."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from msgspec import structs

from services.core import codec, feed, metrics, topics
from services.core.db import Connection, Pool, transaction
from services.core.errors import Retryable
from services.core.events import Feed, FeedPublished, Strip, Version
from services.core.feed import FeedKey
from services.core.produce import Outgoing, Producer
from services.core.store import feeds, strips

MAX_KNOWN_STRIPS = 20_000
_NONE = Version(0, 0)


def content_hash(folded: Feed) -> bytes:
    """16 bytes over all that a feed says, but its version."""
    return hashlib.blake2b(codec.encode((folded.as_of, folded.entries)), digest_size=16).digest()


def record(key: FeedKey, folded: Feed) -> Outgoing:
    published = FeedPublished(
        id=f"{key}@{folded.version}", source=f"/sites/{key.site}", site=key.site, data=folded
    )
    return Outgoing(topics.FEEDS, str(key).encode(), codec.encode(published))


class Feeds:
    """Folds feeds. Strips of entries are kept in memory by version, so that few are read twice."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, Strip] = {}

    async def fold(self, keys: Sequence[FeedKey]) -> dict[FeedKey, Feed]:
        """Folds these feeds in one transaction; returns those to send.

        The rows are locked before anything is read: what a strip's transaction writes later makes
        the feed dirty again, after this one commits.
        """
        unsent: dict[FeedKey, Feed] = {}
        written: dict[FeedKey, feeds.Written] = {}
        kept: dict[FeedKey, datetime | None] = {}
        async with transaction(self._pool) as connection:
            incarnation = await strips.current_incarnation(connection)
            locked = await feeds.lock(connection, keys)
            if not locked:
                return {}
            now = next(iter(locked.values())).now
            candidates = await feeds.candidates(connection, locked, now)
            known = await self._strips(
                connection, {one for found in candidates.values() for one in found}
            )
            for key, row in locked.items():
                strips_of_feed = [known[one] for one in candidates[key] if one in known]
                folded = feed.fold(key, strips_of_feed, now, row.version)
                hashed = content_hash(folded)
                if hashed == row.content_hash and row.version.incarnation == incarnation:
                    kept[key] = feed.expires_at(folded)
                    if row.published_version < row.version.number:
                        unsent[key] = folded
                    continue
                version = Version(incarnation, row.version.number + 1)
                unsent[key] = structs.replace(folded, version=version)
                written[key] = feeds.Written(
                    version.number, hashed, folded.as_of, feed.expires_at(folded)
                )
            await feeds.write(connection, incarnation, written)
            await feeds.keep(connection, kept)
        return unsent

    async def publish(self, producer: Producer, keys: Sequence[FeedKey]) -> int:
        """Folds and sends; returns how many were acknowledged. Raises Retryable if not all."""
        unsent = await self.fold(keys)
        if not unsent:
            return 0
        results = await producer.send_all([record(*item) for item in unsent.items()])
        failed = [result for result in results if isinstance(result, Retryable)]
        acknowledged = {
            key: unsent[key].version.number
            for key, result in zip(unsent, results, strict=True)
            if not isinstance(result, Retryable)
        }
        async with transaction(self._pool) as connection:
            await feeds.lock(connection, list(acknowledged))
            await feeds.set_published(connection, acknowledged)
        metrics.PUBLISHED.labels("feed").inc(len(acknowledged))
        for result in failed:
            raise result
        return len(acknowledged)

    async def _strips(self, connection: Connection, wanted: set[str]) -> dict[str, Strip]:
        if len(self._known) + len(wanted) > MAX_KNOWN_STRIPS:
            self._known.clear()
        versions = {
            one: self._known[one].version if one in self._known else _NONE for one in wanted
        }
        self._known.update(await strips.read_newer(connection, versions))
        return self._known
