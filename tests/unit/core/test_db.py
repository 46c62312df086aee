"""Which of Postgres's errors may pass by themselves."""

from __future__ import annotations

import asyncpg
import pytest

from services.core import db


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
