"""Records to produce, where Kafka keeps them, and the partition that a key has."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from services.core import topics


class Outgoing(NamedTuple):
    """A record to produce. `topic` as in schemas/topics.toml; value None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None


class Sent(NamedTuple):
    """Where Kafka keeps a record. `recorded_at` is the broker's time on input topics, UTC."""

    topic: str
    partition: int
    offset: int
    recorded_at: datetime


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def partition_of(topic: str, key: bytes) -> int:
    """The partition that the Java client's partitioner gives a key."""
    return _hash(key) % topics.declared()[topic].partitions


def home_partition(discussion: str) -> int:
    """A discussion's partition of comments.v1: its publisher shard."""
    return partition_of(topics.COMMENTS, discussion.encode())
