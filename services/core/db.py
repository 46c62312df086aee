"""Postgres: the pool, transactions with deadlines, migrations, and the loader of query files."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from services.core.errors import Misconfigured

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"

UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised where the server died under the statement before
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.TransactionTimeoutError,
    ConnectionError,
    TimeoutError,
    OSError,
)
"""Errors after which the same statement may succeed later; the outcome may be unknown."""

TOO_SLOW = (
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.TransactionTimeoutError,
    TimeoutError,
)
"""Those of UNAVAILABLE that a smaller piece of the same work may not meet."""

DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.exceptions.ProgramLimitExceededError,
    UnicodeEncodeError,  # before Postgres sees it: half of a surrogate pair goes into no row
)
"""Errors that the same input gives every time."""

MIGRATIONS = Path(__file__).parents[2] / "schemas" / "postgres"
SQL = Path(__file__).parent / "sql"
STATEMENT_TIMEOUT_SECONDS = 5.0
TRANSACTION_SECONDS = 20.0
"""What a service's transaction may take as a whole. Postgres 17 and later end it themselves: a
process that stands still in the middle of a message, with the fence's row locked, is neither idle
nor at work on a statement, so no other timeout of Postgres's finds it."""
CLOSE_SECONDS = 5.0


async def connect_pool(
    dsn: str,
    size: int,
    *,
    min_size: int = 1,
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
    transaction_timeout_seconds: float | None = None,
) -> Pool:
    """A pool whose every wait has a deadline: connect 5 s, statements as given, client +1 s.

    With `min_size` 0 it connects at the first use, so a process can start while Postgres is away.
    What is connected stays so: `fill` connects ahead. Raises Misconfigured where it is refused.
    """
    milliseconds = int(statement_timeout_seconds * 1000)
    whole = {}
    if transaction_timeout_seconds is not None:
        whole = {"transaction_timeout": str(int(transaction_timeout_seconds * 1000))}
    with _named_refusals():
        return await asyncpg.create_pool(
            dsn,
            connect=_connect,
            min_size=min_size,
            max_size=size,
            timeout=5.0,
            command_timeout=statement_timeout_seconds + 1,
            max_inactive_connection_lifetime=0,
            server_settings={
                "application_name": "veche",
                "statement_timeout": str(milliseconds),
                "idle_in_transaction_session_timeout": str(milliseconds * 2),
                "timezone": "UTC",
                **whole,
            },
        )


@contextmanager
def _named_refusals() -> Iterator[None]:
    """Raises Misconfigured where no second try would help: the address or who asks is wrong."""
    try:
        yield
    except ValueError:  # asyncpg's ClientConfigurationError is one
        raise Misconfigured(
            "this is no address of a database: one looks like postgresql://user@host:port/database"
        ) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise Misconfigured(f"Postgres does not let this user in: {error}") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise Misconfigured(f"Postgres says: {error}") from error


async def _connect(*where: Any, server_settings: dict[str, str], **how: Any) -> Any:
    """As asyncpg does; without the transaction's timeout where Postgres 16 does not know it."""
    try:
        return await asyncpg.connect(*where, server_settings=server_settings, **how)
    except asyncpg.UndefinedObjectError:
        known = {k: v for k, v in server_settings.items() if k != "transaction_timeout"}
        if known == server_settings:
            raise
        return await asyncpg.connect(*where, server_settings=known, **how)


@asynccontextmanager
async def pool_of(
    dsn: str, size: int, *, statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
) -> AsyncIterator[Pool]:
    """A process's pool: connects at its first use, and is closed within seconds, come what may."""
    pool = await connect_pool(
        dsn,
        size,
        min_size=0,
        statement_timeout_seconds=statement_timeout_seconds,
        transaction_timeout_seconds=TRANSACTION_SECONDS,
    )
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


async def fill(pool: Pool) -> None:
    """Connects before anybody waits; one connection is left to whoever asks meanwhile.

    On a busy machine a request's short deadline would break a connect off, and the next request
    begin it anew. Where the database is away, requests connect once it is back.
    """
    async with AsyncExitStack() as stack:
        with suppress(asyncpg.PostgresError, *UNAVAILABLE):
            for _ in range(pool.get_max_size() - 1):
                await stack.enter_async_context(pool.acquire(timeout=5.0))


@asynccontextmanager
async def transaction(pool: Pool, *, acquire_seconds: float = 5.0) -> AsyncIterator[Connection]:
    """One transaction on one connection; any exception rolls it back."""
    async with pool.acquire(timeout=acquire_seconds) as connection, connection.transaction():
        yield connection


@cache
def queries(family: str) -> dict[str, str]:
    """The named statements of `sql/{family}.sql`: blocks that begin with `-- name: query_name`."""
    text = (SQL / f"{family}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    names = parts[1::2]
    if len(set(names)) != len(names):
        raise Misconfigured(f"sql/{family}.sql names a query twice")
    return {name: body.strip() for name, body in zip(names, parts[2::2], strict=True)}


async def make_database(dsn: str) -> bool:
    """Makes the database that the DSN names, where the server lacks it; answers whether it did."""
    try:
        with _named_refusals():
            connection = await asyncpg.connect(dsn, timeout=10.0)
    except Misconfigured as refused:
        if not isinstance(refused.__cause__, asyncpg.InvalidCatalogNameError):
            raise
        name = urlsplit(dsn).path.removeprefix("/").replace('"', '""')
        connection = await asyncpg.connect(dsn, database="postgres", timeout=10.0)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"', timeout=60)
        finally:
            await connection.close(timeout=5.0)
        return True
    await connection.close(timeout=5.0)
    return False


async def migrate(dsn: str, progress: Callable[[str], None] = lambda name: None) -> list[str]:
    """Applies what of schemas/postgres was not applied yet, in order; returns the files' names.

    Forward only. One runner at a time (an advisory lock); a file that changed after it was
    applied is refused with Misconfigured.
    """
    with _named_refusals():
        connection = await asyncpg.connect(dsn, timeout=10.0)
    try:
        await connection.execute("SET lock_timeout = '4s'")
        await asyncio.wait_for(connection.execute("SELECT pg_advisory_lock(7033)"), 60)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            " name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = dict(await connection.fetch("SELECT name, sha256 FROM migrations"))
        done = []
        for file in sorted(MIGRATIONS.glob("[0-9]*.sql")):
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            if file.name in applied:
                if applied[file.name] != sha256:
                    raise Misconfigured(
                        f"migration {file.name} changed after it was applied; "
                        f"write a new file instead, or start from an empty database"
                    )
                continue
            progress(file.name)
            async with connection.transaction():
                await connection.execute(file.read_text())
                await connection.execute(
                    "INSERT INTO migrations (name, sha256) VALUES ($1, $2)", file.name, sha256
                )
            done.append(file.name)
        return done
    finally:
        await connection.close(timeout=5.0)
