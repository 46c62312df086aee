"""Which shards this process works on: leases in Postgres, split evenly among those who are alive.

A lease spreads the work and nothing more. Who works on after losing one does no harm: versions are
given under a row's lock, marks are cleared by compare-and-set, survivors are watched.
"""

from __future__ import annotations

import asyncio
import logging

from services.core import metrics
from services.core.db import UNAVAILABLE, Pool
from services.core.store import leases
from services.publisher import shards

LEASE_SECONDS = 9.0
RENEW_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Leases:
    """Shards held by one owner. `run` renews until stopped, then gives everything back."""

    def __init__(
        self,
        pool: Pool,
        owner: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._until: dict[int, float] = {}

    def held(self) -> list[int]:
        """The shards whose lease has not run out by this process's own clock."""
        now = asyncio.get_running_loop().time()
        return sorted(shard for shard, until in self._until.items() if until > now)

    async def run(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    async with asyncio.timeout(self._lease_seconds):
                        await self._renew()
                except UNAVAILABLE as error:
                    _log.warning("leases were not renewed: %s", type(error).__name__)
                metrics.LEASES_HELD.set(len(self.held()))
                try:
                    await asyncio.wait_for(stop.wait(), self._renew_seconds)
                except TimeoutError:
                    continue
        finally:
            await self._give_back()

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        before = self.held()
        async with self._pool.acquire(timeout=5.0) as connection:
            await leases.take(connection, self._presence, self._owner, seconds=self._lease_seconds)
            alive = len(await leases.held(connection, "publisher/"))
            keep = before[: shards.share(alive)]
            for shard in before[len(keep) :]:
                self._until.pop(shard, None)
                await leases.give_back(connection, shards.lease_name(shard), self._owner)
            taken = [
                int(name.partition("/")[2]) for name in await leases.held(connection, "shard/")
            ]
            for shard in [*keep, *shards.to_take(keep, taken, alive)]:
                asked_at = loop.time()
                if await leases.take(
                    connection, shards.lease_name(shard), self._owner, seconds=self._lease_seconds
                ):
                    self._until[shard] = asked_at + self._lease_seconds
                else:
                    self._until.pop(shard, None)
        if self.held() != before:
            _log.info("works on shards %s; publishers alive: %d", self.held(), alive)

    async def _give_back(self) -> None:
        held, self._until = list(self._until), {}
        metrics.LEASES_HELD.set(0)
        try:
            async with asyncio.timeout(3.0), self._pool.acquire(timeout=3.0) as connection:
                for shard in held:
                    await leases.give_back(connection, shards.lease_name(shard), self._owner)
                await leases.give_back(connection, self._presence, self._owner)
        except UNAVAILABLE as error:
            _log.warning("leases run out by themselves: %s", type(error).__name__)

    @property
    def _presence(self) -> str:
        return f"publisher/{self._owner}"
