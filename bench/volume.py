"""Rows `skew`, `backlog`, `growth`, `scale`: the vote pipeline against itself."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import asyncpg

from bench import quota
from bench.consume import recounted, service
from bench.figures import Figure, Sample, compared, percentile
from bench.ground import Ground, name_of
from bench.traffic import SITE, Crowd, known_comments, load, votes
from services.core import topics
from tests.processes import ServiceProcess


async def filled(ground: Ground, crowd: Crowd, count: int) -> str:
    """The prefix of topics whose votes.v1 holds `count` votes."""
    prefix = await ground.topics()
    await load(ground.kafka, prefix + topics.VOTES, votes(count, crowd))
    return prefix


async def settled(
    ground: Ground,
    prefix: str,
    crowd: Crowd,
    count: int,
    *,
    template: str = "",
    copies: int = 1,
    share: float | None = None,
) -> float:
    """Votes per second until the topic is in a fresh database (or a copy of `template`)."""
    dsn = await ground.database(template)
    if not template:
        await known_comments(dsn, crowd)
    rate = await service(ground, "counters", prefix, dsn, topics.VOTES, count, copies, share=share)
    if not template:
        await recounted(dsn, topics.VOTES)
    await ground.drop(dsn)
    return rate


async def skew_row(ground: Ground) -> list[Figure]:
    """90 % of the votes on one discussion, against the usual Zipf spread."""
    count = ground.size(300_000, 20_000)
    even, viral = Crowd(), Crowd(viral=0.9, readers=500_000)
    prefixes = [await filled(ground, crowd, count) for crowd in (viral, even)]
    seen = await ground.alternate(
        "skew",
        {
            "viral": lambda: settled(ground, prefixes[0], viral, count),
            "even": lambda: settled(ground, prefixes[1], even, count),
        },
    )
    ages = await ground.alternate(
        "skew_p95",
        {"viral": lambda: others_p95(ground, 0.9), "even": lambda: others_p95(ground, 0.0)},
        "s",
    )
    beside = compared(
        "skew_p95", "s", ages["viral"], "the same without the viral discussion", ages["even"], 1.5,
        per_second=PACE,
    )  # fmt: skip
    return [
        compared("skew", "votes/s", seen["viral"], "even spread", seen["even"], 0.80),
        replace(beside, better="low"),
    ]


PACE = 3_000
"""Votes a second while ages are measured."""


async def others_p95(ground: Ground, viral: float) -> float:
    """From the produce to the commit, p95, of votes that are not on the viral discussion."""
    seconds = ground.size(10, 2)
    prefix, dsn = await ground.topics(), await ground.database()
    counters = ground.services.start("counters", ground.env(prefix, dsn))
    await asyncio.to_thread(counters.wait_ready)
    sent: dict[str, float] = {}
    random = Random(3)
    number = 0
    began = time.time()
    tick = 0.1
    while (now := time.time()) < began + seconds:
        records = []
        for _ in range(int(PACE * tick)):
            number += 1
            there = 0 if random.random() < viral else random.randrange(1, 2_000)
            reader = f"r{number}"
            records.append(vote(there, reader))
            if there:
                sent[reader] = now
        await load(ground.kafka, prefix + topics.VOTES, records)
        await asyncio.sleep(max(0.0, now + tick - time.time()))
    connection = await asyncpg.connect(dsn, timeout=10)
    async with asyncio.timeout(60):
        while await connection.fetchval("SELECT count(*) FROM votes") < number:
            await asyncio.sleep(0.1)
    at = dict(
        await connection.fetch(
            "SELECT voter, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM votes"
        )
    )
    await connection.close(timeout=10)
    counters.stop()
    await ground.drop(dsn)
    return percentile([at[reader] - when for reader, when in sent.items()], 0.95)


def vote(discussion: int, reader: str) -> tuple[str, bytes]:
    text = (
        f'{{"id":"e-{reader}","source":"/sites/{SITE}","site":"{SITE}","actor":"{reader}",'
        f'"type":"veche.vote.cast.v1","time":"2026-01-01T00:00:00Z",'
        f'"data":{{"discussion":"d{discussion}","value":1}}}}'
    )
    return f"{SITE}/d{discussion}|{reader}", text.encode()


async def backlog_row(ground: Ground) -> list[Figure]:
    """A worker that starts in front of a million votes: its highest resident memory."""
    count = ground.size(1_000_000, 30_000)
    crowd = Crowd()
    prefix = await filled(ground, crowd, count)
    dsn = await ground.database()
    await known_comments(dsn, crowd)
    peak: list[float] = []

    def note(worker: ServiceProcess) -> None:
        status = Path(f"/proc/{worker.child.pid}/status").read_text()
        peak.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)

    rate = await service(ground, "counters", prefix, dsn, topics.VOTES, count, note=note)
    await recounted(dsn, topics.VOTES)
    await ground.drop(dsn)
    return [
        Figure("backlog", peak[0], "MiB", 300, better="low",
               extra={"records": count, "votes_per_second": round(rate)})
    ]  # fmt: skip


STORED = """
INSERT INTO votes (discussion, target, voter, value, changes, voted_at)
SELECT $2 || '/d' || i % 2000, 'c' || i % 20000, 'old-' || i / 20000,
    CASE WHEN i % 5 = 0 THEN -1 ELSE 1 END, ARRAY['stored-' || i || ':1'], $3
