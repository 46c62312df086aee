"""The reader as a process: real Kafka, real Postgres, real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from services.core.events import Version
from tests.integration.reader_rows import Rows, Topics, topics_of
from tests.processes import ServiceProcess, Services
from tests.unit.reader.build import a_feed, a_strip

FEED = "/v1/sites/gazette/feeds/latest"
STRIP = "/v1/sites/gazette/discussions/d1"


@pytest.fixture
async def topics(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[Topics]:
    async with topics_of(kafka_bootstrap, topic_prefix) as made:
        yield made


@pytest.fixture
async def rows(postgres_dsn: str) -> AsyncIterator[Rows]:
    connection = await asyncpg.connect(postgres_dsn)
    rows = Rows(connection)
    await rows.discussion()
    yield rows
    await connection.close()


@pytest.fixture
async def reader(services: Services) -> ServiceProcess:
    started = services.start("reader")
    return await asyncio.to_thread(started.wait_ready)


@dataclass
class Stream:
    """An open event stream, read line by line."""

    lines: AsyncIterator[str]
    retry: str = ""
    seen: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def next(self) -> tuple[str, str, dict[str, Any]]:
        """(event, id, data) of the next event."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self.lines:
                if line:
                    name, _, value = line.partition(": ")
                    if name == "retry":
                        self.retry = value
                    elif name:
                        fields[name] = value
                elif "data" in fields:
                    got = (fields["event"], fields.get("id", ""), json.loads(fields["data"]))
                    self.seen.append(got)
                    return got
        raise AssertionError("the stream ended")


@asynccontextmanager
async def stream(url: str, **headers: str) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        yield Stream(answer.aiter_lines())


async def until(url: str, version: str) -> httpx.Response:
    """GET until this version is served."""
    async with httpx.AsyncClient() as client, asyncio.timeout(10):
        while True:
            answer = await client.get(url)
            if answer.headers.get("veche-version") == version:
                return answer
            await asyncio.sleep(0.01)


async def test_what_was_published_before_it_started_is_served_and_then_what_comes(
    services: Services, topics: Topics
) -> None:
    await topics.feed(a_feed(2, entries=30))
    await topics.feed(a_feed(1))
    reader = services.start("reader")
    await asyncio.to_thread(reader.wait_ready)
    first = await until(reader.url + FEED, "1.2")
    assert len(first.json()["entries"]) == 30
    await topics.feed(a_feed(3))
    await topics.feed(a_feed(2))
    newer = await until(reader.url + FEED, "1.3")
    assert newer.headers["etag"] != first.headers["etag"]
    async with httpx.AsyncClient() as client:
        unchanged = await client.get(
            reader.url + FEED, headers={"if-none-match": newer.headers["etag"]}
        )
        assert unchanged.status_code == 304
        assert (await client.head(reader.url + FEED)).status_code == 200


async def test_a_feed_stream_brings_each_version_and_resumes_with_the_newest(
    reader: ServiceProcess, topics: Topics, rows: Rows
) -> None:
    await topics.feed(a_feed(1))
    await until(reader.url + FEED, "1.1")
    async with stream(reader.url + FEED + "/stream") as opened:
        assert (await opened.next())[:2] == ("feed", "1.1")
        assert 3_000 <= int(opened.retry) <= 15_000
        await topics.feed(a_feed(2))
        event, version, data = await opened.next()
        assert (event, version, data["version"]) == ("feed", "1.2", [1, 2])
    async with stream(reader.url + FEED + "/stream", **{"last-event-id": "1.2"}) as resumed:
        await topics.feed(a_feed(3))
        assert (await resumed.next())[:2] == ("feed", "1.3"), "1.2 was not sent again"
    await rows.feed_version(9)  # and another reader was told so first
    async with stream(reader.url + FEED + "/stream?since=1.9") as ahead:
        await topics.feed(a_feed(10))
        assert (await ahead.next())[:2] == ("feed", "1.10"), "no step back"
    async with stream(reader.url + FEED + "/stream", **{"last-event-id": "1.1"}) as resumed:
        assert (await resumed.next())[:2] == ("feed", "1.10")


