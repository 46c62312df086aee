"""Views against real Postgres: windows, partitions of keys, totals, viewers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import asyncpg
import pytest

from services.core import topics, viewers
from services.core.consume import Batch, Record
from services.core.db import Connection
from services.core.events import DiscussionViewed, View
from services.counters.views import ViewCounter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = "gazette/a1"
MINUTE = timedelta(minutes=1)


def a_view(
    viewer: str = "ada",
    *,
    at: datetime = NOON,
    time: datetime | None = None,
    occurred_at: datetime | None = None,
) -> Record[DiscussionViewed]:
    view = DiscussionViewed(
        id=uuid4().hex,
        source="/sites/gazette",
        site="gazette",
        actor=viewer,
        time=time or at,
        data=View(discussion="a1"),
        **({"occurredat": occurred_at} if occurred_at else {}),  # type: ignore[arg-type]
    )
    return Record(0, at, view)


def a_batch(*records: Record[DiscussionViewed], partition: int = 0) -> Batch[DiscussionViewed]:
    return Batch(topics.VIEWS, partition, records)


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    yield connection
    await connection.close(timeout=10)


@pytest.fixture
def counter() -> ViewCounter:
    return ViewCounter(lambda discussion: 1, viewers.viewer_key(b"k" * 32))


async def views(connection: Connection) -> int:
    return await connection.fetchval("SELECT coalesce(sum(views), 0) FROM view_totals")


async def hours(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'view_keys'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def counters_read(connection: Connection, partition: int, at: datetime | None) -> None:
    await connection.execute(
        "INSERT INTO fences VALUES ($1, $2, $3, $4, 1, 1, 'test', $5)"
        " ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET record_at = $5",
        topics.COUNTERS_GROUP, topics.VIEWS, partition, uuid4(), at,
    )  # fmt: skip


async def test_viewer_counts_once_in_half_an_hour(
    connection: Connection, counter: ViewCounter
) -> None:
    await counter.handle(connection, a_batch(a_view(), a_view(), a_view("bob")))
    await counter.handle(connection, a_batch(a_view(at=NOON + 29 * MINUTE)))
    assert await views(connection) == 2
    await counter.handle(connection, a_batch(a_view(at=NOON + 30 * MINUTE)))
    assert await views(connection) == 3
    sketches = await connection.fetch("SELECT viewers FROM view_totals")
    assert viewers.estimate(row["viewers"] for row in sketches) == 2


async def test_view_marks_its_discussion_dirty_and_a_repeat_does_not(
    connection: Connection, counter: ViewCounter
) -> None:
    await counter.handle(connection, a_batch(a_view()))
    marks = await connection.fetch(
        "DELETE FROM dirty_discussions RETURNING discussion, topic, partition, shard"
    )
    assert [tuple(mark) for mark in marks] == [(TALK, topics.VIEWS, 0, 1)]
    await counter.handle(connection, a_batch(a_view()))
    assert await connection.fetch("SELECT * FROM dirty_discussions") == []


async def test_retry_after_a_window_ended_falls_into_its_first_window(
    connection: Connection, counter: ViewCounter
) -> None:
    seen_at = NOON - MINUTE
    await counter.handle(connection, a_batch(a_view(at=NOON - MINUTE, time=seen_at)))
    await counter.handle(connection, a_batch(a_view(at=NOON + MINUTE, time=seen_at)))
    assert await views(connection) == 1


@pytest.mark.parametrize("hours_off", [-300, 300])
async def test_wrong_clock_is_held_to_five_minutes_of_the_brokers(
    connection: Connection, counter: ViewCounter, hours_off: int
) -> None:
    wrong = NOON + timedelta(hours=hours_off)
    await counter.handle(connection, a_batch(a_view(at=NOON + 15 * MINUTE, time=wrong)))
    start = await connection.fetchval("SELECT window_start FROM view_keys")
    assert start == NOON


async def test_windows_are_utc_whatever_offset_a_producer_writes(
    connection: Connection, counter: ViewCounter
) -> None:
    india = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await counter.handle(connection, a_batch(a_view(at=NOON, time=india)))
    assert await hours(connection) == ["view_keys_2026030112"]


async def test_imported_view_counts_in_the_window_it_states(
    connection: Connection, counter: ViewCounter
) -> None:
    long_ago = NOON - timedelta(days=4000)
    batch = a_batch(a_view(occurred_at=long_ago), a_view(occurred_at=long_ago + 30 * MINUTE))
    await counter.handle(connection, batch)
    await counter.handle(connection, batch)
    assert await views(connection) == 2
    assert await hours(connection) == []


async def test_recent_import_and_own_view_share_a_window(
    connection: Connection, counter: ViewCounter
) -> None:
    await counter.handle(connection, a_batch(a_view(at=NOON)))
    await counter.handle(
        connection, a_batch(a_view(at=NOON + 50 * MINUTE, occurred_at=NOON + MINUTE))
    )
    assert await views(connection) == 1


async def test_hour_is_dropped_once_every_partition_is_two_hours_past_it(
    connection: Connection, counter: ViewCounter
) -> None:
    for hour in range(4):
        await counter.handle(connection, a_batch(a_view(at=NOON + timedelta(hours=hour))))
    await counters_read(connection, 0, NOON + timedelta(hours=4))
    await counters_read(connection, 1, NOON + timedelta(hours=3) - MINUTE)
    await counters_read(connection, 2, None)
    await counter.sweep(connection, topics.VIEWS, 0)
    assert len(await hours(connection)) == 4
    await counters_read(connection, 1, NOON + timedelta(hours=3))
    await counter.sweep(connection, topics.VIEWS, 1)
    assert len(await hours(connection)) == 4
    await counter.sweep(connection, topics.VIEWS, 0)
    assert await hours(connection) == [
        "view_keys_2026030113", "view_keys_2026030114", "view_keys_2026030115"
    ]  # fmt: skip
    assert await views(connection) == 4


async def test_partitions_open_and_close_hours_at_the_same_time_without_deadlock(
    postgres_dsn: str, connection: Connection, counter: ViewCounter
) -> None:
    async def work(partition: int) -> None:
        own = await asyncpg.connect(postgres_dsn, timeout=10)
        for hour in range(12):
            at = NOON + timedelta(hours=hour)
            async with own.transaction():
                await counters_read(own, partition, at)
                seen = [a_view(f"v{n}", at=at) for n in range(20)]
                await counter.handle(own, a_batch(*seen, partition=partition))
            async with own.transaction():
                await counters_read(own, partition, at)
                await counter.sweep(own, topics.VIEWS, 0)
        await own.close(timeout=10)

    await asyncio.wait_for(asyncio.gather(*[work(partition) for partition in range(4)]), 60)
    await counter.sweep(connection, topics.VIEWS, 0)
    assert await hours(connection) == [f"view_keys_20260301{hour}" for hour in (21, 22, 23)]
    assert await connection.fetchval("SELECT sum(views) FROM view_totals") == 12 * 20
