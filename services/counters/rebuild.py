"""A rebuild's counters: votes.v1 and views.v1, with the refusals that were recorded.

Started by `veche rebuild` once every comment is there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from services.core import codec, db, settings, topics
from services.core.consume import Batch, Source, read_to_ends
from services.core.db import Connection
from services.core.events import VoteCast
from services.core.produce import home_partition
from services.core.store import rebuild
from services.counters.fold import RecordedRefusal
from services.counters.views import ViewCounter
from services.counters.votes import VoteCounter

log = logging.getLogger("services.counters.rebuild")


@dataclass(frozen=True)
class Recount:
    """Handles votes.v1."""

    async def handle(self, connection: Connection, batch: Batch[VoteCast]) -> None:
        events = [record.event for record in batch.records]
        names = [(event.key, event.id, codec.digest(event)) for event in events]
        recorded = await rebuild.recorded(connection, names)
        await VoteCounter(home_partition, _refusals(recorded)).handle(connection, batch)

    async def settle(self, pool: db.Pool, partition: int) -> None:
        """Sweeps the votes that a backup holds parked, until a round over all of them is done."""
        counter: VoteCounter | None = None
        while counter is None or not counter.swept(partition):
            async with db.transaction(pool) as connection:
                if counter is None:
                    recorded = await rebuild.recorded_of_parked(connection, partition)
                    counter = VoteCounter(home_partition, _refusals(recorded))
                await counter.sweep(connection, topics.VOTES, partition)


async def run(kafka: settings.Kafka, postgres: settings.Postgres, views: ViewCounter) -> None:
    """Reads both topics to the ends that the database names. Raises VecheError if it cannot."""
    pool = await db.connect_pool(postgres.dsn, 8)
    try:
        async with db.transaction(pool) as connection:
            ends = await rebuild.ends(connection)
        recount = Recount()
        # First, so that no later vote overtakes one that a backup holds parked.
        for partition in ends.get(topics.VOTES, {}):
            await recount.settle(pool, partition)
        for source in (
            Source(topics.VOTES, codec.decode_votes, recount.handle),
            Source(topics.VIEWS, codec.decode_views, views.handle, views.sweep),
        ):
            dead = await read_to_ends(
                kafka, pool, topics.COUNTERS_GROUP, source, ends.get(source.topic, {})
            )
            log.info("%s: at its end, %d new dead letters", source.topic, dead)
    finally:
        await pool.close()


def _refusals(recorded: rebuild.Recorded) -> RecordedRefusal:
    def reason(discussion: str, event_id: str, digest: bytes) -> str | None:
        outcome = recorded.get((discussion, event_id, digest.hex()))
        return outcome.reason if outcome is not None and outcome.result == "refused" else None

    return reason
