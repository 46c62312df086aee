"""Seeded traffic over the public HTTP interface, and nothing else: writers and moderators here,
those who read in `readers.py`.

A 503 or no answer at all is "maybe": most of those are sent again under the same ids.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from services.core.receipts import read
from tests.chaos import readers as reading
from tests.chaos.clients import TROUBLE, Clients
from tests.chaos.history import History
from tests.chaos.stack import Stack
from tests.chaos.world import SITE, World

SAME_AGAIN = 0.8


class Traffic(Clients):
    def __init__(
        self,
        stack: Stack,
        history: History,
        seed: int,
        *,
        events: int,
        progress: Callable[[], float],
        writers: int = 4,
        batch: int = 60,
        discussions: int = 24,
        readers: int = 60,
        streams: int = 6,
        sessions: int = 3,
        crowd: float = 0.0,
    ) -> None:
        world = World(seed, readers=readers, crowd=crowd)
        super().__init__(stack, history, world, random.Random(seed + 1))
        self.events = events
        self.progress = progress
        """How much of the faults is done, 0 to 1: events keep pace with it."""
        self.writers, self.batch = writers, batch
        self.streams, self.sessions = streams, sessions
        self.first_discussions = discussions
        self._tasks: list[asyncio.Task[None]] = []

    # --- life

    async def start(self) -> None:
        opened = [self.world.opened() for _ in range(self.first_discussions)]
        await self._send_until_ok("setup", opened)
        work: list[Coroutine[Any, Any, None]] = [self._writer(n) for n in range(self.writers)]
        work += [self._moderator(), reading.poll(self, 0), reading.poll(self, 1)]
        work += [reading.stream(self, n) for n in range(self.streams)]
        work += [self._session(n) for n in range(self.sessions)]
        self._tasks = [asyncio.create_task(one) for one in work]

    async def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` meanwhile. A client that breaks ends it with the client's error."""
        running = asyncio.create_task(work)
        waiting = {running, *self._tasks}
        try:
            while running in waiting:
                ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
        finally:
            running.cancel()

    async def end(self) -> None:
        """Writers end after the operation they are in; streams are ended by `end_streams`."""
        self.stop.set()
        writing = [task for task in self._tasks if not task.get_name().startswith("stream")]
        _, late = await asyncio.wait(writing, timeout=60)
        for task in late:
            task.cancel()
        for task in writing:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def end_streams(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _breathe(self) -> int:
        """Runs ahead of the faults by a little only, so that each of them meets traffic.

        Returns how many events to send now.
        """
        ahead = self.history.acknowledged / max(1, self.events) - self.progress()
        if ahead > 0.02 and self.progress() < 1:
            await asyncio.sleep(0.25)
            return self.random.randrange(1, 6)
        return self.random.randrange(1, self.batch)

    @property
    def done(self) -> bool:
        return self.history.acknowledged >= self.events

    # --- sending

    async def _post(self, items: list[dict[str, Any]], session: str) -> list[str]:
        """Sends one batch and writes the history; returns "ok", "maybe" or "fail" per item."""
        ops = [
            self.history.begin(
                session, item["type"].removeprefix("veche.").removesuffix(".v1"),
                item["data"]["discussion"], item["id"], item["data"].get("comment"),
            )
            for item in items
        ]  # fmt: skip
        try:
            answer = await self.http.post(
                f"{self.url('ingest')}/v1/events",
                json={"events": items},
                headers=self.token("portal", "portal"),
            )
            body = answer.json()
            status = answer.status_code
        except TROUBLE as error:
            for op in ops:
                self.history.end(op, "maybe", status=type(error).__name__)
            return ["maybe"] * len(items)
        results = body.get("results")
        if results is None:
            kind = "maybe" if status >= 500 else "fail"
            if status != 503:
                self.broken.append(f"{status} {answer.text[:300]}")
            for op in ops:
                self.history.end(op, kind, status=status)
            return [kind] * len(items)
        said = []
        for op, result in zip(ops, results, strict=True):
            if result["status"] == 202:
                held = read(result["receipt"], self.secret)
                self.history.end(
                    op, "ok", status=202, receipt=[held.topic, held.partition, held.offset]
                )
                said.append("ok")
            else:
                kind = "maybe" if result["status"] >= 500 else "fail"
                self.history.end(op, kind, status=result["status"])
                said.append(kind)
        return said

    async def _send_until_ok(self, session: str, items: list[dict[str, Any]]) -> None:
        while items:
            said = await self._post(items, session)
            items = [item for item, result in zip(items, said, strict=True) if result == "maybe"]
            if items:
                await asyncio.sleep(0.5)

    async def _writer(self, number: int) -> None:
        chance = self.random
        while not self.stop.is_set():
            items = [self.world.any() for _ in range(await self._breathe())]
            said = await self._post(items, f"writer-{number}")
            for _ in range(20):
                again = [i for i, r in zip(items, said, strict=True) if r == "maybe"]
                if not again or chance.random() > SAME_AGAIN or self.stop.is_set():
                    break
                await asyncio.sleep(0.2)
                items, said = again, await self._post(again, f"writer-{number}")
            if chance.random() < 0.05:
                await self._post(items, f"writer-{number}")  # an impatient client

    # --- moderation

    async def _moderator(self) -> None:
        while not self.stop.is_set():
            await asyncio.sleep(0.3)
            with suppress(*TROUBLE):
                headers = self.token("moderator", "mod")
                console = self.url("console")
                base = f"{console}/v1/console/sites/{SITE}"
                # What readers reported waits behind much else: every other look is for that.
                reason = self.random.choice(("", "report"))
                address = f"{base}/queue?limit=20&reason={reason}"
                page = await self.http.get(address, headers=headers)
                if page.status_code != 200:
                    continue
                items = page.json()["items"]
                chosen = self.random.sample(items, k=min(6, len(items)))
                await asyncio.gather(*(self._ruled(base, headers, item) for item in chosen))

    async def _ruled(self, base: str, headers: dict[str, str], item: dict[str, Any]) -> None:
        await self._decide(base, headers, item)
        if self.random.random() < 0.3:  # a colleague who looked at the same queue
            await self._decide(base, self.token("moderator", "colleague"), item)

    async def _decide(self, base: str, headers: dict[str, str], item: dict[str, Any]) -> None:
        expected = dict(item["expected"])
        if self.random.random() < 0.15:  # as one who looked a while ago
            expected["revision"] = max(1, expected["revision"] - 1)
            expected["status"] = self.random.choice(("pending", "published", "rejected"))
        ruling = self.random.choice(("approve", "approve", "reject"))
        decision = {
            "id": self.world.next_id("x"), "discussion": item["discussion"],
            "comment": item["comment"], "ruling": ruling, "expected": expected,
            "reason": "see the house rules",
        }  # fmt: skip
        for _ in range(4):
            op = self.history.begin(
                "moderator", "decision.made", item["discussion"], decision["id"], item["comment"]
            )
            try:
                answer = await self.http.post(f"{base}/decisions", json=decision, headers=headers)
            except TROUBLE as error:
                self.history.end(op, "maybe", status=type(error).__name__)
                continue
            if answer.status_code in (200, 202, 404, 409):
                self.history.end(op, "ok", status=answer.status_code)
                return
            kind = "maybe" if answer.status_code >= 500 else "fail"
            self.history.end(op, kind, status=answer.status_code)
            if kind == "fail":
                self.broken.append(f"decision: {answer.status_code} {answer.text[:300]}")
                return

    async def _session(self, number: int) -> None:
        """Has a discussion and a name of its own."""
        opened = self.world.opened()
        name = opened["data"]["discussion"]
        self.world.discussions.remove(name)
        await self._send_until_ok(f"session{number}", [opened])
        await reading.session(self, f"session{number}", name)
