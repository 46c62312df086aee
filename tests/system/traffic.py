"""Traffic that flows while a test does harm, and what the harm must not have changed.

Steered by progress and conditions, never by time: a part of the acts is sent in slices by a
background task; the test waits until so many slices were accepted, or until a worker stands in the
middle of a batch.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx

from tests.system import oracle
from tests.system.comparing import feed_seen, root_ids, same_comment, strip_seen
from tests.system.generator import Act, settle
from tests.system.portal import Veche, until_equal

SLICE = 100
THREADS_COMPARED = 4


class Traffic:
    """Sends acts in order, slice by slice, to each copy in turn."""

    def __init__(self, copies: Sequence[Veche], acts: Sequence[Act], seed: int) -> None:
        self.copies = copies
        self.acts = acts
        self.seed = seed
        self.slices = [acts[start : start + SLICE] for start in range(0, len(acts), SLICE)]
        self.sent = 0
        """Slices that were accepted."""
        self.receipts: dict[str, str] = {}
        self._random = random.Random(seed)
        self._moved = asyncio.Condition()

    @asynccontextmanager
    async def flowing(self, share: float) -> AsyncIterator[None]:
        """Sends the next `share` of all slices while the body runs; ends once they are accepted."""
        until = min(len(self.slices), self.sent + round(share * len(self.slices)))
        sending = asyncio.create_task(self._send(self.sent, until))
        try:
            yield
            await asyncio.wait_for(sending, 120)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def more(self, slices: int = 2, seconds: float = 60.0) -> None:
        """Returns once so many more slices were accepted."""
        goal = self.sent + slices
        async with asyncio.timeout(seconds), self._moved:
            await self._moved.wait_for(lambda: self.sent >= goal)

    async def send_rest(self) -> None:
        await self._send(self.sent, len(self.slices))

    async def again(self, slices: int = 5) -> None:
        """Sends some slices whole a second time, in no order: all they say was said already.

        Only once a fault was looked at: what it lost would come back with them.
        """
        for number in self._random.sample(range(self.sent), slices):
            await self._deliver(number)

    async def _send(self, start: int, end: int) -> None:
        for number in range(start, end):
            await self._deliver(number)
            async with self._moved:
                self.sent = number + 1
                self._moved.notify_all()

    async def _deliver(self, number: int) -> None:
        veche = self.copies[number % len(self.copies)]
        for id, receipt in (await veche.send_acts(self.slices[number])).items():
            self.receipts.setdefault(id, receipt)

    # --- what must be true of what was accepted

    async def same_state(self, after: str) -> oracle.Portal:
        """Every copy of the reader shows what the oracle says of the slices accepted so far."""
        portal = oracle.Portal()
        expected = settle([act for part in self.slices[: self.sent] for act in part], portal)
        try:
            for veche in self.copies:
                await _same_strips_and_feeds(veche, portal)
            if self.sent == len(self.slices):
                await self._same_outcomes(expected)
                await _same_threads(self.copies[-1], portal)
                held = {
                    (d.id, c.id)
                    for d in portal.discussions.values()
                    for c in d.comments.values()
                    if c.held is not None
                }
                items = await self.copies[-1].queue()
                assert {(item["discussion"], item["comment"]) for item in items} == held
        except AssertionError as error:
            raise AssertionError(f"after {after} (seed {self.seed}): {error}") from error
        return portal

    async def _same_outcomes(self, expected: dict[str, str]) -> None:
        told = await self.copies[0].outcomes({id: self.receipts[id] for id in expected})
        wrong = {
            id: (told[id]["result"], expected[id])
            for id in expected
            if told[id]["result"] != expected[id]
        }
        assert not wrong


async def _same_strips_and_feeds(veche: Veche, portal: oracle.Portal) -> None:
    for discussion in portal.discussions.values():
        if discussion.state != "removed":
            await until_equal(
                lambda d=discussion: strip_seen(veche, d.id), discussion.strip(), 60.0
            )
    for name in ("latest", "hot", "top-all"):
        for language in ("", "ru"):
            await until_equal(
                lambda n=name, at=language: feed_seen(veche, n, at, ""),
                oracle.entries(portal.feed(name, language=language)),
            )


async def _same_threads(veche: Veche, portal: oracle.Portal) -> None:
    """Comments with their votes, in the liveliest discussions."""
    for discussion in list(portal.discussions.values())[:THREADS_COMPARED]:
        expected = [comment.id for comment in discussion.roots("oldest")]
        await until_equal(lambda d=discussion.id: root_ids(veche, d, "oldest"), expected)
        for root in await veche.roots(discussion.id, "oldest", limit=100):
            same_comment(root, discussion)
            for reply in root["all_replies"]:
                same_comment(reply, discussion)


# --- doing harm at the right moment


class Block:
    """Holds writers of tables: each stands in the middle of its transaction, effects unsaved."""

    def __init__(self, connection: asyncpg.Connection[Any], tables: Sequence[str]) -> None:
        self._connection = connection
        self._tables = tables

    async def held_up(self, writers: int = 1) -> None:
        """Returns once so many transactions wait at each table; they may for five seconds."""
        what = f"{writers} writers of {', '.join(self._tables)}"
        await until(lambda: self._waiting(writers), what, 60.0)

    async def _waiting(self, writers: int) -> bool:
        rows = await self._connection.fetch(
            "SELECT count(*) FROM pg_locks WHERE relation = ANY ($1::regclass[]) AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " GROUP BY relation HAVING count(*) >= $2",
            self._tables,
            writers,
        )
        return len(rows) == len(self._tables)


@asynccontextmanager
async def blocked(dsn: str, *tables: str) -> AsyncIterator[Block]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with connection.transaction():
            for table in tables:
                await connection.execute(f"LOCK TABLE {table} IN SHARE MODE", timeout=30)
            yield Block(connection, tables)
    finally:
        await connection.close(timeout=10)


async def until(holds: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
    """`holds` may be async. Returns once it is true; fails, naming `what`, if it never is."""
    deadline = time.monotonic() + seconds
    while True:
        held = holds()
        if await held if asyncio.iscoroutine(held) else held:
            return
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


def metric(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels, from /metrics."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and wanted <= set((found[2] or "").split(",")):
            total += float(found[3])
    return total


# --- a reader's open page


class OpenPage:
    """An event stream that reconnects as browsers do, and all versions that it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.versions: list[tuple[int, int]] = []
        self.connections = 0
        self._last_id = ""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[OpenPage]:
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        async with httpx.AsyncClient(timeout=httpx.Timeout(20.0)) as client:
            while True:
                headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
                with suppress(httpx.TransportError):
                    async with client.stream("GET", self.url, headers=headers) as answer:
                        if answer.status_code == 200:
                            self.connections += 1
                            await self._read(answer)
                await asyncio.sleep(0.1)

    async def _read(self, answer: httpx.Response) -> None:
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                self._last_id = value
                incarnation, number = value.split(".")
                self.versions.append((int(incarnation), int(number)))

    def never_went_back(self) -> None:
        pairs = zip(self.versions, self.versions[1:], strict=False)
        assert [pair for pair in pairs if pair[1] < pair[0]] == [], f"{self.url} went back"
