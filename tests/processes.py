"""Real service processes for the tests: `python -m services.NAME` and its environment."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt

from services.core.settings import environment
from services.embedded.child import Child, free_ports

ROOT = Path(__file__).parents[1]
AUDIENCE = "veche"
PORTAL = "https://portal.test"
MODERATORS = "https://moderators.test"
SITES = ("gazette", "herald")

ISSUERS = """\
[[issuer]]
iss = "{portal}"
sites = ["gazette", "herald"]
roles = ["reader", "portal", "importer"]
algorithms = ["HS256"]
secret = "{portal_secret}"

[[issuer]]
iss = "{moderators}"
sites = ["gazette", "herald", "*"]
roles = ["moderator", "admin"]
algorithms = ["HS256"]
secret = "{moderators_secret}"
"""


@dataclass
class Trust:
    """Two issuers, a portal's and the moderators', and the services' own signing keys."""

    env: dict[str, str]
    secrets: dict[str, str] = field(repr=False)

    @classmethod
    def make(cls, folder: Path) -> Trust:
        keys = {issuer: secrets.token_hex(32) for issuer in (PORTAL, MODERATORS)}
        file = folder / "issuers.toml"
        file.write_text(
            ISSUERS.format(
                portal=PORTAL,
                moderators=MODERATORS,
                portal_secret=keys[PORTAL],
                moderators_secret=keys[MODERATORS],
            )
        )
        return cls(
            env={
                "VECHE_ISSUERS_FILE": str(file),
                "VECHE_RECEIPT_SECRET": secrets.token_hex(32),
                "VECHE_VIEWER_SECRET": secrets.token_hex(32),
                "VECHE_DECISION_SECRET": secrets.token_hex(32),
            },
            secrets=keys,
        )

    def mint(
        self,
        role: str = "reader",
        sub: str = "reader-1",
        site: str = "gazette",
        name: str = "",
        **claims: Any,
    ) -> str:
        """A bearer token, good for an hour; `claims` replace or add to what it says."""
        issuer = MODERATORS if role in ("moderator", "admin") else PORTAL
        now = int(time.time())
        said = {
            "iss": issuer,
            "aud": AUDIENCE,
            "sub": sub,
            "site": site,
            "role": role,
            "name": name or sub,
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        return jwt.encode(said, self.secrets[issuer], algorithm="HS256")


class ServiceProcess:
    """One service. `url` is its HTTP address (if it has one), `probes_url` its probes'."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        http, probes = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        self.probes_url = f"http://127.0.0.1:{probes}"
        self.child = Child(
            log.stem,
            [sys.executable, "-m", f"services.{name}"],
            log=log,
            env=environment(
                {
                    "VECHE_HTTP_HOST": "127.0.0.1",
                    "VECHE_HTTP_PORT": str(http),
                    "VECHE_PROBES_HOST": "127.0.0.1",
                    "VECHE_PROBES_PORT": str(probes),
                    "PYTHONUNBUFFERED": "1",
                    **env,
                }
            ),
            cwd=ROOT,
        )

    def start(self) -> ServiceProcess:
        """Starts it (again, after a kill or a stop) without waiting."""
        self.child.start()
        return self

    def wait_ready(self, seconds: float = 30.0) -> ServiceProcess:
        """Returns once /readyz answers 200; fails with the last log lines if it never does."""
        self.child.wait_until(self.ready, seconds)
        return self

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.probes_url}/readyz", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def metrics(self) -> str:
        return httpx.get(f"{self.probes_url}/metrics", timeout=5.0).raise_for_status().text

    @property
    def running(self) -> bool:
        return self.child.running

    def kill(self) -> None:
        """kill -9."""
        self.child.kill()

    def pause(self) -> None:
        """SIGSTOP: it holds what it has and does nothing, as a machine that hangs."""
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()

    def stop(self) -> int | None:
        """SIGTERM and its drain; the exit code, negative if a signal ended it."""
        return self.child.stop()

    def log_text(self) -> str:
        return self.child.log.read_text(errors="replace") if self.child.log.exists() else ""


class Services:
    """Starts services with one environment and ends them all."""

    def __init__(self, env: dict[str, str], logs: Path) -> None:
        self.env = env
        self.logs = logs
        self.all: list[ServiceProcess] = []

    def start(self, name: str, env: Mapping[str, str] | None = None) -> ServiceProcess:
        """A new process of this service, started, not yet ready; call it twice for two copies."""
        copy = 1 + sum(one.name == name for one in self.all)
        log = self.logs / f"{name}-{copy}.log"
        service = ServiceProcess(name, {**self.env, **(env or {})}, log)
        self.all.append(service)
        return service.start()

    def end(self) -> None:
        for service in self.all:
            service.kill()

    def show_logs(self) -> None:
        for service in self.all:
            print(f"\n=== {service.child.log.name} ===\n{service.log_text()[-8000:]}")
