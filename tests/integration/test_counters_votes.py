"""Votes against real Postgres: totals, waiting, refusals, and every order of arrival."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.core import codec, topics
from services.core.consume import Batch, Record
from services.core.db import Connection
from services.core.events import OutcomeRecorded, Vote, VoteCast
from services.counters.votes import VoteCounter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TALK = "gazette/a1"
SLOT = 2
HOME = 1


def a_vote(
    value: int, event_id: str, *, voter: str = "ada", comment: str | None = None, talk: str = "a1"
) -> VoteCast:
    data = Vote(discussion=talk, value=value, comment=comment)  # type: ignore[arg-type]
    return VoteCast(
        id=event_id, source="/sites/gazette", site="gazette", actor=voter, time=NOON, data=data
    )


def a_batch(
    *votes: VoteCast, first_offset: int = 0, at: datetime = NOON, partition: int = SLOT
) -> Batch[VoteCast]:
    records = [Record(first_offset + n, at, vote) for n, vote in enumerate(votes)]
    return Batch(topics.VOTES, partition, records)


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    yield connection
    await connection.close(timeout=10)


@pytest.fixture
def counter() -> VoteCounter:
    return VoteCounter(lambda discussion: HOME)


async def submit(
    connection: Connection, comment: str, author: str = "bob", at: datetime = NOON
) -> None:
    """What moderation writes: the comment, and its partition's fence in the same transaction."""
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
            " status, revision) VALUES ($1, $2, 'gazette', $3, $3, $4, 'pending', 1)",
            TALK, comment, author, at,
        )  # fmt: skip
        await moderation_reads(connection, at)


async def moderation_reads(connection: Connection, at: datetime) -> None:
    await connection.execute(
        "INSERT INTO fences VALUES ($1, $2, $3, $4, 1, 1, 'test', $5)"
        " ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET record_at = $5",
        topics.MODERATION_GROUP, topics.COMMENTS, HOME, uuid4(), at,
    )  # fmt: skip


async def totals(connection: Connection) -> dict[str, tuple[int, int]]:
    rows = await connection.fetch(
        "SELECT target, sum(up), sum(down) FROM vote_totals GROUP BY target"
    )
    return {target: (up, down) for target, up, down in rows if up or down}


