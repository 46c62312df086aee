"""Starts ingest: settings, issuers, the producer, and two listeners. It never opens Postgres."""

from __future__ import annotations

import logging
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from services.core import lifecycle, probes, settings
from services.core.produce import Producer
from services.core.tokens import Issuers
from services.ingest.app import create_app

log = logging.getLogger("services.ingest")


async def run() -> None:
    kafka = settings.Kafka.read()
    http = settings.Http.read(port=8081)
    probing = settings.Probes.read(port=9091)
    issuers = Issuers.load(settings.Trust.read().issuers_file)
    stop = await lifecycle.until_signal()
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(Producer(kafka))
        app = create_app(
            producer,
            issuers,
            receipt_secret=settings.secret("VECHE_RECEIPT_SECRET"),
            viewer_secret=settings.secret("VECHE_VIEWER_SECRET"),
            clock=lambda: datetime.now(UTC),
            allowed_origins=settings.allowed_origins(),
        )

        def ready() -> str | None:
            return None if producer.healthy() else "Kafka does not answer"

        await stack.enter_async_context(lifecycle.loop_lag())
        await stack.enter_async_context(
            probes.serve(probes.probes_app(lambda: None, ready), probing.host, probing.port)
        )
        await stack.enter_async_context(probes.serve(app, http.host, http.port))
        log.info("ingest listens on %s:%s", http.host, http.port)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(lifecycle.start(run))
