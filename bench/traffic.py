"""Votes and views by a Zipf law, and a fast way to put them into a topic."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import asyncpg
from aiokafka import AIOKafkaProducer

from services.core import codec
from services.core.events import (
    CommentBody,
    CommentSubmitted,
    DiscussionViewed,
    View,
    Vote,
    VoteCast,
)

SITE = "gazette"
PARTITIONS = 6


@dataclass(frozen=True)
class Crowd:
    """Who votes and looks at what. `viral` is the share of all events on one discussion."""

    discussions: int = 2_000
    comments: int = 20_000
    readers: int = 50_000
    viral: float = 0.0
    seed: int = 1


def zipf(random: Random, size: int, count: int) -> list[int]:
    """`count` numbers below `size`; the n-th is seen in proportion to 1/(n + 1)."""
    weights = list(accumulate(1 / (n + 1) for n in range(size)))
    return random.choices(range(size), cum_weights=weights, k=count)


def votes(count: int, crowd: Crowd) -> Iterator[tuple[str, bytes]]:
    """(key, value) of records: seven of ten votes are on comments, one of four is not an up."""
    random = Random(crowd.seed)
    now = datetime.now(UTC)
    comments = zipf(random, crowd.comments, count)
    discussions = zipf(random, crowd.discussions, count)
    for number in range(count):
        comment: int | None = comments[number] if random.random() < 0.7 else None
        discussion = discussions[number] if comment is None else comment % crowd.discussions
        if random.random() < crowd.viral:
            discussion = 0
            comment = comment and comment // crowd.discussions * crowd.discussions
        reader = f"reader-{random.randrange(crowd.readers)}"
        event = VoteCast(
            id=f"{random.getrandbits(128):032x}",
            source=f"/sites/{SITE}",
            site=SITE,
            actor=reader,
            time=now,
            data=Vote(
                discussion=f"d{discussion}",
                value=random.choice((1, 1, 1, 0, -1)),
                comment=None if comment is None else f"c{comment}",
            ),
        )
        yield f"{SITE}/d{discussion}|{reader}", codec.encode(event)


def views(count: int, crowd: Crowd) -> Iterator[tuple[str, bytes]]:
    random = Random(crowd.seed)
    now = datetime.now(UTC)
    for number in zipf(random, crowd.discussions, count):
        discussion = 0 if random.random() < crowd.viral else number
        reader = f"reader-{random.randrange(crowd.readers * 4)}"
        event = DiscussionViewed(
            id=f"{random.getrandbits(128):032x}",
            source=f"/sites/{SITE}",
            site=SITE,
            actor=reader,
            time=now,
            data=View(discussion=f"d{discussion}"),
        )
        yield f"{SITE}/d{discussion}|{reader}", codec.encode(event)


def comments(count: int, crowd: Crowd, texts: list[str]) -> Iterator[tuple[str, bytes]]:
    random = Random(crowd.seed)
    now = datetime.now(UTC)
    for number, discussion in enumerate(zipf(random, crowd.discussions, count)):
        event = CommentSubmitted(
            id=f"{random.getrandbits(128):032x}",
            source=f"/sites/{SITE}",
            site=SITE,
            actor=f"reader-{random.randrange(crowd.readers)}",
            actorname="Reader",
            time=now,
            data=CommentBody(
                discussion=f"d{discussion}", comment=f"n{number}", body=random.choice(texts)
            ),
        )
        yield f"{SITE}/d{discussion}", codec.encode(event)


async def load(bootstrap: str, topic: str, records: Iterable[tuple[str, bytes]]) -> int:
    """Fills the topic, in batches built here; equal keys share a partition. Answers how many."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type="zstd",
        max_batch_size=256 * 1024,
        max_request_size=1024 * 1024,
        acks="all",
    )
    await producer.start()
    builders = {partition: producer.create_batch() for partition in range(PARTITIONS)}
    sent: list[asyncio.Future[object]] = []
    count = 0
    try:
        for key, value in records:
            name = key.encode()
            partition = zlib.crc32(name) % PARTITIONS
            if builders[partition].append(key=name, value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(
                    builders[partition], topic, partition=partition
                ))  # fmt: skip
                builders[partition] = producer.create_batch()
                builders[partition].append(key=name, value=value, timestamp=None)
            count += 1
        for partition, builder in builders.items():
            if builder.record_count():
                sent.append(await producer.send_batch(builder, topic, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return count


async def known_comments(dsn: str, crowd: Crowd) -> None:
    """The comments that votes are on, so that none has to wait for its comment."""
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(
        "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
        " status, revision) SELECT $4 || '/d' || i % $1::int, 'c' || i, $4, 'author', 'Author', $3,"
        " 'pending', 1 FROM generate_series(0, $2::int - 1) i",
        crowd.discussions, crowd.comments, datetime.now(UTC) - timedelta(hours=1), SITE,
    )  # fmt: skip
    await connection.execute("ANALYZE comments")
    await connection.close(timeout=10)
