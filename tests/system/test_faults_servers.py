"""Kafka and Postgres killed under traffic and started again on their data: nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.conftest import make_topics
from tests.system.generator import Generator
from tests.system.test_faults import SITE, portal_of, started
from tests.system.traffic import Traffic, until

FEED = f"/v1/sites/{SITE}/feeds/latest"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_servers_killed_and_started_again_lose_nothing(
    services: Any, mint: Callable[..., str], own_kafka: Any, own_postgres: Any
) -> None:
    seed = 20260403
    services.env |= {
        "VECHE_KAFKA_BOOTSTRAP": own_kafka.bootstrap,
        "VECHE_POSTGRES_DSN": own_postgres.dsn(),
    }
    await make_topics(own_kafka.bootstrap, services.env["VECHE_TOPIC_PREFIX"])
    (processes,) = started(services)
    acts = Generator(seed, discussions=30, readers=100).first_part(1_500)
    async with portal_of(processes, mint) as veche:
        traffic = Traffic([veche], acts, seed)
        async with traffic.flowing(0.2):
            pass
        await traffic.same_state("a quiet beginning")

        async with traffic.flowing(0.3):
            await traffic.more(1)
            await asyncio.to_thread(own_postgres.kill)
            # What Kafka accepts needs no Postgres, and feeds come from memory.
            await traffic.more(2)
            assert (await veche.feed("latest"))["entries"]
            await asyncio.to_thread(own_postgres.start)
        await traffic.same_state("kill -9 of Postgres")

        async with traffic.flowing(0.3):
            await traffic.more(1)
            await asyncio.to_thread(own_kafka.broker(1).kill)
            await told_to_come_back(processes["ingest"].url, mint)
            assert (await veche.feed("latest"))["entries"]
            await asyncio.to_thread(own_kafka.restart, 1)
        await traffic.same_state("kill -9 of the broker")

        await traffic.send_rest()
        await traffic.same_state("both servers were killed")
        for process in processes.values():
            assert process.running, f"{process.name} did not outlive the servers"
            await until(process.ready, f"{process.name} to be ready")


async def told_to_come_back(ingest: str, mint: Callable[..., str]) -> None:
    """Without a broker, ingest answers 503 with Retry-After, within a second or little more."""
    headers = {"Authorization": f"Bearer {mint(role='reader', sub='impatient', site=SITE)}"}
    item = {"id": "impatient-1", "data": {"discussion": "d000", "value": 0}}
    async with httpx.AsyncClient(timeout=10.0) as client:
        began = time.monotonic()
        answer = await client.post(f"{ingest}/v1/events/vote", json=item, headers=headers)
        took = time.monotonic() - began
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert took < 5.0, f"it took {took:.1f} s"
