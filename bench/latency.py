"""Rows `latency`, `latency_sse` (1,000 events/s) and `feed_latency` (500 events/s).

All services but the console run; events go in through ingest over HTTP, 70 % votes, 25 % views,
5 % comments, from readers who act once. Each time is from just before the request to
- the commit of the effect, as Postgres itself notes it (`track_commit_timestamp`): votes, comments;
- the comment's arrival on its discussion's stream;
- the arrival of a feed, on the feed's stream, that counts the comment.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from bench.figures import Figure, percentile
from bench.ground import Ground
from bench.traffic import SITE, zipf

DISCUSSIONS = 150
"""All of them fit into a feed."""
SERVICES = ("moderation", "counters", "publisher", "reader", "ingest")
TICKS = 20
"""Requests a second."""
WORDS = ["bridge", "river", "city", "morning", "market", "school", "train", "winter", "garden",
         "music", "water", "council", "street", "library", "harvest", "weather", "window",
         "museum", "theatre", "station", "harbour", "engine", "summer"]  # fmt: skip


@dataclass
class Watch:
    """When what was sent and when it was seen, in seconds since 1970."""

    sent: dict[str, float] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    """The events whose commit Postgres tells one by one: votes and comments."""
    order: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Discussion → its comments in the order of the log."""
    streamed: dict[str, float] = field(default_factory=dict)
    in_feed: dict[str, float] = field(default_factory=dict)

    def stream_event(self, name: str, data: str, now: float) -> None:
        if name == "comments":
            for comment in json.loads(data)["comments"]:
                self.streamed.setdefault(comment["id"], now)

    def feed_event(self, name: str, data: str, now: float) -> None:
        if name == "feed":
            for entry in json.loads(data)["entries"]:
                for comment in self.order[entry["discussion"]][: entry["comments"]]:
                    self.in_feed.setdefault(comment, now)


