"""The service learns: decisions in a real Kafka, then a rule that asks for the model's score."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.core import codec, db, events, settings, topics
from services.core.db import Pool
from services.core.produce import Outgoing, Producer
from tests.processes import Services, Trust
from tests.unit.model.build import texts

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = """
id: learned
title: {ru: "Похоже на отклонённое", en: "Like what was rejected"}
reason: {ru: "Посмотрит модератор.", en: "A moderator will look."}
when: score(rejection) > 0.7
on_missing: skip
then: hold
"""


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


def event(kind: type[Any], id: str, actor: str, data: Any, **more: Any) -> Any:
    return kind(
        id=id, source="/sites/gazette", site="gazette", actor=actor, time=NOON, data=data, **more
    )


def said(name: str, body: str) -> Any:
    data = events.CommentBody(discussion="d1", comment=name, body=body)
    return event(events.CommentSubmitted, f"say-{name}", f"reader-{name}", data)


def ruled(name: str, rejected: bool, secret: bytes) -> Any:
    data = events.DecisionOnComment(
        discussion="d1",
        comment=name,
        ruling="reject" if rejected else "approve",
        expected=events.Expected(revision=1, status="published"),
        reason="r",
    )
    unsigned = event(events.DecisionMade, f"rule-{name}", "mod", data, signature="")
    signature = codec.sign(codec.digest(unsigned), unsigned.id, secret)
    return event(events.DecisionMade, f"rule-{name}", "mod", data, signature=signature)


async def test_decisions_teach_a_rule_to_hold(
    services: Services,
    kafka_bootstrap: str,
    topic_prefix: str,
    pool: Pool,
    trust: Trust,
    tmp_path: Path,
) -> None:
    (tmp_path / "learned.yml").write_text(RULES)
    secret = trust.env["VECHE_DECISION_SECRET"].encode()
    opening = events.DiscussionDescribed(
        discussion="d1",
        revision=1,
        url="https://g.example/1",
        title="T",
        language="ru",
        section="s",
    )
    told = [event(events.DiscussionOpened, "open", "portal", opening)]
    for n, (body, rejected) in enumerate(zip(*texts(150), strict=True)):
        told += [said(f"c{n}", body), ruled(f"c{n}", rejected, secret)]
    services.start("moderation", {"VECHE_RULES_DIR": str(tmp_path), "VECHE_MODEL_DECISIONS": "30"})
    async with Producer(settings.Kafka(kafka_bootstrap, topic_prefix)) as producer:

        async def send(*each: Any) -> None:
            outgoing = [Outgoing(topics.COMMENTS, b"gazette/d1", codec.encode(e)) for e in each]
            for sent in await producer.send_all(outgoing):
                assert not isinstance(sent, Exception), sent

        await send(*told)
        async with asyncio.timeout(120):
            number = 0
            while True:
                number += 1
                await send(said(f"new{number}", "casino bonus click"))
                outcome = None
                while outcome is None:
                    await asyncio.sleep(0.2)
                    outcome = await pool.fetchrow(
                        "SELECT result, verdict FROM outcomes WHERE event_id = $1",
                        f"say-new{number}",
                    )
                if outcome["result"] == "held":
                    break
                assert outcome["result"] == "published"
    assert '"telling"' in outcome["verdict"]
    assert await pool.fetchval("SELECT count(*) FROM lessons") == 0
    assert await pool.fetchval("SELECT positives + negatives FROM models") == 150
