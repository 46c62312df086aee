"""What a member of a group does once a second beside its work: looks at what aiokafka and the
partitions' loops do not tell by themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from services.core import metrics
from services.core.consume import cluster
from services.core.consume.batch import AnySource
from services.core.consume.partition import PartitionLoop
from services.core.consume.timing import Timing
from services.core.consume.watchdog import Watchdog

log = logging.getLogger(__name__)


class Housekeeping:
    """Of `loops`, which come and go with the partitions; `sources` are by Kafka's own names."""

    def __init__(
        self,
        group: str,
        sources: Mapping[str, AnySource],
        loops: Mapping[TopicPartition, PartitionLoop],
        timing: Timing,
        watchdog: Watchdog,
    ) -> None:
        self.away = False
        """Kafka did not answer when it was asked last."""
        self._group = group
        self._sources = sources
        self._loops = loops
        self._timing = timing
        self._watchdog = watchdog
        self._ids: dict[str, UUID] = {}

    async def keep(self, client: AIOKafkaConsumer) -> None:
        """Looks at what aiokafka and the loops do not tell by themselves. Raises to rebuild."""
        hinted: dict[TopicPartition, int] = {}
        last_hint = last_identity = rebalancing_since = time.monotonic()
        nap = min(1.0, self._timing.identity)
        while True:
            await asyncio.sleep(nap)
            self._watchdog.beat()
            now = time.monotonic()
            client._coordinator.check_errors()
            if not client._subscription.reassignment_in_progress:
                rebalancing_since = now
            elif now - rebalancing_since > self._timing.rebalance + 30:
                raise TimeoutError(f"group {self._group} does not end its rebalance")
            self._watchdog.look(self._loops.values(), nap)
            self._measure_lag(client)
            if now - last_identity >= self._timing.identity:
                last_identity = now
                await self._compare_identities(client)
            if now - last_hint >= self._timing.commit_hint:
                last_hint = now
                await self.hint(client, self._loops, hinted)

    def _measure_lag(self, client: AIOKafkaConsumer) -> None:
        for place, loop in self._loops.items():
            with suppress(errors.KafkaError):
                highwater = client.highwater(place)
                if highwater is not None and loop.next_offset is not None:
                    topic = self._sources[place.topic].topic
                    metrics.LAG_RECORDS.labels(topic, str(place.partition)).set(
                        max(0, highwater - loop.next_offset)
                    )

    async def _compare_identities(self, client: AIOKafkaConsumer) -> None:
        try:
            async with asyncio.timeout(3):
                ids = await cluster.topic_ids(client._client, self._sources)
        except (errors.KafkaError, TimeoutError, OSError) as error:
            if not self.away:
                reason = str(error) or "not in time"
                log.warning("group %s: Kafka does not answer: %s", self._group, reason)
            self.away = True
            return
        if self.away:
            log.info("group %s: Kafka answers", self._group)
        self.away = False
        if ids != self._ids:
            # A topic went or came: aiokafka would notice only when its metadata is old.
            client._client.force_metadata_update()
            self._ids = ids
        for place, loop in self._loops.items():
            loop.claim.seen_topic_id = ids.get(place.topic, loop.claim.seen_topic_id)

    async def hint(
        self,
        client: AIOKafkaConsumer,
        loops: Mapping[TopicPartition, PartitionLoop],
        hinted: dict[TopicPartition, int],
    ) -> None:
        """Tells Kafka the offsets, for lag tools: nothing of ours ever reads them."""
        offsets = {
            place: loop.next_offset
            for place, loop in loops.items()
            if loop.next_offset is not None and hinted.get(place) != loop.next_offset
        }
        if offsets:
            with suppress(errors.KafkaError, TimeoutError, OSError):
                async with asyncio.timeout(3):
                    await client.commit(offsets)
                hinted |= offsets
