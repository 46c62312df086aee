"""The embedded servers: they start, come back after kill -9, and never outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from services.core.errors import Misconfigured
from services.embedded import guardian, handshake
from services.embedded.child import CannotStart, Child
from services.embedded.kafka import KafkaCluster
from services.embedded.postgres import Postgres


async def test_postgres_keeps_what_was_committed_before_a_kill(own_postgres: Postgres) -> None:
    connection = await asyncpg.connect(own_postgres.dsn())
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    port = own_postgres.port
    own_postgres.kill()
    connection.terminate()
    own_postgres.start()
    assert own_postgres.port == port
    connection = await asyncpg.connect(own_postgres.dsn())
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await connection.close()


async def test_postgres_commits_synchronously_and_speaks_utf8(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SELECT lower('ВЕЧЕ')") == "вече"
    await connection.close()


async def test_every_test_has_a_database_of_its_own(
    postgres_dsn: str, postgres_admin_dsn: str
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("SELECT count(*) FROM migrations") > 0
    assert postgres_dsn != postgres_admin_dsn
    await connection.close()


def test_a_killed_broker_comes_back_on_its_port(own_kafka: KafkaCluster) -> None:
    port = own_kafka.broker(1).port
    own_kafka.broker(1).kill()
    assert handshake.brokers(port) == []
    own_kafka.restart(1)
    assert handshake.brokers(port) == [1]


def test_three_brokers_know_each_other_and_lose_one(three_brokers: KafkaCluster) -> None:
    assert sorted(handshake.brokers(three_brokers.broker(1).port)) == [1, 2, 3]
    three_brokers.broker(3).kill()
    eventually(lambda: sorted(handshake.brokers(three_brokers.broker(1).port)) == [1, 2])
    three_brokers.restart(3)
    eventually(lambda: sorted(handshake.brokers(three_brokers.broker(1).port)) == [1, 2, 3])


def test_two_parents_never_share_a_data_directory(own_postgres: Postgres) -> None:
    other = Postgres(own_postgres.home, own_postgres.log)
    with pytest.raises(Misconfigured, match="in use by process"):
        other.start()
    assert own_postgres.child is not None
    assert own_postgres.child.running


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    parent = python(
        """
        import sys, time
        from pathlib import Path
        from services.embedded.child import Child
        for name in "ab":
            child = Child(name, ["sleep", "600"], log=Path(sys.argv[1]) / name)
            child.start()
            print(child.pid, flush=True)
        child.pause()
        print("started", flush=True)
        time.sleep(600)
        """,
        tmp_path,
    )
    with parent:
        assert parent.stdout
        pids = [int(line) for line in iter(parent.stdout.readline, "started\n")]
        assert len(pids) == 2
        assert all(map(guardian.alive, pids))
        parent.send_signal(how)
        parent.wait(10)
        eventually(lambda: not any(map(guardian.alive, pids)))


def test_a_server_left_behind_is_stopped_and_its_data_used(
    servers_dir: Path, tmp_path: Path
) -> None:
    home = servers_dir / "left-behind"
    parent = python(
        """
        import os, signal, sys
        from pathlib import Path
        from services.embedded import child
        from services.embedded.postgres import Postgres
        server = Postgres(Path(sys.argv[1]), Path(sys.argv[1]).with_suffix(".log"))
        server.start()
        server.child.forget()  # as if the guardian had been killed too
        print(server.child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        home,
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
    assert guardian.alive(pid)
    told: list[str] = []
    server = Postgres(home, tmp_path / "postgres.log", tell=told.append)
    server.start()
    try:
        assert any("left behind" in text for text in told)
        assert not guardian.alive(pid)
    finally:
        server.stop()


def test_a_failed_start_shows_the_last_log_lines(tmp_path: Path) -> None:
    child = Child("bad", ["sh", "-c", "echo the reason; exit 3"], log=tmp_path / "bad.log")
    child.start()
    with pytest.raises(CannotStart, match=r"ended with code 3(?s:.)*the reason"):
        child.wait_until(lambda: False, 10)
    child.stop()


def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    child = Child("deaf", ["sh", "-c", script], log=tmp_path / "deaf.log", grace_seconds=0.2)
    child.start()
    child.wait_until(lambda: "up" in child.log.read_text(), 10)
    assert child.stop() == -signal.SIGKILL


def python(code: str, argument: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(argument)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "never became true"
        time.sleep(0.05)
