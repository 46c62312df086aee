"""Seeded traffic over the public HTTP interface, and nothing else: writers, one moderator, readers
who poll, readers who stream, and sessions that read what they wrote.

A 503 or no answer at all is "maybe": most of those are sent again under the same ids.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import httpx

from services.core.receipts import read
from tests.chaos.history import History
from tests.chaos.stack import Stack
from tests.chaos.world import SITE, World

SAME_AGAIN = 0.8
TROUBLE = (httpx.HTTPError, OSError, ValueError)


class Traffic:
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
        self.stack = stack
        self.history = history
        self.world = World(seed, readers=readers, crowd=crowd)
        self.random = random.Random(seed + 1)
        self.events = events
        self.progress = progress
        """How much of the faults is done, 0 to 1: events keep pace with it."""
        self.writers, self.batch = writers, batch
        self.streams, self.sessions = streams, sessions
        self.first_discussions = discussions
        self.stop = asyncio.Event()
        self.secret = stack.trust.env["VECHE_RECEIPT_SECRET"].encode()
        self._tokens: dict[tuple[str, str], str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: list[str] = []
        """Answers that no fault explains: 500s, and 4xx to a good request."""

    # --- life

    async def start(self) -> None:
        opened = [self.world.opened() for _ in range(self.first_discussions)]
        await self._send_until_ok("setup", opened)
        work: list[Coroutine[Any, Any, None]] = [self._writer(n) for n in range(self.writers)]
        work += [self._moderator(), self._poller(0), self._poller(1)]
        work += [self._streamer(n) for n in range(self.streams)]
        work += [self._session(n) for n in range(self.sessions)]
        self._tasks = [asyncio.create_task(one) for one in work]

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

    def token(self, role: str, sub: str) -> dict[str, str]:
        if (role, sub) not in self._tokens:
            self._tokens[role, sub] = self.stack.trust.mint(
                role=role, sub=sub, site=SITE, exp=2_000_000_000
            )
        return {"Authorization": f"Bearer {self._tokens[role, sub]}"}

    def url(self, name: str) -> str:
        return self.random.choice(self.stack.of(name)).url

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
            answer = await self.stack.http.post(
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
                page = await self.stack.http.get(address, headers=headers)
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
                answer = await self.stack.http.post(
                    f"{base}/decisions", json=decision, headers=headers
                )
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

    # --- reading

    async def _poller(self, number: int) -> None:
        """One reader of one copy: its versions must never fall."""
        feeds = ["feeds/latest", "feeds/hot", "feeds/top-all"]
        while not self.stop.is_set():
            await asyncio.sleep(0.15)
            copies = self.stack.of("reader")
            service = copies[number % len(copies)]
            names = [f"discussions/{name}" for name in self.world.discussions[:5]]
            path = self.random.choice(names + feeds)
            with suppress(*TROUBLE):
                answer = await self.stack.http.get(f"{service.url}/v1/sites/{SITE}/{path}")
                if answer.status_code == 200:
                    body = answer.json()
                    seen = {name: body.get(name) for name in ("views", "comments", "rating")}
                    self.history.note(
                        "read", session=f"poller-{number}", key=path, version=body["version"],
                        seen=seen, age=int(answer.headers.get("age", 0)),
                    )  # fmt: skip
                elif answer.status_code >= 500 and answer.status_code != 503:
                    self.broken.append(f"{path}: {answer.status_code} {answer.text[:200]}")

    async def _streamer(self, number: int) -> None:
        asyncio.current_task().set_name(f"stream-{number}")  # type: ignore[union-attr]
        while not self.world.discussions:
            await asyncio.sleep(0.1)
        name = self.world.discussions[number % len(self.world.discussions)]
        last = ""
        life = 0
        while True:
            life += 1
            service = self.random.choice(self.stack.of("reader"))
            url = f"{service.url}/v1/sites/{SITE}/discussions/{name}/stream"
            headers = {"Last-Event-ID": last} if last else {}
            with suppress(*TROUBLE):
                async with self.stack.http.stream(
                    "GET", url, headers=headers, timeout=httpx.Timeout(5.0, read=30.0)
                ) as answer:
                    if answer.status_code == 200:
                        self.history.note(
                            "sse", session=f"stream-{number}", key=name, event="open", held=last
                        )
                        last = await self._listen(answer, f"stream-{number}", name, last)
            await asyncio.sleep(0.3)

    async def _listen(self, answer: httpx.Response, session: str, name: str, last: str) -> str:
        event: dict[str, str] = {}
        left = self.random.uniform(5, 40)  # some come and go by themselves
        until = self.history.now() + left
        try:
            async for line in answer.aiter_lines():
                if line:
                    head, _, rest = line.partition(":")
                    event[head] = rest.strip()
                    continue
                if "data" in event:
                    data = json.loads(event["data"])
                    said: dict[str, Any] = {"version": data.get("version")}
                    if event["event"] == "comments":
                        said["ids"] = [c["id"] for c in data["comments"]] + data["vanished"]
                        said["vanished"] = data["vanished"]
                    elif event["event"] == "strip":
                        said["seen"] = {m: data[m] for m in ("views", "comments", "rating")}
                    self.history.note(
                        "sse", session=session, key=name, event=event["event"], **said
                    )
                    last = event.get("id", last)
                event = {}
                if self.history.now() > until and not self.stop.is_set():
                    break
        except TROUBLE:
            pass
        return last

    # --- a session that reads what it wrote

    async def _session(self, number: int) -> None:
        """Has a discussion and a name of its own, does one thing after another, and looks."""
        me = f"session{number}"
        opened = self.world.opened()
        name = opened["data"]["discussion"]
        self.world.discussions.remove(name)
        await self._send_until_ok(me, [opened])
        while not self.stop.is_set():
            await asyncio.sleep(0.2)
            submitted = self.world.submitted(name, me)
            submitted["data"].pop("parent", None)
            vote = self.world.vote(name, None, me)
            for item in (submitted, vote):
                receipt = await self._one(me, item)
                if receipt is None:
                    continue
                told = await self._until_told(receipt)
                if told is None:
                    continue
                self.history.note("told", session=me, event=item["id"], key=name,
                                  result=told["result"], body=item["data"].get("body"))  # fmt: skip
                await self._look(me, name, item, told)

    async def _one(self, me: str, item: dict[str, Any]) -> str | None:
        """One event with the reader's own token; sent again until it is accepted."""
        kind = item["type"].split(".")[1]
        body = {key: value for key, value in item.items() if key != "actor"}
        while not self.stop.is_set():
            op = self.history.begin(
                me, f"{kind}", item["data"]["discussion"], item["id"], item["data"].get("comment")
            )
            try:
                answer = await self.stack.http.post(
                    f"{self.url('ingest')}/v1/events/{kind}",
                    json=body, headers=self.token("reader", me),
                )  # fmt: skip
            except TROUBLE as error:
                self.history.end(op, "maybe", status=type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            if answer.status_code == 202:
                receipt: str = answer.json()["receipt"]
                held = read(receipt, self.secret)
                self.history.end(
                    op, "ok", status=202, receipt=[held.topic, held.partition, held.offset]
                )
                return receipt
            kind_of = "maybe" if answer.status_code >= 500 else "fail"
            self.history.end(op, kind_of, status=answer.status_code)
            if kind_of == "fail":
                self.broken.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
                return None
            await asyncio.sleep(0.3)
        return None

    async def _until_told(self, receipt: str) -> dict[str, Any] | None:
        while not self.stop.is_set():
            with suppress(*TROUBLE):
                answer = await self.stack.http.get(f"{self.url('reader')}/v1/receipts/{receipt}")
                if answer.status_code == 200 and answer.json()["result"] != "waiting":
                    told: dict[str, Any] = answer.json()
                    return told
                if answer.status_code not in (200, 503):
                    self.broken.append(f"receipt: {answer.status_code} {answer.text[:200]}")
            await asyncio.sleep(0.1)
        return None

    async def _look(self, me: str, name: str, item: dict[str, Any], told: dict[str, Any]) -> None:
        """What its author sees once the receipt told the outcome."""
        kind = "votes" if "value" in item["data"] else "comments"
        headers = self.token("reader", me)
        for _ in range(20):
            with suppress(*TROUBLE):
                answer = await self.stack.http.get(
                    f"{self.url('reader')}/v1/me/sites/{SITE}/discussions/{name}/{kind}",
                    headers=headers,
                )
                if answer.status_code == 200:
                    body = answer.json()
                    if kind == "votes":
                        shown: Any = body["discussion"]
                        expected: Any = item["data"]["value"]
                    else:
                        id = item["data"]["comment"]
                        shown = {c["id"]: c["body"] for c in body["comments"]}.get(id)
                        waits = told["result"] in ("held", "rejected")
                        expected = item["data"]["body"] if waits else None
                    self.history.note(
                        "own", session=me, key=name, event=item["id"], what=kind,
                        shown=shown, expected=expected, result=told["result"],
                    )  # fmt: skip
                    return
            if self.stop.is_set():
                return
            await asyncio.sleep(0.1)
