"""A supervised idempotent producer with deadlines.

A send that does not end within its deadline has no known outcome: the record may still arrive
later. The same record may safely be sent again, since every effect is idempotent by name.
While the broker is known to be away, sends fail at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

from aiokafka import AIOKafkaProducer, errors
from prometheus_client import Counter, Histogram

from services.core import metrics, settings
from services.core.errors import Misconfigured, Retryable
from services.core.produce.records import Outgoing, Sent, partition_of

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 5.0
MAX_REQUEST_BYTES = 4 * 1024 * 1024

_FATAL = (
    errors.OutOfOrderSequenceNumber,
    errors.InvalidProducerEpoch,
    errors.InvalidProducerIdMapping,
    errors.UnknownProducerId,
    errors.ProducerFenced,
    errors.ProducerClosed,
)
"""After these aiokafka's producer is of no more use (its issue 1017): build another one."""


class _Link:
    """One aiokafka producer's life. What it still owes dies with it."""

    def __init__(self, client: AIOKafkaProducer) -> None:
        self.client = client
        self.pending = 0

    def broken(self) -> bool:
        """The background task of aiokafka has ended: nothing would ever be sent."""
        task = self.client._sender.sender_task  # no public signal exists
        return task is None or task.done()


class _Acknowledgements:
    """What one `send_all` waits for: a future of aiokafka's or a failure for each record.

    `asyncio.wait` would do the same; with one record a call it cost more than the record's way
    through aiokafka.
    """

    def __init__(self, link: _Link) -> None:
        self.all: list[asyncio.Future[Any] | Retryable] = []
        self._link = link
        self._missing = 0
        self._complete: asyncio.Future[None] | None = None

    def expect(self, future: asyncio.Future[Any]) -> None:
        self.all.append(future)
        self._missing += 1
        self._link.pending += 1
        future.add_done_callback(self._came)

    def _came(self, future: asyncio.Future[Any]) -> None:
        self._link.pending -= 1
        self._missing -= 1
        if not future.cancelled():
            future.exception()  # seen: a late failure has nobody else to tell
        if not self._missing and self._complete and not self._complete.done():
            self._complete.set_result(None)

    async def complete(self) -> None:
        if self._missing:
            self._complete = asyncio.get_running_loop().create_future()
            await self._complete


@cache
def _measures(topic: str) -> tuple[Counter, Histogram]:
    """Looked up once: `labels` costs as much as what it counts."""
    return metrics.PRODUCED.labels(topic), metrics.PRODUCE_SECONDS.labels(topic)


