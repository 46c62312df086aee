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
from typing import Self

from aiokafka import AIOKafkaProducer, errors

from services.core import metrics, settings
from services.core.errors import Misconfigured, Retryable
from services.core.produce.calls import Call, Calls
from services.core.produce.link import Link, close
from services.core.produce.records import Outgoing, Sent

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 5.0

_FATAL = (
    errors.OutOfOrderSequenceNumber,
    errors.InvalidProducerEpoch,
    errors.InvalidProducerIdMapping,
    errors.UnknownProducerId,
    errors.ProducerFenced,
    errors.ProducerClosed,
)
"""After these aiokafka's producer is of no more use (its issue 1017): build another one."""


class Producer:
    """An async context manager. It starts without Kafka, says so by `healthy`, and heals itself.

    `max_pending` bounds the records that wait for an acknowledgement, those given up on too.
    """

    def __init__(
        self,
        kafka: settings.Kafka,
        *,
        max_pending: int = 20_000,
        connect_seconds: float = 3.0,
    ) -> None:
        self._kafka = kafka
        self._max_pending = max_pending
        self._connect_seconds = connect_seconds
        self._calls = Calls()
        self._link: Link | None = None
        self._retired: Link | None = None
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
            await link.close(flush_seconds=0.0 if self._away else 5.0)

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
        link = self._link
        refusal = self._refusal(len(records))
        if refusal or link is None:
            for record in records:
                metrics.PRODUCE_ERRORS.labels(record.topic).inc()
            return [Retryable(refusal) for _ in records]
        if not records:
            return []
        call = Call(len(records), time.monotonic() + deadline_seconds)
        for place, record in enumerate(records):
            link.put(record, call, place)
        self._calls.add(call)
        try:
            await call.done
        finally:
            self._calls.discard(call)
        return [
            answer if isinstance(answer, Sent) else self._without(answer, record)
            for record, answer in zip(records, call.answers, strict=True)
        ]

    def _without(self, answer: Retryable | Misconfigured | None, record: Outgoing) -> Retryable:
        """What is said where there was no acknowledgement."""
        metrics.PRODUCE_ERRORS.labels(record.topic).inc()
        if isinstance(answer, Misconfigured):
            raise answer
        if answer is None:
            self._suspect()
            return Retryable("Kafka did not acknowledge in time; the record may still arrive")
        return answer

    def _refusal(self, count: int) -> str:
        if self._link is None or self._away:
            return "Kafka is not reachable"
        if self._link.pending + count > self._max_pending:
            return "too many records wait for Kafka's acknowledgement"
        return ""

    def _failed(self, link: Link, error: BaseException) -> Retryable:
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
            await link.close(flush_seconds=0.0)

    async def _build(self) -> Link | None:
        client = AIOKafkaProducer(
            **self._kafka.client_options(),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            request_timeout_ms=10_000,
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(5.0):
                await client.start()
        except (errors.KafkaError, TimeoutError, OSError) as error:
            log.debug("no producer yet: %r", error)
            await close(client, at_once=True)
            return None
        except BaseException:  # a cancellation too: what was opened is closed, and it goes on up
            await close(client, at_once=True)
            raise
        return Link(client, self._kafka.topic, self._failed)

    async def _answers(self, link: Link) -> bool:
        """Asks only while in doubt: acknowledgements are answer enough."""
        if not self._away and not self._look.is_set():
            return True
        try:
            async with asyncio.timeout(0.8):
                await link.client.client.fetch_all_metadata()
        except (errors.KafkaError, TimeoutError, OSError):
            return False
        return True
