"""Apache Kafka itself (KRaft): one broker for `veche up`, one or three for the tests."""

from __future__ import annotations

import base64
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from services.embedded import handshake
from services.embedded.child import (
    CannotStart,
    Child,
    end_leftovers,
    free_ports,
    held,
    out_of_space,
)
from services.embedded.java import Java

START_SECONDS = 90.0
STOP_SECONDS = 30.0
HEAP = ("-Xmx512m", "-Xms64m", "-XX:+UseSerialGC")

PROPERTIES = """\
node.id={node}
process.roles=broker,controller
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dirs}
auto.create.topics.enable=false
default.replication.factor={replication}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=33554432
message.max.bytes=2097152
replica.fetch.max.bytes=4194304
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""
LOGGING = """\
status=error
appender.file.type=Console
appender.file.name=file
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.file.ref=file
logger.cleaner.name=org.apache.kafka.storage.internals.log
logger.cleaner.level=warn
"""


class Broker:
    """One node of a cluster, with its ports and data kept over restarts."""

    def __init__(
        self,
        node: int,
        home: Path,
        log: Path,
        *,
        java: Java,
        jars: Sequence[Path],
        tell: Callable[[str], None],
    ) -> None:
        self.node = node
        self.home = home
        self.log = log
        self.java = java
        self.jars = jars
        self.tell = tell
        self.child: Child | None = None
        self.port = 0
        self.controller_port = 0
        self.grace_seconds = STOP_SECONDS

    @property
    def properties(self) -> Path:
        return self.home / "server.properties"

    @property
    def note(self) -> Path:
        return self.home / "broker.pid"

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.running

    def take_ports(self) -> None:
        """The ports of the last run where they are free."""
        wanted: list[int] = []
        with suppress(OSError, ValueError):
            wanted = [int(word) for word in (self.home / "ports").read_text().split()]
        self.port, self.controller_port = free_ports(2, wanted)
        (self.home / "ports").write_text(f"{self.port} {self.controller_port}\n")

    def format(self, cluster_id: str) -> None:
        """Makes the data directory, unless it is made."""
        if (self.home / "data" / "meta.properties").exists():
            return
        command = [*self._java(), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        done = subprocess.run(
            [*command, "-t", cluster_id, "-c", str(self.properties)],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            if out_of_space(said):
                raise CannotStart(f"the disk of {self.home} is full: free some space")
            raise CannotStart(f"Kafka cannot make its data in {self.home}: {said[-2000:]}")

    def start(self) -> None:
        """Starts without waiting; `wait_ready` waits."""
        self.child = Child(
            f"Kafka broker {self.node}",
            [*self._java(), "kafka.Kafka", self.properties],
            log=self.log,
            note=self.note,
            stop_signal=signal.SIGTERM,
            grace_seconds=self.grace_seconds,
        )
        self.child.start()

    def wait_ready(self, nodes: int = 1, seconds: float = START_SECONDS) -> None:
        """Returns once the broker answers a metadata request that names `nodes` brokers."""
        assert self.child is not None
        try:
            self.child.wait_until(lambda: len(handshake.brokers(self.port)) >= nodes, seconds)
        except CannotStart as error:
            if out_of_space(str(error)):
                raise CannotStart(f"the disk of {self.home} is full: free some space") from error
            raise

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()

    def _java(self) -> list[str]:
        return [
            str(self.java.command),
            *HEAP,
            *self.java.flags,
            f"-Dlog4j2.configurationFile={self.home / 'log4j2.properties'}",
            "-Djava.awt.headless=true",
            "-cp",
            ":".join(str(jar) for jar in self.jars),
        ]


class KafkaCluster:
    """`start()`, then `bootstrap`; `stop()`. Nodes are numbered from 1.

    With three nodes every topic may have three replicas and needs two in sync.
    """

    def __init__(
        self,
        data: Path,
        logs: Path,
        *,
        java: Java,
        jars: Sequence[Path],
        nodes: int = 1,
        tell: Callable[[str], None] = lambda text: None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data.resolve()
        self.tell = tell
        self._stack = ExitStack()
        self._held = False
        self.brokers = [
            Broker(
                node,
                self.data / f"broker-{node}",
                logs / ("kafka.log" if nodes == 1 else f"kafka-{node}.log"),
                java=java,
                jars=jars,
                tell=tell,
            )
            for node in range(1, nodes + 1)
        ]
        self.options = dict(options or {})

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    @property
    def replication(self) -> int:
        return len(self.brokers)

    def broker(self, node: int) -> Broker:
        return self.brokers[node - 1]

    def prepare(self) -> None:
        """Takes the ports, writes the settings, makes the data directories that are missing."""
        if not self._held:
            self._stack.enter_context(held(self.data, "Kafka"))
            self._held = True
        for broker in self.brokers:
            broker.home.mkdir(parents=True, exist_ok=True)
        end_leftovers([broker.note for broker in self.brokers], self.tell)
        for broker in self.brokers:
            broker.take_ports()
        self._configure()
        cluster_id = self._cluster_id()
        with ThreadPoolExecutor(len(self.brokers)) as threads:
            list(threads.map(lambda broker: broker.format(cluster_id), self.brokers))

    def start(self) -> None:
        """Ready on return: every broker answers and knows all the others."""
        try:
            self.prepare()
            for broker in self.brokers:
                broker.start()
            with ThreadPoolExecutor(len(self.brokers)) as threads:
                list(threads.map(lambda broker: broker.wait_ready(len(self.brokers)), self.brokers))
        except BaseException:  # Ctrl-C too: no broker is left running, and it goes on up
            self.stop()
            raise

    def stop(self) -> None:
        with ThreadPoolExecutor(len(self.brokers)) as threads:
            list(threads.map(lambda broker: broker.stop(), self.brokers))
        self._let_go()

    def kill(self) -> None:
        """Ends every node at once, for data that nobody needs again."""
        for broker in self.brokers:
            broker.kill()
        self._let_go()

    def restart(self, node: int) -> None:
        """Starts a stopped or killed node again on its ports and data, and waits for it."""
        self.broker(node).start()
        alive = sum(broker.running for broker in self.brokers)
        self.broker(node).wait_ready(alive)

    def _let_go(self) -> None:
        self._stack.close()
        self._held = False

    def _cluster_id(self) -> str:
        file = self.data / "cluster-id"
        if not file.exists():
            new = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            file.write_text(new.replace("-", "_"))  # a leading dash would read as an option
        return file.read_text().strip()

    def _configure(self) -> None:
        nodes = len(self.brokers)
        voters = ",".join(f"{one.node}@127.0.0.1:{one.controller_port}" for one in self.brokers)
        for broker in self.brokers:
            broker.properties.write_text(
                PROPERTIES.format(
                    node=broker.node,
                    voters=voters,
                    port=broker.port,
                    controller_port=broker.controller_port,
                    log_dirs=broker.home / "data",
                    replication=nodes,
                    in_sync=max(1, nodes - 1),
                )
                + "".join(f"{name}={value}\n" for name, value in self.options.items())
            )
            (broker.home / "log4j2.properties").write_text(LOGGING)
