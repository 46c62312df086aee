"""Topics: names, keys, partitions, retention, as `schemas/topics.toml` states them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from services.core.errors import Misconfigured

COMMENTS = "comments.v1"
VOTES = "votes.v1"
VIEWS = "views.v1"
CONTROL = "control.v1"
OUTCOMES = "outcomes.v1"
STRIPS = "strips.v1"
FEEDS = "feeds.v1"

MODERATION_GROUP = "moderation"
COUNTERS_GROUP = "counters"
SCORER_GROUP = "scorer"

DAY_MS = 24 * 3600 * 1000

FILE = Path(__file__).parents[2] / "schemas" / "topics.toml"


@dataclass(frozen=True)
class Topic:
    """One topic. `retention_ms` −1 keeps everything; `dead_letters` is "" where there is none."""

    name: str
    description: str
    key: str
    partitions: int
    cleanup_policy: str
    timestamp_type: str
    retention_ms: int
    dead_letters: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    events: tuple[str, ...]

    def configs(self, min_insync_replicas: int = 1) -> dict[str, str]:
        """The broker's own settings for this topic."""
        configs = {
            "cleanup.policy": self.cleanup_policy,
            "message.timestamp.type": self.timestamp_type,
            "min.insync.replicas": str(min_insync_replicas),
            "max.message.bytes": str(2 * 1024 * 1024),
        }
        if self.cleanup_policy == "compact":
            # Survivors soon: readers bootstrap from these topics.
            configs |= {
                "min.cleanable.dirty.ratio": "0.2",
                "segment.ms": "3600000",
                "max.compaction.lag.ms": "3600000",
                "delete.retention.ms": "86400000",
            }
        else:
            configs["retention.ms"] = str(self.retention_ms)
            if self.retention_ms > 0:
                # Only whole segments go: none holds a record for much longer than that.
                configs["segment.ms"] = str(min(DAY_MS, self.retention_ms))
        return configs


@cache
def declared() -> dict[str, Topic]:
    """Every topic by name, the dead-letter topics too."""
    topics: dict[str, Topic] = {}
    for name, stated in tomllib.loads(FILE.read_text())["topics"].items():
        topic = Topic(
            name=name,
            description=stated["description"],
            key=stated["key"],
            partitions=stated["partitions"],
            cleanup_policy=stated["cleanup_policy"],
            timestamp_type=stated["timestamp_type"],
            retention_ms=stated.get("retention_ms", -1),
            dead_letters=stated.get("dead_letters", ""),
            producers=tuple(stated["producers"]),
            consumers=tuple(stated["consumers"]),
            events=tuple(stated["events"]),
        )
        topics[name] = topic
        if topic.dead_letters:
            topics[topic.dead_letters] = Topic(
                name=topic.dead_letters,
                description=f"Records of {name} that can never be applied, with the reason",
                key="as in the source topic",
                partitions=1,
                cleanup_policy="delete",
                timestamp_type="CreateTime",
                retention_ms=topic.retention_ms,
                dead_letters="",
                producers=("publisher",),
                consumers=("veche dead-letters",),
                events=(),
            )
    return topics


def kept(retention_ms: Mapping[str, int]) -> dict[str, Topic]:
    """The declared topics, these kept for so long; dead letters as long as their source's records.

    Raises Misconfigured for a topic that is not declared, or is compacted and so keeps the newest.
    """
    topics = dict(declared())
    for name, milliseconds in retention_ms.items():
        topic = topics.get(name)
        if topic is None or topic.cleanup_policy == "compact":
            raise Misconfigured(f"{name} has no retention to be set")
        topics[name] = replace(topic, retention_ms=milliseconds)
        if topic.dead_letters and topic.dead_letters not in retention_ms:
            dead = topics[topic.dead_letters]
            topics[topic.dead_letters] = replace(dead, retention_ms=milliseconds)
    return topics


def dead_letters_of(topic: str) -> str:
    return declared()[topic].dead_letters
