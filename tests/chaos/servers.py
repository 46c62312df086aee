"""What runs on this machine: Kafka and Postgres behind proxies, and the services' processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from services.core.settings import Local, environment
from services.embedded import jars, java, quickstart
from services.embedded.child import Child, free_ports
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres
from tests.chaos.minds import KafkaMind, PostgresMind
from tests.chaos.wire import Connection, Proxy, Trap

# kill -9 of a process loses nothing of the page cache, so fsync is not what is tried here. Lazily
# committed transactions stay in memory as long as they can, so that a lost one is found.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "wal_writer_delay": "10s"}
KAFKA = {"log.segment.delete.delay.ms": "1000", "log.index.size.max.bytes": "1048576",
         "log.cleaner.enable": "false", "log.retention.check.interval.ms": "1000"}  # fmt: skip


class Kafka(KafkaCluster):
    """Clients come through the proxies; brokers talk to each other past them."""

    proxy_ports: list[int]
    client_ports: list[int]

    def _configure(self) -> None:
        super()._configure()
        for broker, proxy, client in zip(
            self.brokers, self.proxy_ports, self.client_ports, strict=True
        ):
            text = broker.properties.read_text()
            text += (
                f"listeners=PLAINTEXT://127.0.0.1:{broker.port},CLIENT://127.0.0.1:{client},"
                f"CONTROLLER://127.0.0.1:{broker.controller_port}\n"
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{broker.port},"
                f"CLIENT://127.0.0.1:{proxy}\n"
                "listener.security.protocol.map="
                "PLAINTEXT:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            )
            broker.properties.write_text(text)

    @property
    def proxied(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.proxy_ports)


class Service:
    """One process of a service, to be killed, paused and started again under one name."""

    def __init__(
        self, name: str, copy: int, root: Path, logs: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.label = f"{name}-{copy}"
        self.http_port, probes = free_ports(2)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.probes_url = f"http://127.0.0.1:{probes}"
        self.paused = False
        self.starts = 0
        self.child = Child(
            self.label,
            [sys.executable, "-m", f"services.{name}"],
            log=logs / f"{self.label}.log",
            cwd=root,
            env=environment(
                {
                    "VECHE_HTTP_HOST": "127.0.0.1",
                    "VECHE_HTTP_PORT": str(self.http_port),
                    "VECHE_PROBES_HOST": "127.0.0.1",
                    "VECHE_PROBES_PORT": str(probes),
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONPATH": str(root),
                    **env,
                }
            ),
        )

    def start(self) -> None:
        self.paused = False
        self.starts += 1
        self.child.start()

    def kill(self) -> None:
        self.child.kill()
        self.paused = False

    def strike_dead(self) -> None:
        """SIGKILL without waiting: at the very moment that a trap springs."""
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGKILL)

    def pause(self) -> None:
        self.paused = True
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGSTOP)

    def resume(self) -> None:
        self.paused = False
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self.child.running

    async def ready(self, client: httpx.AsyncClient) -> bool:
        with suppress(httpx.HTTPError):
            answer = await client.get(f"{self.probes_url}/readyz", timeout=2.0)
            return answer.status_code == 200
        return False

    async def tasks(self, client: httpx.AsyncClient) -> int:
        """How many tasks its event loop has; raises httpx.HTTPError."""
        answer = await client.get(f"{self.probes_url}/metrics", timeout=5.0)
        lines = answer.raise_for_status().text.splitlines()
        [told] = [line for line in lines if line.startswith("veche_loop_tasks ")]
        return int(float(told.split()[1]))

    def log_text(self) -> str:
        return self.child.log.read_text(errors="replace") if self.child.log.exists() else ""


class Servers:
    """Kafka and Postgres: started once, used by one run after another."""

    def __init__(self, home: Path, brokers: int = 1) -> None:
        self.home = home
        self.brokers = brokers
        self.traps: list[Trap] = []
        self.services: dict[str, Service] = {}
        self.kafka_proxies: list[Proxy] = []
        self.postgres_proxies: dict[str, Proxy] = {}
        self.kafka: Kafka = None  # type: ignore[assignment]
        self.postgres: Postgres = None  # type: ignore[assignment]
        self.tmpfs: Path | None = None
        self.no_tmpfs = ""

    async def start(self) -> Servers:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711)
        local = Local.read()
        ports = free_ports(self.brokers)
        for port in ports:
            proxy = Proxy(KafkaMind, lambda p=port: ("127.0.0.1", p), self._owner, self.traps)
            self.kafka_proxies.append(await proxy.listen())
        classpath = jars.classpath(local, lambda done, total: None)
        runtime = java.find(local.java_home)
        self.kafka = Kafka(
            self.home / "kafka",
            self.home / "logs",
            java=quickstart.prepared(runtime, classpath, local.cache_dir, lambda text: None),
            jars=classpath,
            nodes=self.brokers,
            options=KAFKA,
        )
        self.kafka.client_ports = ports
        self.kafka.proxy_ports = [proxy.port for proxy in self.kafka_proxies]
        await asyncio.to_thread(self.kafka.start)
        self._mount()
        self.postgres = Postgres(
            self.home / "postgres", self.home / "logs/postgres.log", options=POSTGRES
        )
        await asyncio.to_thread(self.postgres.start)
        return self

    def _mount(self) -> None:
        """Postgres's data on a disk of its own that can be filled, where this machine lets us."""
        place = self.home / "postgres"
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=5g,mode=711", "chaos", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except OSError as error:
            self.no_tmpfs = str(error)
            return
        if done.returncode == 0:
            self.tmpfs = place
        else:
            self.no_tmpfs = done.stderr.strip() or "mount failed"

    def _owner(self, client: asyncio.Transport) -> str:
        """The service whose process holds the other end of this connection."""
        peer = client.get_extra_info("peername")
        if peer is None:
            return ""
        wanted = f":{peer[1]:04X} "
        inode = ""
        for line in Path("/proc/net/tcp").read_text().splitlines():
            fields = line.split()
            if len(fields) > 9 and f"{fields[1]} ".endswith(wanted):
                inode = f"socket:[{fields[9]}]"
                break
        for service in self.services.values():
            with suppress(OSError):
                folder = f"/proc/{service.child.pid}/fd"
                for entry in os.listdir(folder):  # noqa: PTH208
                    with suppress(OSError):
                        if os.readlink(f"{folder}/{entry}") == inode:  # noqa: PTH115
                            return service.label
        return ""

    async def postgres_proxy(self, label: str) -> Proxy:
        if label not in self.postgres_proxies:
            proxy = Proxy(
                PostgresMind,
                lambda: ("127.0.0.1", self.postgres.port),
                lambda client: label,
                self.traps,
            )
            self.postgres_proxies[label] = await proxy.listen()
        return self.postgres_proxies[label]

    def connections(self, label: str = "") -> list[Connection]:
        """Every proxied connection of Postgres, or those of one service."""
        return [
            connection
            for name, proxy in self.postgres_proxies.items()
            if not label or name == label
            for connection in proxy.connections
        ]

    async def stop(self) -> None:
        for proxy in [*self.kafka_proxies, *self.postgres_proxies.values()]:
            await proxy.close()
        for server in (self.kafka, self.postgres):
            if server is not None:
                await asyncio.to_thread(server.kill)
        if self.tmpfs is not None:
            subprocess.run(["umount", "-l", str(self.tmpfs)], capture_output=True, timeout=10)
        shutil.rmtree(self.home, ignore_errors=True)
