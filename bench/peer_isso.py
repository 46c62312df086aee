"""Isso (PyPI), under gunicorn with two workers, on SQLite: the only store that it has."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.cache import venv
from bench.client import request
from bench.ground import Ground
from services.core.settings import environment
from services.embedded.child import Child, answers, free_ports

PACKAGES = ("isso==0.14.0", "gunicorn==23.0.0")
CONFIG = """
[general]
dbpath = {folder}/comments.db
host = http://127.0.0.1:{port}/
latest-enabled = true
[server]
listen = http://127.0.0.1:{port}/
trusted-proxies = 127.0.0.1
[guard]
enabled = false
"""
VOTES_A_COMMENT = 100
"""Isso accepts more than 142 votes on a comment and keeps 142: a limit, not a loss."""


class Isso:
    name = "isso"
    asynchronous = False

    def __init__(self, url: str, database: Path) -> None:
        self.url = url
        self._database = database
        self._numbers = itertools.count()
        self._comments: list[int] = []
        self._votes = itertools.count()

    def _new(self, uri: str) -> bytes:
        number = next(self._numbers)
        body = {"text": f"A comment that says {number} and no more", "author": f"r{number}",
                "title": "An article"}  # fmt: skip
        return request(
            "POST", f"{self.url}/new?uri={uri}", json.dumps(body).encode(),
            content_type="application/json", x_forwarded_for=self._reader(number),
        )  # fmt: skip

    @staticmethod
    def _reader(number: int) -> str:
        """Isso tells readers apart by /24."""
        return f"{11 + number // 65_536}.{number // 256 % 256}.{number % 256}.1"

    async def fill(self, count: int) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            for number in range(count):
                answer = await client.post(
                    f"{self.url}/new?uri=/thread/",
                    json={"text": f"Comment {number}", "author": "r", "title": "A thread"},
                    headers={"x-forwarded-for": self._reader(number)},
                )
                answer.raise_for_status()
                client.cookies.clear()  # it sets one per comment
                self._comments.append(answer.json()["id"])

    def create(self) -> bytes:
        return self._new("/other/")

    def vote(self) -> bytes:
        number = next(self._votes)
        voted = self._comments[number // VOTES_A_COMMENT % len(self._comments)]
        return request(
            "POST", f"{self.url}/id/{voted}/like", b"{}", content_type="application/json",
            x_forwarded_for=self._reader(300_000 + number),
        )  # fmt: skip

    async def thread(self) -> list[bytes]:
        return [request("GET", f"{self.url}/?uri=/thread/")]

    def latest(self) -> bytes:
        return request("GET", f"{self.url}/latest?limit=20")

    async def count_comments(self) -> int:
        return self._one("SELECT count(*) FROM comments")

    async def count_votes(self) -> int:
        return self._one("SELECT coalesce(sum(likes), 0) FROM comments")

    def _one(self, query: str) -> int:
        with sqlite3.connect(self._database) as connection:
            return int(connection.execute(query).fetchone()[0])


@asynccontextmanager
async def opened(ground: Ground) -> AsyncIterator[Isso]:
    where = await venv(ground, "isso", *PACKAGES)
    (port,) = free_ports(1)
    with TemporaryDirectory() as folder:
        config = Path(folder) / "isso.cfg"
        config.write_text(CONFIG.format(folder=folder, port=port))
        child = Child(
            "isso",
            [where / "gunicorn", "-w", "2", "--preload", "--keep-alive", "60", "-k", "gthread",
             "--threads", "8", "-b", f"127.0.0.1:{port}", "--log-level", "warning", "isso.run"],
            log=ground.home / "logs/isso.log",
            env=environment({"ISSO_SETTINGS": str(config)}),
        )  # fmt: skip
        child.start()
        try:
            child.wait_until(lambda: answers(port), 30)
            yield Isso(f"http://127.0.0.1:{port}", Path(folder) / "comments.db")
        finally:
            child.stop()
