"""The ruleset in use: followed in Postgres, loaded beside the batches, swapped between them.

Every process looks each second, so all judge by a new one within a few. A batch takes what is in
use once, at its beginning, and sees one ruleset to its end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version as version_of
from time import perf_counter

from services.core import db, metrics
from services.core.consume import Batch
from services.core.db import Connection
from services.core.errors import BadRuleset, VecheError
from services.core.events import CommentsEvent
from services.core.rules import Ruleset, load
from services.core.store import rulesets
from services.moderation.handle import Moderation

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
OLDER = 10
"""Earlier versions that a starting process tries where it cannot load the newest."""


@dataclass(frozen=True)
class InUse:
    version: int
    """0: the folder's, where none was ever activated."""
    ruleset: Ruleset
    moderation: Moderation


class Following:
    """Handles comments.v1 by the ruleset in use; `make` says what judges by a ruleset.

    `folder` gives the texts of VECHE_RULES_DIR: they hold until a ruleset is activated.
    """

    def __init__(
        self, make: Callable[[Ruleset], Moderation], folder: Callable[[], Mapping[str, str]]
    ) -> None:
        self._make = make
        self._folder = folder
        self._in_use: InUse | None = None
        self._refused = 0
        self.trouble = ""
        """Why a newer ruleset is not in use; for the probes."""

    @property
    def in_use(self) -> InUse:
        assert self._in_use is not None, "begin first"
        return self._in_use

    async def __call__(self, connection: Connection, batch: Batch[CommentsEvent]) -> None:
        await self.in_use.moderation(connection, batch)

    async def sweep(self, connection: Connection, topic: str, partition: int) -> None:
        await self.in_use.moderation.sweep(connection, topic, partition)

    async def begin(self, pool: db.Pool, stop: asyncio.Event) -> bool:
        """Before anything is judged; False where `stop` came first. Waits for Postgres, since which
        ruleset holds stands there. Raises BadRuleset or Misconfigured where the folder is to be
        used and does not load."""
        while not stop.is_set():
            try:
                await self.look(pool)
            except db.UNAVAILABLE as error:
                log.warning("which ruleset holds is not known before Postgres answers: %s", error)
            else:
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
        return False

    async def follow(self, pool: db.Pool, stop: asyncio.Event) -> None:
        """Until `stop`. A database that is away leaves the ruleset as it is."""
        while not stop.is_set():
            try:
                await self.look(pool)
            except db.UNAVAILABLE as error:
                log.warning("could not look for a newer ruleset: %r", error)
            except Exception:  # comments are judged by the ruleset before, not left lying
                log.exception("rulesets are not followed")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)

    async def look(self, pool: db.Pool) -> None:
        """Swaps where a newer version is activated that loads; the swap is one assignment."""
        async with db.transaction(pool) as connection:
            newest = await rulesets.newest(connection)
        if newest is None:
            if self._in_use is None:
                await self._use(0, self._folder())
            return
        version, _ = newest
        if version == self._refused or (self._in_use and self._in_use.version == version):
            return
        for older in range(OLDER):
            try:
                await self._load(pool, version - older)
            except BadRuleset as error:
                self._told_trouble(version - older, error)
            else:
                break
            if self._in_use is not None or version - older == 1:
                break
        if self._in_use is None:  # a start, and nothing of what was activated loads
            await self._use(0, self._folder())

    async def _load(self, pool: db.Pool, version: int) -> None:
        async with db.transaction(pool) as connection:
            found = await rulesets.one(connection, version)
        if found is None:
            raise BadRuleset(f"version {version} is not there any more")
        try:
            await self._use(version, found[1])
        except BadRuleset:
            raise
        except Exception as error:  # a bug of ours: told like a mistake of theirs, not each second
            raise BadRuleset(f"{type(error).__name__}: {error}") from error
        if version > self._refused:
            self._refused, self.trouble = 0, ""
            metrics.RULESET_NOT_LOADED.set(0)

    async def _use(self, version: int, files: Mapping[str, str]) -> None:
        began = perf_counter()
        made = await asyncio.to_thread(self._made, version, files)
        metrics.RULESET_SECONDS.set(perf_counter() - began)
        first = self._in_use is None
        self._in_use = made
        name = made.ruleset.hash
        metrics.BUILD.info({"version": version_of("veche"), "ruleset": name})
        metrics.RULESET.info({"hash": name, "version": str(version)})
        metrics.RULESET_VERSION.set(version)
        log.info("ruleset %s, version %d, judges from here on", name[:12], version)
        if first and version:
            self._compare_folder(name)

    def _made(self, version: int, files: Mapping[str, str]) -> InUse:
        ruleset = load(files)
        made = InUse(version, ruleset, self._make(ruleset))
        # Hundreds of thousands of words that stay: the collector need not walk them every time.
        gc.freeze()
        return made

    def _told_trouble(self, version: int, error: BadRuleset) -> None:
        self._refused = max(self._refused, version)
        self.trouble = f"ruleset version {self._refused} does not load here: {error}"
        metrics.RULESET_NOT_LOADED.set(self._refused)
        log.error(
            "ruleset version %d does not load; the one before goes on: %s",
            version, error, exc_info=error.__cause__,
        )  # fmt: skip

    def _compare_folder(self, name: str) -> None:
        with suppress(VecheError, OSError):
            if load(self._folder()).hash != name:
                log.warning("VECHE_RULES_DIR holds other rules; what was activated wins")
