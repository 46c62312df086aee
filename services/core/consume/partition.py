"""One assigned partition: claim its fence, fetch, apply in one transaction, again.

The fence decides everything: a batch whose transaction cannot advance it is dropped. So duplicate
delivery, zombies and commits of unknown outcome all end in `_look_again`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors

from services.core import db, metrics, topics
from services.core.consume import cluster
from services.core.consume.batch import AnySource, Batch
from services.core.consume.entry import Entry, decoded
from services.core.consume.letters import Limit
from services.core.consume.timing import Timing
from services.core.db import Connection, Pool
from services.core.errors import BadEvent, Fenced, PartitionStopped
from services.core.store import fences, outbox

log = logging.getLogger(__name__)


class _Moved(Exception):
    """The fence is not where we believed; `row` is what stands there, under its lock."""

    def __init__(self, row: fences.Fence | None) -> None:
        self.row = row


class PartitionLoop:
    """The task of one partition, from its assignment to its revocation."""

    def __init__(
        self,
        client: AIOKafkaConsumer,
        pool: Pool,
        group: str,
        source: AnySource,
        place: TopicPartition,
        *,
        owner: str,
        timing: Timing,
        leave: Callable[[], None],
    ) -> None:
        self._client = client
        self._pool = pool
        self._group = group
        self._source = source
        self._place = place
        self._owner = owner
        self._timing = timing
        self._leave = leave

        self.attempts = 0
        """Grows whenever an attempt ends, well or badly."""
        self.failing: str | None = None
        self.seen_topic_id: UUID | None = None
        """The topic's id as the membership last saw it on the cluster."""

        self._fence: fences.Fence | None = None
        self._pending: list[Entry] = []
        self._take = timing.max_records
        """Entries of the next transaction at most; halved to isolate a refused record."""
        self._size = min(timing.min_records, timing.max_records)
        """Records to fetch at once; adapted so that transactions stay short."""
        self._hole: int | None = None
        self._limit = Limit()
        self._backoff = timing.backoff
        self._last_commit = 0.0
        self._last_sweep = 0.0
        self._in_transaction = False
        self._stopping = False
        self._label = (source.topic, str(place.partition))
        for gauge in (metrics.LAG_RECORDS, metrics.NEXT_OFFSET, metrics.STOPPED):
            gauge.labels(*self._label).set(0)
        self._task = asyncio.create_task(self._run(), name=f"{source.topic}[{place.partition}]")

    # --- what the membership asks

    @property
    def next_offset(self) -> int | None:
        """None until the partition is claimed."""
        return self._fence.next_offset if self._fence else None

    async def drain(self, seconds: float) -> None:
        """Lets a running transaction end within the budget, then cancels: rolling back is safe."""
        self._stopping = True
        if not self._in_transaction:
            self._task.cancel()
        _, running = await asyncio.wait({self._task}, timeout=seconds)
        if running:
            log.warning("%s: the transaction did not end in time: cancelled", self)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=seconds)
        for gauge in (metrics.LAG_RECORDS, metrics.NEXT_OFFSET, metrics.STOPPED):
            gauge.remove(*self._label)

    def __str__(self) -> str:
        return f"{self._source.topic}[{self._place.partition}]"

    # --- the loop

    async def _run(self) -> None:
        """However it ends, unless it was asked to: the membership must not go on without it."""
        try:
            await self._loop()
        except Exception as error:
            log.error("%s ended by a bug", self, exc_info=error)
        if not self._stopping:
            self._leave()

    async def _loop(self) -> None:
        while not self._stopping:
            try:
                if self._fence is None:
                    await self._claim()
                elif self._fence.stopped_reason is not None:
                    await self._wait_for_operator()
                else:
                    await self._step()
                self._ended_well()
            except _Moved as moved:
                if not self._look_again(moved.row):
                    return
            except Fenced:
                self._fenced()
                return
            except PartitionStopped as stopped:
                if not await self._guarded(self._park(stopped)):
                    return
            except errors.OffsetOutOfRangeError:
                if not await self._guarded(self._out_of_range()):
                    return
            except (errors.ConsumerStoppedError, errors.IllegalStateError):
                return  # not ours any more
            except db.DATA_ERRORS as error:
                await self._ended_badly(error, "an effect that no single record explains")
            except (errors.KafkaError, *db.UNAVAILABLE) as error:
                metrics.RETRIES.labels(self._source.topic).inc()
                await self._ended_badly(error)
            except Exception as error:  # noqa: BLE001 - a bug must not pass for a poisoned record
                await self._ended_badly(error, "a bug")

    async def _guarded(self, ending: Awaitable[None]) -> bool:
        """Ends an attempt that met a stop; where even that fails, the loop comes back to it.

        False where the partition is not ours any more.
        """
        try:
            await ending
        except PartitionStopped as stopped:
            return await self._guarded(self._park(stopped))
        except Fenced:
            self._fenced()
            return False
        except (errors.ConsumerStoppedError, errors.IllegalStateError):
            return False
        except (errors.KafkaError, *db.UNAVAILABLE) as error:
            await self._ended_badly(error)
        return True

    def _ended_well(self) -> None:
        self.attempts += 1
        metrics.LAST_ATTEMPT.set_to_current_time()
        self._backoff = self._timing.backoff
        if self.failing is not None:
            log.info("%s goes on", self)
            self.failing = None

    async def _ended_badly(self, error: Exception, bug: str = "") -> None:
        self.attempts += 1
        metrics.LAST_ATTEMPT.set_to_current_time()
        reason = f"{type(error).__name__}: {error}"
        if self.failing is None or (bug and self.failing != reason):
            if bug:
                log.error("%s: %s stops it until it is fixed", self, bug, exc_info=error)
            else:
                log.warning("%s waits: %s", self, reason)
        self.failing = reason
        pause = self._backoff * random.uniform(0.5, 1.0)  # noqa: S311
        self._backoff = min(self._timing.backoff_limit, self._backoff * 2)
        await asyncio.sleep(pause)

    # --- the fence

    async def _claim(self) -> None:
        """Takes the partition, and fetches from where its effects end."""
        self._client.pause(self._place)
        async with asyncio.timeout(10):
            topic_id = await self._topic_id()
            beginning = (await self._client.beginning_offsets([self._place]))[self._place]
        async with self._transaction() as connection:
            fence = await fences.claim(
                connection,
                self._group,
                self._source.topic,
                self._place.partition,
                topic_id=topic_id,
                first_offset=beginning,
                owner=self._owner,
            )
        self._fence = fence
        self.seen_topic_id = topic_id
        self._pending = []
        metrics.NEXT_OFFSET.labels(*self._label).set(fence.next_offset)
        if fence.stopped_reason is not None:
            self._announce_stop()
            return
        if fence.next_offset < beginning:
            raise self._stop_named(
                "offset_out_of_range",
                f"the log begins at {beginning}: records were deleted before they took effect",
            )
        self._check_identity()
        self._client.seek(self._place, fence.next_offset)
        self._client.resume(self._place)
        log.info("%s claimed at offset %d, epoch %d", self, fence.next_offset, fence.epoch)

    async def _topic_id(self) -> UUID:
        found = await cluster.topic_ids(self._client._client, [self._place.topic])
        if self._place.topic not in found:
            raise errors.UnknownTopicOrPartitionError(self._place.topic)
        return found[self._place.topic]

    def _check_identity(self) -> None:
        assert self._fence is not None
        if self.seen_topic_id is not None and self.seen_topic_id != self._fence.topic_id:
            raise self._stop_named(
                "topic_recreated",
                f"the fence belongs to topic {self._fence.topic_id}, "
                f"the cluster now holds {self.seen_topic_id}",
            )

    def _look_again(self, row: fences.Fence | None) -> bool:
        """False where the partition is another's: leave the group and join again."""
        self.attempts += 1
        if row is None or self._fence is None or row.epoch != self._fence.epoch:
            self._fenced()
            return False
        metrics.RESUMED.labels(self._source.topic).inc()
        log.info("%s: the fence stands at %d: going on from there", self, row.next_offset)
        self._fence = row
        self._pending = []
        if row.stopped_reason is not None:
            self._announce_stop()
        else:
            self._client.seek(self._place, row.next_offset)
        return True

    def _fenced(self) -> None:
        metrics.FENCED.labels(self._source.topic).inc()
        log.warning("%s belongs to another process now: leaving the group to join again", self)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        self._in_transaction = True
        try:
            async with (
                asyncio.timeout(30),
                db.transaction(self._pool, acquire_seconds=self._timing.acquire) as connection,
            ):
                yield connection
        finally:
            self._in_transaction = False

    # --- fetch, decode, apply

    async def _step(self) -> None:
        self._check_identity()
        if not self._pending:
            await self._sweep()
            began = time.monotonic()
            records = await self._fetch()
            if not records:
                return
            fetched = time.monotonic()
            self._observe("wait", fetched - began)
            self._pending = [decoded(self._source.decode, raw) for raw in records]
            self._observe("decode", time.monotonic() - fetched)
            self._take = len(self._pending)
        while self._pending and not self._stopping:
            await self._apply(self._pending[: self._take])
            self.attempts += 1

    async def _fetch(self) -> list[ConsumerRecord]:
        records = await self._get(self._timing.poll, self._size)
        # Records keep coming: a transaction for each would cost more than they wait.
        if records and time.monotonic() - self._last_commit < self._timing.linger:
            until = time.monotonic() + self._timing.linger
            while len(records) < self._size and (left := until - time.monotonic()) > 0.001:
                records += await self._get(left, self._size - len(records))
        assert self._fence is not None
        believed = self._fence.next_offset
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

    async def _apply(self, part: list[Entry]) -> None:
        """One transaction for the leading entries; a record that Postgres refuses is isolated."""
        admitted = self._limit.admit([entry.why is not None for entry in part])
        if admitted == 0:
            why = part[0].why
            raise PartitionStopped(
                "dead_letter_limit",
                self._source.topic,
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
        self._limit.note([entry.why is not None for entry in part])
        self._pending = self._pending[len(part) :]
        self._take = max(self._take, len(part)) * 2

    async def _commit(self, part: list[Entry]) -> None:
        assert self._fence is not None
        fence, topic, partition = self._fence, self._source.topic, self._place.partition
        next_offset = part[-1].raw.offset + 1
        records = [entry.record for entry in part if entry.record is not None]
        letters = [
            (topics.dead_letters_of(topic), entry.raw.key or b"", entry.letter(topic, partition))
            for entry in part
            if entry.why is not None
        ]
        async with self._transaction() as connection:
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
                raise _Moved(
                    await fences.look(connection, self._group, topic, partition, lock=True)
                )
            if records:
                await self._source.handle(connection, Batch(topic, partition, records))
            await outbox.add(connection, topic, partition, letters)
            handled = time.monotonic()
        ended = time.monotonic()
        self._fence = replace(fence, next_offset=next_offset)
        self._last_commit = ended
        self._size = self._timing.next_size(self._size, len(part), ended - began)
        self._observe("handle", handled - began)
        self._observe("commit", ended - handled)
        self._count(part)

    def _observe(self, stage: str, seconds: float) -> None:
        metrics.BATCH_SECONDS.labels(self._source.topic, stage).observe(seconds)

    def _count(self, part: list[Entry]) -> None:
        topic = self._source.topic
        metrics.RECORDS.labels(*self._label).inc(len(part))
        metrics.BATCH_RECORDS.labels(topic).observe(len(part))
        now = datetime.now(UTC)
        age = metrics.EVENT_AGE_SECONDS.labels(topic)
        # The first and the last bound the batch's ages; all of them would cost a millisecond.
        for entry in (part[0], part[-1]):
            age.observe(max(0.0, (now - entry.recorded_at).total_seconds()))
        for entry in part:
            if entry.why is not None:
                metrics.DEAD_LETTERS.labels(topic, entry.why.code).inc()
        metrics.NEXT_OFFSET.labels(*self._label).set(part[-1].raw.offset + 1)

    async def _sweep(self) -> None:
        sweep = self._source.sweep
        if sweep is None or time.monotonic() - self._last_sweep < self._timing.sweep:
            return
        assert self._fence is not None
        topic, partition = self._source.topic, self._place.partition
        async with self._transaction() as connection:
            row = await fences.look(connection, self._group, topic, partition, lock=True)
            if row is None or row.epoch != self._fence.epoch:
                raise Fenced
            await sweep(connection, topic, partition)
        self._last_sweep = time.monotonic()

    # --- stopped

    def _stop_named(self, reason: str, detail: str) -> PartitionStopped:
        assert self._fence is not None
        return PartitionStopped(
            reason, self._source.topic, self._place.partition, self._fence.next_offset, detail
        )

    async def _out_of_range(self) -> None:
        assert self._fence is not None
        async with asyncio.timeout(10):
            self.seen_topic_id = await self._topic_id()
            beginning = (await self._client.beginning_offsets([self._place]))[self._place]
            end = (await self._client.end_offsets([self._place]))[self._place]
        self._check_identity()
        if beginning <= self._fence.next_offset <= end:
            # It was another moment's answer.
            self._client.seek(self._place, self._fence.next_offset)
            return
        raise self._stop_named("offset_out_of_range", f"the log holds [{beginning}, {end})")

    async def _park(self, stopped: PartitionStopped) -> None:
        """Writes the stop into the fence, where an operator looks for it."""
        assert self._fence is not None
        self._client.pause(self._place)
        async with self._transaction() as connection:
            if not await fences.stop(
                connection,
                self._group,
                self._source.topic,
                self._place.partition,
                epoch=self._fence.epoch,
                reason=stopped.reason,
                detail=f"at offset {stopped.offset}: {stopped.detail}",
            ):
                raise Fenced
        self._fence = replace(
            self._fence, stopped_reason=stopped.reason, stopped_detail=stopped.detail
        )
        self._pending = []
        self.attempts += 1
        log.error("%s", stopped)
        self._announce_stop(logged=True)

    def _announce_stop(self, *, logged: bool = False) -> None:
        assert self._fence is not None
        self._client.pause(self._place)
        metrics.STOPPED.labels(*self._label).set(1)
        if not logged:
            log.error(
                "%s is stopped at offset %d: %s: go on with `veche partitions resume`",
                self,
                self._fence.next_offset,
                self._fence.stopped_reason,
            )

    async def _wait_for_operator(self) -> None:
        await asyncio.sleep(self._timing.stopped_poll)
        assert self._fence is not None
        async with self._transaction() as connection:
            row = await fences.look(
                connection, self._group, self._source.topic, self._place.partition
            )
        if row is None or row.owner != self._owner:
            raise Fenced
        if row.stopped_reason is None:
            log.info("%s is resumed by an operator at offset %d", self, row.next_offset)
            metrics.STOPPED.labels(*self._label).set(0)
            self._limit = Limit()
            self._fence = None  # the resume bumped the epoch: claim it anew
