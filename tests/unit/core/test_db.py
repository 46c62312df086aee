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
        asyncpg.DiskFullError,
        asyncpg.DeadlockDetectedError,
        ConnectionResetError,
        TimeoutError,
    ],
)
def test_errors_of_a_server_that_is_away_are_tried_again(error: type[Exception]) -> None:
    assert issubclass(error, db.UNAVAILABLE)
    assert not issubclass(error, db.DATA_ERRORS)
