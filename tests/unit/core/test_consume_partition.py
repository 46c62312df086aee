"""How the loop of one partition ends."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition, errors

from services.core.consume import Source
from services.core.consume.claim import Claim, Moved
from services.core.consume.partition import PartitionLoop
from services.core.consume.timing import Timing
from services.core.consume.together import Together


class Taken:
    """A claim whose fence moved, on a partition that was revoked meanwhile."""

    fence = SimpleNamespace(stopped_reason=None, next_offset=0)
    in_transaction = False

    def check_identity(self) -> None:
        raise Moved(None)

    def look_again(self, row: object) -> bool:
        raise errors.IllegalStateError("no current assignment")


async def test_a_partition_that_is_taken_while_it_looks_again_ends_without_a_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left = asyncio.Event()
    nothing = cast("Any", None)
    loop = PartitionLoop(
        nothing, nothing, "g", Source("votes.v1", bytes.decode, nothing), TopicPartition("t", 0),
        owner="me", timing=Timing(), leave=left.set, together=Together(),
    )  # fmt: skip
    loop.claim = cast("Claim", Taken())
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(left.wait(), 5)
    await loop.drain(1.0)
    assert caplog.records == []
