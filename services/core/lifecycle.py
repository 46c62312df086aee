"""The life of a process: until a signal ends it, and how late its event loop wakes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.core import metrics


async def until_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets. Call it once, in `__main__`, and await the event."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def loop_lag(every_seconds: float = 0.5) -> AsyncIterator[None]:
    """Samples how late the event loop wakes into `veche_loop_lag_seconds`."""

    async def sample() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(every_seconds)
            metrics.LOOP_LAG_SECONDS.observe(max(0.0, time.monotonic() - began - every_seconds))

    task = asyncio.create_task(sample(), name="loop-lag")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
