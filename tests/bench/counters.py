"""How many votes and views a second one partition settles: `python -m tests.bench.counters`.

The handlers alone, in batches of 2,000 as the consumer loop gives them, against a Postgres of the
measurement's own with its usual fsync. Totals are recounted from the votes at the end.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Any

import asyncpg

from services.core import db, topics, viewers
from services.core.consume import Batch, Record
from services.core.events import DiscussionViewed, View, Vote, VoteCast
from services.core.produce import home_partition
from services.counters.views import ViewCounter
from services.counters.votes import VoteCounter
from services.embedded.child import end_guard
from services.embedded.postgres import Postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH, BATCHES = 2_000, 50
DISCUSSIONS, COMMENTS, READERS = 2_000, 20_000, 50_000
RECOUNT = """
SELECT count(*)
FROM (SELECT discussion, target, sum((value = 1)::int) AS up, sum((value = -1)::int) AS down
      FROM votes GROUP BY 1, 2) v
FULL JOIN (SELECT discussion, target, sum(up) AS up, sum(down) AS down
           FROM vote_totals GROUP BY 1, 2) t USING (discussion, target)
WHERE (coalesce(v.up, 0), coalesce(v.down, 0)) <> (coalesce(t.up, 0), coalesce(t.down, 0))
"""


def zipf(random: Random, size: int) -> int:
    """A few are voted on and looked at most of the time."""
    return min(size, int(random.paretovariate(0.9)))


def envelope(random: Random, at: datetime) -> dict[str, Any]:
    reader = f"reader-{random.randrange(READERS)}"
    name = f"{random.getrandbits(128):032x}"
    return {"id": name, "source": "/sites/s", "site": "s", "actor": reader, "time": at}


def a_vote(random: Random, at: datetime) -> VoteCast:
    comment = zipf(random, COMMENTS) if random.random() < 0.7 else None
    discussion = comment % DISCUSSIONS if comment else zipf(random, DISCUSSIONS)
    data = Vote(
        discussion=f"d{discussion}",
        value=random.choice((1, 1, 0, -1)),
        comment=f"c{comment}" if comment else None,
    )
    return VoteCast(**envelope(random, at), data=data)


def a_view(random: Random, at: datetime) -> DiscussionViewed:
    data = View(discussion=f"d{zipf(random, DISCUSSIONS)}")
    return DiscussionViewed(**envelope(random, at), data=data)


def batches(topic: str, make: Callable[[Random, datetime], Any]) -> list[Batch[Any]]:
    random = Random(1)
    made = []
    for number in range(BATCHES):
        at = NOON + timedelta(seconds=20 * number)
        records = [Record(number * BATCH + n, at, make(random, at)) for n in range(BATCH)]
        made.append(Batch(topic, 0, records))
    return made


async def measure(
    connection: db.Connection,
    handle: Callable[[Any, Any], Awaitable[None]],
    work: Sequence[Batch[Any]],
) -> None:
    seconds = []
    for batch in work:
        began = time.perf_counter()
        async with connection.transaction():
            await handle(connection, batch)
        seconds.append(time.perf_counter() - began)
    cuts = [round(cut * 1000) for cut in quantiles(seconds, n=100)]
    rate = len(work) * BATCH / sum(seconds)
    print(
        f"{work[0].topic}: {rate:,.0f}/s; a batch of {BATCH}: p50 {cuts[49]} ms, p99 {cuts[98]} ms"
    )


async def run(dsn: str) -> None:
    await db.migrate(dsn)
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(
        "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
        " status, revision) SELECT 's/d' || i % $1::int, 'c' || i, 's', 'author', 'Author', $3,"
        " 'pending', 1 FROM generate_series(1, $2::int) i",
        DISCUSSIONS, COMMENTS, NOON,
    )  # fmt: skip
    votes = VoteCounter(home_partition)
    await measure(connection, votes.handle, batches(topics.VOTES, a_vote))
    wrong = await connection.fetchval(RECOUNT)
    if wrong:
        raise SystemExit(f"{wrong} totals differ from a recount of the votes")
    views = ViewCounter(home_partition, viewers.viewer_key(b"k" * 32))
    await measure(connection, views.handle, batches(topics.VIEWS, a_view))
    await connection.close(timeout=10)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="veche-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        server = Postgres(path / "postgres", path / "postgres.log")
        server.start()
        try:
            asyncio.run(run(server.dsn()))
        finally:
            server.stop()
            end_guard()


if __name__ == "__main__":
    main()
