"""Postgres with deadlines: an answer or a 503 within four seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from services.core.db import UNAVAILABLE, Connection, Pool
from services.core.metrics import READER_QUERIES
from services.core.problems import away

Cause = Literal["request", "stream"]

STATEMENT_SECONDS = 2.0
_ACQUIRE_SECONDS = 2.0
_ALL_SECONDS = 3.0
"""One more second goes by where the server is silent: the connection is given up."""


@asynccontextmanager
async def reading(pool: Pool, cause: Cause = "request") -> AsyncIterator[Connection]:
    """One connection. Raises a Problem (503) where Postgres does not answer in time."""
    READER_QUERIES.labels(cause).inc()
    try:
        async with (
            asyncio.timeout(_ALL_SECONDS),
            pool.acquire(timeout=_ACQUIRE_SECONDS) as connection,
        ):
            yield connection
    except UNAVAILABLE as error:
        raise away("the database does not answer; try again later") from error
