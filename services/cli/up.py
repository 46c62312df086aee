"""`veche up`: everything on one origin, in the foreground, with its data under `.veche/`.

Start: Postgres and Kafka side by side, migrations, topics, the six services, the demonstration,
Caddy. Stop: the services drain first, then Caddy, Kafka, Postgres. A second Ctrl-C kills.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType

import click
from rich.console import Console

from services.cli import children, machine, secrets, target, tokens
from services.cli.children import Service
from services.cli.supervise import Supervisor
from services.core import db, produce
from services.core.errors import Misconfigured, VecheError
from services.core.settings import KafkaSecurity, Local, retention_ms, topic_prefix
from services.core.topics import declared
from services.embedded import guardian, jars, java, quickstart
from services.embedded.child import Child, end_guard
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres

DEMO_SITE = "demo"
LOOK_SECONDS = 0.1
NAME_WIDTH = 10


@click.command()
def up() -> None:
    """Start Veche whole: servers, services, demonstration.

    Ctrl-C stops it, the data stays.
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
                raise machine.explained(error, local) from error


class Everything:
    """All that `veche up` runs; leaving the context stops it in order."""

    def __init__(self, local: Local, console: Console) -> None:
        self.local = local
        self.console = console
        self.data = local.data_dir
        self.logs = local.data_dir / "logs"
        self.postgres: Postgres | None = None
        self.kafka: KafkaCluster | None = None
        self.services: dict[str, Service] = {}
        self.caddy: Child | None = None
        self.stopping = False
        self._told = False
        self._supervisor = Supervisor(console)
        self._machine = ExitStack()

    @property
    def url(self) -> str:
        return self.local.origin

    def __enter__(self) -> Everything:
        return self

    def start(self) -> None:
        began = time.monotonic()
        self._machine.enter_context(machine.taken(self.local, self.logs, self._say))
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
        # In this order, and each whatever became of those before.
        with ExitStack() as steps:
            steps.callback(self._machine.close)
            steps.callback(end_guard)
            for server in (self.postgres, self.kafka, self.caddy):
                if server is not None:
                    steps.callback(server.stop)
            steps.callback(self._supervisor.show_logs)
            with ThreadPoolExecutor(max(1, len(self.services))) as threads:
                list(threads.map(lambda one: one.child.stop(), self.services.values()))
        if started:
            self.console.print(f"veche: stopped in {time.monotonic() - began:.1f} s")

    def kill(self) -> None:
        """Everything at once, without a drain; effects are replayable, so nothing is lost."""
        brokers = [one.child for one in self.kafka.brokers] if self.kafka else []
        postgres = self.postgres.child if self.postgres else None
        services = [one.child for one in self.services.values()]
        for child in (*services, self.caddy, *brokers, postgres):
            if child is not None and child.process is not None:
                guardian.send(child.pid, signal.SIGKILL)

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
        self.services = children.services(self.local, self.logs, bootstrap=bootstrap, dsn=dsn)
        for name, service in self.services.items():
            self._supervisor.follow(name, service.child.log, NAME_WIDTH)
        with self._step("services"):
            for service in self.services.values():
                service.child.start()
            self._side_by_side([service.wait_ready for service in self.services.values()])
        self._supervisor.show_logs()
        for name, service in self.services.items():
            self._supervisor.keep(name, partial(_same, service.child), service.child.start)

    def _start_caddy(self) -> None:
        caddy = self.caddy = children.caddy(self.local, self.logs, self.services)
        caddy.start()
        children.wait_for_origin(caddy, self.local.port)
        self._supervisor.follow("caddy", caddy.log, NAME_WIDTH)
        self._supervisor.keep("caddy", lambda: caddy, caddy.start)

    def _welcome(self, seconds: float) -> None:
        url = self.url
        say = self._say
        say(f"\n[bold green]veche is ready[/] in {seconds:.1f} s")
        say(f"  page       {url}/")
        say(f"  feed       {url}/v1/sites/{DEMO_SITE}/feeds/latest")
        say(f"  console    {url}/v1/console/sites/{DEMO_SITE}/queue  (needs the token below)")
        for name, service in self.services.items():
            if name != "demo":
                say(f"  metrics    {service.metrics}  ({name})")
        self._say_token()
        say("Ctrl-C stops everything; the data stays.\n")

    def _say_token(self) -> None:
        try:
            token = tokens.from_issuers_file(
                site=DEMO_SITE, role="moderator", user="moderator", name="Moderator"
            )
        except Misconfigured as error:  # an issuers file of one's own need not say `demo`
            self._say(f"  no moderator's token: {error}")
            return
        self._say("  moderator's token, good for 12 hours:")
        self.console.print(token, soft_wrap=True, markup=False)

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


def _same(child: Child) -> Child:
    return child