class Producer:
    """An async context manager. It starts without Kafka, says so by `healthy`, and heals itself.

    `max_pending` bounds the records that wait for an acknowledgement, those given up on too.
    """

    def __init__(
        self,
        kafka: settings.Kafka,
        *,
        linger_ms: int = 5,
        max_pending: int = 20_000,
        connect_seconds: float = 3.0,
    ) -> None:
        self._kafka = kafka
        self._linger_ms = linger_ms
        self._max_pending = max_pending
        self._connect_seconds = connect_seconds
        self._link: _Link | None = None
        self._retired: _Link | None = None
        self._away = True
        self._look = asyncio.Event()
        self._settled = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._supervisor = asyncio.create_task(self._supervise(), name="producer")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._connect_seconds):
                await self._settled.wait()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._supervisor is not None
        self._supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await self._supervisor
        if self._link is not None:
            link, self._link = self._link, None
            await _close(link.client, flush_seconds=0.0 if self._away else 5.0)

    def healthy(self) -> bool:
        """False while Kafka is known to be away; sends then fail at once."""
        return not self._away

    async def send(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Sent:
        """Returns after Kafka's acknowledgement (acks=all).

        Raises Retryable where there was none in time: the record may have arrived or not.
        """
        result = (
            await self.send_all([Outgoing(topic, key, value)], deadline_seconds=deadline_seconds)
        )[0]
        if isinstance(result, Retryable):
            raise result
        return result

    async def send_all(
        self, records: Sequence[Outgoing], *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> list[Sent | Retryable]:
        """One answer per record, in order, all within one deadline; order within a key is kept."""
        began = time.monotonic()
        link = self._link
        refusal = self._refusal(len(records))
        if refusal or link is None:
            for record in records:
                metrics.PRODUCE_ERRORS.labels(record.topic).inc()
            return [Retryable(refusal or "Kafka is not reachable") for _ in records]

        acknowledgements = _Acknowledgements(link)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                await self._hand_over(link, records, acknowledgements)
                await acknowledgements.complete()
        if len(acknowledgements.all) < len(records):
            failure = Retryable("Kafka did not take the record in time")
            self._suspect()
            acknowledgements.all += [failure] * (len(records) - len(acknowledgements.all))
        return [
            self._answer(link, record, acknowledgement, began)
            for record, acknowledgement in zip(records, acknowledgements.all, strict=True)
        ]

    def _refusal(self, count: int) -> str:
        if self._link is None or self._away:
            return "Kafka is not reachable"
        if self._link.pending + count > self._max_pending:
            return "too many records wait for Kafka's acknowledgement"
        return ""

    async def _hand_over(
        self, link: _Link, records: Sequence[Outgoing], acknowledgements: _Acknowledgements
    ) -> None:
        """Puts records into aiokafka's batches; none goes where one before it was refused."""
        for number, record in enumerate(records):
            topic = self._kafka.topic(record.topic)
            try:
                future = await link.client.send(
                    topic,
                    record.value,
                    key=record.key,
                    partition=partition_of(record.topic, record.key),
                )
            except AssertionError:
                raise Misconfigured(
                    f"{topic} has fewer partitions than schemas/topics.toml states;"
                    " look with `veche topics`"
                ) from None
            except errors.KafkaError as error:
                failure = self._failed(link, error)
                acknowledgements.all += [failure] * (len(records) - number)
                return
            acknowledgements.expect(future)

    def _answer(
        self,
        link: _Link,
        record: Outgoing,
        acknowledgement: asyncio.Future[Any] | Retryable,
        began: float,
    ) -> Sent | Retryable:
        failure: Retryable
        if isinstance(acknowledgement, Retryable):
            failure = acknowledgement
        elif not acknowledgement.done():
            self._suspect()
            failure = Retryable("Kafka did not acknowledge in time; the record may still arrive")
        elif acknowledgement.cancelled():
            failure = Retryable("the producer was closed; the record may still arrive")
        elif (error := acknowledgement.exception()) is not None:
            failure = self._failed(link, error)
        else:
            count, seconds = _measures(record.topic)
            count.inc()
            seconds.observe(time.monotonic() - began)
            metadata = acknowledgement.result()
            return Sent(
                record.topic,
                metadata.partition,
                metadata.offset,
                datetime.fromtimestamp(metadata.timestamp / 1000, UTC),
            )
        metrics.PRODUCE_ERRORS.labels(record.topic).inc()
        return failure

    def _failed(self, link: _Link, error: BaseException) -> Retryable:
        if (isinstance(error, _FATAL) or link.broken()) and self._link is link:
            log.warning("the producer cannot go on (%r): building another one", error)
            self._away = True
            self._link = None
            self._look.set()
            self._retired = link
            metrics.PRODUCER_REBUILDS.inc()
        return Retryable(f"Kafka refused the record: {error!r}")

    def _suspect(self) -> None:
        """A deadline passed: fail fast until the supervisor has heard from the broker."""
        if not self._away:
            self._away = True
            log.warning("Kafka does not answer in time; sends fail at once until it does")
        self._look.set()

    # --- the supervisor

    async def _supervise(self) -> None:
        """Builds the producer, and looks after the broker while sends are in doubt."""
        pause = 0.1
        while True:
            try:
                answers = await self._tend()
            except Exception as error:
                # Whatever aiokafka comes up with: a supervisor that ended would heal nothing more.
                log.error("the producer's supervisor met a bug", exc_info=error)
                answers = False
            if answers:
                pause = 0.1
                continue
            self._away = True
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def _tend(self) -> bool:
        """False where no broker answers; else waits a second, or until a send is in doubt."""
        if self._link is None:
            await self._retire()
            self._link = await self._build()
        if self._link is None or not await self._answers(self._link):
            return False
        if self._away:
            log.info("Kafka answers")
        self._away = False
        self._settled.set()
        self._look.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._look.wait()
        if self._link is not None and self._link.broken():
            self._failed(self._link, errors.ProducerClosed())
        return True

    async def _retire(self) -> None:
        if self._retired is not None:
            link, self._retired = self._retired, None
            await _close(link.client, flush_seconds=0.0)

    async def _build(self) -> _Link | None:
        client = AIOKafkaProducer(
            **self._kafka.client_options(),
            enable_idempotence=True,
            acks="all",
            compression_type="zstd",
            linger_ms=self._linger_ms,
            max_batch_size=256 * 1024,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=10_000,
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(5.0):
                await client.start()
        except (errors.KafkaError, TimeoutError, OSError) as error:
            log.debug("no producer yet: %r", error)
            await _close(client, flush_seconds=0.0)
            return None
        except BaseException:  # a cancellation too: what was opened is closed, and it goes on up
            await _close(client, flush_seconds=0.0)
            raise
        return _Link(client)

    async def _answers(self, link: _Link) -> bool:
        """Asks only while in doubt: acknowledgements are answer enough."""
        if not self._away and not self._look.is_set():
            return True
        try:
            async with asyncio.timeout(0.8):
                await link.client.client.fetch_all_metadata()
        except (errors.KafkaError, TimeoutError, OSError):
            return False
        return True


async def _close(client: AIOKafkaProducer, *, flush_seconds: float) -> None:
    """Never waits longer than the flush and two seconds, whatever state aiokafka is in."""
    if flush_seconds:
        with suppress(TimeoutError, errors.KafkaError):
            async with asyncio.timeout(flush_seconds):
                await client.flush()
    sender = client._sender.sender_task
    if sender is not None and not flush_seconds:
        sender.cancel()
    with suppress(TimeoutError, errors.KafkaError, OSError):
        async with asyncio.timeout(2.0):
            await client.stop()
