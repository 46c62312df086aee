"""The life of a process: its start, the signal that ends it, how late its event loop wakes, and how
many tasks that has."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

import uvloop

from services.core import logs, metrics, settings
from services.core.errors import BadRuleset, Misconfigured, VecheError

log = logging.getLogger(__name__)

Run = Coroutine[Any, Any, None]


YOUNG_OBJECTS = 20_000
"""A batch or a burst of requests makes about as many, which die with it: Python's collector need
not look at every 700."""


def start(run: Callable[[], Run]) -> int:
    """Runs a process to its end; the exit code: 0, 1 where it failed by name, 2 misconfigured."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
    code = 0
    try:
        shape = settings.Logs.read()
        logs.set_up(shape.level, shape.format)
        metrics.BUILD.info({"version": version("veche"), "ruleset": ""})
        uvloop.run(run())
    except* (Misconfigured, BadRuleset) as errors:  # alone, or out of a task group
        code = 2
        for error in leaves(errors):
            log.error("%s", error)
    except* VecheError as errors:
        code = code or 1
        for error in leaves(errors):
            log.error("%s", error)
    return code


def leaves(group: BaseExceptionGroup[VecheError]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def until_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets. Call it once, in `__main__`, and await the event."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def loop_lag(every_seconds: float = 0.5) -> AsyncIterator[None]:
    """Samples how late the event loop wakes into `veche_loop_lag_seconds`; whoever asks for
    `veche_loop_tasks` has its tasks counted."""
    loop = asyncio.get_running_loop()

    async def sample() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(every_seconds)
            metrics.LOOP_LAG_SECONDS.observe(max(0.0, time.monotonic() - began - every_seconds))

    task = asyncio.create_task(sample(), name="loop-lag")
    metrics.LOOP_TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
    try:
        yield
    finally:
        metrics.LOOP_TASKS.set_function(lambda: 0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
