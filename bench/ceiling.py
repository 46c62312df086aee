"""The ceiling: what votes and views cost with nothing around them.

Bare aiokafka (assigned partitions, no group, one task each), msgspec with the few members that
are needed, a fold in memory, and one statement per batch of up to 2,000. No fence, no memory of
changes, no refusals, no outbox, no dirty marks: nothing that makes the effect happen exactly once.

    python -m bench.ceiling votes|views|comments BOOTSTRAP TOPIC DSN RECORDS
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.traffic import PARTITIONS

BATCH = 2_000

TABLES = """
CREATE TABLE ceiling_votes (
    discussion text, target text, voter text, value smallint NOT NULL,
    PRIMARY KEY (discussion, voter, target)
) WITH (fillfactor = 90);
CREATE TABLE ceiling_totals (
    discussion text, target text, slot smallint, up integer NOT NULL, down integer NOT NULL,
    PRIMARY KEY (discussion, target, slot)
) WITH (fillfactor = 70);
CREATE TABLE ceiling_view_keys (
    window_start timestamptz, discussion text, viewer bytea,
    PRIMARY KEY (window_start, discussion, viewer)
);
CREATE TABLE ceiling_views (
    discussion text, slot smallint, views bigint NOT NULL, PRIMARY KEY (discussion, slot)
) WITH (fillfactor = 60);
CREATE TABLE ceiling_comments (
    discussion text, comment text, author text, body text, submitted_at timestamptz,
    PRIMARY KEY (discussion, comment)
);
"""
# A partition has one reader, so what is not there now is not there when it is stored: a fifth less
# of Postgres's CPU than `ON CONFLICT DO UPDATE`, which marks, locks and logs more for each row.
VOTES = """
WITH n AS MATERIALIZED (
    SELECT t.*, o.value AS old FROM unnest($2::text[], $3::text[], $4::text[], $5::smallint[])
        AS t (discussion, target, voter, value)
    LEFT JOIN ceiling_votes o USING (discussion, target, voter)
), deltas AS (
    SELECT n.discussion, n.target,
        sum((n.value = 1)::integer - coalesce(n.old = 1, false)::integer)::integer AS up,
        sum((n.value = -1)::integer - coalesce(n.old = -1, false)::integer)::integer AS down
    FROM n GROUP BY n.discussion, n.target
), stored AS (
    INSERT INTO ceiling_votes SELECT discussion, target, voter, value FROM n WHERE old IS NULL
), replaced AS (
    UPDATE ceiling_votes o SET value = n.value FROM n
    WHERE n.old IS NOT NULL
        AND o.discussion = n.discussion AND o.target = n.target AND o.voter = n.voter
)
INSERT INTO ceiling_totals AS t (discussion, target, slot, up, down)
SELECT discussion, target, $1::smallint, up, down FROM deltas
ON CONFLICT (discussion, target, slot) DO UPDATE
SET up = t.up + EXCLUDED.up, down = t.down + EXCLUDED.down
"""
VIEWS = """
WITH new AS (
    INSERT INTO ceiling_view_keys
    SELECT * FROM unnest($2::timestamptz[], $3::text[], $4::bytea[])
    ON CONFLICT DO NOTHING
    RETURNING discussion
)
INSERT INTO ceiling_views AS v (discussion, slot, views)
SELECT discussion, $1::smallint, count(*) FROM new GROUP BY discussion
ON CONFLICT (discussion, slot) DO UPDATE SET views = v.views + EXCLUDED.views
"""
COMMENTS = """
INSERT INTO ceiling_comments
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT DO NOTHING
"""


class Data(msgspec.Struct):
    discussion: str
    value: int = 0
    comment: str | None = None
    body: str = ""


class Lean(msgspec.Struct):
    """What of an event the ceiling needs."""

    site: str
    actor: str
    time: datetime
    data: Data


Handle = Callable[[asyncpg.Connection, int, Sequence[Lean]], Awaitable[None]]


async def handle_votes(connection: asyncpg.Connection, slot: int, events: Sequence[Lean]) -> None:
    newest: dict[tuple[str, str, str], int] = {}
    for e in events:
        newest[f"{e.site}/{e.data.discussion}", e.data.comment or "", e.actor] = e.data.value
    ballots = sorted(newest)
    await connection.execute(
        VOTES, slot,
        [b[0] for b in ballots], [b[1] for b in ballots], [b[2] for b in ballots],
        [newest[b] for b in ballots],
    )  # fmt: skip


async def handle_views(connection: asyncpg.Connection, slot: int, events: Sequence[Lean]) -> None:
    keys = sorted(
        {
            (
                e.time.replace(minute=e.time.minute // 30 * 30, second=0, microsecond=0),
                f"{e.site}/{e.data.discussion}",
                hashlib.blake2b(e.actor.encode(), digest_size=16).digest(),
            )
            for e in events
        }
    )
    await connection.execute(
        VIEWS, slot, [k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys]
    )


async def handle_comments(connection: asyncpg.Connection, slot: int, es: Sequence[Lean]) -> None:
    es = [e for e in es if e.data.body]  # not those that open discussions
    await connection.execute(
        COMMENTS,
        [f"{e.site}/{e.data.discussion}" for e in es],
        [e.data.comment for e in es],
        [e.actor for e in es],
        [e.data.body for e in es],
        [e.time for e in es],
    )


HANDLES: dict[str, Handle] = {
    "votes": handle_votes, "views": handle_views, "comments": handle_comments,
}  # fmt: skip


async def run(kind: str, bootstrap: str, topic: str, dsn: str, expected: int) -> dict[str, Any]:
    handle = HANDLES[kind]
    decode = msgspec.json.Decoder(Lean).decode
    pool = await asyncpg.create_pool(dsn, min_size=4, max_size=4)
    await pool.execute(TABLES)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=512 * 1024,
        fetch_max_wait_ms=100,
    )  # fmt: skip
    await consumer.start()
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    done: list[tuple[float, int]] = []
    begun: set[int] = set()
    first: tuple[float, int] | None = None
    total = 0
    ended = asyncio.Event()

    async def partition(place: TopicPartition) -> None:
        nonlocal total, first
        while True:
            found = await consumer.getmany(place, timeout_ms=100, max_records=BATCH)
            for records in found.values():
                events = [decode(record.value) for record in records]
                async with pool.acquire() as connection:
                    await handle(connection, place.partition, events)
                total += len(records)
                done.append((time.monotonic(), len(records)))
                begun.add(place.partition)
                if first is None and len(begun) == PARTITIONS:
                    first = (done[-1][0], total)
                if total >= expected:
                    ended.set()

    tasks = [asyncio.create_task(partition(place)) for place in places]
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait([waiting, *tasks], timeout=600, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await consumer.stop()
    await pool.close()
    assert first is not None
    return {
        "per_second": (total - first[1]) / (done[-1][0] - first[0]),
        "batch": total / len(done),
        "at": datetime.now(UTC).isoformat(),
    }


if __name__ == "__main__":
    kind, bootstrap, topic, dsn, records = sys.argv[1:]
    print(json.dumps(uvloop.run(run(kind, bootstrap, topic, dsn, int(records)))))
