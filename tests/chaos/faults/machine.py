"""Faults of the machine: the clock, the memory, the disk."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.faults.processes import reader_with_streams
from tests.chaos.kinds import Missed, Skipped, kind
from tests.chaos.nemesis import Nemesis
from tests.chaos.wire import Connection

PAGE_BYTES = 4096
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static int64_t *offset(void) {
    static int64_t *shared, none;
    if (!shared) {
        const char *name = getenv("CHAOS_CLOCK");
        int file = name ? open(name, O_RDONLY) : -1;
        shared = file < 0 ? &none : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        if (shared == MAP_FAILED) shared = &none;
        if (file >= 0) close(file);
    }
    return shared;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += *offset();
    return code;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def build_clock_shim(folder: Path) -> tuple[Path | None, str]:
    """A library that shifts the wall clock of one process; None and why where it cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    source, made = folder / "clock.c", folder / "clock.so"
    source.write_text(SHIM)
    try:
        done = subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    except OSError as error:
        return None, f"no C compiler: {error}"
    return (made, "") if done.returncode == 0 else (None, done.stderr[-200:])


@kind()
async def clock_step(n: Nemesis) -> dict[str, Any]:
    """One process's wall clock jumps an hour ahead or back within a transaction, and later home."""
    if n.stack.clock_shim is None:
        raise Skipped("no C compiler to build the clock's shim with")
    hours = n.next("clock", [3600, -3600, 300])
    victim = n.victim(n.next("clock_name", ["counters", "moderation", "publisher", "reader"]))
    file = n.stack.folder / f"{victim.label}.clock"

    def step(seconds: int) -> str:
        file.write_bytes(struct.pack("<q", seconds))
        return "pass"

    if victim.name == "reader":
        victim, streams = reader_with_streams(n)
        file = n.stack.folder / f"{victim.label}.clock"
        step(hours)
        evidence = {"owner": victim.label, "point": "streams open", "streams": streams}
    else:
        evidence = await n.spring("effect", [victim.label], lambda connection: step(hours))
    await asyncio.sleep(3.0)
    step(0)
    return {**evidence, "seconds": hours}


@kind()
async def memory_limit(n: Nemesis) -> dict[str, Any]:
    """A cgroup that gives the process no page more than it has: killed by the kernel, or made to
    wait. Counts once a page was refused."""
    base = Path("/sys/fs/cgroup/memory")
    if not (base / "tasks").exists() or not os.access(base, os.W_OK):
        raise Skipped("no writable memory cgroup on this machine")
    victim = n.victim(n.next("memory", ["moderation", "counters", "publisher"]))
    group = base / f"chaos-{victim.label}-{n.history.now():.0f}"
    try:
        group.mkdir()
    except OSError as error:
        raise Skipped(f"no memory cgroup can be made: {error}") from None
    try:
        (group / "memory.limit_in_bytes").write_text(str(PAGE_BYTES))

        def strike(connection: Connection) -> str:
            (group / "tasks").write_text(str(victim.child.pid))
            return "pass"

        evidence = await n.spring("effect", [victim.label], strike)
        for _ in range(100):
            await asyncio.sleep(0.1)
            evidence["refused"] = int((group / "memory.failcnt").read_text())
            if evidence["refused"] or not victim.running:
                break
        await asyncio.sleep(1.0)
        evidence["died"] = not victim.running
        (group / "memory.limit_in_bytes").write_text("-1")
    finally:
        if victim.running:
            for pid in (group / "tasks").read_text().split():
                with suppress(OSError):
                    (base / "tasks").write_text(pid)
        await asyncio.sleep(0.2)
        with suppress(OSError):
            group.rmdir()
    if not evidence["died"] and not evidence["refused"]:
        raise Missed("the process never wanted more than it may have")
    return evidence


@kind()
async def disk_full(n: Nemesis) -> dict[str, Any]:
    """Postgres's disk has no room left for seconds; a transaction is held until it is full."""
    place = n.stack.servers.tmpfs
    if place is None:
        raise Skipped(f"no small disk can be mounted: {n.stack.servers.no_tmpfs}")
    ballast = place / "ballast"
    held: list[Connection] = []
    labels = n.labels("moderation", "counters", "publisher")
    evidence = await n.spring("effect", labels, lambda c: (held.append(c), "hold")[1])
    free = os.statvfs(place)
    with ballast.open("wb", buffering=0) as out:
        with suppress(OSError):
            os.posix_fallocate(out.fileno(), 0, free.f_bavail * free.f_frsize)
        with suppress(OSError):
            while True:
                out.write(bytes(1 << 16))
    # Room within files that exist already must end too before anything is refused.
    refused = False
    for _ in range(80):
        try:
            connection = await asyncpg.connect(n.stack.dsn, timeout=3)
            try:
                await connection.execute(
                    "CREATE TABLE IF NOT EXISTS chaos.ballast (t text);"
                    " INSERT INTO chaos.ballast SELECT repeat(md5(i::text), 100)"
                    " FROM generate_series(1, 20000) i",
                    timeout=5,
                )
            finally:
                await connection.close(timeout=3)
        except (asyncpg.PostgresError, OSError, TimeoutError, asyncpg.InterfaceError):
            refused = True
            break
    for waiting in held:
        waiting.release()
    await asyncio.sleep(2.0)
    ballast.unlink()
    postgres = n.stack.servers.postgres
    if postgres.child is not None and not postgres.child.running:
        await asyncio.to_thread(postgres.kill)
        await n._start_postgres()
    for _ in range(100):
        with suppress(Exception):
            await n.stack.fetch("DROP TABLE IF EXISTS chaos.ballast")
            break
        await asyncio.sleep(0.2)
    if not refused:
        raise Missed("the disk did not fill")
    return {**evidence, "refused": True}
