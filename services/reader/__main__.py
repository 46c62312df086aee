"""`python -m services.reader`: feeds, strips, threads, streams and receipts over HTTP."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from services.core import db, lifecycle, probes, settings, topics
from services.core.consume.tail import tail
from services.core.db import Pool
from services.core.events import DiscussionKey
from services.core.store import threads
from services.core.store.following import follow
from services.core.store.threads import Listed
from services.core.tokens import Issuers
from services.reader import me, receipts
from services.reader.app import create_app
from services.reader.best import Orders
from services.reader.broadcast import Broadcaster, Places
from services.reader.cursor import Cursors
from services.reader.follow import Followed
from services.reader.live import FetchComments, Live
from services.reader.parts import Freshness, Parts
from services.reader.reading import STATEMENT_SECONDS, reading
from services.reader.rendered import CodingChoice
from services.reader.shared import Shared
from services.reader.shelf import Feeds, Strips
from services.reader.verdict import rule_reasons

log = logging.getLogger("services.reader")

SHARED_PAGES = 2_000


def now() -> datetime:
    return datetime.now(UTC)


def fetch_from(pool: Pool) -> FetchComments:
    async def fetch(discussion: DiscussionKey, ids: list[str]) -> list[Listed]:
        async with reading(pool, "stream") as connection:
            return await threads.by_id(connection, discussion, ids)

    return fetch


async def run() -> None:
    kafka, http, probing = settings.Kafka.read(), settings.Http.read(), settings.Probes.read()
    postgres, bounds = settings.Postgres.read(pool_size=8), settings.Reader.read()
    for group in (kafka, http, postgres, bounds):
        log.debug("%s: %s", type(group).__name__.lower(), settings.masked(group))
    issuers = Issuers.load(settings.Trust.read().issuers_file)
    secret_receipt = settings.secret("VECHE_RECEIPT_SECRET")
    by_rule = dict(rule_reasons(settings.rules_texts(settings.rules_dir())))
    stop = await lifecycle.until_signal()

    async with AsyncExitStack() as stack:
        pool = await db.connect_pool(
            postgres.dsn,
            postgres.pool_size,
            min_size=0,
            statement_timeout_seconds=STATEMENT_SECONDS,
        )
        stack.callback(pool.terminate)
        filling = asyncio.create_task(db.fill(pool))
        stack.callback(filling.cancel)
        following: list[Followed] = []

        def caught_up() -> bool:
            return bool(following) and all(followed.caught_up for followed in following)

        feeds, strips = Feeds(caught_up), Strips(bounds.strips, caught_up)
        # Who comes back to a feed gets the newest, whole.
        feed_streams = Broadcaster("feed", bounds.stream_queue, history=0)
        discussion_streams = Broadcaster("discussion", bounds.stream_queue)
        live = Live(feeds, strips, feed_streams, discussion_streams, fetch_from(pool))
        stack.push_async_callback(live.stop)
        following += [
            Followed(tail(kafka, topic), topic, apply, kept, time.monotonic, now)
            for topic, apply, kept in (
                (topics.FEEDS, live.feed_record, feeds),
                (topics.STRIPS, live.strip_record, strips),
            )
        ]
        tasks = [asyncio.create_task(followed.run()) for followed in following]
        # What authors are told of rules that went stays, for old findings.
        telling = asyncio.create_task(
            follow(pool, lambda files: by_rule.update(rule_reasons(files)))
        )
        stack.callback(telling.cancel)

        parts = Parts(
            feeds=feeds,
            strips=strips,
            feed_streams=feed_streams,
            discussion_streams=discussion_streams,
            places=Places(bounds.streams),
            freshness=Freshness(caught_up, following[0].age_seconds, following[1].age_seconds),
            pool=pool,
            cursors=Cursors(secret_receipt),
            orders=Orders(time.monotonic, bounds.best_seconds),
            pages=Shared(1.0, SHARED_PAGES, time.monotonic),
            written=Shared(1.0, SHARED_PAGES, time.monotonic),
            choose_coding=CodingChoice(),
            origins=settings.allowed_origins(),
            now=now,
        )
        app = create_app(
            parts, me.router(issuers, time.time, by_rule), receipts.router(secret_receipt, by_rule)
        )

        def dead() -> str | None:
            return "a tail of a snapshot topic ended" if any(t.done() for t in tasks) else None

        def not_ready() -> str | None:
            return dead() or (None if caught_up() else "snapshots are being read")

        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(probes.probes_app(dead, not_ready), probing.host, probing.port)
        )
        await stack.enter_async_context(
            probes.serve(app, http.host, http.port, send_buffer_bytes=bounds.socket_buffer_bytes)
        )
        log.info("reader listens on http://%s:%d", http.host, http.port)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
        # Open streams would hold the server until its grace ends.
        feed_streams.end()
        discussion_streams.end()
        for task in (stopping, *tasks):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                log.error("a tail ended", exc_info=error)
    if not stop.is_set():
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
