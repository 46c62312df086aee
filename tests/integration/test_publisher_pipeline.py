"""From events in Kafka to strips and outcomes in Kafka, through the real services."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from services.core import codec, events, topics
from services.core.consume import tail
from services.core.events import OutcomeRecorded
from services.core.produce import Outgoing, Producer, Sent
from services.core.settings import Kafka
from tests.integration.publishing import until, watching

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


def an_event(kind: Any, id: str, data: Any, actor: str = "r1") -> Any:
    return kind(
        id=id, source="/sites/gazette", site="gazette", actor=actor, actorname=actor, time=NOW,
        data=data,
    )  # fmt: skip


@pytest.mark.slow
async def test_events_become_outcomes_then_strips_then_feeds(
    services, kafka_bootstrap, topic_prefix
):
    kafka = Kafka(kafka_bootstrap, topic_prefix)
    for name in ("moderation", "counters", "publisher"):
        services.start(name)
    for service in services.all:
        await asyncio.to_thread(service.wait_ready)
    outcomes: dict[str, str] = {}

    async def read_outcomes() -> None:
        async for records in tail(kafka, topics.OUTCOMES):
            for record in records:
                outcome = codec.decode(record.value, OutcomeRecorded).data
                outcomes[outcome.event] = outcome.result

    reading = asyncio.create_task(read_outcomes())
    said = {
        "discussion": "d1", "revision": 1, "url": "https://example.org/d1", "title": "One",
        "language": "en", "section": "news",
    }  # fmt: skip
    described = events.DiscussionDescribed(**said)
    async with Producer(kafka) as producer, watching(kafka) as seen:
        comments = [an_event(events.DiscussionOpened, "e0", described)] + [
            an_event(
                events.CommentSubmitted,
                f"e{number}",
                events.CommentBody(
                    discussion="d1", comment=f"c{number}", body=f"I have {number} thoughts on this"
                ),
                actor=f"r{number}",
            )
            for number in range(1, 21)
        ]
        records = [Outgoing(topics.COMMENTS, b"gazette/d1", codec.encode(one)) for one in comments]
        for number in range(5):
            vote = an_event(events.VoteCast, f"v{number}", events.Vote("d1", 1), f"r{number}")
            key = f"gazette/d1|r{number}".encode()
            records.append(Outgoing(topics.VOTES, key, codec.encode(vote)))
            view = an_event(events.DiscussionViewed, f"w{number}", events.View("d1"), f"r{number}")
            records.append(Outgoing(topics.VIEWS, key, codec.encode(view)))
        assert all(isinstance(sent, Sent) for sent in await producer.send_all(records))
        await until(lambda: len(outcomes) == 21, seconds=30)
        published = sum(result == "published" for result in outcomes.values())
        await until(lambda: seen.last("gazette/d1").comments == published)
        await until(lambda: seen.last("gazette/d1").rating == 5)
        await until(
            lambda: (seen.last("gazette/d1").views, seen.last("gazette/d1").viewers) == (5, 5)
        )
        await until(lambda: seen.last_feed("gazette/latest/en/").entries[0].rating == 5)
        await until(lambda: seen.last_feed("gazette/top-day//").entries[0].views == 5)
        assert published == 20
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
