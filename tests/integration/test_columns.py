"""Arrays that travel as text come out as they went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.core.store import columns

TRICKY = ["", "a", "NULL", 'a","b', "\\", '\\"', "{x}", "a,b", " a ", "line\nbreak", "ё", '"']


@pytest.mark.parametrize("values", [[], TRICKY, TRICKY[3:4], TRICKY[4:5], TRICKY[:1]])
async def test_texts_come_out_as_they_went_in(postgres_dsn: str, values: list[str]) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert await connection.fetchval("SELECT $1::text::text[]", columns.texts(values)) == values
    finally:
        await connection.close()


@pytest.mark.parametrize("values", [[], [None, None], [None, *TRICKY], TRICKY])
async def test_none_goes_over_as_null(postgres_dsn: str, values: list[str | None]) -> None:
    counted = [None if value is None else len(value) for value in values]
    connection = await asyncpg.connect(postgres_dsn)
    try:
        texts, numbers = columns.maybe_texts(values), columns.numbers(counted)
        assert await connection.fetchval("SELECT $1::text::text[]", texts) == values
        assert await connection.fetchval("SELECT $1::text::integer[]", numbers) == counted
    finally:
        await connection.close()


async def test_instants_come_out_in_their_places(postgres_dsn: str) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    values = [noon, noon + timedelta(microseconds=1), noon]
    instants, places = columns.instants(values)
    assert len(instants) == 2
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert values == await connection.fetchval(
            "SELECT array_agg(($1::timestamptz[])[place] ORDER BY at)"
            " FROM unnest($2::text::integer[]) WITH ORDINALITY AS k (place, at)",
            instants,
            places,
        )
    finally:
        await connection.close()
