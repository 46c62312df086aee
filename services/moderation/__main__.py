"""Starts moderation: settings, pool, ruleset, consumer, the watch over the queue."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

from services.core import db, lifecycle, metrics, probes, settings, topics
from services.core.consume import Consumer, Source
from services.core.discussion import LiveJudge
from services.core.model import Settings
from services.core.rules import load
from services.core.rules.brakes import rejecting
from services.moderation import control, decode, learn, queue, rebuild
from services.moderation.brakes import Braking
from services.moderation.departures import Departures
from services.moderation.handle import Moderation
from services.moderation.rules import Rules
from services.moderation.scores import Models, Scoring

log = logging.getLogger("services.moderation")


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read(pool_size=8)
    probing = settings.Probes.read(port=9092)
    secret = settings.secret("VECHE_DECISION_SECRET")
    ruleset = load(settings.rules_texts(settings.rules_dir()))
    # Hundreds of thousands of words that stay: the collector need not walk them every time.
    gc.freeze()
    metrics.BUILD.info({"version": version("veche"), "ruleset": ruleset.hash})
    judge = Braking(LiveJudge(Rules(ruleset)), lambda: ruleset, settings.brakes())
    braked = rejecting(ruleset)
    if settings.rebuilding():
        await rebuild.run(kafka, postgres, secret, judge, ruleset.windows, lambda: braked)
        return
    learning = Settings("rejection", needed=settings.decisions_needed())
    models = Models(learning)
    scoring = Scoring(judge, models, lambda: ruleset.scores)
    moderation = Moderation(scoring, ruleset.windows, lambda: braked)
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(db.pool_of(postgres.dsn, postgres.pool_size))
        consumer = Consumer(
            kafka,
            pool,
            topics.MODERATION_GROUP,
            [
                Source(topics.COMMENTS, decode.comments(secret), moderation),
                Source(topics.CONTROL, decode.control(secret), control.take_effect),
            ],
        )
        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(
                probes.probes_app(consumer.alive, consumer.ready), probing.host, probing.port
            )
        )
        log.info("moderation starts with ruleset %s", ruleset.hash[:12])
        async with asyncio.TaskGroup() as group:
            group.create_task(queue.watch(pool, stop, lambda: datetime.now(UTC)))
            group.create_task(models.follow(pool, stop))
            group.create_task(learn.learn(pool, stop, f"moderation-{uuid4().hex[:8]}", learning))
            departures = Departures(
                lambda: ruleset, lambda: datetime.now(UTC), f"moderation-{uuid4().hex[:8]}"
            )
            group.create_task(departures.watch(pool, stop))
            await consumer.run(stop)


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
