from __future__ import annotations

import asyncio
import gc
from collections.abc import MutableMapping
from contextlib import ExitStack
from typing import Any

import pytest

from services.core.events import Version
from services.core.metrics import SSE_DROPPED
from services.core.problems import Problem
from services.reader.broadcast import (
    HISTORY,
    HISTORY_BYTES,
    WRITES_A_TURN,
    Broadcaster,
    Places,
    Subscriber,
    event,
)
from services.reader.wire import ABORT, HEADERS, HEARTBEAT, serve


class Client:
    """What the server does for one connection. `reads` false: its writes never end."""

    def __init__(self, reads: bool = True) -> None:
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.broken = False
        self.got = bytearray()
        self.status = 0
        self.aborted = False
        self.ended = False
        self.grew = asyncio.Event()
        if reads:
            self.go_on()

    def go_on(self) -> None:
        self.reading.set()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if self.broken:
            raise ConnectionResetError
        await self.reading.wait()
        self.got += message["body"]
        self.ended = not message["more_body"]
        self.grew.set()

    def abort(self) -> None:
        self.aborted = True
        self.gone.set()

    async def until(self, part: bytes) -> None:
        async with asyncio.timeout(5):
            while part not in self.got:
                self.grew.clear()
                await self.grew.wait()

    async def read(self, broadcaster: Broadcaster, key: str, **options: float) -> None:
        scope = {"extensions": {ABORT: self.abort}}
        with broadcaster.subscribe(key) as (_, subscriber):
            await serve(scope, self.receive, self.send, subscriber, b"", HEADERS, **options)


async def subscribed(broadcaster: Broadcaster, key: str, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while (channel := broadcaster.channel(key)) is None or len(channel.subscribers) < count:
            await asyncio.sleep(0)


def test_an_event_is_lines_that_end_with_an_empty_one() -> None:
    assert event("strip", b"{}", "1.2") == b"event: strip\nid: 1.2\ndata: {}\n\n"
    assert event("comments", b"{}") == b"event: comments\ndata: {}\n\n"


async def test_every_subscriber_gets_the_same_bytes() -> None:
    broadcaster = Broadcaster("feed", 4)
    clients = [Client() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.read(broadcaster, "k"))
        await subscribed(broadcaster, "k", 3)
        await broadcaster.publish("k", Version(1, 1), b"news")
        await broadcaster.publish("other", Version(1, 1), b"elsewhere")
        for client in clients:
            await client.until(b"news")
            client.gone.set()
    assert all(b"elsewhere" not in client.got for client in clients)
    assert broadcaster.channel("k") is None


async def test_a_reader_that_never_reads_is_dropped_and_holds_nobody_up() -> None:
    broadcaster = Broadcaster("feed", 4)
    stuck, well = Client(reads=False), Client()
    async with asyncio.TaskGroup() as group:
        dropped = group.create_task(stuck.read(broadcaster, "k"))
        group.create_task(well.read(broadcaster, "k"))
        await subscribed(broadcaster, "k", 2)
        for number in range(20):
            await broadcaster.publish("k", Version(1, number), b"<%d>" % number)
            await well.until(b"<%d>" % number)
        await asyncio.wait_for(dropped, 5)
        well.gone.set()
    assert stuck.aborted
    assert not well.aborted


async def test_who_reads_again_gets_everything_in_order() -> None:
    broadcaster = Broadcaster("feed", 4)
    client = Client(reads=False)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.read(broadcaster, "k"))
        await subscribed(broadcaster, "k")
        for number in range(4):
            await broadcaster.publish("k", Version(1, number), b"<%d>" % number)
        assert client.got == b""
        client.go_on()
        await client.until(b"<0><1><2><3>")
        await broadcaster.publish("k", Version(1, 4), b"<4>")
        await client.until(b"<3><4>")
        client.gone.set()


async def test_a_connection_that_breaks_breaks_no_other() -> None:
    broadcaster = Broadcaster("feed", 4)
    broken, well = Client(), Client()
    async with asyncio.TaskGroup() as group:
        for client in (broken, well):
            group.create_task(client.read(broadcaster, "k"))
        await subscribed(broadcaster, "k", 2)
        await broken.until(b"retry")
        broken.broken = True
        await broadcaster.publish("k", Version(1, 1), b"news")
        await well.until(b"news")
        well.gone.set()
    assert broken.aborted


async def test_who_leaves_while_an_event_goes_out_is_passed_over() -> None:
    broadcaster = Broadcaster("feed", 4)
    async with asyncio.TaskGroup() as group:
        clients = [Client() for _ in range(2 * WRITES_A_TURN)]
        for client in clients:
            group.create_task(client.read(broadcaster, "k"))
        await subscribed(broadcaster, "k", len(clients))
        publishing = asyncio.create_task(broadcaster.publish("k", Version(1, 1), b"news"))
        async with asyncio.timeout(5):
            while not any(b"news" in client.got for client in clients):
                await asyncio.sleep(0)
        leaving = [client for client in clients if b"news" not in client.got][:10]
        assert leaving, "all were written to in one turn"
        for client in leaving:
            client.gone.set()
        await publishing
        for client in clients:
            client.gone.set()
    told = [b"news" in client.got for client in clients]
    assert told.count(True) >= len(clients) - len(leaving)
    assert not any(client.aborted for client in clients)


