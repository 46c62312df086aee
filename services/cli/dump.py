"""`veche dump`: the canonical dump, and the comparison of two databases by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click

from services.cli import target
from services.core import db
from services.core.db import Connection
from services.core.store import dump as store

STATEMENT_SECONDS = 3600.0
"""A whole table is sorted and read through one cursor."""


@click.command()
@click.option(
    "--dsn", default="", help="The database; VECHE_POSTGRES_DSN or `veche up`'s if absent."
)
def dump(dsn: str) -> None:
    """Print the database's canonical content.

    JSON lines, with every column that a rebuild must bring back. Two databases in the same state
    give the same bytes. docs/rebuild.md names what is left out. It holds readers' texts and names:
    treat it as you treat the database.
    """
    asyncio.run(_print(dsn or target.postgres_dsn()))


async def _print(dsn: str) -> None:
    async with snapshot(dsn) as connection:
        for table in store.TABLES:
            async for line in store.lines(connection, table):
                click.echo(line)


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[Connection]:
    """One consistent look at a database; reads only."""
    pool = await db.connect_pool(dsn, 1, statement_timeout_seconds=STATEMENT_SECONDS)
    try:
        async with (
            pool.acquire(timeout=5.0) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
    finally:
        await asyncio.wait_for(pool.close(), 10)


@dataclass
class Difference:
    """One table: how many rows each database has, and the first place where they part."""

    table: str
    here: int = 0
    there: int = 0
    first: tuple[str, str] | None = None


async def compare(here: Connection, there: Connection) -> list[Difference]:
    """The tables that differ, read side by side: nothing is held in memory."""
    found = []
    for table in store.TABLES:
        difference = Difference(table)
        ours, theirs = store.lines(here, table), store.lines(there, table)
        while True:
            mine, other = await anext(ours, None), await anext(theirs, None)
            if mine is None and other is None:
                break
            difference.here += mine is not None
            difference.there += other is not None
            if mine != other and difference.first is None:
                difference.first = (mine or "nothing", other or "nothing")
        if difference.first is not None:
            found.append(difference)
    return found
