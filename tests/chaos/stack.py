"""What a run stands on: Kafka and Postgres behind proxies, and the services, two copies of most.

`root` is the tree whose services run: the checkout, or a copy with a bug planted into it.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import asyncpg
import httpx

from services.core import db, produce, topics
from services.core.settings import environment
from tests.chaos.servers import Servers, Service
from tests.processes import ROOT, Trust

RULES = Path(__file__).parent / "rules"
# The model foretells every verdict, so no brake may change one.
JUDGING = {
    "VECHE_RULES_DIR": str(RULES),
    "VECHE_PROBATION_DAYS": "0",
    "VECHE_REJECTS_PER_HOUR": "0",
}
SESSION_MS = 3_000
PATIENCE_SECONDS = 5.0
"""How long a client waits for an answer."""
COPIES = dict.fromkeys(("ingest", "moderation", "counters", "publisher", "reader", "console"), 2)


class Transport(httpx.AsyncHTTPTransport):
    """httpx's own, past which no error but httpx's comes."""

    def __init__(self) -> None:
        super().__init__(limits=httpx.Limits(max_connections=200), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except AttributeError as error:
            # anyio asks a socket that was closed just after it was connected for its peer.
            raise httpx.ConnectError(str(error)) from error


class Stack:
    """One run's topics, database and services."""

    def __init__(
        self,
        servers: Servers,
        root: Path = ROOT,
        copies: Mapping[str, int] = COPIES,
        session_ms: int = SESSION_MS,
        clock_shim: Path | None = None,
    ) -> None:
        self.servers = servers
        self.root = root
        self.copies = dict(copies)
        self.session_ms = session_ms
        self.clock_shim = clock_shim
        self.name = f"c{uuid.uuid4().hex[:8]}"
        self.prefix = f"{self.name}."
        self.folder = servers.home / self.name
        self.services: dict[str, Service] = {}
        self.http = httpx.AsyncClient(timeout=PATIENCE_SECONDS, transport=Transport())

    @property
    def dsn(self) -> str:
        """Past the proxies: for the harness itself."""
        return self.servers.postgres.dsn(self.name)

    @property
    def bootstrap(self) -> str:
        return self.servers.kafka.proxied

    async def start(self) -> Stack:
        self.folder.mkdir(parents=True)
        self.trust = Trust.make(self.folder)
        await self._database()
        brokers = self.servers.brokers
        await produce.create_topics(
            self.bootstrap,
            self.prefix,
            replication_factor=brokers,
            min_insync_replicas=max(1, brokers - 1),
        )
        for name, count in self.copies.items():
            for copy in range(1, count + 1):
                await self.add(name, copy)
        for service in self.services.values():
            service.start()
        await self.until_ready(60.0)
        return self

    async def _database(self) -> None:
        connection = await asyncpg.connect(self.servers.postgres.dsn(), timeout=10)
        try:
            await connection.execute(f"CREATE DATABASE {self.name}")
        finally:
            await connection.close()
        if self.root == ROOT:
            await db.migrate(self.dsn)
        else:  # a planted bug may be in the tables
            code = (
                "import asyncio; from services.core import db;"
                f"asyncio.run(db.migrate({self.dsn!r}))"
            )
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", code],
                cwd=self.root,
                env=environment({"PYTHONPATH": str(self.root)}),
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            await connection.execute((Path(__file__).parent / "watch.sql").read_text())
        finally:
            await connection.close()

    async def add(self, name: str, copy: int) -> Service:
        """A service that is not started yet."""
        label = f"{name}-{copy}"
        proxy = await self.servers.postgres_proxy(label)
        host = f"@127.0.0.1:{self.servers.postgres.port}/"
        env = {
            "VECHE_KAFKA_BOOTSTRAP": self.bootstrap,
            "VECHE_TOPIC_PREFIX": self.prefix,
            "VECHE_POSTGRES_DSN": self.dsn.replace(host, f"@127.0.0.1:{proxy.port}/"),
            "VECHE_SESSION_TIMEOUT_MS": str(self.session_ms),
            **JUDGING,
            **self.trust.env,
        }
        if self.clock_shim is not None:
            offset = self.folder / f"{label}.clock"
            offset.write_bytes(bytes(8))
            env |= {"LD_PRELOAD": str(self.clock_shim), "CHAOS_CLOCK": str(offset)}
        service = Service(name, copy, self.root, self.folder / "logs", env)
        self.services[label] = service
        self.servers.services[label] = service
        return service

    def of(self, *names: str) -> list[Service]:
        return [service for service in self.services.values() if service.name in names]

    async def until_ready(self, seconds: float) -> list[str]:
        """Waits until every service is; returns the labels of those that are not by then."""
        deadline = time.monotonic() + seconds
        waiting = list(self.services.values())
        while waiting and time.monotonic() < deadline:
            for service in waiting:
                if not service.running:
                    service.start()
            waiting = [s for s in waiting if not await s.ready(self.http)]
            if waiting:
                await asyncio.sleep(0.2)
        return [service.label for service in waiting]

    async def end(self) -> None:
        for service in self.services.values():
            await asyncio.to_thread(service.kill)
            self.servers.services.pop(service.label, None)
        self.servers.traps.clear()
        await self.http.aclose()

    # --- the harness's own looks, past the proxies

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """(topic without prefix, partition) → the offset behind its last record."""
        from aiokafka import AIOKafkaConsumer, TopicPartition

        names = [topics.COMMENTS, topics.VOTES, topics.VIEWS, topics.CONTROL]
        client = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, request_timeout_ms=5_000, client_id="chaos"
        )
        try:
            async with asyncio.timeout(15):
                await client.start()
            places = [
                TopicPartition(self.prefix + name, partition)
                for name in names
                for partition in range(topics.declared()[name].partitions)
            ]
            async with asyncio.timeout(10):
                ends = await client.end_offsets(places)
        finally:
            await client.stop()
        return {
            (place.topic.removeprefix(self.prefix), place.partition): offset
            for place, offset in ends.items()
        }

    async def veche(
        self, *arguments: str, seconds: float = 60.0, out: IO[bytes] | None = None
    ) -> tuple[int, str]:
        """An operator's command: its exit code and what it said, but for what goes into `out`."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.cli", *arguments],
            cwd=self.root,
            env=environment(
                {
                    "VECHE_KAFKA_BOOTSTRAP": self.bootstrap,
                    "VECHE_POSTGRES_DSN": self.dsn,
                    "VECHE_TOPIC_PREFIX": self.prefix,
                    **JUDGING,
                    "PYTHONPATH": str(self.root),
                    **self.trust.env,
                }
            ),
            stdout=out or subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=seconds,
        )
        return done.returncode, (done.stdout or "") + done.stderr

    async def rebuilt(self) -> str:
        """Rebuilds from Kafka into an empty database and compares, by the command's own word and
        by the bytes of both dumps; "" where they are equal."""
        for service in self.services.values():
            await asyncio.to_thread(service.kill)
        into = self.servers.postgres.dsn(f"{self.name}_rebuilt")
        code, said = await self.veche(
            "rebuild", "--into", into, "--against", self.dsn, "--yes", seconds=1_800
        )
        if code:
            return said[-3_000:] or f"exit code {code}"
        live, made = [await self._dumped(dsn) for dsn in (self.dsn, into)]
        if live != made or not live[0]:
            return f"the dumps differ: {live} and {made} (bytes, digest)"
        return ""

    async def _dumped(self, dsn: str) -> tuple[int, str]:
        """Bytes and digest of a canonical dump."""
        file = self.folder / "dump"
        with file.open("w+b") as out:
            code, said = await self.veche("dump", "--dsn", dsn, seconds=1_800, out=out)
            assert code == 0, said[-3_000:]
            out.seek(0)
            digest = hashlib.file_digest(out, "sha256").hexdigest()
        return file.stat().st_size, digest

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.dsn, timeout=5)
        try:
            return await connection.fetch(statement, *arguments, timeout=120)
        finally:
            await connection.close(timeout=5)

    async def behind(self, ends: Mapping[tuple[str, int], int]) -> list[str]:
        """Partitions whose effects do not reach these offsets, and work that waits."""
        rows = await self.fetch("SELECT topic, partition, next_offset, stopped_reason FROM fences")
        there = {(row["topic"], row["partition"]): row for row in rows}
        found = []
        for place, end in ends.items():
            row = there.get(place)
            if end and (row is None or row["next_offset"] < end):
                why = f" ({row['stopped_reason']})" if row and row["stopped_reason"] else ""
                at = row["next_offset"] if row else None
                found.append(f"{place[0]}[{place[1]}] at {at} of {end}{why}")
        return found

    async def waiting(self) -> dict[str, int]:
        [row] = await self.fetch(
            "SELECT (SELECT count(*) FROM outbox) AS outbox,"
            " (SELECT count(*) FROM dirty_discussions) AS dirty,"
            " (SELECT count(*) FROM feeds WHERE dirty OR published_version < version) AS feeds,"
            " (SELECT count(*) FROM strips WHERE published_version < version) AS strips"
        )
        return dict(row)
