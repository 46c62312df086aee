"""Ends a parent's children once the parent is gone, however it went (SIGKILL too).

Run as `python -I -S guardian.py` with a pipe as standard input whose other end only the parent
holds. Lines: `+ PID SIGNAL GRACE_SECONDS` puts a child under guard, `- PID` takes it off. When
the pipe ends, the children get their signals, the newest first, and SIGKILL after their grace.
Imports nothing of ours: it must start in milliseconds and outlive anything.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

KILL = signal.SIGKILL


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody collects counts as ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def send(pid: int, number: int) -> None:
    """To the child's whole process group, and to the child where it has none of its own."""
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def end(children: dict[int, tuple[int, float]]) -> None:
    """Signals every child (`pid: (signal, grace in seconds)`), kills those whose grace is over."""
    for pid, (number, _) in reversed(children.items()):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # one that is paused could not stop
    began = time.monotonic()
    left = dict(children)
    while left := {pid: how for pid, how in left.items() if alive(pid)}:
        for pid, (_, grace_seconds) in left.items():
            if time.monotonic() - began > grace_seconds:
                send(pid, KILL)
        time.sleep(0.02)


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    guarded: dict[int, tuple[int, float]] = {}
    for line in sys.stdin:
        sign, pid, *how = line.split()
        if sign == "+":
            guarded[int(pid)] = (int(how[0]), float(how[1]))
        else:
            guarded.pop(int(pid), None)
    end(guarded)


if __name__ == "__main__":
    main()
