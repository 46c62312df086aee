"""One assigned partition: claim its fence, fetch, apply in one transaction, again.

The fence decides everything: a batch whose transaction cannot advance it is dropped. So duplicate
delivery, zombies and commits of unknown outcome all end in `Claim.look_again`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition, errors

from services.core import db, metrics
from services.core.consume.batch import AnySource
from services.core.consume.claim import Claim, Moved
from services.core.consume.intake import Intake
from services.core.consume.timing import Timing
from services.core.consume.together import Together
from services.core.db import Pool
from services.core.errors import Fenced, PartitionStopped

log = logging.getLogger(__name__)


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
        together: Together,
    ) -> None:
        self._timing = timing
        self._leave = leave

        self.attempts = 0
        """Grows whenever an attempt ends, well or badly."""
        self.failing: str | None = None

        self.claim = Claim(
            client, pool, group, source.topic, place, owner=owner, timing=timing, together=together
        )
        self._intake = Intake(client, group, source, place, claim=self.claim, timing=timing)
        self._backoff = timing.backoff
        self._stopping = False
        self._topic = source.topic
        self._label = (source.topic, str(place.partition))
        for gauge in (metrics.LAG_RECORDS, metrics.NEXT_OFFSET, metrics.STOPPED):
            gauge.labels(*self._label).set(0)
        self._task = asyncio.create_task(self._run(), name=f"{source.topic}[{place.partition}]")

    # --- what the membership asks

    @property
    def next_offset(self) -> int | None:
        """None until the partition is claimed."""
        return self.claim.fence.next_offset if self.claim.fence else None

    async def drain(self, seconds: float) -> None:
        """Lets a running transaction end within the budget, then cancels: rolling back is safe."""
        self._stopping = True
        if not self.claim.in_transaction:
            self._task.cancel()
        _, running = await asyncio.wait({self._task}, timeout=seconds)
        if running:
            log.warning("%s: the transaction did not end in time: cancelled", self)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=seconds)
        for gauge in (metrics.LAG_RECORDS, metrics.NEXT_OFFSET, metrics.STOPPED):
            gauge.remove(*self._label)

    def __str__(self) -> str:
        return str(self.claim)

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
                if self.claim.fence is None:
                    self._intake.begin_anew()
                    await self.claim.take()
                elif self.claim.fence.stopped_reason is not None:
                    await self.claim.wait_for_operator()
                else:
                    await self._step()
                self._ended_well()
            except Moved as moved:
                self.attempts += 1
                try:
                    if not self.claim.look_again(moved.row):
                        return
                except errors.IllegalStateError:
                    return  # not ours any more
                self._intake.pending = []
            except Fenced:
                self.claim.lost()
                return
            except PartitionStopped as stopped:
                if not await self._guarded(self._park(stopped)):
                    return
            except errors.OffsetOutOfRangeError:
                if not await self._guarded(self.claim.out_of_range()):
                    return
            except (errors.ConsumerStoppedError, errors.IllegalStateError):
                return  # not ours any more
            except db.DATA_ERRORS as error:
                await self._ended_badly(error, "an effect that no single record explains")
            except (errors.KafkaError, *db.UNAVAILABLE) as error:
                metrics.RETRIES.labels(self._topic).inc()
                await self._ended_badly(error)
            except Exception as error:  # noqa: BLE001 - a bug must not pass for a poisoned record
                await self._ended_badly(error, "a bug")

    async def _step(self) -> None:
        self.claim.check_identity()
        await self._intake.refill()
        while self._intake.pending and not self._stopping:
            await self._intake.apply()
            self.attempts += 1

    async def _park(self, stopped: PartitionStopped) -> None:
        await self.claim.park(stopped)
        self._intake.pending = []
        self.attempts += 1

    async def _guarded(self, ending: Awaitable[None]) -> bool:
        """Ends an attempt that met a stop; where even that fails, the loop comes back to it.

        False where the partition is not ours any more.
        """
        try:
            await ending
        except PartitionStopped as stopped:
            return await self._guarded(self._park(stopped))
        except Fenced:
            self.claim.lost()
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
            self.claim.say(logging.INFO, "goes on")
            self.failing = None

    async def _ended_badly(self, error: Exception, bug: str = "") -> None:
        self.attempts += 1
        metrics.LAST_ATTEMPT.set_to_current_time()
        reason = f"{type(error).__name__}: {str(error) or 'no answer in time'}"
        if self.failing is None or (bug and self.failing != reason):
            if bug:
                log.error("%s: %s stops it until it is fixed", self, bug, exc_info=error)
            else:
                self.claim.say(logging.WARNING, f"waits: {reason}")
        self.failing = reason
        pause = self._backoff * random.uniform(0.5, 1.0)  # noqa: S311
        self._backoff = min(self._timing.backoff_limit, self._backoff * 2)
        await asyncio.sleep(pause)
