"""A rebuild's moderation: control.v1 whole, then comments.v1, judged as it was recorded.

Started by `veche rebuild`, which has put what outcomes.v1 holds into the database before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.core import codec, db, settings, topics
from services.core.consume import Batch, Record, Source, read_to_ends
from services.core.db import Connection
from services.core.discussion import Judge, RecordedJudge
from services.core.events import CommentsEvent
from services.core.rules import Windows
from services.core.rules.brakes import Version
from services.core.store import rebuild
from services.moderation import control, decode
from services.moderation.following import Following
from services.moderation.handle import Moderation

log = logging.getLogger("services.moderation.rebuild")

Name = tuple[str, str, bytes]


@dataclass(frozen=True)
class Remoderation:
    """Handles comments.v1: `judge` is asked only where nothing was recorded."""

    judge: Judge
    windows: Windows
    secret: bytes
    braked: Callable[[], Sequence[Version]] = tuple

    async def __call__(self, connection: Connection, batch: Batch[CommentsEvent]) -> None:
        names = [_name(record) for record in batch.records]
        recorded = await rebuild.recorded(connection, names)
        for record, (discussion, event_id, digest) in zip(batch.records, names, strict=True):
            # What has an outcome was signed well once, whatever the console's key is now.
            event = record.event
            known = (discussion, event_id, digest.hex()) in recorded
            if isinstance(event, decode.Signed) and not known:
                decode.check(event, self.secret)
        judge = RecordedJudge(recorded, self.judge)
        await Moderation(judge, self.windows, self.braked)(connection, batch)

    async def sweep(self, connection: Connection, topic: str, partition: int) -> None:
        await Moderation(self.judge, self.windows).sweep(connection, topic, partition)


async def run(
    kafka: settings.Kafka,
    postgres: settings.Postgres,
    secret: bytes,
    following: Following,
) -> None:
    """Reads both topics to the ends that the database names. Raises VecheError if it cannot.

    What was never recorded is judged by the ruleset that control.v1 activated last.
    """
    pool = await db.connect_pool(postgres.dsn, postgres.pool_size)
    try:
        async with db.transaction(pool) as connection:
            ends = await rebuild.ends(connection)

        async def read(source: Source[Any]) -> None:
            dead = await read_to_ends(
                kafka, pool, topics.MODERATION_GROUP, source, ends.get(source.topic, {})
            )
            log.info("%s: at its end, %d new dead letters", source.topic, dead)

        await read(Source(topics.CONTROL, decode.control(secret), control.take_effect))
        await following.look(pool)
        now = following.in_use.moderation
        handle = Remoderation(now.judge, now.windows, secret, now.braked)
        await read(Source(topics.COMMENTS, codec.decode_comments, handle, handle.sweep))
    finally:
        await pool.close()


def _name(record: Record[CommentsEvent]) -> Name:
    return record.event.key, record.event.id, codec.digest(record.event)
