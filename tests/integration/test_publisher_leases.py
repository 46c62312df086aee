"""Publishers side by side: the shards are shared out, and nobody's are left alone for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.core import db
from services.core.settings import Kafka
from services.publisher.leases import Leases
from services.publisher.shards import SHARDS
from tests.integration.publishing import Effects, until, watching

ALL = list(range(SHARDS))


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[db.Pool]:
    async with await db.connect_pool(postgres_dsn, 4) as pool:
        yield pool


@asynccontextmanager
async def leasing(pool: db.Pool, owner: str, lease_seconds: float = 9.0) -> AsyncIterator[Leases]:
    leases = Leases(pool, owner, lease_seconds=lease_seconds, renew_seconds=0.05)
    stop = asyncio.Event()
    task = asyncio.create_task(leases.run(stop))
    try:
        yield leases
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def test_one_publisher_takes_every_shard(pool):
    async with leasing(pool, "one") as one:
        await until(lambda: one.held() == ALL)


async def test_two_publishers_share_evenly_and_a_stop_hands_over_at_once(pool):
    async with leasing(pool, "one") as one:
        await until(lambda: one.held() == ALL)
        async with leasing(pool, "two") as two:
            await until(lambda: len(one.held()) == len(two.held()) == SHARDS // 2)
            assert sorted(one.held() + two.held()) == ALL
        await until(lambda: one.held() == ALL, seconds=2.0)


async def test_shards_of_a_dead_publisher_are_taken_when_its_leases_run_out(pool):
    dead = Leases(pool, "dead", lease_seconds=1.0)
    await dead._renew()  # … and it never comes back.
    assert dead.held() == ALL
    async with leasing(pool, "one") as one:
        await until(lambda: one.held() == ALL)
    assert dead.held() == []


async def test_a_killed_publisher_is_replaced_and_a_stopped_one_hands_over(
    services, kafka_bootstrap, topic_prefix, pool
):
    effects = Effects(pool)
    names = [f"demo/d{number}" for number in range(12)]
    async with watching(Kafka(kafka_bootstrap, topic_prefix)) as seen:
        publishers = [services.start("publisher") for _ in range(2)]
        for publisher in publishers:
            await asyncio.to_thread(publisher.wait_ready)
        for name in names:
            await effects.open(name)
        await until(lambda: all(seen.last(name) for name in names))
        publishers[0].kill()
        for name in names:
            await effects.views(name, 1)
        await until(lambda: all(seen.last(name).views == 1 for name in names))
        late = services.start("publisher")
        await asyncio.to_thread(late.wait_ready)
        assert await asyncio.to_thread(publishers[1].stop) == 0
        for name in names:
            await effects.views(name, 2)
        await until(lambda: all(seen.last(name).views == 2 for name in names), seconds=8.0)
        await until(lambda: seen.last_feed("demo/latest//").entries[0].views == 2)
        assert await asyncio.to_thread(late.stop) == 0


async def test_a_paused_publisher_does_no_harm_when_it_wakes(
    services, kafka_bootstrap, topic_prefix, pool
):
    effects = Effects(pool)
    names = [f"demo/d{number}" for number in range(12)]
    for name in names:
        await effects.open(name)
    async with watching(Kafka(kafka_bootstrap, topic_prefix)) as seen:
        sleeper, other = (services.start("publisher") for _ in range(2))
        for publisher in (sleeper, other):
            await asyncio.to_thread(publisher.wait_ready)
        await until(lambda: all(seen.last(name) for name in names))
        for views in range(1, 200):  # Something is under way in whichever moment it is paused.
            await effects.views(names[views % 12], views)
        sleeper.pause()
        for name in names:
            await effects.views(name, 1_000)
        await until(lambda: all(seen.last(name).views == 1_000 for name in names))
        sleeper.resume()
        for name in names:
            await effects.views(name, 2_000)
        await until(lambda: all(seen.last(name).views == 2_000 for name in names))
        await until(
            lambda: {entry.views for entry in seen.last_feed("demo/hot/ru/").entries} == {2_000}
        )
        for name in names:
            said = {strip.version: strip.views for strip in seen.of(name)}
            assert said[max(said)] == 2_000
            assert [said[version] for version in sorted(said)] == sorted(said.values())
