"""The outbox to Kafka: per source partition in order, removed after the acknowledgement."""

from __future__ import annotations

from collections.abc import Iterable

from services.core.db import Pool
from services.core.errors import Retryable
from services.core.produce import Outgoing, Producer
from services.core.store import outbox

RECORDS_AT_ONCE = 200


async def relay(pool: Pool, producer: Producer, sources: Iterable[tuple[str, int]]) -> int:
    """Sends every record that waits by now; returns how many were acknowledged.

    Raises Retryable where one was not: it and those behind it stay, and are sent again later.
    """
    sent = 0
    for topic, partition in sources:
        more = True
        while more:
            async with pool.acquire(timeout=5.0) as connection:
                waiting = await outbox.take(connection, topic, partition, RECORDS_AT_ONCE)
            if not waiting:
                break
            more = len(waiting) == RECORDS_AT_ONCE
            results = await producer.send_all(
                [Outgoing(one.topic, one.key, one.value) for one in waiting]
            )
            acknowledged = []
            failed: Retryable | None = None
            for one, result in zip(waiting, results, strict=True):
                if isinstance(result, Retryable):
                    failed = result
                    break
                acknowledged.append(one.sequence)
            if acknowledged:
                async with pool.acquire(timeout=5.0) as connection:
                    await outbox.remove(connection, topic, partition, acknowledged)
            sent += len(acknowledged)
            if failed is not None:
                raise failed
    return sent
