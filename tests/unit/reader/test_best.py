from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.core.events import DiscussionKey
from services.reader import best
from services.reader.best import Orders, Votes, freeze
from tests.unit.reader.build import T0

KEY = DiscussionKey("s/d")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(votes: Votes) -> Callable[[], Awaitable[Votes]]:
    async def ask() -> Votes:
        return votes

    return ask


def some(*ups: int) -> Votes:
    return [(T0 + timedelta(seconds=place), f"c{place}", up, 0) for place, up in enumerate(ups)]


def ids(order: best.Order) -> list[str]:
    return [rank[-1] for rank in order.ranks]


def test_best_ranks_by_the_lower_bound_then_by_age() -> None:
    votes = [(T0, "one", 1, 0), (T0, "hundred", 90, 10), (T0, "b", 0, 0), (T0, "a", 0, 5)]
    assert ids(freeze(votes, 0.0)) == ["hundred", "one", "a", "b"]


async def test_an_order_is_frozen_for_a_minute() -> None:
    clock = Clock()
    orders = Orders(clock, 60.0)
    first = await orders.begin(KEY, asked(some(1, 2)))
    clock.now = 59.0
    assert await orders.begin(KEY, asked(some(9, 1))) is first
    clock.now = 60.0
    assert ids(await orders.begin(KEY, asked(some(9, 1)))) == ["c0", "c1"]


async def test_all_who_begin_at_once_share_one_question() -> None:
    orders = Orders(Clock(), 60.0)
    go, questions = asyncio.Event(), 0

    async def ask() -> Votes:
        nonlocal questions
        questions += 1
        await go.wait()
        if questions == 1:
            raise RuntimeError("away")
        return some(1, 2)

    for outcome in (RuntimeError, best.Order):
        asking = [asyncio.create_task(orders.begin(KEY, ask)) for _ in range(10)]
        await asyncio.sleep(0)
        asking[0].cancel()
        await asyncio.sleep(0)
        go.set()
        _, *answers = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(answer) for answer in answers} == {outcome}
        go.clear()
    assert questions == 2


async def test_a_cursor_outlives_its_order_by_a_minute_and_then_says_so() -> None:
    clock = Clock()
    orders = Orders(clock, 60.0)
    first = await orders.begin(KEY, asked(some(3, 2, 1)))
    cursor = first.cursor_at(1)
    clock.now = 119.0
    assert await orders.resume(KEY, cursor, asked(some(0, 0, 9))) == (first, 1, False)
    clock.now = 121.0
    order, position, expired = await orders.resume(KEY, cursor, asked(some(3, 2, 9)))
    assert expired
    assert ids(order)[position:] == ["c1"]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.data())
async def test_an_expired_cursor_goes_on_behind_its_rank(
    ups: list[int], data: st.DataObject
) -> None:
    clock = Clock()
    orders = Orders(clock, 60.0)
    order = await orders.begin(KEY, asked(some(*ups)))
    place = data.draw(st.integers(1, len(ups)))
    clock.now = 1_000.0
    again, position, _ = await orders.resume(KEY, order.cursor_at(place), asked(some(*ups)))
    assert ids(again)[position:] == ids(order)[place:]


async def test_orders_are_bounded() -> None:
    orders = Orders(Clock(), 60.0)
    for number in range(best.MAX_ORDERS + 10):
        await orders.begin(DiscussionKey(f"s/{number}"), asked(some(1)))
    assert len(orders._kept) == best.MAX_ORDERS
    assert len(orders._newest) == best.MAX_ORDERS
    assert orders._comments == best.MAX_ORDERS
