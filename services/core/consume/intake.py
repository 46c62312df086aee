"""The records of one partition: fetch some, decode them, apply them in one transaction."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.core import db, metrics, topics
from services.core.consume.batch import AnySource, Batch
from services.core.consume.claim import Claim, Moved
from services.core.consume.entry import Entry, decoded
from services.core.consume.letters import Limit
from services.core.consume.timing import Timing
from services.core.errors import BadEvent, Fenced, PartitionStopped
from services.core.store import fences, outbox

LEAST = 50
"""Records that a transaction is tried with, however slow Postgres is."""


class Intake:
    """Works only while the partition is claimed, and advances its fence."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        group: str,
        source: AnySource,
        place: TopicPartition,
        *,
        claim: Claim,
        timing: Timing,
    ) -> None:
        self._client = client
        self._group = group
        self._source = source
        self._topic = source.topic
        self._place = place
        self._claim = claim
        self._timing = timing
        self._label = (source.topic, str(place.partition))

        self.pending: list[Entry] = []
        """Fetched and not applied yet."""
        self._take = timing.max_records
        """Entries of the next transaction at most; halved to isolate a refused record."""
        self._size = min(timing.min_records, timing.max_records)
        """Records to fetch at once; adapted so that transactions stay short."""
        self._hole: int | None = None
        self._limit = Limit()
        self._last_commit = 0.0
        self._last_sweep = 0.0

    def begin_anew(self) -> None:
        """Before a claim: the first one, or after an operator resumed the partition."""
        self.pending = []
        self._limit = Limit()

    async def refill(self) -> None:
        """Sweeps and fetches, where everything fetched is applied."""
        if self.pending:
            return
        await self._sweep()
        began = time.monotonic()
        records = await self._fetch()
        if not records:
            return
        fetched = time.monotonic()
        self._observe("wait", fetched - began)
        self.pending = decoded(self._source, records)
        self._observe("decode", time.monotonic() - fetched)
        self._take = len(self.pending)

    async def _fetch(self) -> list[ConsumerRecord]:
        records = await self._get(self._timing.poll, self._size)
        # Records keep coming: a transaction for each would cost more than they wait.
        if records and time.monotonic() - self._last_commit < self._timing.linger:
            until = time.monotonic() + self._timing.linger
            while len(records) < self._size and (left := until - time.monotonic()) > 0.001:
                records += await self._get(left, self._size - len(records))
        assert self._claim.fence is not None
        believed = self._claim.fence.next_offset
        if records and records[0].offset < believed:
            records = [record for record in records if record.offset >= believed]
        if records and records[0].offset > believed and self._hole != believed:
            # Markers of transactions leave such holes; so would a lost seek. Ask once more.
            self._hole = believed
            self._client.seek(self._place, believed)
            return []
        return records

    async def _get(self, seconds: float, most: int) -> list[ConsumerRecord]:
        async with asyncio.timeout(30):
            found = await self._client.getmany(
                self._place, timeout_ms=int(seconds * 1000), max_records=most
            )
        records: list[ConsumerRecord] = found.get(self._place, [])
        return records

    async def apply(self) -> None:
        """One transaction for the leading entries; a record that Postgres refuses is isolated."""
        part = self.pending[: self._take]
        admitted = self._limit.admit([entry.why is not None for entry in part])
        if admitted == 0:
            why = part[0].why
            raise PartitionStopped(
                "dead_letter_limit",
                self._topic,
                self._place.partition,
                part[0].raw.offset,
                f"over 100 dead letters in a row or 1 % of the last 10,000 records; last: {why}",
            )
        part = part[:admitted]
        try:
            await self._commit(part)
        except (*db.DATA_ERRORS, BadEvent) as error:
            good = [entry for entry in part if entry.record is not None]
            if not good:
                raise
            if len(good) == 1:
                good[0].condemn(error)
            else:
                self._take = max(1, len(part) // 2)
            return
        except db.TOO_SLOW:
            # As a whole it may never fit into the statements' time: try less, now and next time.
            self._take = self._size = max(LEAST, len(part) // 2)
            raise
        self._limit.note([entry.why is not None for entry in part])
        self.pending = self.pending[len(part) :]
        self._take = max(self._take, len(part)) * 2

    async def _commit(self, part: list[Entry]) -> None:
        assert self._claim.fence is not None
        fence, topic, partition = self._claim.fence, self._topic, self._place.partition
        next_offset = part[-1].raw.offset + 1
        records = [entry.record for entry in part if entry.record is not None]
        letters = [
            (topics.dead_letters_of(topic), entry.raw.key or b"", entry.letter(topic, partition))
            for entry in part
            if entry.why is not None
        ]
        async with self._claim.transaction() as connection:
            began = time.monotonic()
            if not await fences.advance(
                connection,
                self._group,
                topic,
                partition,
                epoch=fence.epoch,
                believed=fence.next_offset,
                next_offset=next_offset,
                record_at=max(entry.recorded_at for entry in part),
            ):
                raise Moved(await fences.look(connection, self._group, topic, partition, lock=True))
            if records:
                await self._source.handle(connection, Batch(topic, partition, records))
            await outbox.add(connection, topic, partition, letters)
            handled = time.monotonic()
        ended = time.monotonic()
        self._claim.fence = replace(fence, next_offset=next_offset)
        self._last_commit = ended
        self._size = self._timing.next_size(self._size, len(part), ended - began)
        self._observe("handle", handled - began)
        self._observe("commit", ended - handled)
        self._count(part)

    async def _sweep(self) -> None:
        sweep = self._source.sweep
        if sweep is None or time.monotonic() - self._last_sweep < self._timing.sweep:
            return
        assert self._claim.fence is not None
        topic, partition = self._topic, self._place.partition
        async with self._claim.transaction() as connection:
            row = await fences.look(connection, self._group, topic, partition, lock=True)
            if row is None or row.epoch != self._claim.fence.epoch:
                raise Fenced
            await sweep(connection, topic, partition)
        self._last_sweep = time.monotonic()

    def _observe(self, stage: str, seconds: float) -> None:
        metrics.BATCH_SECONDS.labels(self._topic, stage).observe(seconds)

    def _count(self, part: list[Entry]) -> None:
        topic = self._topic
        metrics.RECORDS.labels(*self._label).inc(len(part))
        metrics.BATCH_RECORDS.labels(topic).observe(len(part))
        now = datetime.now(UTC)
        age = metrics.EVENT_AGE_SECONDS.labels(topic)
        # The first and the last bound the batch's ages; all of them would cost a millisecond.
        for entry in (part[0], part[-1]):
            age.observe(max(0.0, (now - entry.recorded_at).total_seconds()))
        for why in [entry.why for entry in part if entry.why is not None]:
            metrics.DEAD_LETTERS.labels(topic, why.code).inc()
        metrics.NEXT_OFFSET.labels(*self._label).set(part[-1].raw.offset + 1)
