"""One line of the log for what happens to many partitions."""

from __future__ import annotations

import asyncio
import logging

import pytest

from services.core.consume.together import Together, named


def test_partitions_in_a_row_are_named_by_their_ends() -> None:
    places = [("votes.v1", 2), ("votes.v1", 0), *(("comments.v1", p) for p in range(6))]
    assert named(places) == "comments.v1[0-5] votes.v1[0,2]"
    assert named([("a", 0), ("a", 1), ("a", 3), ("a", 5), ("a", 6)]) == "a[0-1,3,5-6]"


async def test_each_thing_is_said_once_of_all_its_partitions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together = Together(0.01)
    with caplog.at_level(logging.INFO):
        for partition in (1, 0, 2):
            together.say(logging.INFO, "claimed", "votes.v1", partition)
        together.say(logging.WARNING, "waits: no answer in time", "votes.v1", 3)
        assert caplog.messages == []
        async with asyncio.timeout(5):
            while len(caplog.messages) < 2:
                await asyncio.sleep(0)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "votes.v1[0-2] claimed"),
        ("WARNING", "votes.v1[3] waits: no answer in time"),
    ]


async def test_what_was_gathered_is_said_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    together = Together(60)
    with caplog.at_level(logging.INFO):
        together.say(logging.INFO, "claimed", "votes.v1", 0)
        together.flush()
        together.flush()
    assert caplog.messages == ["votes.v1[0] claimed"]
