"""What the publisher's tests stand on: effects written as the consumers write them, topics read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from services.core import codec, db, topics, viewers
from services.core.consume import tail
from services.core.errors import Retryable
from services.core.events import Feed, FeedPublished, Strip, StripPublished
from services.core.produce import Outgoing, Producer, Sent, home_partition
from services.core.settings import Kafka
from services.core.store import dirty
from services.publisher import shards
from services.publisher.cycle import Publisher

OPENED = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)


async def until(holds: Callable[[], Any], seconds: float = 15.0) -> None:
    """Returns once it holds. What asks None for an attribute asks for what did not come yet."""
    async with asyncio.timeout(seconds):
        while True:
            with suppress(AttributeError, IndexError):
                if holds():
                    return
            await asyncio.sleep(0.02)


class Effects:
    """Effects on one database; each marks its discussion dirty in its own transaction."""

    def __init__(self, pool: db.Pool) -> None:
        self.pool = pool

    async def do(
        self, discussion: str, statement: str, *values: Any, topic: str = topics.COMMENTS
    ) -> None:
        home = home_partition(discussion)
        async with db.transaction(self.pool) as connection:
            await connection.execute(statement, discussion, *values)
            await dirty.mark(connection, topic, home, {discussion: home})

    async def open(
        self,
        discussion: str,
        *,
        state: str = "open",
        language: str = "ru",
        section: str = "news",
        opened_at: datetime = OPENED,
    ) -> None:
        await self.do(
            discussion,
            "INSERT INTO discussions (discussion, site, revision, url, title, language, section,"
            " state, opened_at) VALUES ($1, $2, 1, 'https://example.org/' || $1, 'On ' || $1,"
            " $3, $4, $5, $6)"
            " ON CONFLICT (discussion) DO UPDATE SET state = $5, language = $3, section = $4",
            discussion.partition("/")[0],
            language,
            section,
            state,
            opened_at,
        )

    async def comment(self, discussion: str, comment: str, after: timedelta) -> None:
        await self.do(
            discussion,
            "WITH counted AS (UPDATE discussions SET visible_comments = visible_comments + 1"
            " WHERE discussion = $1), changed AS (INSERT INTO changed_comments"
            " (discussion, comment) VALUES ($1, $2)"
            " ON CONFLICT (discussion, comment) DO UPDATE SET mark = changed_comments.mark + 1)"
            " INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
            " status, revision, published_revision)"
            " SELECT d.discussion, $2, d.site, 'a', 'A', d.opened_at + $3, 'published', 1, 1"
            " FROM discussions d WHERE d.discussion = $1",
            comment,
            after,
        )

    async def hide(self, discussion: str, comment: str) -> None:
        await self.do(
            discussion,
            "WITH counted AS (UPDATE discussions SET visible_comments = visible_comments - 1"
            " WHERE discussion = $1), changed AS (INSERT INTO changed_comments"
            " (discussion, comment) VALUES ($1, $2)"
            " ON CONFLICT (discussion, comment) DO UPDATE SET mark = changed_comments.mark + 1)"
            " UPDATE comments SET status = 'rejected' WHERE discussion = $1 AND comment = $2",
            comment,
        )

    async def votes(self, discussion: str, up: int, down: int, slot: int = 0) -> None:
        await self.do(
            discussion,
            "INSERT INTO vote_totals (discussion, target, slot, up, down)"
            " VALUES ($1, '', $2, $3, $4)"
            " ON CONFLICT (discussion, target, slot) DO UPDATE SET up = $3, down = $4",
            slot,
            up,
            down,
            topic=topics.VOTES,
        )

    async def views(
        self, discussion: str, views: int, who: Sequence[bytes] = (), slot: int = 0
    ) -> None:
        await self.do(
            discussion,
            "INSERT INTO view_totals (discussion, slot, views, viewers) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (discussion, slot) DO UPDATE SET views = $3, viewers = $4",
            slot,
            views,
            viewers.add(None, who),
            topic=topics.VIEWS,
        )


class Seen:
    """Everything that strips.v1 and feeds.v1 hold, in order, as it comes."""

    def __init__(self) -> None:
        self.strips: list[Strip] = []
        self.feeds: list[Feed] = []

    def of(self, discussion: str) -> list[Strip]:
        return [one for one in self.strips if f"{one.site}/{one.discussion}" == discussion]

    def last(self, discussion: str) -> Strip | None:
        return next(iter(reversed(self.of(discussion))), None)

    def last_feed(self, key: str) -> Feed | None:
        """`key`: site/feed/language/section."""
        for one in reversed(self.feeds):
            if f"{one.site}/{one.feed}/{one.language}/{one.section}" == key:
                return one
        return None

    def ids(self, key: str) -> list[str] | None:
        found = self.last_feed(key)
        return None if found is None else [entry.discussion for entry in found.entries]


@asynccontextmanager
async def watching(kafka: Kafka) -> AsyncIterator[Seen]:
    seen = Seen()

    async def strips() -> None:
        async for records in tail(kafka, topics.STRIPS):
            for record in records:
                assert record.value is not None
                seen.strips.append(codec.decode(record.value, StripPublished).data)

    async def feeds() -> None:
        async for records in tail(kafka, topics.FEEDS):
            for record in records:
                assert record.value is not None
                seen.feeds.append(codec.decode(record.value, FeedPublished).data)

    tasks = [asyncio.create_task(strips()), asyncio.create_task(feeds())]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


class AllShards:
    """Leases of somebody who believes that everything is theirs."""

    def held(self) -> list[int]:
        return list(range(shards.SHARDS))


class Wire:
    """A real producer that notes what it sends, and acknowledges nothing while `broken`."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.sent: list[Outgoing] = []
        self.broken = False

    def sent_to(self, topic: str) -> list[Outgoing]:
        return [one for one in self.sent if one.topic == topic]

    async def send_all(self, records: Sequence[Outgoing]) -> list[Sent | Retryable]:
        if self.broken:
            return [Retryable("no acknowledgement in time") for _ in records]
        self.sent += records
        return await self.producer.send_all(records)


@asynccontextmanager
async def publishing(pool: db.Pool, producer: Any, leases: Any = None) -> AsyncIterator[Publisher]:
    """A publisher that cycles until the context ends."""
    publisher = Publisher(pool, producer, leases or AllShards())
    stop = asyncio.Event()
    task = asyncio.create_task(publisher.run(stop))
    try:
        yield publisher
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
