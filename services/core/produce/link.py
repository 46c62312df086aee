"""One aiokafka producer's life: records gather by partition while a request is under way.

A batch is built here and has one future, so a record costs little more than its bytes. When
nothing is under way, what a turn of the loop brought goes at once; else it waits for an
acknowledgement, so that under load batches are fuller. aiokafka puts all batches for a broker into
one request and has one of them under way.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

from aiokafka import AIOKafkaProducer, errors
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from prometheus_client import Counter, Histogram

from services.core import metrics
from services.core.errors import Misconfigured, Retryable
from services.core.produce.calls import Answer, Call
from services.core.produce.records import Outgoing, Sent, partition_of

GATHER_SECONDS = 0.02
"""No partition waits longer for what another one has under way."""
MAX_REQUEST_BYTES = 4 * 1024 * 1024
BATCH_BYTES = 256 * 1024
RECORD_BYTES = 32
"""What a record has beside its key and value, at most."""
ZSTD = DefaultRecordBatch.CODEC_ZSTD
COMPRESS_FROM_BYTES = 1_024
"""Below, zstd costs a record more than half of what all of aiokafka does, and the broker too."""


@cache
def _measures(topic: str) -> tuple[Counter, Histogram]:
    """Looked up once: `labels` costs as much as what it counts."""
    return metrics.PRODUCED.labels(topic), metrics.PRODUCE_SECONDS.labels(topic)


class _Batch:
    """Records of one partition that go together, and whom to tell."""

    __slots__ = ("_began", "_bytes", "_lane", "_records")

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self._records: list[tuple[Outgoing, Call, int]] = []
        self._bytes = 0
        self._began = time.monotonic()

    def __len__(self) -> int:
        return len(self._records)

    def take(self, record: Outgoing, call: Call, place: int) -> bool:
        """False where it is full. The first record always fits."""
        size = len(record.key) + len(record.value or b"") + RECORD_BYTES
        if self._bytes + size > BATCH_BYTES and self._records:
            return False
        self._bytes += size
        self._records.append((record, call, place))
        return True

    async def send(self) -> None:
        """Ends with the acknowledgement; every record is answered then."""
        lane = self._lane
        stated = int(time.time() * 1_000)
        try:
            sending = await lane.link.client.send_batch(
                self._built(stated), lane.name, partition=lane.partition
            )
            metadata = await sending
        except AssertionError:
            self.fail(
                Misconfigured(
                    f"{lane.name} has fewer partitions than schemas/topics.toml states;"
                    " look with `veche topics`"
                )
            )
        except errors.KafkaError as error:
            self.fail(lane.link.failed(error))
        except asyncio.CancelledError:
            self.fail(_closed())
        else:
            # Topics of the producers' own time answer -1.
            told = stated if metadata.timestamp == -1 else metadata.timestamp
            self._acknowledged(metadata.offset, datetime.fromtimestamp(told / 1_000, UTC))

    def _built(self, timestamp: int) -> BatchBuilder:
        """aiokafka's own `create_batch` leaves no choice of coding."""
        coding = ZSTD if self._bytes >= COMPRESS_FROM_BYTES else 0
        builder = BatchBuilder(self._bytes + BATCH_BYTES, coding)
        for record, _, _ in self._records:
            builder.append(timestamp=timestamp, key=record.key, value=record.value)
        builder.close()
        return builder

    def _acknowledged(self, offset: int, at: datetime) -> None:
        topic, partition = self._lane.topic, self._lane.partition
        for number, (_, call, place) in enumerate(self._records, offset):
            call.answer(place, Sent(topic, partition, number, at))
        count, seconds = _measures(topic)
        count.inc(len(self._records))
        seconds.observe(time.monotonic() - self._began)

    def fail(self, failure: Answer) -> None:
        for _, call, place in self._records:
            call.answer(place, failure)


def _closed() -> Retryable:
    return Retryable("the producer was closed; the record may still arrive")


class _Lane:
    """The batches of one partition, in order; one at a time is under way."""

    __slots__ = ("_batches", "busy", "link", "name", "partition", "topic")

    def __init__(self, link: Link, topic: str, name: str, partition: int) -> None:
        self.link = link
        self.topic = topic
        self.name = name
        self.partition = partition
        self.busy = False
        self._batches: deque[_Batch] = deque()

    def __bool__(self) -> bool:
        """Something waits."""
        return bool(self._batches)

    def put(self, record: Outgoing, call: Call, place: int) -> None:
        if not self._batches or not self._batches[-1].take(record, call, place):
            batch = _Batch(self)
            batch.take(record, call, place)
            self._batches.append(batch)

    def next(self) -> _Batch:
        """The oldest batch, which is then under way."""
        self.busy = True
        return self._batches.popleft()

    async def send(self, batch: _Batch) -> None:
        await batch.send()
        self.busy = False
        self.link.ended(self, len(batch))

    def abandon(self) -> None:
        for batch in self._batches:
            batch.fail(_closed())
        self._batches.clear()


class Link:
    """What a link still owes dies with it.

    `name` gives a topic's name on the cluster, `failed` what is answered for aiokafka's error.
    """

    def __init__(
        self,
        client: AIOKafkaProducer,
        name: Callable[[str], str],
        failed: Callable[[Link, BaseException], Retryable],
    ) -> None:
        self.client = client
        self._name = name
        self.pending = 0
        """Records without an answer of Kafka's, those whose callers gave up too."""
        self._failed = failed
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._ready: set[_Lane] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None

    def failed(self, error: BaseException) -> Retryable:
        return self._failed(self, error)

    def broken(self) -> bool:
        """The background task of aiokafka has ended: nothing would ever be sent."""
        task = self.client._sender.sender_task  # no public signal exists
        return task is None or task.done()

    def put(self, record: Outgoing, call: Call, place: int) -> None:
        """Never waits."""
        topic, key, value = record
        if value is not None and len(value) > MAX_REQUEST_BYTES:
            call.answer(place, self.failed(errors.MessageSizeTooLargeError()))
            return
        partition = partition_of(topic, key)
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = _Lane(self, topic, self._name(topic), partition)
            self._lanes[topic, partition] = lane
        lane.put(record, call, place)
        self.pending += 1
        if lane.busy or lane in self._ready:
            return
        self._ready.add(lane)
        if not self._sending:
            self._send_soon()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._send)

    def ended(self, lane: _Lane, records: int) -> None:
        self.pending -= records
        if lane:
            self._ready.add(lane)
        if self._ready:
            self._send_soon()

    def _send_soon(self) -> None:
        """At the end of this turn of the loop, with what else it brings."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._still()
        for lane in self._ready:
            task = asyncio.create_task(lane.send(lane.next()))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        self._ready.clear()

    def _still(self) -> None:
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._soon = self._later = None

    async def flush(self) -> None:
        """Until all is answered."""
        while self.pending:
            self._send()
            await asyncio.wait(self._sending)

    async def close(self, *, flush_seconds: float) -> None:
        """Never waits longer than the flush and two seconds, whatever state aiokafka is in."""
        if flush_seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(flush_seconds):
                    await self.flush()
        self._still()
        for task in self._sending:
            task.cancel()
        for lane in self._lanes.values():
            lane.abandon()
        await close(self.client, at_once=not flush_seconds)


async def close(client: AIOKafkaProducer, *, at_once: bool) -> None:
    sender = client._sender.sender_task
    if sender is not None and at_once:
        sender.cancel()
    with suppress(TimeoutError, errors.KafkaError, OSError):
        async with asyncio.timeout(2.0):
            await client.stop()
