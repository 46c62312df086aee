"""Tailing a compacted topic: all of it from the beginning, without a group, for ever."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors

from services.core import settings
from services.core.errors import Retryable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TailRecord:
    """`value` None is a tombstone."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    recorded_at: datetime


def tail(kafka: settings.Kafka, topic: str, *, from_beginning: bool = True) -> Tail:
    """`async for records in tail(kafka, topics.STRIPS): …`; keep the Tail to ask how it is."""
    return Tail(kafka, topic, from_beginning=from_beginning)


class Tail:
    """An endless iterator over lists of records. It reconnects by itself and goes on where it was.

    Attributes:
        caught_up: set once everything that the topic held at the start was taken by the iterator's
            user (asked for the next list). Stays set.
        connected: False while no broker answers.
        last_record_at: the broker's time of the newest record seen; None before the first.
    """

    def __init__(
        self, kafka: settings.Kafka, topic: str, *, from_beginning: bool = True, poll: float = 0.5
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._from_beginning = from_beginning
        self._poll = poll
        self._positions: dict[int, int] = {}
        self._targets: dict[int, int] | None = None
        self._failing = False
        self.caught_up = asyncio.Event()
        self.connected = False
        self.last_record_at: datetime | None = None

    async def __aiter__(self) -> AsyncIterator[list[TailRecord]]:
        async with aclosing(self._lists()) as lists:
            async for records in lists:
                if records:
                    yield records

    async def held(self) -> AsyncIterator[list[TailRecord]]:
        """What the topic holds now, then ends. Raises Retryable where Kafka does not answer."""
        async with aclosing(self._lists()) as lists:
            async for records in lists:
                if records:
                    yield records
                if self._failing:
                    raise Retryable(f"{self._topic} cannot be read: Kafka does not answer")
                self._check_caught_up()
                if self.caught_up.is_set():
                    return

    async def _lists(self) -> AsyncGenerator[list[TailRecord], None]:
        """[] where nothing came, or where the connection was lost."""
        pause = 0.1
        while True:
            try:
                async with aclosing(self._connection()) as connection:
                    async for records in connection:
                        pause = 0.1
                        yield records
                        self._check_caught_up()
            except (errors.KafkaError, TimeoutError, OSError) as error:
                self._lost(error)
            yield []
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(5.0, pause * 2)

    async def _connection(self) -> AsyncGenerator[list[TailRecord], None]:
        """One aiokafka consumer's life. Raises when it cannot go on; [] means nothing came."""
        client = AIOKafkaConsumer(
            **self._kafka.client_options(),
            client_id="veche-tail",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_wait_ms=250,
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(10):
                await client.start()
                places = await self._places(client)
                client.assign(places)
                await self._seek(client, places)
            self._found()
            asked = time.monotonic()
            while True:
                found = await client.getmany(*places, timeout_ms=int(self._poll * 1000))
                records = [self._record(raw) for place in sorted(found) for raw in found[place]]
                for place in places:
                    self._positions[place.partition] = await client.position(place)
                if records:
                    self._found()
                    self.last_record_at = max(record.recorded_at for record in records)
                    asked = time.monotonic()
                elif time.monotonic() - asked > 2.0:
                    # aiokafka is silent both when nothing comes and when nobody is there.
                    await self._ask(client, places)
                    asked = time.monotonic()
                yield records
        finally:
            self.connected = False
            with suppress(errors.KafkaError, TimeoutError, OSError):
                async with asyncio.timeout(5.0):
                    await client.stop()

    async def _places(self, client: AIOKafkaConsumer) -> list[TopicPartition]:
        name = self._kafka.topic(self._topic)
        await client._client._wait_on_metadata(name)
        partitions = client.partitions_for_topic(name)
        if not partitions:
            raise errors.UnknownTopicOrPartitionError(name)
        return [TopicPartition(name, partition) for partition in sorted(partitions)]

    async def _seek(self, client: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
        beginnings = await client.beginning_offsets(places)
        ends = await client.end_offsets(places)
        for place in places:
            known = self._positions.get(place.partition)
            if known is None and not self._from_beginning:
                known = ends[place]
            if known is None or not beginnings[place] <= known <= ends[place]:
                known = beginnings[place]  # first time, or another log than before
            self._positions[place.partition] = known
            client.seek(place, known)
        if self._targets is None:
            self._targets = {place.partition: ends[place] for place in places}

    async def _ask(self, client: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
        """Is somebody there, and is it still the same log?"""
        try:
            async with asyncio.timeout(2):
                ends = await client.end_offsets(places)
        except (errors.KafkaError, TimeoutError, OSError) as error:
            self._lost(error)
            return
        if any(self._positions[place.partition] > ends[place] for place in places):
            raise errors.OffsetOutOfRangeError(f"{self._topic} is another log than before")
        self._found()

    def _record(self, raw: ConsumerRecord) -> TailRecord:
        return TailRecord(
            raw.partition,
            raw.offset,
            raw.key or b"",
            raw.value,
            datetime.fromtimestamp(max(0, raw.timestamp) / 1000, UTC),
        )

    def _check_caught_up(self) -> None:
        if self.caught_up.is_set() or self._targets is None:
            return
        if all(self._positions[place] >= target for place, target in self._targets.items()):
            self.caught_up.set()

    def _lost(self, error: Exception) -> None:
        self.connected = False
        if not self._failing:
            reason = str(error) or "no answer in time"
            log.warning("tail of %s: %s; trying again", self._topic, reason)
            self._failing = True

    def _found(self) -> None:
        self.connected = True
        if self._failing:
            log.info("tail of %s goes on", self._topic)
            self._failing = False
