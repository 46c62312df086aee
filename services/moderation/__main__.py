"""Starts moderation: settings, pool, ruleset, consumer, the watch over the queue."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from uuid import uuid4

from services.core import db, lifecycle, probes, settings, topics
from services.core.consume import Consumer, Source
from services.core.discussion import Judge, LiveJudge
from services.core.model import Settings
from services.core.rules import Ruleset
from services.core.rules.brakes import brakeable
from services.moderation import control, decode, learn, queue, rebuild
from services.moderation.brakes import Braking
from services.moderation.departures import Departures
from services.moderation.failures import Failures
from services.moderation.following import Following
from services.moderation.handle import Moderation
from services.moderation.rules import Rules
from services.moderation.scores import Models, Scoring

log = logging.getLogger("services.moderation")


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read(pool_size=8)
    probing = settings.Probes.read(port=9092)
    secret = settings.secret("VECHE_DECISION_SECRET")
    failures = Failures()
    braking = settings.brakes()

    def judge_of(ruleset: Ruleset) -> Braking:
        return Braking(LiveJudge(Rules(ruleset, failures=failures)), lambda: ruleset, braking)

    def made(ruleset: Ruleset, judge: Judge) -> Moderation:
        braked = brakeable(ruleset, braking)
        return Moderation(judge, ruleset.windows, lambda: braked)

    def folder() -> dict[str, str]:
        return settings.rules_texts(settings.rules_dir())

    if settings.rebuilding():
        plain = Following(lambda ruleset: made(ruleset, judge_of(ruleset)), folder)
        await rebuild.run(kafka, postgres, secret, plain)
        return
    learning = Settings("rejection", needed=settings.decisions_needed())
    models = Models(learning)

    def scoring(ruleset: Ruleset) -> Moderation:
        return made(ruleset, Scoring(judge_of(ruleset), models, lambda: ruleset.scores))

    following = Following(scoring, folder)
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(db.pool_of(postgres.dsn, postgres.pool_size))
        consumer = Consumer(
            kafka,
            pool,
            topics.MODERATION_GROUP,
            [
                Source(topics.COMMENTS, decode.comments(secret), following, following.sweep),
                Source(topics.CONTROL, decode.control(secret), control.take_effect),
            ],
        )
        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(
                probes.probes_app(consumer.alive, consumer.ready, lambda: following.trouble),
                probing.host,
                probing.port,
            )
        )
        if not await following.begin(pool, stop):
            return
        with suppress(*db.UNAVAILABLE):  # else a second later
            await failures.refresh(pool)
        async with asyncio.TaskGroup() as group:
            group.create_task(failures.follow(pool, stop))
            group.create_task(queue.watch(pool, stop, lambda: datetime.now(UTC)))
            group.create_task(following.follow(pool, stop))
            group.create_task(models.follow(pool, stop))
            group.create_task(learn.learn(pool, stop, f"moderation-{uuid4().hex[:8]}", learning))
            departures = Departures(
                lambda: following.in_use.ruleset,
                lambda: datetime.now(UTC),
                f"moderation-{uuid4().hex[:8]}",
            )
            group.create_task(departures.watch(pool, stop))
            await consumer.run(stop)


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