async def test_a_discussion_stream_brings_comments_and_resumes_or_resets(
    reader: ServiceProcess, topics: Topics, rows: Rows
) -> None:
    url = reader.url + STRIP + "/stream"
    await topics.strip(a_strip(1))
    await until(reader.url + STRIP, "1.1")
    await rows.comment("c1")
    async with stream(url) as opened:
        assert (await opened.next())[:2] == ("strip", "1.1")
        await topics.strip(a_strip(2, comments=4, changed_comments=["c1", "c0"]))
        event, version, data = await opened.next()
        assert (event, version) == ("comments", "")
        assert [comment["id"] for comment in data["comments"]] == ["c1"]
        assert data["vanished"] == ["c0"]
        event, version, data = await opened.next()
        assert (event, version, data["comments"]) == ("strip", "1.2", 4)

        async with stream(url, **{"last-event-id": "1.1"}) as late:
            assert (await late.next())[0] == "reset", "1.1 was sent before the channel's history"
            assert (await late.next())[:2] == ("strip", "1.2")
        await topics.strip(a_strip(3, changed_comments=["c1"]))
        assert [(await opened.next())[0], (await opened.next())[0]] == ["comments", "strip"]
        async with stream(url + "?since=1.2") as missed:
            assert (await missed.next())[0] == "comments", "what was missed comes again"
            assert (await missed.next())[:2] == ("strip", "1.3")
        await topics.strip(a_strip(version=Version(2, 4), changed_comments=["c1"]))
        assert (await opened.next())[0] == "reset"
        assert (await opened.next())[:2] == ("strip", "2.4")


async def test_who_missed_only_views_and_votes_while_nobody_listened_keeps_the_thread(
    reader: ServiceProcess, topics: Topics, rows: Rows
) -> None:
    url = reader.url + STRIP + "/stream?since="
    for number, changed in ((1, ["c1"]), (2, []), (3, [])):
        await topics.strip(a_strip(number, changed_comments=changed))
    await until(reader.url + STRIP, "1.3")
    async with stream(url + "1.1") as opened:
        assert (await opened.next())[:2] == ("strip", "1.3")
    await topics.strip(a_strip(4, changed_comments=["c1"]))
    await until(reader.url + STRIP, "1.4")
    for held in ("1.3", ""):  # an empty version is that of a page made before the first strip
        async with stream(url + held) as opened:
            assert (await opened.next())[0] == "reset"


async def test_who_holds_a_version_of_another_log_begins_anew(
    reader: ServiceProcess, topics: Topics, rows: Rows
) -> None:
    """The data directory was wiped, or the topics were made anew, behind the client's back."""
    await rows.feed_version(2)
    await rows.strip(a_strip(2))
    await topics.feed(a_feed(2))
    await topics.strip(a_strip(2))
    await until(reader.url + FEED, "1.2")
    await until(reader.url + STRIP, "1.2")
    for resource, name in ((FEED, "feed"), (STRIP, "strip")):
        for held in ("1.90", "7.1"):
            async with stream(reader.url + resource + "/stream?since=" + held) as opened:
                assert (await opened.next())[0] == "reset"
                assert (await opened.next())[:2] == (name, "1.2")
    async with stream(reader.url + STRIP + "/stream", **{"last-event-id": "1.90"}) as opened:
        assert [(await opened.next())[0] for _ in range(2)] == ["reset", "strip"]
        await topics.strip(a_strip(3))
        assert (await opened.next())[:2] == ("strip", "1.3"), "and goes on from there"


async def test_who_was_told_by_a_reader_ahead_of_this_one_waits(
    reader: ServiceProcess, topics: Topics, rows: Rows
) -> None:
    await topics.strip(a_strip(2))
    await until(reader.url + STRIP, "1.2")
    await rows.strip(a_strip(3))
    async with stream(reader.url + STRIP + "/stream", **{"last-event-id": "1.3"}) as opened:
        await topics.strip(a_strip(3))
        await topics.strip(a_strip(4))
        assert (await opened.next())[:2] == ("strip", "1.4")


