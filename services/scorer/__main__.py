"""Starts the scorer: settings, pool, producer, HTTP client, the consumer of outcomes.v1, probes."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx

from services.core import db, lifecycle, probes, settings, topics
from services.core.consume import Consumer, Source
from services.core.produce import Producer
from services.scorer.ask import Asking
from services.scorer.endpoint import Endpoint
from services.scorer.want import Want, decode

log = logging.getLogger("services.scorer")


def now() -> datetime:
    return datetime.now(UTC)


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read()
    probing = settings.Probes.read(port=9098)
    scorer = settings.Scorer.read()
    secret = settings.secret("VECHE_DECISION_SECRET")
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(db.pool_of(postgres.dsn, postgres.pool_size))
        producer = await stack.enter_async_context(Producer(kafka))
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                headers={"content-type": "application/json"} | scorer.headers(),
                timeout=scorer.deadline_ms / 1000,
                limits=httpx.Limits(max_connections=scorer.at_once),
                trust_env=False,
            )
        )
        endpoint = Endpoint(client, scorer.url, deadline_seconds=scorer.deadline_ms / 1000)
        asking = Asking(pool, producer, endpoint, secret, at_once=scorer.at_once, clock=now)
        source = Source(topics.OUTCOMES, decode, Want(now))
        consumer = Consumer(kafka, pool, topics.SCORER_GROUP, [source])
        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(
                probes.probes_app(consumer.alive, consumer.ready), probing.host, probing.port
            )
        )
        log.info("scorer starts: it asks %s", scorer.shown)
        async with asyncio.TaskGroup() as group:
            group.create_task(asking.run(stop))
            await consumer.run(stop)


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
