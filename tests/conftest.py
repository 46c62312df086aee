"""Real servers for the tests: one broker and one Postgres per session, fresh topics and a fresh
database per test, and real service processes against them.

What to ask for:
    postgres_dsn          a migrated database of this test's own
    kafka_bootstrap       the session's broker
    topic_prefix          this test's own topics on it, already made (`prefix + "comments.v1"`)
    services              starts `python -m services.NAME` against the three above
    mint                  bearer tokens that those services believe
    three_brokers         a cluster that can lose a node (and gets it back after the test)
    own_kafka, own_postgres   servers of this test's own, to be killed and started again
VECHE_KAFKA_BOOTSTRAP and VECHE_POSTGRES_DSN name servers to use instead. Nothing here skips.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings

from services.core import db, produce, topics
from services.core.settings import Local
from services.embedded import jars, java, quickstart
from services.embedded.child import end_guard
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres
from tests.processes import Services, Trust

T = TypeVar("T")

settings.register_profile("untimed", deadline=None)  # no test asserts a time
settings.load_profile("untimed")
# Data of a test's server outlives no power cut, but does outlive kill -9: no fsync is needed.
FAST = {"fsync": "off", "full_page_writes": "off"}
TIDY = {"log.segment.delete.delay.ms": "1000", "log.index.size.max.bytes": "1048576"}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on a loop of its own thread, so that it is no matter which loop the test has."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    """Data and logs of the session's servers; under a path that any user can walk through."""
    path = Path(tempfile.mkdtemp(prefix="veche-tests-"))
    path.chmod(0o711)
    yield path
    end_guard()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def start_kafka(
    servers_dir: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str, int], KafkaCluster]]:
    """`start_kafka(name, nodes)`: a running cluster."""
    started: list[KafkaCluster] = []

    def progress(done: int, total: int) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(f"\rfetching Kafka's jars: {done}/{total}", end="\n" if done == total else "")

    def start(name: str, nodes: int) -> KafkaCluster:
        local = Local.read()
        classpath = jars.classpath(local, progress)
        runtime = java.find(local.java_home)
        cluster = KafkaCluster(
            servers_dir / name,
            servers_dir / "logs" / name,
            java=quickstart.prepared(runtime, classpath, local.cache_dir, lambda text: None),
            jars=classpath,
            nodes=nodes,
            options=TIDY,
        )
        cluster.start()
        started.append(cluster)
        return cluster

    yield start
    for cluster in started:
        cluster.kill()


@pytest.fixture(scope="session")
def kafka_bootstrap(start_kafka: Callable[[str, int], KafkaCluster]) -> str:
    return Local.read().kafka_bootstrap or start_kafka("kafka", 1).bootstrap


@pytest.fixture
def own_kafka(start_kafka: Callable[[str, int], KafkaCluster]) -> Iterator[KafkaCluster]:
    """One broker of the test's own: `.broker(1).kill()`, `.restart(1)`. Takes seconds."""
    cluster = start_kafka(f"kafka-{uuid.uuid4().hex[:8]}", 1)
    yield cluster
    cluster.kill()


@pytest.fixture(scope="session")
def _three_brokers(start_kafka: Callable[[str, int], KafkaCluster]) -> KafkaCluster:
    return start_kafka("three", 3)


@pytest.fixture
def three_brokers(_three_brokers: KafkaCluster) -> Iterator[KafkaCluster]:
    """Three brokers, three replicas, two in sync; nodes that the test ended are started again."""
    yield _three_brokers
    for broker in _three_brokers.brokers:
        if not broker.running:
            _three_brokers.restart(broker.node)


@pytest.fixture(scope="session")
def postgres_admin_dsn(servers_dir: Path) -> Iterator[str]:
    """A database of the session's server, to make others from."""
    given = Local.read().postgres_dsn
    if given:
        yield given
        return
    server = Postgres(servers_dir / "postgres", servers_dir / "logs/postgres.log", options=FAST)
    server.start()
    yield server.dsn()
    server.stop()


@pytest.fixture(scope="session")
def _template(postgres_admin_dsn: str) -> Iterator[str]:
    name = f"veche_template_{uuid.uuid4().hex[:8]}"
    run(_execute(postgres_admin_dsn, f"CREATE DATABASE {name}"))
    run(db.migrate(_database(postgres_admin_dsn, name)))
    yield name
    run(_execute(postgres_admin_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def postgres_dsn(postgres_admin_dsn: str, _template: str) -> AsyncIterator[str]:
    name = f"veche_test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres_admin_dsn, f"CREATE DATABASE {name} TEMPLATE {_template}")
    yield _database(postgres_admin_dsn, name)
    await _execute(postgres_admin_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def own_postgres(servers_dir: Path) -> Iterator[Postgres]:
    """A server of the test's own, migrated: `.kill()` or `.stop()`, then `.start()` again."""
    name = f"postgres-{uuid.uuid4().hex[:8]}"
    server = Postgres(servers_dir / name, servers_dir / f"logs/{name}.log", options=FAST)
    server.start()
    run(db.migrate(server.dsn()))
    yield server
    server.stop()


@pytest.fixture
async def topic_prefix(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Makes every topic of schemas/topics.toml under a new prefix."""
    prefix = new_prefix()
    await make_topics(kafka_bootstrap, prefix)
    yield prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([prefix + name for name in topics.declared()], timeout_ms=10_000)
    finally:
        await admin.close()


def new_prefix() -> str:
    return f"t{uuid.uuid4().hex[:8]}."


async def make_topics(bootstrap: str, prefix: str, replication: int = 1) -> None:
    """What `veche topics` does; with three replicas, two must be in sync."""
    await produce.create_topics(
        bootstrap,
        prefix,
        replication_factor=replication,
        min_insync_replicas=max(1, replication - 1),
    )


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """The issuers and keys that this test's services believe."""
    return Trust.make(tmp_path)


@pytest.fixture
def mint(trust: Trust) -> Callable[..., str]:
    """`mint(role="reader", sub="r1", site="gazette", name="Ada", **claims)`: a bearer token."""
    return trust.mint


@pytest.fixture
def services(
    kafka_bootstrap: str,
    topic_prefix: str,
    postgres_dsn: str,
    trust: Trust,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Services]:
    """`services.start("moderation")`; all are ended after the test, their logs shown if it failed.

    `services.env` may be changed before a start, e.g. to name a broker of the test's own.
    """
    started = Services(
        {
            "VECHE_KAFKA_BOOTSTRAP": kafka_bootstrap,
            "VECHE_TOPIC_PREFIX": topic_prefix,
            "VECHE_POSTGRES_DSN": postgres_dsn,
            **trust.env,
        },
        tmp_path / "logs",
    )
    yield started
    started.end()
    if getattr(request.node, "failed", False):
        started.show_logs()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement, timeout=30)
    finally:
        await connection.close(timeout=10)


def _database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
