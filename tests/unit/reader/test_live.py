from __future__ import annotations

import asyncio

import msgspec

from services.core.events import DiscussionKey, Version
from services.core.problems import away
from services.core.store.threads import Listed
from services.reader.broadcast import Broadcaster, Subscriber
from services.reader.live import MAX_CHANGES, Live
from services.reader.shelf import Feeds, Strips
from tests.unit.reader.build import T0, a_feed, a_strip, feed_record, strip_record
from tests.unit.reader.build import heard as next_chunk

KEY = "gazette/d1"


def listed(comment: str) -> Listed:
    return Listed(comment, None, comment, T0, True, 0, "ann", "Ann", 1, "<b>да</b>", T0, 0, 0)


class Thread:
    """Postgres as far as `Live` knows it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.vanished: set[str] = set()
        self.away = False
        self.bugs = 0
        self.go = asyncio.Event()
        self.go.set()

    async def fetch(self, discussion: DiscussionKey, ids: list[str]) -> list[Listed]:
        self.asked.append(ids)
        await self.go.wait()
        if self.away:
            raise away("away")
        if self.bugs:
            self.bugs -= 1
            raise RuntimeError("a bug")
        return [listed(comment) for comment in ids if comment not in self.vanished]


class Reader:
    def __init__(self) -> None:
        self.thread = Thread()
        self.feeds, self.strips = Feeds(), Strips(100)
        self.feed_streams = Broadcaster("feed", 50)
        self.discussion_streams = Broadcaster("discussion", 50)
        self.live = Live(
            self.feeds, self.strips, self.feed_streams, self.discussion_streams, self.thread.fetch
        )

    def strip(self, number: int, changed: list[str] | None, **changes: object) -> None:
        strip = a_strip(number, changed_comments=changed, **changes)
        self.live.strip_record(KEY, strip_record(strip), T0)


async def heard(subscriber: Subscriber) -> list[tuple[str, dict[str, object]]]:
    """(event, data) of the next chunk."""
    events = []
    for lines in (await next_chunk(subscriber)).decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in lines.split("\n"))
        events.append((fields["event"], msgspec.json.decode(fields["data"])))
    return events


async def test_a_new_feed_version_goes_to_its_streams_once() -> None:
    reader = Reader()
    with reader.feed_streams.subscribe("gazette/latest//") as (_, subscriber):
        reader.live.feed_record("gazette/latest//", feed_record(a_feed(1)), T0)
        assert b"id: 1.1\n" in await next_chunk(subscriber)
        for number in (2, 2, 1):
            reader.live.feed_record("gazette/latest//", feed_record(a_feed(number)), T0)
        assert b"id: 1.2\n" in await next_chunk(subscriber)
        await asyncio.sleep(0.01)
        assert subscriber.take() is None


async def test_of_feed_versions_that_come_together_the_newest_is_sent() -> None:
    reader = Reader()
    with reader.feed_streams.subscribe("gazette/latest//") as (_, subscriber):
        for number in (1, 2, 3):
            reader.live.feed_record("gazette/latest//", feed_record(a_feed(number)), T0)
        assert b"id: 1.3\n" in await next_chunk(subscriber)
        await asyncio.sleep(0.01)
        assert subscriber.take() is None


async def test_changed_comments_are_read_once_for_all_and_come_before_their_strip() -> None:
    reader = Reader()
    reader.strip(1, [])
    reader.thread.vanished = {"c2"}
    with (
        reader.discussion_streams.subscribe(KEY) as (_, one),
        reader.discussion_streams.subscribe(KEY) as (_, other),
    ):
        reader.strip(2, ["c1", "c2"])
        events = await heard(one)
        assert await heard(other) == events
    assert reader.thread.asked == [["c1", "c2"]]
    assert [name for name, _ in events] == ["comments", "strip"]
    assert [comment["id"] for comment in events[0][1]["comments"]] == ["c1"]  # type: ignore[attr-defined]
    assert events[0][1]["vanished"] == ["c2"]
    assert events[1][1]["version"] == [1, 2]


async def test_nothing_is_read_where_nobody_listens() -> None:
    reader = Reader()
    reader.strip(1, ["c1"])
    await asyncio.sleep(0)
    assert reader.thread.asked == []


async def test_versions_that_come_while_comments_are_read_wait_as_one() -> None:
    reader = Reader()
    reader.strip(1, [])
    reader.thread.go.clear()
    with reader.discussion_streams.subscribe(KEY) as (_, subscriber):
        reader.strip(2, ["c2"])
        await asyncio.sleep(0)
        for number in range(3, 10):
            reader.strip(number, [f"c{number}"])
        reader.thread.go.set()
        first, second = await heard(subscriber), await heard(subscriber)
    assert reader.thread.asked == [["c2"], [f"c{number}" for number in range(3, 10)]]
    assert (first[-1][1]["version"], second[-1][1]["version"]) == ([1, 2], [1, 9])


async def test_unknown_changes_reset_the_thread() -> None:
    reader = Reader()
    reader.strip(1, [])
    with reader.discussion_streams.subscribe(KEY) as (_, subscriber):
        reader.strip(2, None)
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]
        reader.strip(5, ["c1"])  # 3 and 4 were not seen
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]
        reader.strip(1, ["c1"], version=Version(2, 6))  # another incarnation
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]
        reader.live.strip_record(
            KEY,
            strip_record(
                a_strip(
                    version=Version(2, 7),
                    changed_comments=[f"c{n}" for n in range(MAX_CHANGES + 1)],
                )
            ),
            T0,
        )
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]
    assert reader.thread.asked == []


async def test_while_postgres_is_away_streams_still_get_strips() -> None:
    reader = Reader()
    reader.strip(1, [])
    reader.thread.away = True
    with reader.discussion_streams.subscribe(KEY) as (_, subscriber):
        reader.strip(2, ["c1"])
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]


async def test_a_version_whose_comments_could_not_be_read_for_a_bug_is_told_as_a_reset() -> None:
    reader = Reader()
    reader.strip(1, [])
    reader.thread.bugs = 1
    with reader.discussion_streams.subscribe(KEY) as (_, subscriber):
        reader.strip(2, ["c1"])
        assert [name for name, _ in await heard(subscriber)] == ["reset", "strip"]
        reader.strip(3, ["c2"])
        assert [name for name, _ in await heard(subscriber)] == ["comments", "strip"]


async def test_what_comes_while_comments_are_read_for_listeners_that_left_is_told_too() -> None:
    reader = Reader()
    reader.strip(1, [])
    with reader.discussion_streams.subscribe(KEY):
        reader.thread.go.clear()
        reader.strip(2, ["c2"])
        await asyncio.sleep(0)
    reader.strip(3, ["c3"])
    with reader.discussion_streams.subscribe(KEY) as (channel, newcomer):
        reader.thread.go.set()
        assert [data["version"] for _, data in await heard(newcomer)] == [[1, 2], [1, 2]]
        assert [data["version"] for _, data in await heard(newcomer)] == [[1, 3], [1, 3]]
        assert channel.since(Version(1, 2)) != b""


async def test_a_vote_alone_sends_only_the_strip() -> None:
    reader = Reader()
    reader.strip(1, [])
    with reader.discussion_streams.subscribe(KEY) as (_, subscriber):
        reader.strip(2, [], up=5)
        assert [name for name, _ in await heard(subscriber)] == ["strip"]
    assert reader.thread.asked == []


async def test_a_record_that_is_no_snapshot_is_passed_over() -> None:
    reader = Reader()
    reader.live.feed_record("k", b"nonsense", T0)
    reader.live.strip_record("k", b"{}", T0)
    assert (len(reader.feeds), len(reader.strips)) == (0, 0)


async def test_a_deleted_key_is_forgotten() -> None:
    reader = Reader()
    reader.strip(1, [])
    reader.live.strip_record(KEY, None, T0)
    assert reader.strips.get(KEY) is None