FROM generate_series(1, $1::int) i
"""


async def stored(ground: Ground, crowd: Crowd, count: int) -> str:
    """A database with so many votes of other readers on the same comments; its name.

    By `generate_series`, the primary key built afterwards; then VACUUM ANALYZE and a checkpoint.
    """
    dsn = await ground.database()
    await known_comments(dsn, crowd)
    connection = await asyncpg.connect(dsn, timeout=10)
    now = await connection.fetchval("SELECT now()")
    for statement in ("ALTER TABLE votes DROP CONSTRAINT votes_pkey",):
        await connection.execute(statement)
    await connection.execute(STORED, count, SITE, now, timeout=900)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(
        "ALTER TABLE votes ADD PRIMARY KEY (discussion, voter, target)", timeout=900
    )
    await connection.execute(
        "INSERT INTO vote_totals SELECT discussion, target, 0, count(*) FILTER (WHERE value = 1),"
        " count(*) FILTER (WHERE value = -1) FROM votes GROUP BY 1, 2",
        timeout=900,
    )
    await connection.execute("VACUUM ANALYZE", timeout=900)
    await connection.close(timeout=10)
    await ground.admin("CHECKPOINT")
    return name_of(dsn)


async def growth_row(ground: Ground) -> list[Figure]:
    count = ground.size(300_000, 20_000)
    held = ground.size(20_000_000, 200_000)
    usual, many, few = Crowd(), Crowd(1_000_000, 1_000_000), Crowd(1_000, 10_000)
    began = time.monotonic()
    full = await stored(ground, usual, held)
    ground.tell(f"growth: {held:,} votes stored in {time.monotonic() - began:.0f} s")
    empty = await stored(ground, usual, 1)
    prefix = await filled(ground, usual, count)
    votes_seen = await ground.alternate(
        "growth",
        {
            "full": lambda: settled(ground, prefix, usual, count, template=full),
            "none": lambda: settled(ground, prefix, usual, count, template=empty),
        },
    )
    for name in (full, empty):
        await ground.admin(f"DROP DATABASE {name}")
    prefixes = [await filled(ground, crowd, count) for crowd in (many, few)]
    wide = await ground.alternate(
        "growth_discussions",
        {
            "many": lambda: settled(ground, prefixes[0], many, count),
            "few": lambda: settled(ground, prefixes[1], few, count),
        },
    )
    return [
        compared("growth", "votes/s", votes_seen["full"], "with no vote stored",
                 votes_seen["none"], 0.70, stored=held),
        compared("growth_discussions", "votes/s", wide["many"], "at 1,000 discussions",
                 wide["few"], 0.85, discussions=many.discussions),
    ]  # fmt: skip


SHARE = 0.25
"""Of a core, for each worker of `scale`, where the machine lets us bound them: one without a bound
takes, with Postgres and the broker, all of two cores, and a second could only show that."""


async def scale_row(ground: Ground) -> list[Figure]:
    count = ground.size(500_000, 200_000)
    crowd = Crowd()
    prefix = await filled(ground, crowd, count)
    busy: dict[int, list[float]] = {1: [], 2: []}
    share = SHARE if quota.possible() else None

    async def with_copies(copies: int) -> float:
        began, spent = time.monotonic(), cpu_seconds()
        rate = await settled(ground, prefix, crowd, count, copies=copies, share=share)
        busy[copies].append((cpu_seconds() - spent) / (time.monotonic() - began))
        return rate

    seen = await ground.alternate(
        "scale", {"two": lambda: with_copies(2), "one": lambda: with_copies(1)}
    )
    return [
        compared(
            "scale", "votes/s", seen["two"], "one worker process", seen["one"], 1.5,
            limit=limit(share, Sample(busy[2]).median),
            busy_cores_with_one=round(Sample(busy[1]).median, 2),
            busy_cores_with_two=round(Sample(busy[2]).median, 2),
        )
    ]  # fmt: skip


def limit(share: float | None, busy_cores: float) -> str:
    """What kept two workers from more."""
    if share:
        return f"{share} of a core for each worker"
    cores = os.cpu_count() or 1
    return f"the machine's {cores} cores" if busy_cores > 0.9 * cores else "not the cores"


def cpu_seconds() -> float:
    """Of the whole machine, without its idle time."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / 100
