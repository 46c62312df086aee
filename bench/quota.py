"""A share of a core for a process, by a control group of its own, where the machine lets us."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
FIRST = GROUPS / "cpu"
"""Version 1 has a tree for each controller; in version 2 they share one."""
PERIOD = 100_000
"""Microseconds over which a share is counted."""


def possible() -> bool:
    """Whether this process may bound others."""
    if FIRST.is_dir():
        return os.access(FIRST, os.W_OK)
    handed_down = GROUPS / "cgroup.subtree_control"
    return handed_down.exists() and "cpu" in handed_down.read_text() and os.access(GROUPS, os.W_OK)


@contextmanager
def bounded(pids: Sequence[int], share: float) -> Iterator[None]:
    """Each process may use `share` of a core until the block ends."""
    tree = FIRST if FIRST.is_dir() else GROUPS
    groups = [tree / f"veche-bench-{os.getpid()}-{pid}" for pid in pids]
    quota = int(PERIOD * share)
    try:
        for pid, group in zip(pids, groups, strict=True):
            group.mkdir()
            if tree == FIRST:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (group / "cpu.max").write_text(f"{quota} {PERIOD}")
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for pid, group in zip(pids, groups, strict=True):
            with suppress(OSError):
                (tree / "cgroup.procs").write_text(str(pid))
            with suppress(OSError):
                group.rmdir()
