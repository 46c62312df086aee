"""Who works on what: every shard, every outbox, every site has one owner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.core import topics
from services.publisher import shards


def test_every_source_partition_belongs_to_one_shard():
    sources = [source for shard in range(shards.SHARDS) for source in shards.sources(shard)]
    assert sorted(sources) == sorted(
        (topic, partition)
        for topic in ("comments.v1", "votes.v1", "views.v1", "control.v1")
        for partition in range(topics.declared()[topic].partitions)
    )


@given(st.integers(1, 10))
def test_so_many_publishers_share_all_shards_evenly(alive):
    taken: list[int] = []
    shares = []
    for _ in range(alive):
        mine = shards.to_take([], taken, alive)
        shares.append(len(mine))
        taken += mine
    assert sorted(taken) == list(range(shards.SHARDS))
    assert max(shares) <= shards.share(alive)


def test_a_publisher_that_has_its_share_takes_no_more():
    assert shards.to_take([0, 1, 2], [0, 1, 2], alive=2) == []
    assert shards.to_take([0, 1], [0, 1], alive=2) == [2]
