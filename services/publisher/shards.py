"""Publisher shards: the partitions of comments.v1. Each has its discussions, sources and sites."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from services.core import topics

SHARDS = topics.declared()[topics.COMMENTS].partitions


def shard_of_site(site: str) -> int:
    """The shard that folds the feeds of a site: one owner, whatever shards its discussions have."""
    return crc32(site.encode()) % SHARDS


def sources(shard: int) -> list[tuple[str, int]]:
    """The (topic, partition) whose outbox rows this shard relays."""
    return [
        (topic, partition)
        for topic in (topics.COMMENTS, topics.CONTROL, topics.VIEWS, topics.VOTES)
        for partition in range(topics.declared()[topic].partitions)
        if partition % SHARDS == shard
    ]


def lease_name(shard: int) -> str:
    return f"shard/{shard}"


def share(alive: int) -> int:
    """How many shards one of so many publishers works on at most."""
    return -(-SHARDS // max(alive, 1))


def to_take(mine: Iterable[int], taken: Iterable[int], alive: int) -> list[int]:
    """The free shards that a publisher with these should try for, the lowest first."""
    mine = set(mine)
    free = sorted(set(range(SHARDS)) - set(taken) - mine)
    return free[: max(share(alive) - len(mine), 0)]
