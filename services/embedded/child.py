"""A child process that never outlives its parent, logs to a file and stops by a deadline."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from services.core.errors import Misconfigured
from services.embedded import guardian

LAST_LINES = 15
LOG_BYTES_KEPT = 10 * 1024 * 1024
POLL_SECONDS = 0.02
KILLED_SECONDS = 60.0
"""A killed process ends once it runs: on a busy machine not at once."""
NOTE = ".pid"
"""A file beside a child's log while it runs: its process, how to stop it, its command."""


class CannotStart(Misconfigured):
    """A child ended or was not ready in time; the message has its last log lines."""


class _Guard:
    """This process's one guardian, started with its first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", guardian.__file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,
                )
            assert self._process.stdin
            with suppress(BrokenPipeError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def end(self) -> None:
        """Lets the guardian go (nothing is left to guard) and collects it."""
        with self._lock:
            if self._process is not None and self._process.stdin:
                self._process.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
            self._process = None


_guard = _Guard()
end_guard = _guard.end


class Child:
    """One process: `start`, `wait_until` it is ready, `stop`; or `kill`, `pause`, `resume` it.

    Its output goes to `log`; it is in a session of its own, so Ctrl-C reaches only the parent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        note: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: float = 15.0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.note = note or log.with_suffix(NOTE)
        self.env = env
        self.cwd = cwd
        self.user = user
        self.stop_signal = stop_signal
        self.grace_seconds = grace_seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.log_start = 0
        """Where in the log this start's lines begin."""

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code, negative if a signal ended it; None while it runs or before it did."""
        return self.process.poll() if self.process is not None else None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_KEPT:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as out:
            self.log_start = out.tell()
            try:
                self.process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=self.env,
                    cwd=self.cwd,
                    user=self.user,
                    group=self.user,
                    extra_groups=[] if self.user is not None else None,
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotStart(f"{self.name} cannot start: {error}") from error
        number = int(self.stop_signal)
        _guard.say(f"+ {self.process.pid} {number} {self.grace_seconds}")
        note = f"{self.process.pid} {number} {self.grace_seconds}\n{' '.join(self.command)}"
        write_private(self.note, note)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns once `ready()`; raises CannotStart if the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                code = self.process.returncode if self.process else "?"
                raise CannotStart(f"{self.name} ended with code {code}{self.last_lines()}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} was not ready within {seconds:.0f} s{self.last_lines()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> int | None:
        """Asks to stop, kills after the grace; returns the exit code (None: never started)."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)
            try:
                self.process.wait(self.grace_seconds)
            except subprocess.TimeoutExpired:
                guardian.send(self.process.pid, signal.SIGKILL)
        return self._collect()

    def kill(self) -> int | None:
        """kill -9 to it and to what it started."""
        if self.process is None:
            return None
        guardian.send(self.process.pid, signal.SIGKILL)
        return self._collect()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def forget(self) -> None:
        """To be called once it was seen to have ended."""
        _guard.say(f"- {self.pid}")
        self.note.unlink(missing_ok=True)

    def last_lines(self, count: int = LAST_LINES) -> str:
        """What this start wrote last, for an error message."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self.log_start, self.log.stat().st_size - 16_384))
                lines = log.read().decode(errors="replace").splitlines()[-count:]
        except OSError:
            lines = []
        told = "".join(f"\n    {line}" for line in lines) or " nothing"
        return f"; the last lines of {self.log}:{told}"

    def _collect(self) -> int:
        assert self.process is not None
        code = self.process.wait(KILLED_SECONDS)
        self.forget()
        return code


@contextmanager
def held(directory: Path, what: str) -> Iterator[None]:
    """Holds a data directory for this process; raises Misconfigured if another one has it.

    The lock ends with the process, so a leftover server is known by its data without a holder.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "holder").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Misconfigured(
                f"{what} in {directory} is in use by process {file.read().strip() or '?'}: "
                f"stop that one, or set VECHE_DATA_DIR to another directory"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def end_leftovers(notes: Iterable[Path], tell: Callable[[str], None]) -> None:
    """Stops the children of these notes: they lost both their parent and its guardian.

    The caller must hold the data that they use: no living parent may have it.
    """
    found: dict[int, tuple[int, float]] = {}
    for note in notes:
        with suppress(OSError, ValueError):
            how, command = note.read_text().split("\n", 1)
            pid, number, grace_seconds = how.split()
            # Numbers are used again: it must be the same program with the same arguments.
            if guardian.alive(int(pid)) and command_line(int(pid)).strip() == command:
                tell(f"stopping {note.stem}, left behind by an earlier run (process {pid})")
                found[int(pid)] = (int(number), float(grace_seconds))
        note.unlink(missing_ok=True)
    guardian.end(found)


def command_line(pid: int) -> str:
    """The process's command line, or "" where it cannot be read."""
    file = Path(f"/proc/{pid}/cmdline")
    with suppress(OSError):
        return file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    with suppress(OSError, subprocess.SubprocessError):
        command = ["ps", "-o", "command=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout
    return ""


def free_ports(count: int, wanted: Sequence[int] = ()) -> list[int]:
    """Ports of 127.0.0.1 that are free now: the wanted ones if all are, else any."""
    with contextlib.ExitStack() as stack:
        for choice in ([*wanted], [0] * count):
            if len(choice) != count:
                continue
            with suppress(OSError):
                sockets = []
                for port in choice:
                    one = stack.enter_context(socket.socket())
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    one.bind(("127.0.0.1", port))
                    sockets.append(one)
                return [one.getsockname()[1] for one in sockets]
    raise Misconfigured("127.0.0.1 has no free port left")


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return True
    return False


def write_private(file: Path, text: str) -> None:
    """Puts the text there whole or not at all, readable by this user only."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    beside.replace(file)


def out_of_space(text: str) -> bool:
    """Whether a log says that the disk is full."""
    return re.search(r"No space left on device|ENOSPC|Disk quota exceeded", text) is not None