async def test_a_write_that_stalls_ends_the_stream() -> None:
    broadcaster = Broadcaster("feed", 4)
    stuck = Client(reads=False)
    dropped = SSE_DROPPED.labels("feed")._value.get()
    await asyncio.wait_for(stuck.read(broadcaster, "k", stall_seconds=0.01), 5)
    assert stuck.aborted
    assert SSE_DROPPED.labels("feed")._value.get() == dropped + 1


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    client = Client()
    broadcaster = Broadcaster("feed", 4)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.read(broadcaster, "k", heartbeat_seconds=0.01))
        await client.until(HEARTBEAT)
        client.gone.set()
    assert client.got.startswith(b"retry: ")


async def test_a_stream_that_ended_does_not_wait_for_the_collector() -> None:
    """It would hold its connection until then."""
    broadcaster = Broadcaster("feed", 4)
    client = Client()
    gc.collect()
    gc.disable()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.read(broadcaster, "k"))
            await client.until(b"retry")
            client.gone.set()
        assert not any(isinstance(kept, Subscriber) for kept in gc.get_objects())
    finally:
        gc.enable()


async def test_streams_end_when_the_process_stops() -> None:
    broadcaster = Broadcaster("feed", 4)
    client = Client()
    async with asyncio.TaskGroup() as group:
        group.create_task(client.read(broadcaster, "k"))
        await subscribed(broadcaster, "k")
        await broadcaster.publish("k", Version(1, 1), b"last words")
        broadcaster.end()
    assert b"last words" in client.got
    assert client.ended


async def test_history_gives_what_was_missed_and_forgets_what_is_too_old() -> None:
    broadcaster = Broadcaster("discussion", 1_000)
    with broadcaster.subscribe("k") as (channel, _):
        for number in range(HISTORY + 1):
            await broadcaster.publish("k", Version(1, number), b"<%d>" % number)
        assert channel.since(Version(1, HISTORY)) == b""
        assert channel.since(Version(1, HISTORY - 2)) == b"<%d><%d>" % (HISTORY - 1, HISTORY)
        assert channel.since(Version(1, 0)) is None
        assert channel.since(Version(9, 9)) is None


async def test_history_is_bounded_in_bytes_and_feeds_keep_none() -> None:
    discussions, feeds = Broadcaster("discussion", 1_000), Broadcaster("feed", 1_000, history=0)
    half = b"x" * (HISTORY_BYTES // 2)
    with discussions.subscribe("k") as (channel, _), feeds.subscribe("k") as (other, _):
        for number in range(4):
            await discussions.publish("k", Version(1, number), half)
            await feeds.publish("k", Version(1, number), half)
        assert channel.since(Version(1, 2)) == half
        assert channel.since(Version(1, 1)) is None
        await discussions.publish("k", Version(1, 4), b"x" * (HISTORY_BYTES + 1))
        assert channel.since(Version(1, 3)) is None
        await discussions.publish("k", Version(1, 5), b"<5>")
        await discussions.publish("k", Version(1, 6), b"<6>")
        assert channel.since(Version(1, 5)) == b"<6>"
        assert other.since(Version(1, 3)) is None


async def test_who_was_dropped_takes_no_newcomers_channel_along() -> None:
    """It leaves late: the last of its channel is gone, and somebody has come back."""
    broadcaster = Broadcaster("feed", 1)
    with ExitStack() as slow, ExitStack() as new:
        with broadcaster.subscribe("k") as (_, well):
            slow.enter_context(broadcaster.subscribe("k"))
            for number in range(2):
                await broadcaster.publish("k", Version(1, number), b"<%d>" % number)
                well.take()
        _, newcomer = new.enter_context(broadcaster.subscribe("k"))
        slow.close()
        await broadcaster.publish("k", Version(1, 2), b"<2>")
        assert newcomer.take() == b"<2>"


async def test_who_holds_a_newer_version_is_offered_none_that_is_older() -> None:
    """A reader that starts again publishes what it reads from the beginning."""
    broadcaster = Broadcaster("feed", 4)
    with broadcaster.subscribe("k") as (_, back), broadcaster.subscribe("k") as (_, new):
        back.holds = Version(1, 3)
        for number in (2, 3, 4):
            await broadcaster.publish("k", Version(1, number), b"<%d>" % number)
        assert (back.take(), back.take()) == (b"<4>", None)
        assert [new.take() for _ in range(4)] == [b"<2>", b"<3>", b"<4>", None]


def test_when_all_places_are_taken_a_newcomer_is_told_when_to_return() -> None:
    places = Places(1)
    with places.take():
        with pytest.raises(Problem) as refused, places.take():
            pass
        assert refused.value.status == 503
        assert 5 <= int(refused.value.headers["retry-after"]) <= 30
    with places.take():
        pass
