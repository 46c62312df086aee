"""When a key whose last record stays behind is sent again, and when it is only suspect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from services.core.consume import Tail
from services.core.consume.tail import TailRecord
from services.core.db import Connection, Pool
from services.core.events import Version
from services.publisher import survivors
from services.publisher.survivors import SUSPECT_SECONDS, Survivors, watch
from tests.unit.reader.build import T0


class Postgres:
    """Knows of 1.2 as the highest acknowledged version of every key."""

    def __init__(self) -> None:
        self.now = 0.0
        self.away = False
        self.sent: list[str] = []
        self.survivors = Survivors(
            "strip", cast("Pool", self), self.overtaken, self.again, clock=lambda: self.now
        )

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[Any]:
        if self.away:
            raise ConnectionRefusedError
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def overtaken(self, _: Connection, last: Mapping[str, Version]) -> dict[str, Version]:
        return {key: Version(1, 2) for key, version in last.items() if version < Version(1, 2)}

    async def again(self, _: Connection, versions: Mapping[str, Version]) -> list[str]:
        self.sent += versions
        return list(versions)

    async def check_at(self, now: float, *, current: bool = True) -> list[str]:
        self.now = now
        return await self.survivors.check(current=current)


@pytest.fixture
def postgres() -> Postgres:
    return Postgres()


async def test_who_stays_behind_for_long_is_sent_again_once(postgres: Postgres) -> None:
    postgres.survivors.saw("behind", Version(1, 1))
    postgres.survivors.saw("well", Version(1, 2))
    for now in (0.0, 1.0, SUSPECT_SECONDS - 1):
        assert await postgres.check_at(now) == []
    assert await postgres.check_at(SUSPECT_SECONDS) == ["behind"]
    assert await postgres.check_at(3 * SUSPECT_SECONDS) == []


async def test_a_tail_that_lagged_for_a_few_seconds_is_no_reason(postgres: Postgres) -> None:
    postgres.survivors.saw("k", Version(1, 1))
    for now in (0.0, 1.0, 5.0):
        assert await postgres.check_at(now) == []
    postgres.survivors.saw("k", Version(1, 2))
    assert await postgres.check_at(2 * SUSPECT_SECONDS) == []


async def test_a_tail_that_was_away_suspects_anew(postgres: Postgres) -> None:
    postgres.survivors.saw("k", Version(1, 1))
    for now in (0.0, 30.0, 60.0):
        assert await postgres.check_at(now, current=False) == []
    assert await postgres.check_at(61.0) == []
    assert await postgres.check_at(60.0 + SUSPECT_SECONDS) == ["k"]


async def test_while_postgres_is_away_no_more_is_read_than_may_wait(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survivors, "MAX_UNCHECKED", 3)
    read = 0

    class Records:
        caught_up = asyncio.Event()
        connected = True

        async def __aiter__(self) -> AsyncIterator[list[TailRecord]]:
            nonlocal read
            for number in range(10):
                read += 1
                yield [TailRecord(0, number, b"", b"k%d" % number, T0)]
            await asyncio.Event().wait()

    async def until_read(count: int) -> None:
        async with asyncio.timeout(5):
            while read < count:
                await asyncio.sleep(0)

    postgres.away = True
    watching = asyncio.create_task(
        watch(
            postgres.survivors,
            cast("Tail", Records()),
            lambda value: (value.decode(), Version(1, 2)),
            every_seconds=0.001,
        )
    )
    await until_read(3)
    await asyncio.sleep(0.05)
    assert read == 3
    postgres.away = False
    await until_read(10)
    watching.cancel()
    await asyncio.wait({watching})