async def listen(url: str, on: Any) -> None:
    """Reads one event stream until cancelled; `on(name, data, when)` is told of every event."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
    try:
        writer.write(f"GET {parts.path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise RuntimeError(f"{url} answered {status!r}")
        name = ""
        async for line in reader:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                on(name, line[6:].decode(), time.time())
    finally:
        writer.close()


@dataclass
class Portal:
    """Sends events as a portal does: in batches, for its readers."""

    url: str
    token: str
    client: httpx.AsyncClient
    watch: Watch = field(default_factory=Watch)
    random: Random = field(default_factory=lambda: Random(1))
    numbers: Any = field(default_factory=count)

    async def send(self, items: list[dict[str, Any]]) -> None:
        answer = await self.client.post(
            f"{self.url}/v1/events",
            json={"events": items},
            headers={"authorization": f"Bearer {self.token}"},
        )
        if answer.status_code != 202:
            raise RuntimeError(f"ingest answered {answer.status_code}: {answer.text[:500]}")

    async def open_discussions(self) -> None:
        await self.send(
            [
                {
                    "id": f"open-{n}",
                    "type": "veche.discussion.opened.v1",
                    "data": {
                        "discussion": f"d{n}", "revision": 1, "title": f"Article {n}",
                        "url": f"https://gazette.example/{n}", "language": "en", "section": "city",
                    },
                }
                for n in range(DISCUSSIONS)
            ]
        )  # fmt: skip

    def item(self, discussion: int) -> dict[str, Any]:
        number = next(self.numbers)
        kind = self.random.choices(("vote.cast", "discussion.viewed", "comment.submitted"),
                                   (70, 25, 5))[0]  # fmt: skip
        data: dict[str, Any] = {"discussion": f"d{discussion}"}
        if kind == "vote.cast":
            data["value"] = 1
        elif kind == "comment.submitted":
            data |= {"comment": f"c{number}", "body": " ".join(self.random.choices(WORDS, k=12))}
            self.watch.order[f"d{discussion}"].append(f"c{number}")
        if kind != "discussion.viewed":
            self.watch.stored.add(str(number))
        return {
            "id": f"e{number}", "type": f"veche.{kind}.v1", "actor": f"r{number}", "data": data,
        }  # fmt: skip

    async def flow(self, per_second: int, seconds: float) -> float:
        """Sends at this rate, whatever the answers take; the rate that was reached."""
        began = time.perf_counter()
        sending: list[asyncio.Task[None]] = []
        ticks = int(seconds * TICKS)
        for tick in range(ticks):
            await asyncio.sleep(max(0.0, began + tick / TICKS - time.perf_counter()))
            items = [self.item(d) for d in zipf(self.random, DISCUSSIONS, per_second // TICKS)]
            now = time.time()
            self.watch.sent |= {item["id"][1:]: now for item in items}
            # One after the other, so that a discussion's comments keep their order.
            before = sending[-1:]
            sending.append(asyncio.create_task(self._after(before, items)))
        await asyncio.gather(*sending)
        return ticks * (per_second // TICKS) / (time.perf_counter() - began)

    async def _after(self, before: list[asyncio.Task[None]], items: list[dict[str, Any]]) -> None:
        await asyncio.gather(*before)
        await self.send(items)


async def committed(dsn: str) -> dict[str, float]:
    """Number of the event → when Postgres committed its effect."""
    connection = await asyncpg.connect(dsn, timeout=10)
    rows = await connection.fetch(
        "SELECT substr(voter, 2), extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
        " FROM votes UNION ALL"
        " SELECT substr(event_id, 2), extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
        " FROM outcomes WHERE comment <> ''"
    )
    await connection.close(timeout=10)
    return dict(rows)


async def flowing(
    ground: Ground, per_second: int, seconds: float
) -> tuple[float, dict[str, list[float]]]:
    """The rate that was reached; seconds from the request to: `postgres`, `sse`, `feed`."""
    prefix, dsn = await ground.topics(), await ground.database()
    env = ground.env(prefix, dsn)
    running = {name: ground.services.start(name, env) for name in SERVICES}
    for one in running.values():
        await asyncio.to_thread(one.wait_ready)
    reader = f"{running['reader'].url}/v1/sites/{SITE}"
    token = ground.trust.mint(role="portal", sub="portal", site=SITE)
    listening: list[asyncio.Task[None]] = []
    async with httpx.AsyncClient(timeout=10) as client:
        portal = Portal(running["ingest"].url, token, client)
        watch = portal.watch
        await portal.open_discussions()
        async with asyncio.timeout(30):
            while await entries(client, reader) < DISCUSSIONS:
                await asyncio.sleep(0.2)
        try:
            listening = [
                asyncio.create_task(listen(f"{reader}/feeds/latest/stream", watch.feed_event)),
                *(
                    asyncio.create_task(
                        listen(f"{reader}/discussions/d{n}/stream", watch.stream_event)
                    )
                    for n in range(DISCUSSIONS)
                ),
            ]
            await asyncio.sleep(1)
            await portal.flow(per_second, 3)  # to get warm
            warm = set(watch.sent)
            rate = await portal.flow(per_second, seconds)
            comments = {name for names in watch.order.values() for name in names}
            with suppress(TimeoutError):
                async with asyncio.timeout(20):
                    while not comments <= (watch.streamed.keys() & watch.in_feed.keys()):
                        await asyncio.sleep(0.1)
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
    at = await committed(dsn)
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while watch.stored - at.keys():
                await asyncio.sleep(0.5)
                at = await committed(dsn)
    ground.services.end()
    await ground.drop(dsn)
    ground.tell(f"{per_second} events/s asked for, {rate:.0f} reached")
    asked = watch.sent.keys() - warm
    if unseen := comments - (watch.streamed.keys() & watch.in_feed.keys()):
        raise RuntimeError(f"{len(unseen)} comments never came")
    stored = asked & watch.stored
    if missing := stored - at.keys():
        raise RuntimeError(f"{len(missing)} votes and comments never took effect")
    return rate, {
        "postgres": [at[n] - watch.sent[n] for n in stored],
        "sse": [t - watch.sent[c[1:]] for c, t in watch.streamed.items() if c[1:] in asked],
        "feed": [t - watch.sent[c[1:]] for c, t in watch.in_feed.items() if c[1:] in asked],
    }


async def entries(client: httpx.AsyncClient, reader: str) -> int:
    answer = await client.get(f"{reader}/feeds/latest")
    return len(answer.json()["entries"]) if answer.status_code == 200 else 0


def p99(name: str, seconds: list[float], target: float, **extra: Any) -> Figure:
    cuts = {f"p{round(s * 100)}": round(percentile(seconds, s), 4) for s in (0.5, 0.95, 1.0)}
    return Figure(name, percentile(seconds, 0.99), "s p99", target, better="low",
                  extra={**cuts, "events": len(seconds), **extra})  # fmt: skip


async def latency_row(ground: Ground) -> list[Figure]:
    seconds = ground.size(30, 3)
    fast_rate, fast = await flowing(ground, 1_000, seconds)
    slow_rate, slow = await flowing(ground, 500, seconds)
    return [
        p99("latency", fast["postgres"], 0.25, events_per_second=round(fast_rate)),
        p99("latency_sse", fast["sse"], 1.0, events_per_second=round(fast_rate)),
        p99("feed_latency", slow["feed"], 1.0, events_per_second=round(slow_rate)),
    ]
