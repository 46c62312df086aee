"""What every row stands on: one Kafka, one Postgres, fresh topics and databases, real services."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from rich.console import Console

from bench.figures import Sample
from services.core import db, produce
from services.core.settings import Local
from services.embedded import jars, java, quickstart
from services.embedded.child import end_guard
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres
from tests.processes import Services, Trust

ROOT = Path(__file__).parents[1]
SAME_FOR_ALL = {
    "synchronous_commit": "on",
    "fsync": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "track_commit_timestamp": "on",
}
"""Settings of Postgres in every row and on both sides."""


@dataclass
class Ground:
    """`quick`: sizes that only show that a row works; its figures mean nothing."""

    home: Path
    kafka: str
    postgres: str
    console: Console
    trust: Trust
    quick: bool = False
    runs: int = 3
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        self.services = Services(dict(self.trust.env), self.home / "logs")

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def tell(self, text: str) -> None:
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {text}", highlight=False)

    async def topics(self) -> str:
        """Fresh topics; answers their prefix."""
        prefix = f"b{uuid.uuid4().hex[:8]}."
        await produce.create_topics(self.kafka, prefix)
        return prefix

    async def database(self, template: str = "") -> str:
        """A database of its own, migrated, or a copy of `template` (a name); answers its DSN."""
        name = f"bench_{uuid.uuid4().hex[:8]}"
        await self.admin(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        dsn = with_database(self.postgres, name)
        if not template:
            await db.migrate(dsn)
        return dsn

    async def drop(self, dsn: str) -> None:
        await self.admin(f"DROP DATABASE {name_of(dsn)} WITH (FORCE)")
        await self.admin("CHECKPOINT")

    async def admin(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres, timeout=10)
        try:
            await connection.execute(statement, timeout=600)
        finally:
            await connection.close(timeout=10)

    def env(self, prefix: str, dsn: str) -> dict[str, str]:
        return {
            "VECHE_KAFKA_BOOTSTRAP": self.kafka,
            "VECHE_TOPIC_PREFIX": prefix,
            "VECHE_POSTGRES_DSN": dsn,
            "VECHE_LOG_LEVEL": "warning",
        }

    async def alternate(
        self, name: str, sides: Mapping[str, Callable[[], Awaitable[float]]], unit: str = "/s"
    ) -> dict[str, Sample]:
        """Every side in turns, A B A B, so that a slow minute of the machine meets both."""
        values: dict[str, list[float]] = {side: [] for side in sides}
        for run in range(self.runs):
            for side, measure in sides.items():
                value = await measure()
                values[side].append(value)
                self.tell(f"{name} {run + 1}/{self.runs}: {side} {value:,.4g} {unit}")
        return {side: Sample(seen) for side, seen in values.items()}


async def python(module: str, *arguments: str, interpreter: str = sys.executable) -> Any:
    """Runs a side of a measurement as a process of its own; its last line is JSON."""
    child = await asyncio.create_subprocess_exec(
        interpreter,
        *(("-m", module) if not module.endswith(".py") else (module,)),
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(), 900)
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode != 0:
        raise SystemExit(f"{module} failed:\n{err.decode()[-3000:]}")
    return json.loads(out.decode().strip().splitlines()[-1])


def with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def name_of(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


@contextmanager
def servers(home: Path, console: Console) -> Iterator[tuple[str, str]]:
    """(Kafka's bootstrap, Postgres's DSN): the environment's where it names them, else our own."""
    local = Local.read()
    kafka: KafkaCluster | None = None
    postgres: Postgres | None = None
    try:
        if not local.kafka_bootstrap:
            classpath = jars.classpath(local, lambda done, total: None)
            runtime = java.find(local.java_home)
            kafka = KafkaCluster(
                home / "kafka",
                home / "logs",
                java=quickstart.prepared(runtime, classpath, local.cache_dir, console.print),
                jars=classpath,
            )
            kafka.start()
        if not local.postgres_dsn:
            postgres = Postgres(home / "postgres", home / "postgres.log", options=SAME_FOR_ALL)
            postgres.start()
        yield (
            local.kafka_bootstrap or (kafka.bootstrap if kafka else ""),
            local.postgres_dsn or (postgres.dsn() if postgres else ""),
        )
    finally:
        if kafka:
            kafka.kill()
        if postgres:
            postgres.stop()
        end_guard()
