"""The claim to one partition: its fence taken, looked at again, parked for an operator, lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from services.core import db, metrics
from services.core.consume import cluster
from services.core.consume.timing import Timing
from services.core.consume.together import Together
from services.core.db import Connection, Pool
from services.core.errors import Fenced, PartitionStopped
from services.core.store import fences

log = logging.getLogger(__name__)


class Moved(Exception):
    """The fence is not where we believed; `row` is what stands there, under its lock."""

    def __init__(self, row: fences.Fence | None) -> None:
        self.row = row


class Claim:
    """What this process believes of the fence, under which all effects of the partition happen."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        pool: Pool,
        group: str,
        topic: str,
        place: TopicPartition,
        *,
        owner: str,
        timing: Timing,
        together: Together,
    ) -> None:
        self._client = client
        self._pool = pool
        self._group = group
        self._topic = topic
        self._place = place
        self._owner = owner
        self._timing = timing
        self._together = together
        self._label = (topic, str(place.partition))

        self.fence: fences.Fence | None = None
        """None until the partition is claimed."""
        self.seen_topic_id: UUID | None = None
        """The topic's id as the membership last saw it on the cluster."""
        self.in_transaction = False

    def __str__(self) -> str:
        return f"{self._topic}[{self._place.partition}]"

    def say(self, level: int, what: str) -> None:
        """Logs `what` behind the partition's name, with all of whom it is said in this second."""
        self._together.say(level, what, self._topic, self._place.partition)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        self.in_transaction = True
        try:
            async with (
                asyncio.timeout(db.TRANSACTION_SECONDS),
                db.transaction(self._pool, acquire_seconds=self._timing.acquire) as connection,
            ):
                yield connection
        finally:
            self.in_transaction = False

    # --- claim

    async def take(self) -> None:
        """Takes the partition, to be fetched from where its effects end."""
        self._client.pause(self._place)
        async with asyncio.timeout(10):
            topic_id = await self._topic_id()
            beginning = (await self._client.beginning_offsets([self._place]))[self._place]
        async with self.transaction() as connection:
            fence = await fences.claim(
                connection,
                self._group,
                self._topic,
                self._place.partition,
                topic_id=topic_id,
                first_offset=beginning,
                owner=self._owner,
            )
        self.fence = fence
        self.seen_topic_id = topic_id
        metrics.NEXT_OFFSET.labels(*self._label).set(fence.next_offset)
        if fence.stopped_reason is not None:
            self._announce_stop()
            return
        if fence.next_offset < beginning:
            raise self._stop_named(
                "offset_out_of_range",
                f"the log begins at {beginning}: records were deleted before they took effect",
            )
        self.check_identity()
        self._client.seek(self._place, fence.next_offset)
        self._client.resume(self._place)
        log.debug("%s claimed at offset %d, epoch %d", self, fence.next_offset, fence.epoch)
        self.say(logging.INFO, "claimed")

    async def _topic_id(self) -> UUID:
        found = await cluster.topic_ids(self._client._client, [self._place.topic])
        if self._place.topic not in found:
            raise errors.UnknownTopicOrPartitionError(self._place.topic)
        return found[self._place.topic]

    def check_identity(self) -> None:
        assert self.fence is not None
        if self.seen_topic_id is not None and self.seen_topic_id != self.fence.topic_id:
            raise self._stop_named(
                "topic_recreated",
                f"the fence belongs to topic {self.fence.topic_id}, "
                f"the cluster now holds {self.seen_topic_id}",
            )

    # --- look again

    def look_again(self, row: fences.Fence | None) -> bool:
        """False where the partition is another's: leave the group and join again."""
        if row is None or self.fence is None or row.epoch != self.fence.epoch:
            self.lost()
            return False
        metrics.RESUMED.labels(self._topic).inc()
        log.info("%s: the fence stands at %d: going on from there", self, row.next_offset)
        self.fence = row
        if row.stopped_reason is not None:
            self._announce_stop()
        else:
            self._client.seek(self._place, row.next_offset)
        return True

    def lost(self) -> None:
        metrics.FENCED.labels(self._topic).inc()
        self.say(logging.WARNING, "belongs to another process now: leaving the group to join again")

    async def out_of_range(self) -> None:
        assert self.fence is not None
        async with asyncio.timeout(10):
            self.seen_topic_id = await self._topic_id()
            beginning = (await self._client.beginning_offsets([self._place]))[self._place]
            end = (await self._client.end_offsets([self._place]))[self._place]
        self.check_identity()
        if beginning <= self.fence.next_offset <= end:
            # It was another moment's answer.
            self._client.seek(self._place, self.fence.next_offset)
            return
        raise self._stop_named("offset_out_of_range", f"the log holds [{beginning}, {end})")

    # --- stopped

    async def park(self, stopped: PartitionStopped) -> None:
        """Writes the stop into the fence, where an operator looks for it."""
        assert self.fence is not None
        self._client.pause(self._place)
        async with self.transaction() as connection:
            if not await fences.stop(
                connection,
                self._group,
                self._topic,
                self._place.partition,
                epoch=self.fence.epoch,
                reason=stopped.reason,
                detail=f"at offset {stopped.offset}: {stopped.detail}",
            ):
                raise Fenced
        self.fence = replace(
            self.fence, stopped_reason=stopped.reason, stopped_detail=stopped.detail
        )
        log.error("%s", stopped)
        self._announce_stop(logged=True)

    def _stop_named(self, reason: str, detail: str) -> PartitionStopped:
        assert self.fence is not None
        return PartitionStopped(
            reason, self._topic, self._place.partition, self.fence.next_offset, detail
        )

    def _announce_stop(self, *, logged: bool = False) -> None:
        assert self.fence is not None
        self._client.pause(self._place)
        metrics.STOPPED.labels(*self._label).set(1)
        if not logged:
            log.error(
                "%s is stopped at offset %d: %s: go on with `veche partitions resume`",
                self,
                self.fence.next_offset,
                self.fence.stopped_reason,
            )

    async def wait_for_operator(self) -> None:
        await asyncio.sleep(self._timing.stopped_poll)
        assert self.fence is not None
        async with self.transaction() as connection:
            row = await fences.look(connection, self._group, self._topic, self._place.partition)
        if row is None or row.owner != self._owner:
            raise Fenced
        if row.stopped_reason is None:
            log.info("%s is resumed by an operator at offset %d", self, row.next_offset)
            metrics.STOPPED.labels(*self._label).set(0)
            self.fence = None  # the resume bumped the epoch: claim it anew
