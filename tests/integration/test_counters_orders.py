"""A pinned rule, on real Postgres: no order of arrival changes what votes and views come to.

The models below are written from the rule, not from the code: they hold one log and walk it once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.core import topics, viewers
from services.core.consume import Batch, Record
from services.core.db import Connection
from services.core.events import DiscussionViewed, View, Vote, VoteCast
from services.counters.views import ViewCounter
from services.counters.votes import VoteCounter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUTHORS = {"c1": "ada", "c2": "bob", "c3": "eve"}
TABLES = (
    "votes, vote_totals, parked_votes, comments, outcomes, outbox, dirty_discussions,"
    " view_keys, imported_view_keys, view_totals"
)
few = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    yield connection
    await connection.close(timeout=10)


def home(discussion: str) -> int:
    return len(discussion) % 6


# --- votes


def a_vote(voter: str, talk: str, target: str, value: int, number: int) -> VoteCast:
    return VoteCast(
        id=f"e{number}",
        source="/sites/gazette",
        site="gazette",
        actor=voter,
        time=NOON,
        data=Vote(discussion=talk, value=value, comment=target or None),  # type: ignore[arg-type]
    )


votes = st.builds(
    a_vote,
    st.sampled_from(["ada", "bob", "ivo"]),
    st.sampled_from(["a1", "a2"]),
    st.sampled_from(["", *AUTHORS]),
    st.sampled_from([-1, 0, 1]),
    st.integers(0, 15),
)


Ballot = tuple[str, str, str]


def expected_votes(log: list[VoteCast]) -> dict[Ballot, int]:
    """Every comment is there from the start; an id is known while fewer than eight came after."""
    cast: dict[Ballot, list[tuple[str, int]]] = defaultdict(list)
    refused: set[tuple[Any, ...]] = set()
    for vote in log:
        target = vote.data.comment or ""
        ballot = (vote.key, target, vote.actor)
        said = (*ballot, vote.id, vote.data.value)
        if AUTHORS.get(target) == vote.actor or said in refused:
            continue
        known = dict(cast[ballot][-8:])
        if vote.id not in known:
            cast[ballot].append((vote.id, vote.data.value))
        elif known[vote.id] != vote.data.value:
            refused.add(said)
    return {ballot: changes[-1][1] for ballot, changes in cast.items() if changes}


async def submit_all(connection: Connection, comment: str) -> None:
    await connection.execute(
        "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
        " status, revision) SELECT 'gazette/' || talk, $1, 'gazette', $2, $2, $3, 'pending', 1"
        " FROM unnest(ARRAY['a1', 'a2']) AS talk ON CONFLICT DO NOTHING",
        comment, AUTHORS[comment], NOON,
    )  # fmt: skip


@few
@given(
    log=st.lists(votes, max_size=40),
    steps=st.lists(st.sampled_from([*AUTHORS, "1", "3", "10", "sweep"]), max_size=25),
)
async def test_comments_come_before_between_or_after_their_votes(
    connection: Connection, log: list[VoteCast], steps: list[str]
) -> None:
    await connection.execute(f"TRUNCATE {TABLES}")
    counter = VoteCounter(home)
    # A voter's votes in a discussion are in one partition; here by voter.
    partitions: dict[int, list[Record[VoteCast]]] = {0: [], 1: []}
    for vote in log:
        partition = int(vote.actor == "ada")
        records = partitions[partition]
        records.append(Record(len(records), NOON, vote))

    async def handle(partition: int, size: int) -> None:
        records = partitions[partition]
        batch, partitions[partition] = records[:size], records[size:]
        if batch:
            await counter.handle(connection, Batch(topics.VOTES, partition, batch))

    for turn, step in enumerate(steps):
        if step in AUTHORS:
            await submit_all(connection, step)
        elif step == "sweep":
            await counter.sweep(connection, topics.VOTES, turn % 2)
        else:
            await handle(turn % 2, int(step))
    for comment in AUTHORS:
        await submit_all(connection, comment)
    for partition in (0, 1):
        await handle(partition, 100)
        await counter.sweep(connection, topics.VOTES, partition)

    expected = expected_votes(log)
    stored = await connection.fetch("SELECT discussion, target, voter, value FROM votes")
    assert {(talk, target, voter): value for talk, target, voter, value in stored} == expected
    assert await connection.fetchval("SELECT count(*) FROM parked_votes") == 0
    tally: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for (talk, target, _), value in expected.items():
        tally[talk, target][value] += 1
    totals = await connection.fetch(
        "SELECT discussion, target, sum(up), sum(down) FROM vote_totals GROUP BY 1, 2"
    )
    assert {(talk, target): (up, down) for talk, target, up, down in totals if up or down} == {
        name: (counts[1], counts[-1]) for name, counts in tally.items() if counts[1] or counts[-1]
    }


# --- views


def a_view(viewer: str, talk: str, minute: int) -> Record[DiscussionViewed]:
    at = NOON + timedelta(minutes=minute)
    view = DiscussionViewed(
        id=f"{viewer}-{minute}",
        source="/sites/gazette",
        site="gazette",
        actor=viewer,
        time=at,
        data=View(discussion=talk),
    )
    return Record(0, at, view)


views = st.builds(
    a_view,
    st.sampled_from(["ada", "bob", "ivo", "anon:1"]),
    st.sampled_from(["a1", "a2"]),
    st.integers(0, 100),
)


@few
@given(log=st.lists(views, max_size=40), size=st.integers(1, 15), seed=st.integers())
async def test_views_in_any_order_with_any_repeats_count_once_a_window(
    connection: Connection, log: list[Record[DiscussionViewed]], size: int, seed: int
) -> None:
    await connection.execute(f"TRUNCATE {TABLES}")
    counter = ViewCounter(home, viewers.viewer_key(b"k" * 32))
    sent = log + log[: len(log) // 2]
    Random(seed).shuffle(sent)
    for begin in range(0, len(sent), size):
        batch = sent[begin : begin + size]
        for partition in (0, 1):
            records = [r for r in batch if (r.event.actor == "ada") == partition]
            if records:
                await counter.handle(connection, Batch(topics.VIEWS, partition, records))

    windows: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for record in log:
        minute = (record.recorded_at - NOON) // timedelta(minutes=30)
        windows[record.event.key].add((record.event.actor, minute))
    rows = await connection.fetch(
        "SELECT discussion, sum(views), array_agg(viewers) FROM view_totals GROUP BY 1"
    )
    assert {talk: (seen, viewers.estimate(sketches)) for talk, seen, sketches in rows} == {
        talk: (len(keys), len({viewer for viewer, _ in keys})) for talk, keys in windows.items()
    }
