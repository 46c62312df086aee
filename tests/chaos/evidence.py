"""What is left after the faults: Postgres, every record of every topic, the history, the readers.

`collect.py` reads it; the invariants only look at this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.core import topics
from tests.chaos.model import Model, Record

INPUTS = (topics.COMMENTS, topics.VOTES, topics.VIEWS)
Place = tuple[str, int, int]
Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Logged:
    """What is kept of a good record once the model took it: a million of them are read."""

    topic: str
    partition: int
    offset: int
    discussion: str
    id: str
    type: str


@dataclass
class Published:
    """One record of strips.v1 or feeds.v1."""

    key: str
    version: Version
    data: Mapping[str, Any]
    partition: int
    offset: int


@dataclass
class Evidence:
    invoked: dict[str, str] = field(default_factory=dict)
    """Event id → ok, fail or maybe: the best that was ever answered."""
    receipts: list[tuple[str, Place]] = field(default_factory=list)
    reads: list[Mapping[str, Any]] = field(default_factory=list)
    streamed: list[Mapping[str, Any]] = field(default_factory=list)
    own: list[Mapping[str, Any]] = field(default_factory=list)
    records: list[Logged] | list[Record] = field(default_factory=list)
    injected: set[str] = field(default_factory=set)
    poison: dict[Place, str] = field(default_factory=dict)
    poison_values: dict[Place, bytes | None] = field(default_factory=dict)
    letters: list[tuple[Place, bytes | None]] = field(default_factory=list)
    letters_put: list[Place] = field(default_factory=list)
    strips: list[Published] = field(default_factory=list)
    feeds: list[Published] = field(default_factory=list)
    """The last record and the highest version of each key: the others were looked at in passing."""
    feeds_wrong: list[str] = field(default_factory=list)
    """What was wrong with any record of feeds.v1."""
    feeds_read: int = 0
    entries_compared: int = 0
    """Of feeds, with the strip that each names: some strips are never sent."""
    told: list[Mapping[str, Any]] = field(default_factory=list)
    """Values of outcomes.v1."""
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    recoveries: list[tuple[str, float, float]] = field(default_factory=list)
    threads_asked: list[str] = field(default_factory=list)
    threads: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Discussion → comment → body as HTTP shows it at the end; None: a tombstone."""
    broken: list[str] = field(default_factory=list)
    not_ready: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    """The services that should run at the end."""
    descriptors: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    """Of each process's event loop, by its own metric."""
    connections_allowed: int = 100
    rebuild: str = ""
    """How the rebuilt database differs; "" where it does not or nothing was rebuilt."""
    model: Model = field(default_factory=Model)

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        return self.tables.get(table, [])


ENTRY = ("title", "url", "language", "section", "state", "opened_at", "last_activity",
         "comments", "views", "rating")  # fmt: skip


def feed_wrong(
    feed: Published,
    strips: Mapping[tuple[str, Version], Published],
    highest: Mapping[str, Version],
) -> Iterator[str]:
    """A feed shows each discussion as the strip does whose version it names.

    One that was never sent, since a newer one came first, says nothing; one that is newer than the
    newest is wrong.
    """
    if len(feed.data["entries"]) > 200:
        yield f"{feed.key}@{feed.version} has {len(feed.data['entries'])} entries"
    for entry in feed.data["entries"]:
        key = f"{feed.data['site']}/{entry['discussion']}"
        version = (entry["version"][0], entry["version"][1])
        strip = strips.get((key, version))
        if key not in highest or version > highest[key]:
            yield f"{feed.key}@{feed.version} names {key}@{version}, which never was"
        if strip and any(strip.data[name] != entry[name] for name in ENTRY):
            yield f"{feed.key}@{feed.version} shows {key} other than its strip {strip.version}"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
