from __future__ import annotations

import asyncio

import pytest

from services.reader.shared import Shared


async def test_who_asks_at_the_same_time_shares_one_query() -> None:
    shared: Shared[int] = Shared(1.0, 10, lambda: 0.0)
    made = []

    async def make() -> int:
        made.append(1)
        await asyncio.sleep(0)
        return 7

    assert await asyncio.gather(*(shared.get("k", make) for _ in range(5))) == [7] * 5
    assert len(made) == 1


async def test_a_failure_is_not_kept() -> None:
    shared: Shared[int] = Shared(1.0, 10, lambda: 0.0)

    async def fail() -> int:
        raise LookupError

    async def make() -> int:
        return 7

    with pytest.raises(LookupError):
        await shared.get("k", fail)
    assert await shared.get("k", make) == 7


async def test_one_that_leaves_does_not_end_the_others_query() -> None:
    shared: Shared[int] = Shared(1.0, 10, lambda: 0.0)
    go = asyncio.Event()

    async def make() -> int:
        await go.wait()
        return 7

    leaving = asyncio.create_task(shared.get("k", make))
    staying = asyncio.create_task(shared.get("k", make))
    await asyncio.sleep(0)
    leaving.cancel()
    go.set()
    assert await staying == 7


async def test_an_answer_is_kept_for_its_time_only() -> None:
    now = [0.0]
    shared: Shared[float] = Shared(1.0, 10, lambda: now[0])

    async def make() -> float:
        return now[0]

    assert await shared.get("k", make) == 0.0
    now[0] = 0.5
    assert await shared.get("k", make) == 0.0
    now[0] = 1.5
    assert await shared.get("k", make) == 1.5


async def test_expired_answers_are_forgotten() -> None:
    now = [0.0]
    shared: Shared[int] = Shared(1.0, 1_000, lambda: now[0])

    async def make() -> int:
        return 1

    for number in range(100):
        await shared.get(number, make)
    now[0] = 2.0
    await shared.get("another", make)
    assert list(shared._kept) == ["another"]


async def test_kept_answers_are_bounded() -> None:
    shared: Shared[int] = Shared(100.0, 3, lambda: 0.0)

    async def make() -> int:
        return 1

    for number in range(10):
        await shared.get(number, make)
    assert len(shared._kept) == 3
