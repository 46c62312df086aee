"""The named invariants: each counts what breaks it and shows the smallest witness that it has."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos import effects, shown
from tests.chaos.evidence import Evidence
from tests.chaos.finding import INVARIANTS, Finding, check, invariant

__all__ = ["INVARIANTS", "Finding", "check", "effects", "shown"]

DESCRIPTORS = 150
TASKS = 100
"""Of a process whose clients have left: it has a few dozen."""


@invariant
def staleness(e: Evidence) -> Iterator[str]:
    """Everything healed in time, and nothing waits at the end."""
    for kind, seconds, allowed in e.recoveries:
        if seconds > allowed:
            yield f"{seconds} s from healing after {kind}, {allowed} allowed"
    for name, count in e.waiting.items():
        if count:
            yield f"{count} in {name} at the end"
    for label in e.not_ready:
        yield f"{label} was not ready at the end"


@invariant
def leaks(e: Evidence) -> Iterator[str]:
    for row in e.rows("connections"):
        if row["stuck"]:
            yield f"{row['stuck']} transactions are open and idle"
        if row["open"] > e.connections_allowed:
            yield f"{row['open']} connections, the pools hold {e.connections_allowed}"
    for label, count in e.descriptors.items():
        if count > DESCRIPTORS:
            yield f"{label} holds {count} descriptors"
    for label, count in e.tasks.items():
        if count > TASKS:
            yield f"{label} has {count} tasks"


@invariant
def rebuild_equality(e: Evidence) -> Iterator[str]:
    """What Kafka holds makes the same database again, byte for byte of the canonical dump."""
    if e.rebuild:
        yield e.rebuild


def looked_at(e: Evidence) -> dict[str, int]:
    """How much there was to find anything in."""
    return {
        "events acknowledged": sum(said == "ok" for said in e.invoked.values()),
        "receipts": len(e.receipts),
        "records": len(e.records),
        "outcomes": len(e.rows("outcomes")),
        "outcomes told": len(e.told),
        "votes": len(e.rows("votes")),
        "views": sum(row["views"] for row in e.rows("view_totals")),
        "steps of fences": len(e.rows("fence_steps")),
        "strips": len(e.strips),
        "feeds": e.feeds_read,
        "entries of feeds with their strips": e.entries_compared,
        "reads": len(e.reads),
        "events of streams": len(e.streamed),
        "comments on streams": sum(one["event"] == "comments" for one in e.streamed),
        "looks at one's own": len(e.own),
        "threads": len(e.threads),
        "comments in threads": sum(map(len, e.threads.values())),
        "processes": len(e.descriptors),
    }


@invariant
def unseen(e: Evidence) -> Iterator[str]:
    """No count is 0 because nobody looked."""
    for what, count in looked_at(e).items():
        if not count:
            yield f"no {what}: what depends on them was not tried"
    for name in e.threads_asked:
        if name not in e.threads:
            yield f"the thread of {name} could not be read"
    for label in e.processes:
        if label not in e.descriptors or label not in e.tasks:
            yield f"{label} did not run or did not answer at the end"


@invariant
def unexplained_answers(e: Evidence) -> Iterator[str]:
    """No 500, and no refusal of a good request."""
    yield from e.broken
