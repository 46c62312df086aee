"""What a rule's version stopped, page by page: each revision once, whatever the pages' size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.core import codec, db
from services.core.db import Pool
from services.core.store import rulesets
from services.core.store.rulesets import Place, Stopped

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGINNING = Place(NOON - timedelta(days=1), "", "")


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


def finding(rule: str = "r", version: str = "v1", action: str = "hold") -> dict[str, Any]:
    return {"rule": rule, "version": version, "action": action}


async def stopped(
    pool: Pool, n: int, *findings: dict[str, Any], result: str = "held", comment: str = "",
    discussion: str = "gazette/d",
) -> None:  # fmt: skip
    verdict = {"action": "hold", "ruleset": "h", "findings": list(findings)}
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO outcomes VALUES ($1, $2, '', 'c', $3, 1, $4, '', '', $5, '{}', $6)",
            discussion, f"e{n:02}", comment or f"c{n}", result, codec.encode(verdict).decode(),
            NOON + timedelta(seconds=n // 3),
        )  # fmt: skip


async def pages(pool: Pool, most: int, since: Place = BEGINNING) -> list[list[Stopped]]:
    found = []
    place: Place | None = since
    async with pool.acquire() as connection:
        while place is not None:
            page, place = await rulesets.did(connection, "gazette", "r", "v1", place, most)
            found.append(page)
            assert len(found) < 100
    return found


@pytest.mark.parametrize("looked_at", [2, 7, 20_000])
async def test_pages_of_any_size_hold_each_stopped_revision_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    monkeypatch.setattr(rulesets, "LOOKED_AT", looked_at)
    for n in range(12):
        await stopped(pool, n, finding(action="reject" if n % 2 else "hold"))
    await stopped(pool, 12, finding(), comment="c3")  # reported: the same revision again
    await stopped(pool, 13, finding(version="v2"))
    await stopped(pool, 14, finding(rule="s"), finding(action="note"))
    await stopped(pool, 15, finding(), result="published")
    await stopped(pool, 16, finding(), discussion="gazette-2/d")
    await stopped(pool, 17, finding())
    expected = [Stopped("gazette/d", f"c{n}", 1) for n in (*range(12), 17)]
    for most in (1, 4, 500):
        found = await pages(pool, most)
        assert [one for page in found for one in page] == expected
        assert all(len(page) <= most for page in found)
    later = await pages(pool, 500, Place(NOON + timedelta(seconds=3), "", ""))
    assert [one for page in later for one in page] == expected[9:]


async def test_a_page_reads_the_index_from_where_the_one_before_ended(pool: Pool) -> None:
    sql = db.queries("rulesets")["did"]
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO outcomes SELECT 'gazette/d' || n % 50, 'e' || n, '', 'c', 'c' || n, 1,"
            " CASE WHEN n % 20 = 0 THEN 'held' ELSE 'published' END, '', '',"
            " jsonb_build_object('findings', jsonb_build_array("
            " jsonb_build_object('rule', 'r', 'version', 'v1', 'action', 'hold'))), '{}',"
            " $1::timestamptz + n * interval '1 second' FROM generate_series(1, 20000) AS n",
            NOON,
        )
        await connection.execute("ANALYZE outcomes")
        place = Place(NOON + timedelta(seconds=15_000), "", "")
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, FORMAT TEXT) {sql}", "gazette", "r", "v1", *place, 200, 50
        )
    plan = "\n".join(row[0] for row in rows)
    assert "Index Cond: (recorded_at >= '2026-03-01 16:10:00+00'" in plan
    assert "Seq Scan on outcomes" not in plan
