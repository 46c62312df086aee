"""The consumer: membership in the group, and one loop per assigned partition.

aiokafka's traps that shape this file: records are served before an awaiting listener ends; errors
of listeners are swallowed; `stop()` revokes nothing; a consumer that is not polled for
`max_poll_interval` leaves for good; and nothing tells whether it is well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition, errors

from services.core import metrics, settings
from services.core.consume.batch import AnySource
from services.core.consume.housekeeping import Housekeeping
from services.core.consume.partition import PartitionLoop
from services.core.consume.timing import Timing
from services.core.consume.together import Together
from services.core.consume.watchdog import Watchdog, end_process
from services.core.db import Pool

log = logging.getLogger(__name__)

FETCH_BYTES = 512 * 1024


class Consumer:
    """Consumes `sources` as a member of `group`, with effects exactly once.

    `on_stuck` is called (from any thread) when no attempt has ended, well or badly, for 60 s.
    """

    def __init__(
        self,
        kafka: settings.Kafka,
        pool: Pool,
        group: str,
        sources: Sequence[AnySource],
        *,
        timing: Timing | None = None,
        on_stuck: Callable[[str], None] = end_process,
    ) -> None:
        self._kafka = kafka
        self._pool = pool
        self._group = group
        self._sources = {kafka.topic(source.topic): source for source in sources}
        self._timing = timing or Timing.within(kafka.session_timeout_ms / 1000)
        self._watchdog = Watchdog(self._timing.silence, on_stuck)
        self._together = Together()
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._loops: dict[TopicPartition, PartitionLoop] = {}
        self._joined = False
        self._trouble: asyncio.Future[None] | None = None
        self._failing: str | None = None
        self._housekeeping = Housekeeping(
            group, self._sources, self._loops, self._timing, self._watchdog
        )

    def ready(self) -> str | None:
        """None where it is in the group and every partition goes on or is stopped by name."""
        if not self._joined:
            return f"not in the group yet{': ' + self._failing if self._failing else ''}"
        if self._housekeeping.away:
            return "Kafka does not answer"
        for loop in list(self._loops.values()):
            if loop.failing is not None:
                return f"{loop} waits: {loop.failing}"
            if loop.next_offset is None:
                return f"{loop} is not claimed yet"
        return None

    def alive(self) -> str | None:
        """None while attempts end, well or badly."""
        return self._watchdog.stuck

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, then drains. Raises what a rebalance listener raised: end the process."""
        with self._watchdog.watching():
            try:
                await self._again_and_again(stop)
            finally:
                self._together.flush()

    async def _again_and_again(self, stop: asyncio.Event) -> None:
        """One membership after the other, with a pause that grows while they are short."""
        pause = self._timing.backoff
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._member(stop)
            except (errors.KafkaError, TimeoutError, OSError) as error:
                self._note(error)
            if time.monotonic() - began > 30:  # else two that fence each other would race
                pause = self._timing.backoff
            if not stop.is_set():
                with suppress(TimeoutError):
                    jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311
                    async with asyncio.timeout(jittered):
                        await stop.wait()
                pause = min(self._timing.backoff_limit, pause * 2)

    def _note(self, error: Exception) -> None:
        self._watchdog.beat()
        reason = f"{type(error).__name__}: {str(error) or 'no answer in time'}"
        if self._failing is None:
            log.warning("group %s: %s; trying again", self._group, reason)
        self._failing = reason

    # --- one life in the group

    async def _member(self, stop: asyncio.Event) -> None:
        """Joins, works, and leaves: at `stop`, when fenced, or raising aiokafka's error."""
        timing = self._timing
        client = AIOKafkaConsumer(
            **self._kafka.client_options(),
            group_id=self._kafka.topic(self._group),
            group_instance_id=self._kafka.group_instance_id or None,
            client_id=f"veche-{self._group}",
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=int(timing.session * 1000),
            rebalance_timeout_ms=int(timing.rebalance * 1000),
            heartbeat_interval_ms=int(timing.heartbeat * 1000),
            max_poll_interval_ms=2**31 - 1,  # a standby polls nothing; our watchdog looks after it
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=100,
            metadata_max_age_ms=10_000,
        )
        trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._trouble = trouble
        client.subscribe(topics=sorted(self._sources), listener=_Listener(self, client))
        starting = asyncio.create_task(client.start(), name="join")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        keeping: asyncio.Task[None] | None = None
        try:
            await self._wait_until_joined(starting, stopping, trouble)
            if starting.done() and not stopping.done():
                starting.result()
                self._joined = True
                if self._failing:
                    log.info("group %s joined", self._group)
                    self._failing = None
                keeping = asyncio.create_task(self._housekeeping.keep(client), name="housekeeping")
                ends: list[asyncio.Future[Any]] = [stopping, trouble, keeping]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for ended in (trouble, keeping):
                if ended is not None and ended.done():
                    ended.result()
        finally:
            self._joined = False
            await _cancelled(starting, stopping, keeping)
            trouble.cancel()
            loops = dict(self._loops)
            await self._drain(loops)
            if keeping is not None:
                await self._housekeeping.hint(client, loops, {})
            await self._close(client)
            await self._drain(dict(self._loops))  # what was assigned meanwhile

    async def _wait_until_joined(
        self,
        starting: asyncio.Task[None],
        stopping: asyncio.Task[bool],
        trouble: asyncio.Future[None],
    ) -> None:
        began = time.monotonic()
        patience = self._timing.rebalance + 30
        ends: list[asyncio.Future[Any]] = [starting, stopping, trouble]
        while not any(end.done() for end in ends):
            await asyncio.wait(ends, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            self._watchdog.beat()
            if time.monotonic() - began > patience:
                raise TimeoutError(f"could not join group {self._group} in {patience:.0f} s")

    def _leave(self) -> None:
        """A partition was fenced: end this membership, so that `run` joins again."""
        if self._trouble is not None and not self._trouble.done():
            self._trouble.set_result(None)

    def _failed(self, error: Exception) -> None:
        """A listener failed; aiokafka would swallow it and read on from a wrong offset."""
        log.error("a rebalance listener failed", exc_info=error)
        if self._trouble is not None and not self._trouble.done():
            self._trouble.set_exception(_ListenerFailed(str(error)))

    def _assigned(self, client: AIOKafkaConsumer, assigned: Iterable[TopicPartition]) -> None:
        client.pause(*assigned)
        metrics.REBALANCES.labels(self._group).inc()
        for place in sorted(assigned):
            self._loops[place] = PartitionLoop(
                client,
                self._pool,
                self._group,
                self._sources[place.topic],
                place,
                owner=self.owner,
                timing=self._timing,
                leave=self._leave,
                together=self._together,
            )

    async def _drain(self, places: Iterable[TopicPartition]) -> None:
        loops = [self._loops.pop(place) for place in list(places) if place in self._loops]
        if loops:
            await asyncio.gather(*(loop.drain(self._timing.drain) for loop in loops))

    async def _close(self, client: AIOKafkaConsumer) -> None:
        try:
            async with asyncio.timeout(5.0):
                await client.stop()
        except (errors.KafkaError, TimeoutError, OSError) as error:
            log.warning("leaving group %s: %s", self._group, str(error) or "no answer in time")
            with suppress(errors.KafkaError, TimeoutError, OSError):
                if client._fetcher is not None:
                    async with asyncio.timeout(1.0):
                        await client._fetcher.close()
                async with asyncio.timeout(1.0):
                    await client._client.close()


class _ListenerFailed(Exception):
    """Not a KafkaError: it ends `run`."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """aiokafka's callbacks, with every error seen."""

    def __init__(self, consumer: Consumer, client: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._client = client

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # Not a coroutine: the pause is the first thing that happens, and the claims, which wait for
        # Postgres, do not hold up aiokafka's heartbeats.
        try:
            self._consumer._assigned(self._client, assigned)
        except Exception as error:  # noqa: BLE001
            self._consumer._failed(error)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            await self._consumer._drain(revoked)
        except Exception as error:  # noqa: BLE001
            self._consumer._failed(error)


async def _cancelled(*tasks: asyncio.Task[None] | asyncio.Task[bool] | None) -> None:
    given = [task for task in tasks if task is not None]
    for task in given:
        task.cancel()
    await asyncio.wait(given, timeout=5.0)
    for task in given:
        if task.done() and not task.cancelled():
            task.exception()
