"""Which of Postgres's errors may pass by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
import pytest

from services.core import db
from services.core.errors import Misconfigured


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.InternalClientError,  # a connection that breaks while a pool resets it
        asyncpg.InterfaceError,
        asyncpg.exceptions.TransactionTimeoutError,
        asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
        asyncpg.DiskFullError,
        asyncpg.DeadlockDetectedError,
        ConnectionResetError,
        TimeoutError,
    ],
)
def test_errors_of_a_server_that_is_away_are_tried_again(error: type[Exception]) -> None:
    assert issubclass(error, db.UNAVAILABLE)
    assert not issubclass(error, db.DATA_ERRORS)


async def test_a_postgres_that_knows_no_transaction_timeout_is_used_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def sixteen(*where: object, server_settings: dict[str, str], **how: object) -> str:
        asked.append(dict(server_settings))
        if "transaction_timeout" in server_settings:
            raise asyncpg.UndefinedObjectError("unrecognized configuration parameter")
        return "connected"

    monkeypatch.setattr(asyncpg, "connect", sixteen)
    settings = {"timezone": "UTC", "transaction_timeout": "20000"}
    assert await db._connect("dsn", server_settings=settings) == "connected"
    assert asked == [settings, {"timezone": "UTC"}]
    monkeypatch.setattr(asyncpg, "connect", refuses)
    with pytest.raises(asyncpg.UndefinedObjectError):
        await db._connect("dsn", server_settings={"timezone": "UTC"})


async def refuses(*where: object, **how: object) -> None:
    raise asyncpg.UndefinedObjectError("another parameter")


class Counting:
    """A pool that tells how many of its connections are out at once; `away` after some."""

    def __init__(self, size: int, away_after: int | None = None) -> None:
        self.size, self.away_after = size, away_after
        self.out = self.most = 0

    def get_max_size(self) -> int:
        return self.size

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[object]:
        if self.out == self.away_after:
            raise TimeoutError
        self.out += 1
        self.most = max(self.most, self.out)
        yield object()
        self.out -= 1


async def test_a_pool_connects_ahead_and_leaves_one_to_whoever_asks() -> None:
    pool = Counting(8)
    await db.fill(cast(db.Pool, pool))
    assert (pool.most, pool.out) == (7, 0)


async def test_a_database_that_is_away_is_left_to_the_requests() -> None:
    pool = Counting(8, away_after=3)
    await db.fill(cast(db.Pool, pool))
    assert (pool.most, pool.out) == (3, 0)


@pytest.mark.parametrize("dsn", ["nonsense", "http://news.example/", "postgresql://h:port/x"])
async def test_what_is_no_address_of_a_database_is_refused_by_name(dsn: str) -> None:
    for attempt in (db.connect_pool(dsn, 1), db.make_database(dsn), db.migrate(dsn)):
        with pytest.raises(Misconfigured, match="postgresql://user@host:port/database"):
            await attempt
