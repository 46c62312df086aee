"""The canonical dump: every column that a rebuild must bring back, as JSON lines in key order."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.core import db
from services.core.db import Connection

_SQL = db.queries("dump")

TABLES = tuple(_SQL)
"""In the order of the dump."""

PUBLISHED = "made by the publisher from what is compared"
ONE_REBUILD = "holds a rebuild's notes, empty otherwise"

LEFT_OUT = {
    "fences.epoch": "counts takeovers of a partition",
    "fences.owner": "names a process",
    "fences.stopped_reason": "an operator's business",
    "fences.stopped_detail": "an operator's business",
    "fences.stopped_at": "an operator's business",
    "notices.written": "the transaction's number in this database",
    "leases": "who works on what for a few seconds",
    "lessons": "decisions that no model has learned from",
    "models": "trained models; a rebuilt service learns anew",
    "near_bands": "of recent texts, for facts that outcomes record; kept by the sweep's rhythm",
    "claims": "who looks at what in the console",
    "wanted_scores": "what the scorer is asked to ask",
    "ruleset_proposals": "the console's own until one is activated",
    "migrations": "when the schema was made",
    "incarnations": "a rebuild begins a new one",
    "outbox": "on its way to Kafka",
    "dirty_discussions": "on its way to Kafka",
    "changed_comments": "on its way to Kafka",
    "strips": PUBLISHED,
    "feed_entries": PUBLISHED,
    "feeds": PUBLISHED,
    "recorded_outcomes": ONE_REBUILD,
    "recorded_dead_letters": ONE_REBUILD,
    "rebuild_ends": ONE_REBUILD,
}
"""Table, or table.column → why it is not compared."""


async def lines(connection: Connection, table: str) -> AsyncIterator[str]:
    """One table, a JSON object a row; in the caller's transaction (let it be repeatable read)."""
    statement = f"SELECT row_to_json(t)::text FROM ({_SQL[table]}) AS t"  # noqa: S608
    async for row in connection.cursor(statement, prefetch=500):
        yield f'{{"table":"{table}","row":{row[0]}}}'
