"""Starts the publisher: settings, pool, producer, leases, the cycle, the watch over survivors."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
from contextlib import AsyncExitStack

from services.core import db, lifecycle, probes, settings, topics
from services.core.consume import tail
from services.core.produce import Producer
from services.publisher import survivors
from services.publisher.cycle import Publisher
from services.publisher.leases import Leases

log = logging.getLogger("services.publisher")


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read(pool_size=6)
    probing = settings.Probes.read(port=9094)
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(db.pool_of(postgres.dsn, postgres.pool_size))
        producer = await stack.enter_async_context(Producer(kafka))
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        leases = Leases(pool, owner)
        publisher = Publisher(pool, producer, leases)
        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(
                probes.probes_app(publisher.live, publisher.ready), probing.host, probing.port
            )
        )
        log.info("publisher %s starts", owner)
        await work(stop, publisher, leases, pool, kafka)


async def work(
    stop: asyncio.Event,
    publisher: Publisher,
    leases: Leases,
    pool: db.Pool,
    kafka: settings.Kafka,
) -> None:
    """Ends after `stop`: the cycle first, then the leases are given back."""
    cycle_ended = asyncio.Event()

    async def cycle() -> None:
        try:
            await publisher.run(stop)
        finally:
            cycle_ended.set()

    async with asyncio.TaskGroup() as group:
        watches = [
            group.create_task(
                survivors.watch(
                    survivors.of_strips(pool), tail(kafka, topics.STRIPS), survivors.read_strip
                )
            ),
            group.create_task(
                survivors.watch(
                    survivors.of_feeds(pool), tail(kafka, topics.FEEDS), survivors.read_feed
                )
            ),
        ]
        group.create_task(leases.run(cycle_ended))
        group.create_task(cycle())
        await cycle_ended.wait()
        for watch in watches:
            watch.cancel()


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
