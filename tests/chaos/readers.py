"""Readers: some poll, some stream, and some read what they wrote."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx

from services.core.receipts import read
from tests.chaos.clients import TROUBLE, Clients
from tests.chaos.stack import PATIENCE_SECONDS
from tests.chaos.world import SITE

SHARED_SECONDS = 1.5


async def poll(c: Clients, number: int) -> None:
    """One reader of one copy: its versions must never fall."""
    feeds = ["feeds/latest", "feeds/hot", "feeds/top-all"]
    while not c.stop.is_set():
        await asyncio.sleep(0.15)
        copies = c.stack.of("reader")
        service = copies[number % len(copies)]
        names = [f"discussions/{name}" for name in c.world.discussions[:5]]
        path = c.random.choice(names + feeds)
        with suppress(*TROUBLE):
            answer = await c.http.get(f"{service.url}/v1/sites/{SITE}/{path}")
            if answer.status_code == 200:
                body = answer.json()
                seen = {name: body.get(name) for name in ("views", "comments", "rating")}
                c.history.note(
                    "read", session=f"poller-{number}", key=path, version=body["version"],
                    seen=seen, age=int(answer.headers.get("age", 0)),
                )  # fmt: skip
            elif answer.status_code >= 500 and answer.status_code != 503:
                c.broken.append(f"{path}: {answer.status_code} {answer.text[:200]}")


async def stream(c: Clients, number: int) -> None:
    asyncio.current_task().set_name(f"stream-{number}")  # type: ignore[union-attr]
    while not c.world.discussions:
        await asyncio.sleep(0.1)
    name = c.world.discussions[number % len(c.world.discussions)]
    last = ""
    while True:
        service = c.random.choice(c.stack.of("reader"))
        url = f"{service.url}/v1/sites/{SITE}/discussions/{name}/stream"
        headers = {"Last-Event-ID": last} if last else {}
        with suppress(*TROUBLE):
            async with c.http.stream(
                "GET", url, headers=headers, timeout=httpx.Timeout(PATIENCE_SECONDS, read=30.0)
            ) as answer:
                if answer.status_code == 200:
                    c.history.note(
                        "sse", session=f"stream-{number}", key=name, event="open", held=last
                    )
                    c.open_streams[service.label] += 1
                    try:
                        last = await _listen(c, answer, f"stream-{number}", name, last)
                    finally:
                        c.open_streams[service.label] -= 1
                elif answer.status_code not in (404, 503):  # 404: no strip of it was sent yet
                    c.broken.append(f"stream of {name}: {answer.status_code}")
        await asyncio.sleep(0.3)


async def _listen(c: Clients, answer: httpx.Response, session: str, name: str, last: str) -> str:
    event: dict[str, str] = {}
    left = c.random.uniform(5, 40)  # some come and go by themselves
    until = c.history.now() + left
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
                    said["ids"] = [one["id"] for one in data["comments"]] + data["vanished"]
                    tombstones = [one["id"] for one in data["comments"] if one["hidden"]]
                    said["vanished"] = data["vanished"] + tombstones
                elif event["event"] == "strip":
                    said["seen"] = {m: data[m] for m in ("views", "comments", "rating")}
                c.history.note("sse", session=session, key=name, event=event["event"], **said)
                last = event.get("id", last)
            event = {}
            if c.history.now() > until and not c.stop.is_set():
                break
    except TROUBLE:
        pass
    return last


async def session(c: Clients, me: str, name: str) -> None:
    """Does one thing after another in a discussion of its own, and looks."""
    while not c.stop.is_set():
        await asyncio.sleep(0.2)
        submitted = c.world.submitted(name, me)
        submitted["data"].pop("parent", None)
        vote = c.world.vote(name, None, me)
        for item in (submitted, vote):
            receipt = await _one(c, me, item)
            if receipt is None:
                continue
            told = await _until_told(c, receipt)
            if told is None:
                continue
            c.history.note("told", session=me, event=item["id"], key=name,
                              result=told["result"], body=item["data"].get("body"))  # fmt: skip
            await _look(c, me, name, item, told)


async def _one(c: Clients, me: str, item: dict[str, Any]) -> str | None:
    """One event with the reader's own token; sent again until it is accepted."""
    kind = item["type"].split(".")[1]
    body = {key: value for key, value in item.items() if key != "actor"}
    while not c.stop.is_set():
        op = c.history.begin(
            me, f"{kind}", item["data"]["discussion"], item["id"], item["data"].get("comment")
        )
        try:
            answer = await c.http.post(
                f"{c.url('ingest')}/v1/events/{kind}",
                json=body, headers=c.token("reader", me),
            )  # fmt: skip
        except TROUBLE as error:
            c.history.end(op, "maybe", status=type(error).__name__)
            await asyncio.sleep(0.3)
            continue
        if answer.status_code == 202:
            receipt: str = answer.json()["receipt"]
            held = read(receipt, c.secret)
            c.history.end(op, "ok", status=202, receipt=[held.topic, held.partition, held.offset])
            return receipt
        kind_of = "maybe" if answer.status_code >= 500 else "fail"
        c.history.end(op, kind_of, status=answer.status_code)
        if kind_of == "fail":
            c.broken.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
            return None
        await asyncio.sleep(0.3)
    return None


async def _until_told(c: Clients, receipt: str) -> dict[str, Any] | None:
    while not c.stop.is_set():
        with suppress(*TROUBLE):
            answer = await c.http.get(f"{c.url('reader')}/v1/receipts/{receipt}")
            if answer.status_code == 200 and answer.json()["result"] != "waiting":
                told: dict[str, Any] = answer.json()
                return told
            if answer.status_code not in (200, 503):
                c.broken.append(f"receipt: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(0.1)
    return None


async def _look(c: Clients, me: str, name: str, item: dict[str, Any], told: dict[str, Any]) -> None:
    """What its author sees once the receipt told the outcome."""
    kind = "votes" if "value" in item["data"] else "comments"
    headers = c.token("reader", me)
    for _ in range(20):
        with suppress(*TROUBLE):
            answer = await c.http.get(
                f"{c.url('reader')}/v1/me/sites/{SITE}/discussions/{name}/{kind}",
                headers=headers,
            )
            if answer.status_code == 200:
                body = answer.json()
                if kind == "votes":
                    shown: Any = body["discussion"]
                    expected: Any = item["data"]["value"]
                else:
                    id, expected = item["data"]["comment"], item["data"]["body"]
                    shown = {one["id"]: one["body"] for one in body["comments"]}.get(id)
                    shown = shown or await _in_thread(c, name, id)
                c.history.note(
                    "own", session=me, key=name, event=item["id"], what=kind,
                    shown=shown, expected=expected, result=told["result"],
                )  # fmt: skip
                return
        if c.stop.is_set():
            return
        await asyncio.sleep(0.1)


async def _in_thread(c: Clients, name: str, id: str) -> str | None:
    """The comment's text as all readers see it. A page is shared for a second, so one that does not
    have it is asked for again."""
    body: str | None = None
    until = c.history.now() + SHARED_SECONDS
    while body is None:
        asked_at = c.history.now()
        answer = await c.http.get(
            f"{c.url('reader')}/v1/sites/{SITE}/discussions/{name}/comments",
            params={"sort": "newest", "limit": 20},
        )
        page = answer.raise_for_status().json()["comments"]
        body = {one["id"]: one["body"] for one in page if not one["hidden"]}.get(id)
        if asked_at > until:
            break
        await asyncio.sleep(0.2)
    return body
