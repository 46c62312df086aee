"""The named invariants: each counts what breaks it and shows the smallest witness that it has."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos import effects, shown
from tests.chaos.evidence import Evidence
from tests.chaos.finding import INVARIANTS, Finding, check, invariant

__all__ = ["INVARIANTS", "Finding", "check", "effects", "shown"]

DESCRIPTORS = 150


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


@invariant
def rebuild_equality(e: Evidence) -> Iterator[str]:
    """What Kafka holds makes the same database again, byte for byte of the canonical dump."""
    if e.rebuild:
        yield e.rebuild


@invariant
def unexplained_answers(e: Evidence) -> Iterator[str]:
    """No 500, and no refusal of a good request."""
    yield from e.broken
