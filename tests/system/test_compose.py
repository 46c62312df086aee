"""docker-compose.yml without a container engine: its commands and environments on this machine.

Every service of ours is started as compose would start it, with the image's and compose's
environment and nothing of this machine's. Only places differ: the embedded servers instead of
`kafka` and `postgres`, free ports, a folder for the volume of secrets. What only an engine can
show (images, networks, users, read-only file systems) is not shown here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml

from tests.processes import free_ports

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = FILE["services"]
OURS = {name: stated for name, stated in SERVICES.items() if stated["image"] == "veche"}
OPTIONAL = {name: stated for name, stated in OURS.items() if "profiles" in stated}
LASTING = {n: stated for n, stated in OURS.items() if "healthcheck" in stated and n not in OPTIONAL}
ONCE = ("secrets", "migrate", "topics")
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
IMAGE_ENV = dict(re.findall(r"\b(VECHE_\w+|PYTHON\w+)=(\S+)", DOCKERFILE))
CADDY = shutil.which("caddy", path=sysconfig.get_path("scripts")) or "caddy"


# --- what the file says


def test_it_runs_the_six_services_and_what_they_need_once() -> None:
    assert sorted(LASTING) == [
        "console", "counters", "ingest", "moderation", "publisher", "reader",
    ]  # fmt: skip
    assert sorted(set(OURS) - set(LASTING) - set(OPTIONAL)) == sorted(ONCE)
    assert sorted(OPTIONAL) == ["scorer"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(OURS)))
def test_an_image_of_others_has_its_version_pinned(name: str) -> None:
    assert re.search(r":v?\d+\.\d+(\.\d+)?$", SERVICES[name]["image"]), SERVICES[name]["image"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_mounts_and_waits_for_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert source in FILE["volumes"] or (ROOT / source).exists(), mount
    assert set(SERVICES[name].get("depends_on", [])) <= set(SERVICES)


def mounted(name: str, path: str) -> Path | None:
    """The file of this repository that `path` is within the container, if it is one."""
    for mount in SERVICES[name].get("volumes", []):
        source, target, *_ = mount.split(":")
        if source.startswith("./") and path.startswith(target):
            return ROOT / source / path.removeprefix(target).lstrip("/")
    return None


@pytest.mark.parametrize("name", ["caddy", "prometheus"])
def test_a_configuration_that_a_command_names_is_mounted(name: str) -> None:
    named = re.findall(r"/etc/\S+", " ".join(SERVICES[name]["command"]))
    assert named
    for path in named:
        file = mounted(name, path)
        assert file is not None, path
        assert file.is_file(), path


def test_prometheus_asks_every_service_at_its_probes_port() -> None:
    stated = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    targets = {
        target
        for job in stated["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    }
    assert targets == {
        f"{name}:{one['environment']['VECHE_PROBES_PORT']}" for name, one in LASTING.items()
    }


def test_what_the_image_copies_is_there() -> None:
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source


def test_caddy_finds_its_configuration_valid(tmp_path: Path) -> None:
    stated = SERVICES["caddy"]["environment"]
    command = [CADDY, "validate", "--adapter", "caddyfile", "--config"]
    done = subprocess.run(
        [*command, ROOT / "deploy/caddy/Caddyfile"],
        env={**os.environ, **stated, "VECHE_CADDY_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


# --- what its commands do


@dataclass
class Stack:
    """compose's services as processes. `places` maps what compose says to what is here."""

    folder: Path
    places: dict[str, str]
    prefix: str
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)

    def here(self, text: str) -> str:
        for there, place in self.places.items():
            text = text.replace(there, place)
        return text

    def environment(self, name: str) -> dict[str, str]:
        stated = IMAGE_ENV | OURS[name].get("environment", {})
        env = {key: self.here(value) for key, value in stated.items()}
        http, probes = self.ports.setdefault(name, tuple(free_ports(2)))  # type: ignore[arg-type]
        for key, port in (("VECHE_HTTP_PORT", http), ("VECHE_PROBES_PORT", probes)):
            if key in env:
                env[key] = str(port)
        for key in ("VECHE_HTTP_HOST", "VECHE_PROBES_HOST"):
            env[key] = "127.0.0.1"
        # The session's broker is shared: nothing but the prefix keeps tests apart.
        return env | {"VECHE_TOPIC_PREFIX": self.prefix, "PATH": os.environ["PATH"]}

    def command(self, name: str) -> list[str]:
        return [sys.executable, "-m", *map(self.here, OURS[name]["command"])]

    def run(self, name: str) -> str:
        """A service that ends by itself; its output."""
        done = subprocess.run(
            self.command(name),
            env=self.environment(name),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        self.launch(name, self.command(name), self.environment(name))

    def launch(self, name: str, command: list[str], env: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running.append(
                subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)
            )

    def healthy(self, name: str) -> bool:
        """What compose's own healthcheck says."""
        kind, *check = OURS[name]["healthcheck"]["test"]
        assert (kind, check[0]) == ("CMD", "python")
        port = OURS[name]["environment"]["VECHE_PROBES_PORT"]
        script = check[-1].replace(f":{port}/", f":{self.ports[name][1]}/")
        assert script != check[-1]
        command = [sys.executable, *check[1:-1], script]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def wait(self, name: str, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            log = self.folder / f"{name}.log"
            assert time.monotonic() < deadline, f"{name}: {log.read_text()[-4000:]}"
            time.sleep(0.2)

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def stack(kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path) -> Iterator[Stack]:
    environment = LASTING["moderation"]["environment"]
    made = Stack(
        tmp_path,
        {
            environment["VECHE_KAFKA_BOOTSTRAP"]: kafka_bootstrap,
            environment["VECHE_POSTGRES_DSN"]: postgres_dsn,
            "/run/veche": str(tmp_path / "secrets"),
            "7033": str(os.getuid()),
        },
        f"compose-{uuid.uuid4().hex[:8]}.",
    )
    yield made
    made.end()


async def emptied(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


@pytest.mark.slow
async def test_its_services_carry_a_comment_from_the_origin_to_the_feed(
    stack: Stack, postgres_dsn: str
) -> None:
    await emptied(postgres_dsn)
    said = [stack.run(name) for name in ONCE]
    assert "created comments.v1" in said[-1]
    for name in LASTING:
        stack.start(name)
    for name in LASTING:
        stack.wait(name, lambda name=name: stack.healthy(name))  # type: ignore[misc]
    [origin] = free_ports(1)
    caddy = SERVICES["caddy"]
    upstreams = {
        key: f"127.0.0.1:{stack.ports[value.partition(':')[0]][0]}"
        for key, value in caddy["environment"].items()
        if key.endswith("_UPSTREAM")
    }
    command = [str(mounted("caddy", word) or word) for word in caddy["command"][1:]]
    stack.launch(
        "caddy",
        [CADDY, *command],
        upstreams
        | {
            "VECHE_LISTEN": f":{origin}",
            "VECHE_BIND": "127.0.0.1",
            "VECHE_CADDY_DATA": str(stack.folder / "caddy"),
            "HOME": str(stack.folder),
        },
    )
    token = subprocess.run(
        [sys.executable, "-m", "services.cli", "token", "--role", "portal", "--user", "portal"],
        env=stack.environment("ingest"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    with httpx.Client(base_url=f"http://127.0.0.1:{origin}", timeout=10) as portal:

        def feed() -> httpx.Response | None:
            try:
                return portal.get("/v1/sites/demo/feeds/latest")
            except httpx.TransportError:
                return None

        stack.wait("caddy", lambda: feed() is not None)
        discussion = {
            "discussion": "a1", "url": "https://news.test/a1", "title": "Вече", "language": "ru",
            "section": "history", "state": "open", "revision": 1,
        }  # fmt: skip
        events = [
            {"id": "e1", "type": "veche.discussion.opened.v1", "data": discussion},
            {"id": "e2", "type": "veche.comment.submitted.v1", "actor": "nina",
             "data": {"discussion": "a1", "comment": "c1", "body": "Наконец-то!"}},
        ]  # fmt: skip
        sent = portal.post(
            "/v1/events", json={"events": events}, headers={"authorization": f"Bearer {token}"}
        )
        assert sent.status_code == 202, sent.text

        def shown() -> bool:
            answer = feed()
            entries = answer.json().get("entries", []) if answer is not None else []
            return [(one["title"], one["comments"]) for one in entries] == [("Вече", 1)]

        stack.wait("publisher", shown, 30)
        answer = portal.get("/v1/console/sites/demo/queue")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
