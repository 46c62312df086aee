"""Every named query means something to the migrated schema: Postgres PREPAREs it."""

from __future__ import annotations

import asyncpg
import pytest

from services.core import db

FAMILIES = sorted(path.stem for path in db.SQL.glob("*.sql"))


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_query_of_the_family_prepares(family: str, postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert db.queries(family)
        faults = {}
        for name, query in db.queries(family).items():
            try:
                await connection.prepare(query)
            except asyncpg.PostgresError as error:
                faults[name] = str(error)
        assert faults == {}
    finally:
        await connection.close()
