"""Rows `feed_read`, `feed_read_304` and `feed_p99`: a feed of 200 that changes every second.

The benchmark publishes the feed to feeds.v1 itself, so that a real reader process and nothing else
is measured; beside it, the same HTTP server answers constant bytes of the same size and headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx

from bench.beside import constant
from bench.client import Load, load, request
from bench.figures import Figure, Sample, compared, rounded
from bench.ground import Ground
from services.core import codec, settings, topics
from services.core.events import Feed, FeedEntry, FeedPublished, Version
from services.core.produce import Producer

PATH = "/v1/sites/gazette/feeds/latest"
KEY = b"gazette/latest//"
CODINGS = "gzip, deflate, br, zstd"
"""What browsers send."""
SOCKET_BUFFER = 65_536


def feed(number: int) -> FeedPublished:
    """200 entries; the one that was active last goes to the top."""
    now = datetime.now(UTC)
    entries = [
        FeedEntry(
            discussion=f"a-{100_000 + n}",
            version=Version(1, number * 200 + n),
            title=f"Заголовок статьи номер {n}, в которой есть что обсудить",
            url=f"https://gazette.example/2026/11/24/article-{100_000 + n}",
            language="ru",
            section="city",
            state="open",
            opened_at=now - timedelta(hours=n),
            last_activity=now - timedelta(seconds=n),
            comments=(n * 37) % 500,
            views=(n * 7919) % 90_000,
            rating=(n * 31) % 400 - 50,
        )
        for n in (number % 200, *(i for i in range(200) if i != number % 200))
    ]
    data = Feed(
        site="gazette", feed="latest", language="", section="",
        version=Version(1, number), as_of=now, entries=entries,
    )  # fmt: skip
    return FeedPublished(
        id=f"gazette/latest//@1.{number}", source="/sites/gazette", site="gazette", data=data
    )


class Changing:
    """A reader whose feed gets a new version every second."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._number = 0

    async def __aenter__(self) -> str:
        ground = self._ground
        prefix, self._dsn = await ground.topics(), await ground.database()
        self._producer = Producer(settings.Kafka(ground.kafka, prefix))
        await self._producer.__aenter__()
        await self._publish()
        reader = ground.services.start(
            "reader",
            {**ground.env(prefix, self._dsn), "VECHE_READER_SOCKET_BUFFER": str(SOCKET_BUFFER)},
        )
        await asyncio.to_thread(reader.wait_ready)
        self._task = asyncio.create_task(self._keep_publishing())
        return reader.url

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._producer.__aexit__(*error)
        self._ground.services.end()
        await self._ground.drop(self._dsn)

    async def _publish(self) -> None:
        self._number += 1
        await self._producer.send(topics.FEEDS, KEY, codec.encode(feed(self._number)))

    async def _keep_publishing(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._publish()


async def ask(url: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it came over the wire."""
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", url, headers={"accept-encoding": CODINGS, **headers}) as answer,
    ):
        return answer, b"".join([part async for part in answer.aiter_raw()])


async def feed_row(ground: Ground) -> list[Figure]:
    seconds = ground.size(8, 1)
    p99s: list[float] = []
    unchanged: list[float] = []
    """The share of 304 in each run."""

    async with Changing(ground) as reader:
        answer, raw = await ask(reader + PATH)

        async def read(server: str, connections: int = 64) -> Load:
            made = request("GET", server + PATH, accept_encoding=CODINGS)
            seen = await load(server, lambda: made, connections=connections, seconds=seconds)
            return seen.expect(200)

        async def revalidate(server: str) -> Load:
            """Every connection asks with the newest ETag that any of them was given."""

            def asking(etag: str) -> bytes:
                return request("GET", server + PATH, accept_encoding=CODINGS, if_none_match=etag)

            newest = asking(answer.headers["etag"])

            def look(head: bytes) -> None:
                nonlocal newest
                at = head.find(b"\r\netag: ") + 8
                newest = asking(head[at : head.find(b"\r\n", at)].decode())

            seen = await load(server, lambda: newest, connections=64, seconds=seconds, look=look)
            return seen.expect(200, 304)

        async def ours() -> float:
            return (await read(reader)).per_second

        async def ours_304() -> float:
            seen = await revalidate(reader)
            unchanged.append(seen.statuses.get(304, 0) / sum(seen.statuses.values()))
            return seen.per_second

        with constant(ground, answer, raw, buffer=SOCKET_BUFFER) as beside:
            full = await ground.alternate(
                "feed_read", {"veche": ours, "constant": lambda: rate(read(beside))}
            )
        same = await ask_unchanged(reader + PATH)
        with constant(ground, same, b"", buffer=SOCKET_BUFFER) as beside:
            again = await ground.alternate(
                "feed_read_304",
                {"veche": ours_304, "constant": lambda: rate(revalidate(beside))},
            )
        for run in range(ground.runs):
            p99s.append((await read(reader, connections=16)).at(0.99) * 1_000)
            ground.tell(f"feed_p99 {run + 1}/{ground.runs}: {p99s[-1]:.2f} ms")

    beside_said = "the same server, constant bytes of the same size and headers"
    return [
        compared("feed_read", "requests/s", full["veche"], beside_said, full["constant"], 0.85,
                 bytes=len(raw), coding=answer.headers.get("content-encoding", "")),
        compared("feed_read_304", "requests/s", again["veche"], beside_said, again["constant"],
                 0.85, share_of_304=round(min(unchanged), 3)),
        Figure("feed_p99", Sample(p99s).median, "ms", 5.0, better="low",
               extra={"connections": 16, "spread": [rounded(v) for v in Sample(p99s).spread]}),
    ]  # fmt: skip


async def ask_unchanged(url: str) -> httpx.Response:
    """A 304; asked again where the feed changed meanwhile."""
    while True:
        etag = (await ask(url))[0].headers["etag"]
        unchanged, _ = await ask(url, **{"if-none-match": etag})
        if unchanged.status_code == 304:
            return unchanged


async def rate(loading: Awaitable[Load]) -> float:
    return (await loading).per_second
