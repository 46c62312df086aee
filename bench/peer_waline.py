"""Waline (npm) on the same Postgres as Veche, with its own limits on readers switched off.

It asks a sign-in service of its authors', over the network, on every request; here a server beside
it answers at once, which flatters it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import httpx

from bench.beside import constant
from bench.cache import npm
from bench.client import request
from bench.ground import Ground
from services.core.settings import environment
from services.embedded.child import Child, answers, free_ports

PACKAGE = "@waline/vercel@1.39.3"
TABLES = """
CREATE TABLE wl_comment (
    id serial PRIMARY KEY, user_id int, comment text, insertedat timestamp, ip text, link text,
    mail text, nick text, pid int, rid int, sticky numeric, status text NOT NULL DEFAULT '',
    "like" int, ua text, url text, createdat timestamp DEFAULT now(),
    updatedat timestamp DEFAULT now()
);
CREATE TABLE wl_counter (
    id serial PRIMARY KEY, time int, reaction0 int, reaction1 int, reaction2 int, reaction3 int,
    reaction4 int, reaction5 int, reaction6 int, reaction7 int, reaction8 int,
    url text NOT NULL DEFAULT '', createdat timestamp DEFAULT now(),
    updatedat timestamp DEFAULT now()
);
CREATE TABLE wl_users (
    id serial PRIMARY KEY, display_name text, email text, password text, type text, label text,
    url text, avatar text, github text, twitter text, facebook text, google text, weibo text,
    qq text, oidc text, huawei text, "2fa" text,
    createdat timestamp DEFAULT now(), updatedat timestamp DEFAULT now()
);
"""


class Waline:
    name = "waline"
    asynchronous = False

    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self._connection = connection
        self._numbers = itertools.count()
        self._voted = 1

    def _comment(self, path: str) -> dict[str, str]:
        number = next(self._numbers)
        return {"comment": f"A comment that says {number} and no more", "nick": f"r{number}",
                "mail": "", "link": "", "ua": "bench", "url": path}  # fmt: skip

    async def fill(self, count: int) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            for _ in range(count):
                answer = await client.post(
                    f"{self.url}/api/comment", json=self._comment("/thread/")
                )
                answer.raise_for_status()
        self._voted = await self._connection.fetchval("SELECT max(id) FROM wl_comment")

    def create(self) -> bytes:
        return request(
            "POST", f"{self.url}/api/comment", json.dumps(self._comment("/other/")).encode(),
            content_type="application/json",
        )  # fmt: skip

    def vote(self) -> bytes:
        return request(
            "PUT", f"{self.url}/api/comment/{self._voted}", b'{"like":true}',
            content_type="application/json",
        )  # fmt: skip

    async def thread(self) -> list[bytes]:
        """Pages of 100: the largest that it gives."""
        page = f"{self.url}/api/comment?path=/thread/&pageSize=100&sortBy=insertedAt_desc&page="
        return [request("GET", f"{page}{number}") for number in range(1, 11)]

    def latest(self) -> bytes:
        return request("GET", f"{self.url}/api/comment?type=recent&count=20")

    async def count_comments(self) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM wl_comment"))

    async def count_votes(self) -> int:
        return int(
            await self._connection.fetchval(
                'SELECT coalesce("like", 0) FROM wl_comment WHERE id = $1', self._voted
            )
        )


@asynccontextmanager
async def opened(ground: Ground) -> AsyncIterator[Waline]:
    folder = await npm(ground, "waline", PACKAGE)
    dsn = await ground.database()
    parts = urlsplit(dsn)
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(TABLES)
    (port,) = free_ports(1)
    nobody = httpx.Response(200, json={"services": []})
    with constant(ground, nobody, nobody.content) as sign_in:
        child = Child(
            "waline",
            ["node", folder / "node_modules/@waline/vercel/vanilla.js", str(port)],
            log=ground.home / "logs/waline.log",
            cwd=folder,
            env=environment(
                {
                    "PG_HOST": parts.hostname or "",
                    "PG_PORT": str(parts.port),
                    "PG_USER": parts.username or "",
                    "PG_PASSWORD": parts.password or "",
                    "PG_DB": parts.path[1:],
                    "IPQPS": "0",
                    "AKISMET_KEY": "false",
                    "OAUTH_URL": sign_in,
                    "NODE_ENV": "production",
                }
            ),
        )
        child.start()
        try:
            child.wait_until(lambda: answers(port), 60)
            yield Waline(f"http://127.0.0.1:{port}", connection)
        finally:
            child.stop()
            await connection.close(timeout=10)
        await ground.drop(dsn)
