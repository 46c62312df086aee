"""The service itself: records in a real Kafka, rows in a real Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.core import codec, db, events, settings, topics
from services.core.db import Pool
from services.core.produce import Outgoing, Producer
from tests.processes import Services, Trust

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "gazette/d1"


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


@pytest.fixture
async def producer(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[Producer]:
    async with Producer(settings.Kafka(kafka_bootstrap, topic_prefix)) as producer:
        yield producer


def event(kind: type[Any], data: Any, *, actor: str, id: str, **more: Any) -> Any:
    return kind(
        id=id, source="/sites/gazette", site="gazette", actor=actor, time=NOON, data=data, **more
    )


OPENED = event(
    events.DiscussionOpened,
    events.DiscussionDescribed(
        discussion="d1",
        revision=1,
        url="https://g.example/1",
        title="T",
        language="ru",
        section="s",
    ),
    actor="portal",
    id="open",
)


def said(n: int, body: str = "текст") -> Any:
    data = events.CommentBody(discussion="d1", comment=f"c{n}", body=f"{body} {n}")
    return event(events.CommentSubmitted, data, actor=f"reader{n}", id=f"say{n}")


def approved(comment: str, secret: bytes | None) -> Any:
    data = events.DecisionOnComment(
        discussion="d1",
        comment=comment,
        ruling="approve",
        expected=events.Expected(revision=1, status="pending"),
    )
    unsigned = event(
        events.DecisionMade,
        data,
        actor="mod",
        id=f"approve-{comment}-{secret is None}",
        signature="",
    )
    if secret is None:
        return unsigned
    signature = codec.sign(codec.digest(unsigned), unsigned.id, secret)
    return event(events.DecisionMade, data, actor="mod", id=unsigned.id, signature=signature)


async def send(producer: Producer, *told: Any, topic: str = topics.COMMENTS) -> None:
    key = KEY.encode() if topic == topics.COMMENTS else b"gazette"
    for sent in await producer.send_all([Outgoing(topic, key, codec.encode(e)) for e in told]):
        assert not isinstance(sent, Exception), sent


async def until(pool: Pool, statement: str, *arguments: Any, seconds: float = 40.0) -> Any:
    """The first row that the statement gives, as soon as it gives one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        async with pool.acquire() as connection:
            if (row := await connection.fetchrow(statement, *arguments)) is not None:
                return row
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {statement} {arguments}")


OUTCOME = "SELECT * FROM outcomes WHERE event_id = $1"


async def test_comment_with_a_listed_word_is_held_then_approved(
    services: Services, producer: Producer, pool: Pool, trust: Trust
) -> None:
    secret = trust.env["VECHE_DECISION_SECRET"].encode()
    moderation = services.start("moderation").wait_ready()
    await send(producer, OPENED, said(1), said(2, "Ну ты и дурак"))
    assert (await until(pool, OUTCOME, "say1"))["result"] == "published"
    held = await until(pool, OUTCOME, "say2")
    assert (held["result"], held["status"]) == ("held", "pending")
    await send(producer, approved("c2", None), approved("c2", secret))
    decided = await until(pool, OUTCOME, "approve-c2-False")
    assert (decided["result"], decided["status"]) == ("applied", "published")
    # The decision that nobody signed went to the dead letters, with nothing done.
    letter = await until(pool, "SELECT value FROM outbox WHERE topic = 'comments.v1.dead'")
    assert b"bad_signature" in letter["value"]
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT visible_comments FROM discussions") == 2
        assert not await connection.fetch(OUTCOME, "approve-c2-True")
    exposed = moderation.metrics()
    assert 'veche_findings_total{action="hold",rule="insults"} 1.0' in exposed
    assert 'veche_decisions_total{result="applied",ruling="approve"} 1.0' in exposed
    assert 'ruleset="' in exposed
    assert moderation.stop() == 0


async def test_signed_site_policy_takes_effect(
    services: Services, producer: Producer, pool: Pool, trust: Trust
) -> None:
    secret = trust.env["VECHE_DECISION_SECRET"].encode()
    policy = events.SitePolicy(policy="hold_first")
    unsigned = event(events.SitePolicySet, policy, actor="admin", id="p1", signature="")
    signature = codec.sign(codec.digest(unsigned), "p1", secret)
    services.start("moderation").wait_ready()
    signed = event(events.SitePolicySet, policy, actor="admin", id="p1", signature=signature)
    await send(producer, signed, topic=topics.CONTROL)
    await until(pool, "SELECT 1 FROM site_policies WHERE site = 'gazette'")
    await send(producer, OPENED, said(1))
    outcome = await until(pool, OUTCOME, "say1")
    assert (outcome["result"], outcome["reason"]) == ("held", "policy")


async def test_killed_in_the_middle_it_goes_on_where_it_was(
    services: Services, producer: Producer, pool: Pool
) -> None:
    moderation = services.start("moderation").wait_ready()
    await send(producer, OPENED, *(said(n) for n in range(1_500)))
    await until(pool, "SELECT 1 FROM outcomes LIMIT 1")
    moderation.kill()
    moderation.start().wait_ready()
    await send(producer, *(said(n) for n in range(1_400, 1_600)))
    await until(pool, OUTCOME, "say1599")
    async with pool.acquire() as connection:
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM comments) AS comments,"
            " (SELECT count(*) FROM outcomes) AS outcomes,"
            " (SELECT count(*) FROM outbox WHERE topic = 'outcomes.v1') AS told,"
            " (SELECT visible_comments FROM discussions) AS visible"
        )
    assert tuple(counts) == (1_600, 1_601, 1_601, 1_600)


def test_a_ruleset_that_does_not_load_ends_the_process_with_a_sentence(
    services: Services, tmp_path: Any
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.yml").write_text("id: x\nwhen: {wrods: [a]}\n")
    moderation = services.start("moderation", {"VECHE_RULES_DIR": str(tmp_path / "rules")})
    wait(lambda: not moderation.running)
    assert "bad.yml:2:8: 'wrods' is not known here; did you mean 'words'?" in moderation.log_text()


def wait(reached: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "never"
        time.sleep(0.05)
