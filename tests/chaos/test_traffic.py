"""A client that breaks is the harness's own fault: it ends the run at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.chaos.traffic import Traffic


def traffic_of(*clients: asyncio.Task[None]) -> Traffic:
    made = cast(Any, Traffic.__new__(Traffic))
    made._tasks = list(clients)
    return cast(Traffic, made)


async def test_a_client_that_breaks_ends_what_runs_beside_it() -> None:
    async def breaks() -> None:
        raise LookupError("a bug of the client's")

    with pytest.raises(LookupError, match="a bug of the client's"):
        async with asyncio.timeout(5):
            await traffic_of(asyncio.create_task(breaks())).beside(asyncio.sleep(60))


async def test_clients_that_go_on_or_end_well_do_not() -> None:
    going = asyncio.create_task(asyncio.sleep(60))
    ended = asyncio.create_task(asyncio.sleep(0))
    await traffic_of(going, ended).beside(asyncio.sleep(0.01))
    going.cancel()
