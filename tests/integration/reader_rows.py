"""Rows and processes for the reader's integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer

from services.core import codec, db
from services.core.events import Feed, Strip
from services.core.reasons import Text
from services.core.tokens import Issuers
from services.reader import me, receipts
from services.reader.app import create_app
from services.reader.best import Orders
from services.reader.broadcast import Broadcaster, Places
from services.reader.cursor import Cursors
from services.reader.parts import Freshness, Parts
from services.reader.rendered import CodingChoice
from services.reader.shared import Shared
from services.reader.shelf import Feeds, Strips
from tests.processes import Trust
from tests.unit.reader.build import T0, feed_record, strip_record

KEY = "gazette/d1"
RECEIPT_SECRET = b"r" * 32
RULES = {"insults": Text("Есть грубое слово.", "There is a rude word.")}


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


class Rows:
    """Writes what moderation and counters would."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def discussion(self, key: str = KEY, state: str = "open") -> None:
        await self.connection.execute(
            "INSERT INTO discussions (discussion, site, revision, url, title, language, section,"
            " state, opened_at) VALUES ($1, $2, 1, 'https://x.example', 't', 'ru', 'news', $3, $4)",
            key, key.partition("/")[0], state, T0,
        )  # fmt: skip

    async def comment(
        self,
        comment: str,
        minutes: float = 0,
        path: Sequence[str] = (),
        status: str = "published",
        descendants: int = 0,
        revision: int = 1,
        key: str = KEY,
        **columns: Any,
    ) -> None:
        row = {
            "discussion": key,
            "comment": comment,
            "site": "gazette",
            "author": "ann",
            "author_name": "Ann",
            "parent": path[-1] if path else None,
            "path": list(path),
            "submitted_at": at(minutes),
            "status": status,
            "revision": revision,
            "published_revision": revision if status == "published" else None,
            "visible_descendants": descendants,
        } | columns
        names = ", ".join(row)
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        await self.connection.execute(
            f"INSERT INTO comments ({names}) VALUES ({places})", *row.values()
        )
        await self.connection.executemany(
            "INSERT INTO revisions VALUES ($1, $2, $3, 'gazette', 'ann', $4, '', $5, $6)",
            [
                (key, comment, number, f"{comment}, take {number} <b>", f"e-{comment}-{number}",
                 at(minutes + number - 1))
                for number in range(1, revision + 1)
            ],
        )  # fmt: skip

    async def feed_version(self, number: int) -> None:
        """What the publisher wrote of `latest` before it published."""
        await self.connection.execute(
            "INSERT INTO feeds (site, feed, language, section, shard, incarnation, version,"
            " content_hash, dirty, as_of)"
            " VALUES ('gazette', 'latest', '', '', 0, 1, $1, '', false, $2)"
            " ON CONFLICT (site, feed, language, section) DO UPDATE SET version = $1",
            number, T0,
        )  # fmt: skip

    async def strip(self, strip: Strip) -> None:
        await self.connection.execute(
            "INSERT INTO strips (discussion, incarnation, version, strip) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (discussion) DO UPDATE SET incarnation = $2, version = $3, strip = $4",
            KEY, strip.version.incarnation, strip.version.number, codec.encode(strip).decode(),
        )  # fmt: skip

    async def votes(self, comment: str, up: int, down: int = 0, slot: int = 0) -> None:
        await self.connection.execute(
            "INSERT INTO vote_totals VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (discussion, target, slot) DO UPDATE SET up = $4, down = $5",
            KEY, comment, slot, up, down,
        )  # fmt: skip

    async def outcome(
        self, event: str, result: str, reason: str = "", verdict: str | None = None, **columns: Any
    ) -> None:
        row = {
            "discussion": KEY,
            "event_id": event,
            "event_digest": b"d" * 16,
            "cause": "veche.comment.submitted.v1",
            "comment": "c1",
            "revision": 1,
            "result": result,
            "reason": reason,
            "status": "pending",
            "verdict": verdict,
            "recorded_at": T0,
        } | columns
        names = ", ".join(row)
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        await self.connection.execute(
            f"INSERT INTO outcomes ({names}) VALUES ({places})", *row.values()
        )


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def parts_over(pool: db.Pool, clock: Clock) -> Parts:
    return Parts(
        feeds=Feeds(),
        strips=Strips(100),
        feed_streams=Broadcaster("feed", 8),
        discussion_streams=Broadcaster("discussion", 8),
        places=Places(10),
        # Nothing is followed here, so memory does not know all.
        freshness=Freshness(lambda: False, lambda: 0, lambda: 0),
        pool=pool,
        cursors=Cursors(b"k" * 32),
        orders=Orders(clock, 60.0),
        # Pages are asked for at one instant and must not be remembered.
        pages=Shared(0.0, 100, clock),
        written=Shared(0.0, 100, clock),
        choose_coding=CodingChoice(),
        origins=frozenset(),
        now=lambda: T0,
    )


@asynccontextmanager
async def reader_over(
    dsn: str, clock: Clock, trust: Trust | None = None, now: float = 0.0
) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    """The reader's application over a database, in this process."""
    pool = await db.connect_pool(dsn, 4, min_size=0)
    try:
        parts = parts_over(pool, clock)
        private = [receipts.router(RECEIPT_SECRET, RULES)]
        if trust is not None:
            issuers = Issuers.load(Path(trust.env["VECHE_ISSUERS_FILE"]))
            private.append(me.router(issuers, lambda: now, RULES))
        transport = httpx.ASGITransport(create_app(parts, *private))
        async with httpx.AsyncClient(transport=transport, base_url="http://reader") as client:
            yield client, parts
    finally:
        await pool.close()


class Topics:
    """Writes what the publisher would."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str) -> None:
        self.producer = producer
        self.prefix = prefix

    async def strip(self, strip: Strip) -> None:
        key = f"{strip.site}/{strip.discussion}"
        await self._send("strips.v1", key, strip_record(strip))

    async def feed(self, feed: Feed) -> None:
        key = f"{feed.site}/{feed.feed}/{feed.language}/{feed.section}"
        await self._send("feeds.v1", key, feed_record(feed))

    async def _send(self, topic: str, key: str, value: bytes) -> None:
        await self.producer.send_and_wait(self.prefix + topic, value, key=key.encode())


@asynccontextmanager
async def topics_of(bootstrap: str, prefix: str) -> AsyncIterator[Topics]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield Topics(producer, prefix)
    finally:
        await producer.stop()
