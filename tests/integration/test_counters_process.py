"""The counters process on real Kafka and real Postgres: killed, doubled, still exact."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from services.core import codec, topics, viewers
from services.core.events import DiscussionViewed, View, Vote, VoteCast
from services.core.produce import Outgoing, Producer
from services.core.settings import Kafka
from tests.processes import Services

NOW = datetime.now(UTC)


def a_vote(random: Random, number: int) -> VoteCast:
    talk = f"a{min(9, int(random.paretovariate(0.8)))}"
    return VoteCast(
        id=f"e{number}",
        source="/sites/gazette",
        site="gazette",
        actor=f"reader-{random.randrange(200)}",
        time=NOW,
        data=Vote(discussion=talk, value=random.choice((-1, 0, 1, 1))),
    )


def a_view(random: Random, number: int) -> DiscussionViewed:
    # Stated by an importer, so that windows do not depend on when the test runs.
    return DiscussionViewed(
        id=f"v{number}",
        source="/sites/gazette",
        site="gazette",
        actor=f"reader-{random.randrange(200)}",
        role="importer",
        time=NOW,
        occurredat=datetime(2026, 1, 1, random.randrange(4), tzinfo=UTC),
        data=View(discussion="a1"),
    )


def outgoing(topic: str, event: VoteCast | DiscussionViewed) -> Outgoing:
    return Outgoing(topic, f"{event.key}|{event.actor}".encode(), codec.encode(event))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_counts_are_exact_after_kill_9_and_a_second_copy(
    services: Services, kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str
) -> None:
    random = Random(7)
    votes = [a_vote(random, number) for number in range(6_000)]
    views = [a_view(random, number) for number in range(3_000)]
    connection = await asyncpg.connect(postgres_dsn, timeout=10)

    async def counted() -> int:
        return await connection.fetchval(
            "SELECT coalesce(sum(next_offset), 0) FROM fences WHERE consumer_group = $1",
            topics.COUNTERS_GROUP,
        )

    first = services.start("counters")
    async with Producer(Kafka(kafka_bootstrap, topic_prefix)) as producer:
        first.wait_ready()

        async def send(events: list[Any], topic: str) -> None:
            for begin in range(0, len(events), 500):
                part = [outgoing(topic, event) for event in events[begin : begin + 500]]
                for sent in await producer.send_all(part):
                    assert not isinstance(sent, Exception)
                await asyncio.sleep(0)

        sending = asyncio.gather(send(votes, topics.VOTES), send(views, topics.VIEWS))
        await until(lambda: has(counted, 500))
        first.kill()
        services.start("counters")
        second = services.start("counters")
        await sending
        second.wait_ready()
        # A producer's late retries: they change nothing.
        latest = {(vote.key, vote.actor): vote for vote in votes}
        again = list(latest.values())[:100]
        await send(again, topics.VOTES)
        await send(views[:100], topics.VIEWS)

    await until(lambda: has(counted, 6_000 + 3_000 + 200))
    expected = Counter[tuple[str, int]]()
    for (talk, _), vote in latest.items():
        expected[talk, vote.data.value] += 1
    rows = await connection.fetch(
        "SELECT discussion, sum(up), sum(down) FROM vote_totals GROUP BY discussion"
    )
    assert {talk: (up, down) for talk, up, down in rows} == {
        talk: (expected[talk, 1], expected[talk, -1]) for talk, _ in latest
    }
    windows = {(view.actor, view.occurredat) for view in views}
    rows = await connection.fetch("SELECT views, viewers FROM view_totals")
    assert sum(row["views"] for row in rows) == len(windows)
    distinct = len({view.actor for view in views})
    assert abs(viewers.estimate(row["viewers"] for row in rows) - distinct) <= distinct * 0.07
    await connection.close(timeout=10)


async def has(count: Callable[[], Awaitable[int]], least: int) -> bool:
    return await count() >= least


async def test_vote_waits_for_its_comment_in_the_running_process(
    services: Services, kafka_bootstrap: str, topic_prefix: str, postgres_dsn: str
) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    services.start("counters").wait_ready()
    vote = VoteCast(
        id="e1",
        source="/sites/gazette",
        site="gazette",
        actor="ada",
        time=NOW,
        data=Vote(discussion="a1", value=1, comment="c1"),
    )
    async with Producer(Kafka(kafka_bootstrap, topic_prefix)) as producer:
        await producer.send(topics.VOTES, b"gazette/a1|ada", codec.encode(vote))

    async def parked() -> int:
        return await connection.fetchval("SELECT count(*) FROM parked_votes")

    await until(lambda: has(parked, 1))
    await connection.execute(
        "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
        " status, revision) VALUES ('gazette/a1', 'c1', 'gazette', 'bob', 'Bob', $1, 'pending', 1)",
        NOW + timedelta(minutes=1),
    )

    async def settled() -> bool:
        up = await connection.fetchval("SELECT sum(up) FROM vote_totals WHERE target = 'c1'")
        return up == 1 and await parked() == 0

    await until(settled)
    await connection.close(timeout=10)
