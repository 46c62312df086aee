"""Rows `votes`, `votes_naive`, `views`, `views_naive`: from a full topic to exact counters.

The topic is filled once; every run reads it from its beginning into a database of its own. A rate
counts from when every partition has committed a batch to the last one, so it has no start-up in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

import asyncpg

from bench import naive
from bench.figures import Figure, compared
from bench.ground import Ground, python
from bench.quota import bounded
from bench.traffic import PARTITIONS, Crowd, known_comments, load, views, votes
from services.core import topics
from tests.processes import ServiceProcess

RECOUNT_VOTES = """
SELECT count(*)
FROM (SELECT discussion, target, sum((value = 1)::int) AS up, sum((value = -1)::int) AS down
      FROM votes GROUP BY 1, 2) v
FULL JOIN (SELECT discussion, target, sum(up) AS up, sum(down) AS down
           FROM vote_totals GROUP BY 1, 2) t USING (discussion, target)
WHERE (coalesce(v.up, 0), coalesce(v.down, 0)) <> (coalesce(t.up, 0), coalesce(t.down, 0))
"""
RECOUNT_VIEWS = """
SELECT count(*)
FROM (SELECT discussion, count(*) AS views FROM view_keys GROUP BY 1) k
FULL JOIN (SELECT discussion, sum(views) AS views FROM view_totals GROUP BY 1) t
    USING (discussion)
WHERE k.views IS DISTINCT FROM t.views
"""
RECOUNTS = {topics.VOTES: RECOUNT_VOTES, topics.VIEWS: RECOUNT_VIEWS}


async def progress(connection: asyncpg.Connection, topic: str) -> tuple[int, int]:
    """(records whose effect is in the database, partitions that have any), by the fences."""
    row = await connection.fetchrow(
        "SELECT coalesce(sum(next_offset), 0)::bigint, count(*) FILTER (WHERE next_offset > 0)"
        " FROM fences WHERE topic = $1",
        topic,
    )
    return row[0], row[1]


async def until_consumed(
    dsn: str, topic: str, expected: int, running: Callable[[], bool], owners: int = 1
) -> float:
    """Records per second, from when every partition has committed until all took effect.

    With `owners`, from when so many processes share the partitions.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    first: tuple[float, int] | None = None
    try:
        while True:
            (seen, begun), now = await progress(connection, topic), time.monotonic()
            if begun == PARTITIONS and (owners == 1 or await sharing(connection) >= owners):
                first = first or (now, seen)
            if first and seen >= expected:
                return (seen - first[1]) / (now - first[0])
            if not running():
                raise SystemExit("the service ended before its work did")
            await asyncio.sleep(0.02)
    finally:
        await connection.close(timeout=10)


async def sharing(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(DISTINCT owner) FROM fences"))


async def service(
    ground: Ground,
    name: str,
    prefix: str,
    dsn: str,
    topic: str,
    expected: int,
    copies: int = 1,
    env: Mapping[str, str] | None = None,
    note: Callable[[ServiceProcess], None] = lambda started: None,
    share: float | None = None,
) -> float:
    """Runs a real service over the topic; its rate. `note` sees the first copy at the end.

    `share`: of a core, for each copy; all that the machine has by default.
    """
    said = {**ground.env(prefix, dsn), **(env or {})}
    started = [ground.services.start(name, said) for _ in range(copies)]
    try:
        with bounded([one.child.pid for one in started], share) if share else nullcontext():
            rate = await until_consumed(
                dsn, topic, expected, lambda: all(s.running for s in started), copies
            )
            note(started[0])
        return rate
    except BaseException:
        ground.console.print(started[0].log_text()[-2000:])
        raise
    finally:
        for one in started:
            one.stop()


async def recounted(dsn: str, topic: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    wrong = await connection.fetchval(RECOUNTS[topic])
    await connection.close(timeout=10)
    if wrong:
        raise SystemExit(f"{wrong} totals differ from a recount: the figure would be worth nothing")


async def against_ceiling(ground: Ground, topic: str, crowd: Crowd, count: int) -> list[Figure]:
    """Veche, the ceiling and the naive consumer over the same records, in turns."""
    kind = topic.partition(".")[0]
    prefix = await ground.topics()
    ground.tell(f"{kind}: filling {topic} with {count:,} records")
    make = votes if topic == topics.VOTES else views
    await load(ground.kafka, prefix + topic, make(count, crowd))
    batch = 0.0
    few = count // 40

    async def ours() -> float:
        dsn = await ground.database()
        await known_comments(dsn, crowd)
        rate = await service(ground, "counters", prefix, dsn, topic, count)
        await recounted(dsn, topic)
        await ground.drop(dsn)
        return rate

    async def ceiling() -> float:
        nonlocal batch
        dsn = await ground.database()
        said = await python("bench.ceiling", kind, ground.kafka, prefix + topic, dsn, str(count))
        batch = said["batch"]
        await ground.drop(dsn)
        return float(said["per_second"])

    async def naive_consumer() -> float:
        dsn = await ground.database()
        rate = await naive.run(ground, kind, prefix + topic, dsn, few)
        await ground.drop(dsn)
        return rate

    seen = await ground.alternate(
        kind, {"veche": ours, "ceiling": ceiling, "naive": naive_consumer}, "events/s"
    )
    return [
        compared(
            kind, f"{kind}/s", seen["veche"], "bare aiokafka + msgspec + one statement",
            seen["ceiling"], 0.80, records=count, against_batch=round(batch),
        ),
        compared(
            f"{kind}_naive", f"{kind}/s", seen["veche"],
            "FastStream, one transaction per event", seen["naive"],
            15 if topic == topics.VOTES else 30, records=count, against_records=few,
        ),
    ]  # fmt: skip


async def votes_row(ground: Ground) -> list[Figure]:
    return await against_ceiling(ground, topics.VOTES, Crowd(), ground.size(400_000, 30_000))


async def views_row(ground: Ground) -> list[Figure]:
    return await against_ceiling(ground, topics.VIEWS, Crowd(), ground.size(400_000, 30_000))
