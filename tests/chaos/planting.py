"""Planted bugs: each a file in planted/, put into a copy of the tree; each must be caught by name.

A file of planted/ says in its head what it breaks, what provokes it (a plan of faults) and which
invariants may catch it; then come its replacements:
    === path
    <<<
    the text that is there, exactly once
    ---
    the text instead
    >>>
A text that is not there any more fails the harness: the bug must then be planted anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.run import run
from tests.chaos.servers import Servers
from tests.processes import ROOT

PLANTED = Path(__file__).parent / "planted"
COPIED = ("services", "schemas", "deploy")
EVENTS = 900
HEAL_SECONDS = 40.0
COPIES = {"ingest": 1, "moderation": 1, "counters": 1, "publisher": 1, "reader": 2, "console": 1}
CONTROL = "00_no_bug"


class NoLongerApplies(Exception):
    """The tree changed where a bug is to be planted."""


@dataclass
class Bug:
    name: str
    reference: str
    """Its number in the reference's list, or "fresh"."""
    title: str
    plan: list[str]
    expected: list[str]
    copies: dict[str, int]
    events: int
    replacements: list[tuple[str, str, str]] = field(default_factory=list)
    """(path, text, the text instead)."""


def read_bug(file: Path) -> Bug:
    head: dict[str, str] = {}
    replacements: list[tuple[str, str, str]] = []
    path, part = "", ""
    texts: dict[str, list[str]] = {"old": [], "new": []}
    for line in file.read_text().splitlines():
        if part and line not in ("---", ">>>"):
            texts[part].append(line)
        elif line.startswith("=== "):
            path = line[4:].strip()
        elif line == "<<<":
            part, texts = "old", {"old": [], "new": []}
        elif line == "---":
            part = "new"
        elif line == ">>>":
            part = ""
            replacements.append((path, "\n".join(texts["old"]), "\n".join(texts["new"])))
        elif line.strip():
            name, _, value = line.partition(":")
            head[name.strip()] = value.strip()
    copies = dict(COPIES)
    for word in head.get("copies", "").split():
        name, _, count = word.partition("=")
        copies[name] = int(count)
    plan: list[str] = []
    for word in head.get("plan", "").split():
        kind, _, times = word.partition("*")
        plan += [kind] * int(times or 1)
    return Bug(
        file.stem,
        head["reference"],
        head["bug"],
        plan,
        head["caught by"].split() if head.get("caught by") else [],
        copies,
        int(head.get("events", EVENTS)),
        replacements,
    )


def bugs() -> list[Bug]:
    return [read_bug(file) for file in sorted(PLANTED.glob("*.txt"))]


def chosen(asked: str) -> list[Bug]:
    """`all`, `none`, or the first letters of files, with commas; a name of no bug ends the run."""
    if asked == "none":
        return []
    names = [""] if asked == "all" else asked.split(",")
    if unknown := [name for name in names if not any(b.name.startswith(name) for b in bugs())]:
        raise SystemExit(f"no such planted bugs: {', '.join(unknown)}")
    return [bug for bug in bugs() if bug.name.startswith(tuple(names))]


def plant(bug: Bug, root: Path, *, source: Path = ROOT) -> Path:
    """A copy of the tree with the bug in it; raises NoLongerApplies."""
    for name in COPIED:
        shutil.copytree(
            source / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for path, old, new in bug.replacements:
        file = root / path
        text = file.read_text() if file.exists() else ""
        if text.count(old) != 1:
            raise NoLongerApplies(
                f"planted/{bug.name}.txt: {path} holds its text {text.count(old)} times; "
                f"plant the bug anew:\n{old}"
            )
        file.write_text(text.replace(old, new))
    return root


async def all_caught(
    servers: Servers, seed: int, tell: Callable[[str], None], chosen: Sequence[Bug]
) -> dict[str, dict[str, Any]]:
    """Bug → which invariants caught it. The control, without a bug, must catch nothing."""
    report: dict[str, dict[str, Any]] = {}
    for bug in chosen:
        root = plant(bug, servers.home / "trees" / bug.name)
        result = await run(
            servers,
            seed=seed,
            events=bug.events,
            plan=bug.plan,
            root=root,
            copies=bug.copies,
            heal_seconds=HEAL_SECONDS,
            stuck_seconds=15.0,
            batch=30,
            history_file=ROOT / "build" / "chaos-logs" / f"{bug.name}.jsonl",
            logs=ROOT / "build" / "chaos-logs" / bug.name,
        )
        shutil.rmtree(root)
        violated = {name: finding.count for name, finding in result.violations.items()}
        by = [name for name in bug.expected if name in violated]
        if bug.name == CONTROL:
            by = ["nothing, as it must be"] if not violated else []
        witness = result.findings[by[0]].witness[:1] if by and by[0] in result.findings else []
        report[bug.name] = {
            "bug": bug.title,
            "reference": bug.reference,
            "caught_by": by,
            "violated": violated,
            "witness": witness,
            "seconds": result.seconds,
        }
        tell(f"planted {bug.name}: {', '.join(by) or 'MISSED'} ({violated}) {result.seconds} s")
    return report
