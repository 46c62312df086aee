"""Veche's side of `peers`: ingest, moderation, counters, publisher and reader, all of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx

from bench.client import request
from bench.ground import Ground
from bench.latency import SERVICES
from bench.traffic import SITE
from services.core import codec

READERS = 40_000


class Veche:
    name = "veche"
    asynchronous = True

    def __init__(
        self, ground: Ground, ingest: str, reader: str, connection: asyncpg.Connection
    ) -> None:
        self.url = ingest
        self._ground = ground
        self._reader = reader
        self._connection = connection
        self._numbers = itertools.count()
        self._portal = ground.trust.mint(role="portal", sub="portal", site=SITE)
        self._reading = False

    def _event(self, kind: str, item: dict[str, Any]) -> bytes:
        """As a portal's backend sends it: one event a request, for one of its readers."""
        return request(
            "POST", f"{self.url}/v1/events/{kind}", codec.encode(item),
            content_type="application/json", authorization=f"Bearer {self._portal}",
        )  # fmt: skip

    def _comment(self, discussion: str) -> dict[str, Any]:
        number = next(self._numbers)
        return {
            "id": f"e{number}", "actor": f"r{number}", "type": "veche.comment.submitted.v1",
            "data": {"discussion": discussion, "comment": f"c{number}",
                     "body": f"A comment that says {number} and no more"},
        }  # fmt: skip

    async def fill(self, count: int) -> None:
        openings = [
            {
                "id": f"open-{name}", "type": "veche.discussion.opened.v1",
                "data": {"discussion": name, "revision": 1, "url": "https://gazette.example/a",
                         "title": "An article", "language": "en", "section": "city"},
            }
            for name in ("thread", "other")
        ]  # fmt: skip
        comments = [self._comment("thread") for _ in range(count)]
        async with httpx.AsyncClient(timeout=30) as client:
            for begin in range(0, count, 250):
                some = openings + comments[begin : begin + 250]
                answer = await client.post(
                    f"{self.url}/v1/events", json={"events": some},
                    headers={"authorization": f"Bearer {self._portal}"},
                )  # fmt: skip
                if answer.status_code != 202:
                    raise RuntimeError(answer.text[:500])
        async with asyncio.timeout(60):
            while await self.count_comments() < count:
                await asyncio.sleep(0.1)

    def create(self) -> bytes:
        return self._event("comment", self._comment("other"))

    def vote(self) -> bytes:
        number = next(self._numbers)
        return self._event(
            "vote",
            {
                "id": f"e{number}", "actor": f"r{number}",
                "data": {"discussion": "thread", "comment": "c0", "value": 1},
            },
        )  # fmt: skip

    async def thread(self) -> list[bytes]:
        """Pages of 100, each with the cursor of the one before."""
        self.url = self._reader
        made: list[bytes] = []
        url = f"{self._reader}/v1/sites/{SITE}/discussions/thread/comments?sort=oldest&limit=100"
        async with httpx.AsyncClient(timeout=30) as client:
            cursor = ""
            while True:
                page = url + (f"&cursor={cursor}" if cursor else "")
                made.append(request("GET", page))
                answer = await client.get(page)
                answer.raise_for_status()
                cursor = answer.json()["next"]
                if not cursor:
                    return made

    def latest(self) -> bytes:
        return request(
            "GET",
            f"{self._reader}/v1/sites/{SITE}/discussions/thread/comments?sort=newest&limit=20",
        )

    async def count_comments(self) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM comments"))

    async def count_votes(self) -> int:
        return int(
            await self._connection.fetchval(
                "SELECT coalesce(sum(up), 0) FROM vote_totals WHERE target = 'c0'"
            )
        )


@asynccontextmanager
async def opened(ground: Ground) -> AsyncIterator[Veche]:
    prefix, dsn = await ground.topics(), await ground.database()
    running = {name: ground.services.start(name, ground.env(prefix, dsn)) for name in SERVICES}
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        for one in running.values():
            await asyncio.to_thread(one.wait_ready)
        yield Veche(ground, running["ingest"].url, running["reader"].url, connection)
    finally:
        ground.services.end()
        await connection.close(timeout=10)
        await ground.drop(dsn)
