"""Reading partitions up to given offsets, alone and without a group: how a rebuild consumes.

The fence still is the only commit point, under the ordinary group's name, so that the services go
on where the rebuild ended. What was a dead letter stays dead at its old offset.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors

from services.core import db, settings, topics
from services.core.consume import cluster
from services.core.consume.batch import AnySource, Batch
from services.core.consume.entry import Entry, decoded
from services.core.consume.letters import IN_A_ROW
from services.core.db import Pool
from services.core.errors import BadEvent, Fenced, PartitionStopped, Retryable
from services.core.store import fences, outbox, rebuild

log = logging.getLogger(__name__)

OWNER = "rebuild"
AT_ONCE = 1_000
SILENCE_SECONDS = 60.0


async def read_to_ends(
    kafka: settings.Kafka, pool: Pool, group: str, source: AnySource, ends: Mapping[int, int]
) -> int:
    """Applies partition → [fence, end); returns how many records became dead letters only now.

    Sweeps the source, where it has a sweep, after every batch. Raises Retryable where Kafka is
    silent, Fenced where somebody else took a partition, PartitionStopped where the fence and the
    log do not fit or too many records cannot be applied.
    """
    readers = [
        _Reader(kafka, pool, group, source, partition, end) for partition, end in ends.items()
    ]
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(reader.read()) for reader in readers]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return sum(task.result() for task in running)


@dataclass
class _Reader:
    kafka: settings.Kafka
    pool: Pool
    group: str
    source: AnySource
    partition: int
    end: int
    fence: fences.Fence = field(init=False)
    new_dead: int = 0

    async def read(self) -> int:
        place = TopicPartition(self.kafka.topic(self.source.topic), self.partition)
        client = AIOKafkaConsumer(
            **self.kafka.client_options(),
            client_id="veche-rebuild",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
        )
        try:
            async with asyncio.timeout(15):
                await client.start()
                client.assign([place])
                await self._claim(client, place)
            while self.fence.next_offset < self.end:
                await self._step(client, place)
        except (errors.KafkaError, OSError) as error:
            raise Retryable(f"{self}: {error!r}") from error
        finally:
            with suppress(errors.KafkaError, TimeoutError, OSError):
                async with asyncio.timeout(5):
                    await client.stop()
        return self.new_dead

    def __str__(self) -> str:
        return f"{self.source.topic}[{self.partition}]"

    async def _claim(self, client: AIOKafkaConsumer, place: TopicPartition) -> None:
        topic_id = (await cluster.topic_ids(client._client, [place.topic]))[place.topic]
        beginning = (await client.beginning_offsets([place]))[place]
        async with db.transaction(self.pool) as connection:
            self.fence = await fences.claim(
                connection, self.group, self.source.topic, self.partition,
                topic_id=topic_id, first_offset=beginning, owner=OWNER,
            )  # fmt: skip
        at = self.fence.next_offset
        if self.fence.stopped_reason is not None:
            raise self._stopped(self.fence.stopped_reason, "it was stopped when it was backed up")
        if self.fence.topic_id != topic_id:
            raise self._stopped("topic_recreated", "the database belongs to another log")
        if at < beginning:
            raise self._stopped("offset_out_of_range", f"the log begins at {beginning}")
        client.seek(place, at)

    def _stopped(self, reason: str, detail: str) -> PartitionStopped:
        at = self.fence.next_offset
        return PartitionStopped(reason, self.source.topic, self.partition, at, detail)

    async def _step(self, client: AIOKafkaConsumer, place: TopicPartition) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                found: list[ConsumerRecord] = []
                # Markers of transactions take offsets and are no records: at the end, only the
                # position tells that they were passed.
                while not found and await client.position(place) < self.end:
                    answer = await client.getmany(place, timeout_ms=1_000, max_records=AT_ONCE)
                    found = answer.get(place, [])
        except TimeoutError:
            raise Retryable(
                f"{self} gave nothing after offset {self.fence.next_offset} for "
                f"{SILENCE_SECONDS:.0f} s, though the log ends at {self.end}"
            ) from None
        entries = decoded(self.source, [raw for raw in found if raw.offset < self.end])
        if not entries:
            await self._commit([])
            return
        async with self.pool.acquire(timeout=5) as connection:
            dead = await rebuild.dead_offsets(
                connection, self.source.topic, self.partition, found[0].offset, found[-1].offset
            )
        for entry in entries:
            if entry.raw.offset in dead:
                entry.record = entry.why = None  # neither applied nor told again
        await self._apply(entries)
        if self.source.sweep is not None:
            async with db.transaction(self.pool) as connection:
                await self.source.sweep(connection, self.source.topic, self.partition)

    async def _apply(self, part: Sequence[Entry]) -> None:
        """In one transaction; halved until a record that Postgres refuses is alone."""
        try:
            await self._commit(part)
        except (*db.DATA_ERRORS, BadEvent) as error:
            good = [entry for entry in part if entry.record is not None]
            if not good:
                raise
            if len(good) == 1:
                good[0].condemn(error)
                await self._apply(part)
            else:
                half = max(1, len(part) // 2)
                await self._apply(part[:half])
                await self._apply(part[half:])

    async def _commit(self, part: Sequence[Entry]) -> None:
        """An empty part: nothing but holes was left before the end."""
        topic = self.source.topic
        dead = [entry for entry in part if entry.why is not None]
        if self.new_dead + len(dead) > IN_A_ROW:
            raise self._stopped(
                "dead_letter_limit",
                f"over {IN_A_ROW} records cannot be applied that once were; last: {dead[-1].why}",
            )
        async with db.transaction(self.pool) as connection:
            next_offset = part[-1].raw.offset + 1 if part else self.end
            if not await fences.advance(
                connection, self.group, topic, self.partition,
                epoch=self.fence.epoch, believed=self.fence.next_offset, next_offset=next_offset,
                record_at=max((entry.recorded_at for entry in part), default=None),
            ):  # fmt: skip
                raise Fenced(f"{self} was taken by another process: stop the services that use it")
            records = [entry.record for entry in part if entry.record is not None]
            if records:
                await self.source.handle(connection, Batch(topic, self.partition, records))
            await outbox.add(
                connection, topic, self.partition,
                [(topics.dead_letters_of(topic), entry.raw.key or b"",
                  entry.letter(topic, self.partition)) for entry in dead],
            )  # fmt: skip
        self.new_dead += len(dead)
        self.fence = fences.Fence(
            self.fence.topic_id, next_offset, self.fence.epoch, OWNER, None, None
        )
