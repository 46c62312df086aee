"""One timer for many waits: each ends in time, and a cancellation stays one."""

from __future__ import annotations

import asyncio

import pytest

from services.core import deadlines
from services.core.deadlines import Deadlines


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "SWEEP_SECONDS", 0.005)


async def test_a_wait_that_ends_in_time_is_left_alone() -> None:
    bound = Deadlines(5.0)
    with bound:
        await asyncio.sleep(0.01)


async def test_every_wait_that_is_too_long_ends_with_a_timeout() -> None:
    bound = Deadlines(0.01)

    async def wait() -> None:
        with bound:
            await asyncio.Event().wait()

    ended = await asyncio.gather(*(wait() for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in ended} == {TimeoutError}
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_goes_on_after_its_timeout() -> None:
    bound = Deadlines(0.01)

    async def wait() -> int:
        with pytest.raises(TimeoutError), bound:
            await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        return task.cancelling()

    assert await asyncio.create_task(wait()) == 0


async def test_who_is_cancelled_by_another_is_cancelled() -> None:
    bound = Deadlines(60.0)

    async def wait() -> None:
        with bound:
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_within_goes_on_up() -> None:
    with pytest.raises(ValueError, match="mine"), Deadlines(1.0):
        raise ValueError("mine")


def test_it_serves_one_loop_after_another() -> None:
    bound = Deadlines(0.01)

    async def wait() -> None:
        with bound:
            await asyncio.Event().wait()

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(wait())