async def refusals(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT event_id, reason FROM outcomes WHERE result = 'refused'")
    return dict(rows)


async def told(connection: Connection) -> list[OutcomeRecorded]:
    rows = await connection.fetch("SELECT * FROM outbox ORDER BY sequence")
    assert {(row["topic"], row["source_topic"], row["source_partition"]) for row in rows} <= {
        (topics.OUTCOMES, topics.VOTES, SLOT)
    }
    return [codec.decode(row["value"], OutcomeRecorded) for row in rows]


async def parked(connection: Connection) -> list[str]:
    return [
        row["event_id"]
        for row in await connection.fetch("SELECT * FROM parked_votes ORDER BY source_offset")
    ]


async def test_votes_add_up_and_a_second_vote_replaces_the_first(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(
        connection,
        a_batch(a_vote(1, "e1"), a_vote(1, "e2", voter="bob"), a_vote(-1, "e3", voter="eve")),
    )
    assert await totals(connection) == {"": (2, 1)}
    await counter.handle(connection, a_batch(a_vote(-1, "e4"), first_offset=3))
    assert await totals(connection) == {"": (1, 2)}
    await counter.handle(connection, a_batch(a_vote(0, "e5"), first_offset=4))
    assert await totals(connection) == {"": (1, 1)}
    changes = await connection.fetchval("SELECT changes FROM votes WHERE voter = 'ada'")
    assert changes == ["e5:0", "e4:-1", "e1:1"]


async def test_late_retry_changes_nothing(connection: Connection, counter: VoteCounter) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1"), a_vote(-1, "e2")))
    await counter.handle(connection, a_batch(a_vote(1, "e1"), first_offset=2))
    assert await totals(connection) == {"": (0, 1)}


async def test_partitions_write_rows_of_their_own(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1"), partition=0))
    await counter.handle(connection, a_batch(a_vote(1, "e2", voter="bob"), partition=5))
    assert await totals(connection) == {"": (2, 0)}
    assert await connection.fetchval("SELECT count(*) FROM vote_totals") == 2


async def test_vote_on_a_discussion_marks_it_dirty_and_one_on_a_comment_does_not(
    connection: Connection, counter: VoteCounter
) -> None:
    await submit(connection, "c1")
    await counter.handle(connection, a_batch(a_vote(1, "e1", comment="c1")))
    assert await totals(connection) == {"c1": (1, 0)}
    assert await connection.fetch("SELECT * FROM dirty_discussions") == []
    await counter.handle(connection, a_batch(a_vote(1, "e2"), first_offset=1))
    marks = await connection.fetch(
        "SELECT discussion, topic, partition, shard FROM dirty_discussions"
    )
    assert [tuple(mark) for mark in marks] == [(TALK, topics.VOTES, SLOT, HOME)]


async def test_vote_that_changes_no_total_marks_nothing(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(0, "e1")))
    assert await connection.fetch("SELECT * FROM dirty_discussions") == []


async def test_refusal_is_recorded_and_told_once(
    connection: Connection, counter: VoteCounter
) -> None:
    await submit(connection, "c1", author="ada")
    own = a_vote(1, "e1", comment="c1")
    await counter.handle(connection, a_batch(own, own))
    await counter.handle(connection, a_batch(own, first_offset=2))
    assert await totals(connection) == {}
    assert await refusals(connection) == {"e1": "own_vote"}
    [outcome] = await told(connection)
    assert (outcome.discussion, outcome.data.event, outcome.data.comment) == (TALK, "e1", "c1")
    assert (outcome.data.result, outcome.data.reason) == ("refused", "own_vote")
    assert outcome.data.digest == codec.digest(own).hex()


async def test_id_used_again_with_another_value_is_refused(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1")))
    await counter.handle(connection, a_batch(a_vote(-1, "e1"), first_offset=1))
    assert await totals(connection) == {"": (1, 0)}
    assert await refusals(connection) == {"e1": "id_taken"}


async def test_vote_before_its_comment_waits_and_is_counted_by_a_sweep(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(
        connection,
        a_batch(a_vote(1, "e1", comment="c1"), a_vote(1, "e2", voter="bob", comment="c1")),
    )
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await parked(connection) == ["e1", "e2"]
    await submit(connection, "c1", author="bob")
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await parked(connection) == []
    assert await totals(connection) == {"c1": (1, 0)}
    assert await refusals(connection) == {"e2": "own_vote"}


async def test_newer_vote_is_not_overwritten_by_one_that_waited(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1", comment="c1")))
    await submit(connection, "c1")
    await counter.handle(connection, a_batch(a_vote(-1, "e2", comment="c1"), first_offset=1))
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await totals(connection) == {"c1": (0, 1)}
    assert await parked(connection) == []
    assert await connection.fetchval("SELECT changes FROM votes") == ["e2:-1", "e1:1"]


async def test_sweep_leaves_the_votes_of_other_partitions(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1", comment="c1"), partition=4))
    await submit(connection, "c1")
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await parked(connection) == ["e1"]


async def test_sweep_reaches_votes_behind_a_page_of_others(
    connection: Connection, counter: VoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.counters.votes.EXAMINED_PER_SWEEP", 2)
    await counter.handle(
        connection, a_batch(*[a_vote(1, f"e{n}", comment=f"c{n}") for n in range(5)])
    )
    await submit(connection, "c4")
    for _ in range(3):
        await counter.sweep(connection, topics.VOTES, SLOT)
    assert await totals(connection) == {"c4": (1, 0)}


async def test_vote_expires_once_its_comment_can_no_longer_come(
    connection: Connection, counter: VoteCounter
) -> None:
    await counter.handle(connection, a_batch(a_vote(1, "e1", comment="c1")))
    await moderation_reads(connection, NOON + timedelta(hours=24))
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await parked(connection) == ["e1"]
    await moderation_reads(connection, NOON + timedelta(hours=24, seconds=1))
    await counter.sweep(connection, topics.VOTES, SLOT)
    assert await parked(connection) == []
    assert await refusals(connection) == {"e1": "vote_expired"}
    assert [outcome.data.reason for outcome in await told(connection)] == ["vote_expired"]
    # Its repeat is the same refused vote, even if the comment should come.
    await submit(connection, "c1", at=NOON + timedelta(hours=25))
    await counter.handle(connection, a_batch(a_vote(1, "e1", comment="c1"), first_offset=1))
    assert await totals(connection) == {}


async def test_rebuild_honours_what_the_log_says_was_refused(connection: Connection) -> None:
    refused = a_vote(1, "e1")
    name = (TALK, "e1", codec.digest(refused))
    recorded: Callable[..., str | None] = lambda *event: "id_taken" if event == name else None  # noqa: E731
    counter = VoteCounter(lambda discussion: HOME, recorded)
    await counter.handle(connection, a_batch(refused, a_vote(1, "e2", voter="bob")))
    assert await totals(connection) == {"": (1, 0)}
    assert await refusals(connection) == {"e1": "id_taken"}
    assert await told(connection) == []
