"""Records that are put into the logs past ingest: copies, odd orders, bad ones."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.core import topics


class PastIngest:
    """Writes to the topics under `prefix` by itself, and remembers what it wrote."""

    def __init__(self, bootstrap: str, prefix: str, chance: random.Random) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix
        self.random = chance
        self.bad: dict[tuple[str, int, int], str] = {}
        """(topic, partition, offset) → what is bad about the record there."""
        self.good = 0
        """Records that take effect or repeat one that did."""
        self.ids: set[str] = set()
        """Of events that no client sent."""
        self._producer: AIOKafkaProducer | None = None

    async def producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap, acks="all", client_id="chaos-raw",
                request_timeout_ms=10_000,
            )  # fmt: skip
            try:
                await asyncio.wait_for(producer.start(), 15)
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def end(self) -> None:
        if self._producer is not None:
            with suppress(Exception):
                await asyncio.wait_for(self._producer.stop(), 5)

    async def put(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> int:
        """Answers the offset."""
        producer = await self.producer()
        sent = await asyncio.wait_for(
            producer.send_and_wait(self.prefix + topic, value, key=key, partition=partition), 20
        )
        return int(sent.offset)

    async def put_bad(self, topic: str, partition: int, value: bytes | None, why: str) -> None:
        offset = await self.put(topic, partition, b"poison", value)
        self.bad[topic, partition, offset] = why

    async def some_records(self, topic: str, count: int) -> list[Any]:
        """Good records from a random place of one partition."""
        partition = self.random.randrange(topics.declared()[topic].partitions)
        place = TopicPartition(self.prefix + topic, partition)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, client_id="chaos")
        try:
            await asyncio.wait_for(consumer.start(), 15)
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            if not end:
                return []
            consumer.seek(place, self.random.randrange(max(1, end - count)))
            found = await consumer.getmany(place, timeout_ms=3_000, max_records=count)
        finally:
            await consumer.stop()
        return [
            record for record in found.get(place, [])
            if (topic, partition, record.offset) not in self.bad
        ]  # fmt: skip
