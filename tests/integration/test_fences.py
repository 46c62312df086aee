"""Fences: one owner, one position, and an operator's way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from services.core import db
from services.core.db import Connection, Pool
from services.core.store import fences

GROUP, TOPIC, ID = "counters", "votes.v1", uuid4()
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 4)
    yield pool
    await pool.close()


async def claim(connection: Connection | Pool, owner: str, topic_id: UUID = ID) -> fences.Fence:
    return await fences.claim(
        connection, GROUP, TOPIC, 0, topic_id=topic_id, first_offset=5, owner=owner
    )


async def advance(connection: Connection | Pool, epoch: int, believed: int, to: int) -> bool:
    return await fences.advance(
        connection, GROUP, TOPIC, 0, epoch=epoch, believed=believed, next_offset=to, record_at=AT
    )


async def test_the_first_claim_begins_where_it_is_told_and_later_ones_where_it_stands(
    pool: Pool,
) -> None:
    first = await claim(pool, "a")
    assert (first.next_offset, first.epoch, first.topic_id) == (5, 1, ID)
    assert await advance(pool, 1, 5, 9)
    second = await claim(pool, "b", uuid4())
    assert (second.next_offset, second.epoch, second.owner) == (9, 2, "b")
    assert second.topic_id == ID


async def test_only_the_newest_epoch_at_the_believed_offset_advances(pool: Pool) -> None:
    await claim(pool, "a")
    await claim(pool, "b")
    assert not await advance(pool, 1, 5, 9)
    assert not await advance(pool, 2, 6, 9)
    assert await advance(pool, 2, 5, 9)
    assert not await advance(pool, 2, 5, 9)


async def test_a_claim_waits_for_a_commit_in_flight_and_sees_it(pool: Pool) -> None:
    await claim(pool, "a")
    async with db.transaction(pool) as connection:
        assert await advance(connection, 1, 5, 50)
        taking = asyncio.create_task(claim(pool, "b"))
        await asyncio.wait([taking], timeout=0.3)
        assert not taking.done()
    taken = await asyncio.wait_for(taking, 5)
    assert (taken.next_offset, taken.epoch) == (50, 2)


async def test_a_stopped_fence_does_not_advance_until_an_operator_resumes_it(pool: Pool) -> None:
    await claim(pool, "a")
    assert not await fences.stop(pool, GROUP, TOPIC, 0, epoch=7, reason="r", detail="d")
    assert await fences.stop(pool, GROUP, TOPIC, 0, epoch=1, reason="r", detail="d")
    assert not await advance(pool, 1, 5, 9)
    assert (await claim(pool, "b")).stopped_reason == "r"
    other = uuid4()
    resumed = await fences.resume(pool, GROUP, TOPIC, 0, skip_to=8, topic_id=other)
    assert resumed is not None
    assert (resumed.next_offset, resumed.epoch, resumed.topic_id) == (8, 3, other)
    assert resumed.stopped_reason is None
    assert not await advance(pool, 2, 8, 9)
    assert await fences.resume(pool, GROUP, TOPIC, 0) is None


async def test_record_at_never_goes_back(pool: Pool) -> None:
    await claim(pool, "a")
    assert await advance(pool, 1, 5, 6)
    earlier = AT.replace(year=2020)
    assert await fences.advance(
        pool, GROUP, TOPIC, 0, epoch=1, believed=6, next_offset=7, record_at=earlier
    )
    (row,) = await fences.every(pool)
    assert (row.next_offset, row.record_at) == (7, AT)


async def test_a_process_that_stands_still_between_two_messages_is_put_out_of_the_way(
    pool: Pool, postgres_dsn: str
) -> None:
    await claim(pool, "a")
    stuck = await db.connect_pool(postgres_dsn, 1, transaction_timeout_seconds=0.5)
    zombie = await stuck.acquire()
    await zombie.execute("BEGIN")
    await fences.look(zombie, GROUP, TOPIC, 0, lock=True)
    # Parse without its Bind: Postgres waits for the rest, neither idle nor at work.
    await zombie.prepare("SELECT 1 FROM fences")
    state = "SELECT state FROM pg_stat_activity WHERE pid = $1"
    assert await pool.fetchval(state, zombie.get_server_pid()) == "active"
    assert (await claim(pool, "b")).owner == "b"
    stuck.terminate()
