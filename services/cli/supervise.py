"""Runs the children of `veche up`: shows their log lines, starts again what ends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from services.embedded.child import CannotStart, Child

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 60.0
"""A child that ran so long begins again with the shortest pause."""
LONGEST_LINE = 2000
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "red")


class Follower:
    """Shows what is appended to a log file, a line at a time, behind the child's name."""

    def __init__(self, console: Console, name: str, file: Path, colour: str, width: int) -> None:
        self._console = console
        self._prefix = f"[{colour}]{escape(name.ljust(width))}[/] [dim]│[/] "
        self._file = file
        self._at = file.stat().st_size if file.exists() else 0
        self._rest = b""

    def show_new(self) -> None:
        if not self._file.exists():
            return
        size = self._file.stat().st_size
        if size < self._at:  # it was moved away and begun again
            self._at = 0
        if size == self._at:
            return
        with self._file.open("rb") as log:
            log.seek(self._at)
            read = log.read()
        self._at += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")[:LONGEST_LINE]
            shown = Text.from_markup(self._prefix)
            shown.append(Text.from_ansi(text))
            self._console.print(shown, soft_wrap=True, highlight=False)


@dataclass
class Kept:
    """A child that is to run until `veche up` ends, and how to start it again."""

    name: str
    child: Callable[[], Child | None]
    start: Callable[[], None]
    started_at: float = field(default_factory=time.monotonic)
    pause_seconds: float = FIRST_PAUSE_SECONDS
    due_at: float | None = None


class Supervisor:
    """`keep` the children, then call `look` a few times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._kept: list[Kept] = []
        self._followers: list[Follower] = []

    def follow(self, name: str, file: Path, width: int) -> None:
        colour = COLOURS[len(self._followers) % len(COLOURS)]
        self._followers.append(Follower(self._console, name, file, colour, width))

    def keep(self, name: str, child: Callable[[], Child | None], start: Callable[[], None]) -> None:
        self._kept.append(Kept(name, child, start))

    def show_logs(self) -> None:
        for follower in self._followers:
            follower.show_new()

    def look(self, now: float) -> None:
        """Shows new log lines; starts again, after a growing pause, what has ended."""
        self.show_logs()
        for kept in self._kept:
            child = kept.child()
            if child is not None and child.running:
                continue
            if kept.due_at is None:
                self._plan(kept, child, now)
            elif now >= kept.due_at:
                self._again(kept, now)

    def _plan(self, kept: Kept, child: Child | None, now: float) -> None:
        if now - kept.started_at > CALM_SECONDS:
            kept.pause_seconds = FIRST_PAUSE_SECONDS
        code = child.process.returncode if child is not None and child.process else "?"
        if child is not None and child.process is not None:
            child.forget()
        self._console.print(
            f"[bold red]{kept.name} ended by itself (code {code})[/]; "
            f"starting it again in {kept.pause_seconds:.1f} s"
        )
        kept.due_at = now + kept.pause_seconds
        kept.pause_seconds = min(kept.pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _again(self, kept: Kept, now: float) -> None:
        kept.due_at = None
        kept.started_at = now
        # A server may take a minute to be ready again, and nothing else is looked at meanwhile.
        self._console.print(f"{kept.name} is started again")
        try:
            kept.start()
        except CannotStart as error:
            self._console.print(f"[red]{escape(str(error))}[/]")
        else:
            self._console.print(f"{kept.name} is running again")
