"""Starts the console: settings, pool, producer, issuers, and two listeners."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from services.console.app import create_app
from services.console.decide import Decider
from services.console.rehearse import Rehearsals
from services.console.rulesets import Rulesets
from services.console.why import Explainer
from services.core import db, lifecycle, probes, settings
from services.core.produce import Producer
from services.core.rules import document
from services.core.rules.rule import Rule
from services.core.store.following import follow
from services.core.tokens import Issuers

STATEMENT_SECONDS = 2.0
"""A moderator waits for the answer: sooner than the consumers' deadline."""

log = logging.getLogger("services.console")


async def run() -> None:
    kafka = settings.Kafka.read()
    postgres = settings.Postgres.read(pool_size=8)
    http = settings.Http.read(port=8083)
    probing = settings.Probes.read(port=9093)
    issuers = Issuers.load(settings.Trust.read().issuers_file)
    secret = settings.secret("VECHE_DECISION_SECRET")
    titles: dict[str, dict[str, str]] = {}

    def take(files: Mapping[str, str]) -> None:
        """Only the titles are read here; those of rules that went stay, for old findings."""
        stated = document.stated_rules(files)
        titles.update((one.rule.id, texts(one.rule)) for one in stated)

    def folder() -> dict[str, str]:
        return settings.rules_texts(settings.rules_dir())

    take(folder())
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            db.pool_of(
                postgres.dsn, postgres.pool_size, statement_timeout_seconds=STATEMENT_SECONDS
            )
        )
        filling = asyncio.create_task(db.fill(pool))
        stack.callback(filling.cancel)
        producer = await stack.enter_async_context(Producer(kafka))
        decider = Decider(producer, pool, secret, clock=lambda: datetime.now(UTC))
        rulesets = Rulesets(
            producer,
            pool,
            secret,
            lambda: datetime.now(UTC),
            folder,
            Rehearsals(),
            issuers.sites,
            settings.replayed_comments(),
        )
        explainer = Explainer(pool, folder)
        stack.callback(explainer.close)
        app = create_app(pool, decider, issuers, titles, rulesets, explainer)
        telling = asyncio.create_task(follow(pool, take))
        stack.callback(telling.cancel)

        def ready() -> str | None:
            return None if producer.healthy() else "Kafka does not answer"

        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(probes.probes_app(lambda: None, ready), probing.host, probing.port)
        )
        await stack.enter_async_context(probes.serve(app, http.host, http.port))
        log.info("console listens on %s:%s", http.host, http.port)
        await stop.wait()


def texts(rule: Rule) -> dict[str, str]:
    return {"ru": rule.title.ru, "en": rule.title.en}


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
