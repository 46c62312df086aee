"""Starts counters: settings, pool, the consumer of votes.v1 and views.v1, probes."""

from __future__ import annotations

import logging
import sys
from contextlib import AsyncExitStack

from services.core import codec, db, lifecycle, probes, settings, topics, viewers
from services.core.consume import Consumer, Source, Timing
from services.core.produce import home_partition
from services.counters import rebuild
from services.counters.views import ViewCounter
from services.counters.votes import VoteCounter

log = logging.getLogger("services.counters")

BATCH = 2_000
"""A vote costs so little that what a transaction costs apart from its votes is worth sharing."""


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read()
    probing = settings.Probes.read(port=9097)
    votes = VoteCounter(home_partition)
    views = ViewCounter(home_partition, viewers.viewer_key(settings.secret("VECHE_VIEWER_SECRET")))
    if settings.rebuilding():
        await rebuild.run(kafka, postgres, views)
        return
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(db.pool_of(postgres.dsn, postgres.pool_size))
        consumer = Consumer(
            kafka,
            pool,
            topics.COUNTERS_GROUP,
            [
                Source(
                    topics.VOTES,
                    codec.decode_votes,
                    votes.handle,
                    votes.sweep,
                    codec.decode_all_votes,
                ),
                Source(
                    topics.VIEWS,
                    codec.decode_views,
                    views.handle,
                    views.sweep,
                    codec.decode_all_views,
                ),
            ],
            timing=Timing.within(kafka.session_timeout_ms / 1000, min_records=BATCH),
        )
        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(
                probes.probes_app(consumer.alive, consumer.ready), probing.host, probing.port
            )
        )
        log.info("counters %s starts", consumer.owner)
        await consumer.run(stop)


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
