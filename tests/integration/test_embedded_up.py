"""`veche` at a terminal: what it refuses in a sentence, and what it leaves behind (nothing)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.cli.__main__ import VERBS
from services.embedded import guardian
from services.embedded.child import free_ports

ROOT = Path(__file__).parents[2]


def veche(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def place(servers_dir: Path, tmp_path: Path) -> dict[str, str]:
    """A data directory and a port of this test's own."""
    (port,) = free_ports(1)
    return {
        "VECHE_DATA_DIR": str(servers_dir / f"up-{tmp_path.name}"),
        "VECHE_PORT": str(port),
        "VECHE_KAFKA_BOOTSTRAP": "",
        "VECHE_POSTGRES_DSN": "",
    }


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    done = veche(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: veche {verb}" in done.stdout


def test_unknown_verb_is_a_usage_error() -> None:
    assert veche("conquer").returncode == 2


def test_a_taken_port_is_named_with_the_way_out(place: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(place["VECHE_PORT"]))):
        done = veche("up", **place)
    assert done.returncode == 1
    assert f"port {place['VECHE_PORT']} is taken" in done.stderr
    assert "VECHE_PORT=" in done.stderr


def test_a_data_directory_that_cannot_be_is_named_with_the_way_out(
    place: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = veche("up", **(place | {"VECHE_DATA_DIR": str(tmp_path / "file")}))
    assert done.returncode == 1
    assert "set VECHE_DATA_DIR to one that you may write to" in done.stderr


def test_unreachable_jars_stop_the_start_and_leave_nothing(
    place: dict[str, str], tmp_path: Path
) -> None:
    done = veche(
        "up",
        **place,
        VECHE_CACHE_DIR=str(tmp_path / "cache"),
        MVNW_REPOURL="http://127.0.0.1:9",
        NO_PROXY="127.0.0.1",
    )
    assert done.returncode == 1
    assert "the Kafka jars cannot be fetched" in done.stderr
    assert not leftovers(place)


def test_commands_without_a_server_say_what_to_set(place: dict[str, str]) -> None:
    done = veche("migrate", **place)
    assert done.returncode == 1
    assert "VECHE_POSTGRES_DSN" in done.stderr


@pytest.fixture
def running(place: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`veche up`, ready."""
    log = Path(place["VECHE_DATA_DIR"]).with_suffix(".out")
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "up"],
            cwd=ROOT,
            env=os.environ | place,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        eventually(
            lambda: process.poll() is not None or "Ctrl-C stops" in log.read_text(), seconds=90
        )
        assert process.poll() is None, log.read_text()[-4000:]
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def test_up_serves_one_origin_restarts_what_dies_and_stops_clean(
    running: subprocess.Popen[str], place: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{place['VECHE_PORT']}"
    assert httpx.post(f"{url}/v1/events", json={}, timeout=10).status_code == 401  # ingest
    assert httpx.get(f"{url}/v1/console/held", timeout=10).status_code in (401, 404)
    assert httpx.get(f"{url}/v1/counters?discussion=x", timeout=10).status_code < 500  # reader
    slow = socket.create_connection(("127.0.0.1", int(place["VECHE_PORT"])), timeout=20)
    slow.sendall(b"POST /demo/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    slow.sendall(b"Content-Length: 100\r\n\r\n{")

    data = Path(place["VECHE_DATA_DIR"])
    assert data.joinpath("running.json").stat().st_mode & 0o077 == 0
    assert "up to date" in veche("migrate", **place).stdout
    assert " 0 created" in " " + veche("topics", **place).stdout
    assert veche("token", "--role", "reader", **place).stdout.count(".") == 2
    assert "in use by process" in veche("up", **(place | {"VECHE_PORT": "1"})).stderr
    assert "up to date" in veche("migrate", **place).stdout  # the refused one took nothing away

    console = int((data / "logs" / "console.pid").read_text().split()[0])
    os.kill(console, signal.SIGKILL)
    eventually(
        lambda: (
            httpx.get(f"{url}/v1/console/held", timeout=10).status_code in (401, 404)
            and "running again" in data.with_suffix(".out").read_text()
        )
    )
    with slow:  # a body that never ends is told so through the origin too
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert not leftovers(place)


def test_up_killed_outright_leaves_no_child(
    running: subprocess.Popen[str], place: dict[str, str]
) -> None:
    logs = Path(place["VECHE_DATA_DIR"]) / "logs"
    children = [int(note.read_text().split()[0]) for note in logs.glob("*.pid")]
    assert len(children) >= 8  # Postgres, six services, Caddy; Kafka's note is with its data
    running.kill()
    running.wait(10)
    eventually(lambda: not any(map(guardian.alive, children)) and not leftovers(place), seconds=60)


def leftovers(place: dict[str, str]) -> list[str]:
    """Command lines of living processes that use this data directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if place["VECHE_DATA_DIR"] + "/" in words and guardian.alive(int(process.name)):
            found.append(words)
    return found


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "never became true"
        time.sleep(0.05)