async def test_it_starts_and_serves_feeds_while_postgres_is_away(
    services: Services, topics: Topics
) -> None:
    await topics.feed(a_feed(1))
    away = {"VECHE_POSTGRES_DSN": "postgresql://veche@127.0.0.1:1/veche"}
    reader = services.start("reader", away)
    await asyncio.to_thread(reader.wait_ready)
    await until(reader.url + FEED, "1.1")
    async with httpx.AsyncClient() as client:
        answer = await client.get(reader.url + STRIP + "/comments")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:veche:problem:unavailable")


async def test_streams_of_unknown_discussions_are_404(reader: ServiceProcess) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(reader.url + "/v1/sites/gazette/discussions/none/stream")
    assert answer.status_code == 404


async def test_a_stop_ends_streams_at_once(reader: ServiceProcess, topics: Topics) -> None:
    await topics.feed(a_feed(1))
    async with stream(reader.url + FEED + "/stream") as opened:
        await opened.next()
        code = await asyncio.to_thread(reader.stop)
        assert code == 0
        assert [line async for line in opened.lines if line] == []


async def test_a_client_that_never_reads_is_evicted_and_others_go_on(
    services: Services, topics: Topics
) -> None:
    reader = services.start("reader", {"VECHE_READER_SOCKET_BUFFER": "16384"})
    await asyncio.to_thread(reader.wait_ready)
    await topics.feed(a_feed(1, entries=200))
    await until(reader.url + FEED, "1.1")
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port = urlsplit(reader.url).port
    assert port is not None
    stuck.connect(("127.0.0.1", port))
    stuck.sendall(f"GET {FEED}/stream HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    async with stream(reader.url + FEED + "/stream") as well, asyncio.timeout(60):
        number = 1
        while 'veche_sse_dropped_total{stream="feed"} 1.0' not in await asyncio.to_thread(
            reader.metrics
        ):
            number += 1
            await topics.feed(a_feed(number, entries=200))
            while (await well.next())[1] != f"1.{number}":
                pass
        assert number < 100, "its buffers took too much"
        assert 'veche_sse_clients{stream="feed"} 1.0' in await asyncio.to_thread(reader.metrics)
    stuck.close()
    assert "ERROR" not in reader.log_text()


async def test_feeds_and_strips_stay_readable_with_their_age_when_servers_go(
    own_kafka: Any, own_postgres: Any, trust: Any, tmp_path: Any
) -> None:
    from tests.conftest import make_topics

    await make_topics(own_kafka.bootstrap, "")
    services = Services(
        {
            "VECHE_KAFKA_BOOTSTRAP": own_kafka.bootstrap,
            "VECHE_POSTGRES_DSN": own_postgres.dsn(),
            **trust.env,
        },
        tmp_path / "logs",
    )
    try:
        reader = services.start("reader")
        await asyncio.to_thread(reader.wait_ready)
        async with topics_of(own_kafka.bootstrap, "") as topics:
            await topics.feed(a_feed(1))
            await topics.strip(a_strip(1))
        await until(reader.url + STRIP, "1.1")
        await until(reader.url + FEED, "1.1")
        own_postgres.kill()
        own_kafka.broker(1).kill()
        async with httpx.AsyncClient() as client, asyncio.timeout(60):
            age = 0
            while age < 2:
                for path in (FEED, STRIP, "/v1/sites/gazette/counters?discussion=d1"):
                    answer = await client.get(reader.url + path)
                    assert answer.status_code == 200
                age = int(answer.headers.get("age", 0))
                await asyncio.sleep(0.1)
            thread = await client.get(reader.url + STRIP + "/comments", timeout=5)
            assert thread.status_code == 503
            assert int(thread.headers["retry-after"]) >= 1
            own_postgres.start()
            own_kafka.restart(1)
            while age:
                answer = await client.get(reader.url + FEED)
                age = int(answer.headers.get("age", 0))
                await asyncio.sleep(0.1)
            while (await client.get(reader.url + STRIP + "/comments")).status_code != 200:
                await asyncio.sleep(0.1)
    finally:
        services.end()
