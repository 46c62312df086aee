"""Outbox, dirty marks and leases: what effects leave for the publisher, and who takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.core import db
from services.core.db import Pool
from services.core.store import dirty, leases, outbox

TOPIC = "comments.v1"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 4)
    yield pool
    await pool.close()


async def test_records_leave_in_the_order_in_which_they_were_added(pool: Pool) -> None:
    records = [("outcomes.v1", b"k%d" % n, b"v%d" % n) for n in range(500)]
    await outbox.add(pool, TOPIC, 1, records[:300])
    await outbox.add(pool, TOPIC, 2, [("outcomes.v1", b"other", None)])
    await outbox.add(pool, TOPIC, 1, records[300:])
    taken = await outbox.take(pool, TOPIC, 1, 1_000)
    assert [(one.topic, one.key, one.value) for one in taken] == records
    assert [one.sequence for one in taken] == sorted(one.sequence for one in taken)


async def test_records_stay_until_they_are_removed(pool: Pool) -> None:
    await outbox.add(pool, TOPIC, 1, [("outcomes.v1", b"a", b""), ("outcomes.v1", b"b", None)])
    first, second = await outbox.take(pool, TOPIC, 1, 10)
    assert [one.sequence for one in await outbox.take(pool, TOPIC, 1, 1)] == [first.sequence]
    await outbox.remove(pool, TOPIC, 1, [first.sequence])
    assert await outbox.take(pool, TOPIC, 1, 10) == [second]
    assert {place: n for place, (n, _) in (await outbox.waiting(pool)).items()} == {(TOPIC, 1): 1}
    await outbox.add(pool, TOPIC, 1, [])


async def test_a_mark_made_after_the_one_that_was_published_stays(pool: Pool) -> None:
    await dirty.mark(pool, TOPIC, 0, {"s/b": 1, "s/a": 1, "s/c": 2})
    seen = await dirty.take(pool, 1, 10)
    assert [mark.discussion for mark in seen] == ["s/a", "s/b"]
    await dirty.mark(pool, TOPIC, 0, {"s/a": 1})
    await dirty.clear(pool, seen)
    (left,) = await dirty.take(pool, 1, 10)
    assert left.discussion == "s/a"
    assert left.mark > seen[0].mark
    assert left.since == seen[0].since
    assert {shard: n for shard, (n, _) in (await dirty.waiting(pool)).items()} == {1: 1, 2: 1}


async def test_a_mark_made_anew_is_never_taken_for_an_old_one(pool: Pool) -> None:
    await dirty.mark(pool, TOPIC, 0, {"s/a": 1})
    old = await dirty.take(pool, 1, 10)
    await dirty.clear(pool, old)
    await dirty.mark(pool, TOPIC, 0, {"s/a": 1})
    await dirty.clear(pool, old)
    assert len(await dirty.take(pool, 1, 10)) == 1


async def test_marks_of_several_writers_stand_together_and_count_once(pool: Pool) -> None:
    await dirty.mark(pool, "votes.v1", 3, {"s/a": 1})
    await dirty.mark(pool, "views.v1", 4, {"s/a": 1, "s/b": 1})
    assert len(await dirty.take(pool, 1, 1)) == 2
    await dirty.clear(pool, await dirty.take(pool, 1, 1))
    assert [mark.discussion for mark in await dirty.take(pool, 1, 5)] == ["s/b"]


async def test_writers_that_mark_the_same_discussions_do_not_lock_each_other_up(
    pool: Pool,
) -> None:
    names = {f"s/{n}": n % 6 for n in range(200)}

    async def write() -> None:
        for _ in range(20):
            async with db.transaction(pool) as connection:
                await dirty.mark(connection, TOPIC, 0, names)

    await asyncio.gather(*(write() for _ in range(4)))


async def test_a_lease_is_one_owners_until_it_ends(pool: Pool) -> None:
    assert await leases.take(pool, "shard:1", "a", seconds=30)
    assert not await leases.take(pool, "shard:1", "b", seconds=30)
    assert await leases.take(pool, "shard:1", "a", seconds=30)
    assert await leases.held(pool, "shard:") == {"shard:1": "a"}
    await leases.give_back(pool, "shard:1", "b")
    assert await leases.held(pool) == {"shard:1": "a"}
    await leases.give_back(pool, "shard:1", "a")
    assert await leases.take(pool, "shard:1", "b", seconds=-1)
    assert await leases.held(pool) == {}
    assert await leases.take(pool, "shard:1", "a", seconds=30)
