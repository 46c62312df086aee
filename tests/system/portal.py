"""A portal, its readers and its moderators, over the public HTTP interface and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import httpx

from tests.system.generator import Act

BATCH = 500


class Veche:
    """Clients of the three HTTP services; every wait has a deadline."""

    def __init__(
        self, ingest: str, reader: str, console: str, mint: Callable[..., str], site: str
    ) -> None:
        self.site = site
        self._mint = mint
        self._urls = {"ingest": ingest, "reader": reader, "console": console}
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Veche:
        limits = httpx.Limits(max_connections=32)
        for name, url in self._urls.items():
            client = httpx.AsyncClient(base_url=url, timeout=10.0, limits=limits)
            self._clients[name] = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # --- sending

    async def send(self, items: Sequence[dict[str, Any]], seconds: float = 60.0) -> list[str]:
        """Sends in order as an importer; returns a receipt per item. 503 is sent again."""
        headers = self._bearer("importer", "importer")
        receipts: list[str] = []
        for start in range(0, len(items), BATCH):
            body = {"events": list(items[start : start + BATCH])}
            deadline = time.monotonic() + seconds
            while True:
                try:
                    answer = await self._clients["ingest"].post(
                        "/v1/events", json=body, headers=headers
                    )
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "ingest did not come back"
                    await asyncio.sleep(0.2)
                    continue
                if answer.status_code != 503:
                    break
                assert time.monotonic() < deadline, answer.text
                await asyncio.sleep(0.2)
            assert answer.status_code == 202, answer.text[:2_000]
            receipts += [result["receipt"] for result in answer.json()["results"]]
        return receipts

    async def send_acts(self, acts: Sequence[Act]) -> dict[str, str]:
        """Receipt by event id: of the first delivery where an item was sent twice."""
        receipts: dict[str, str] = {}
        for act, receipt in zip(acts, await self.send([a.item for a in acts]), strict=True):
            receipts.setdefault(act.item["id"], receipt)
        return receipts

    async def outcomes(self, receipts: dict[str, str], seconds: float = 60.0) -> dict[str, Any]:
        """What became of each event, once none of them waits any more."""
        room = asyncio.Semaphore(16)
        deadline = time.monotonic() + seconds

        async def one(receipt: str) -> dict[str, Any]:
            async with room:
                while True:
                    answer = await self._clients["reader"].get(f"/v1/receipts/{receipt}")
                    if answer.status_code == 503:
                        told = {"result": "waiting"}
                    else:
                        assert answer.status_code == 200, answer.text
                        told = answer.json()
                    if told["result"] != "waiting":
                        return told
                    assert time.monotonic() < deadline, f"still waits: {told}"
                    await asyncio.sleep(0.1)

        told = await asyncio.gather(*(one(receipt) for receipt in receipts.values()))
        return dict(zip(receipts, told, strict=True))

    # --- reading

    async def get(self, path: str, *, on: str = "reader", **params: Any) -> Any:
        answer = await self._clients[on].get(
            path, params=params, headers=self._bearer("moderator", "mod") if on == "console" else {}
        )
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    async def feed(self, name: str, language: str = "", section: str = "") -> dict[str, Any]:
        scope = {"language": language, "section": section}
        path = f"/v1/sites/{self.site}/feeds/{name}"
        return await self.get(path, **{key: value for key, value in scope.items() if value})

    async def strip(self, discussion: str) -> dict[str, Any]:
        return await self.get(f"/v1/sites/{self.site}/discussions/{discussion}")

    async def roots(self, discussion: str, sort: str, limit: int = 20) -> list[dict[str, Any]]:
        """All pages of roots, each root with all its replies under `all_replies`."""
        path = f"/v1/sites/{self.site}/discussions/{discussion}/comments"
        roots: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(path, sort=sort, limit=limit, replies=2, cursor=cursor)
            for root in page["comments"]:
                more = root["more_replies"]
                root["all_replies"] = list(root["first_replies"])
                while more:
                    rest = await self.get(f"{path}/{root['id']}/replies", limit=7, cursor=more)
                    root["all_replies"] += rest["replies"]
                    more = rest["next"]
                roots.append(root)
            cursor = page["next"]
            if not cursor:
                return roots

    # --- moderating

    async def queue(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await self.get(
                f"/v1/console/sites/{self.site}/queue", on="console", after=after, limit=100
            )
            items += page["items"]
            after = page["next"]
            if not after:
                return items

    async def decide(self, decision: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = await self._clients["console"].post(
            f"/v1/console/sites/{self.site}/decisions",
            json=decision,
            headers=self._bearer("moderator", "mod"),
        )
        return answer.status_code, answer.json()

    def _bearer(self, role: str, sub: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._mint(role=role, sub=sub, site=self.site)}"}


async def until_equal(
    shown: Callable[[], Awaitable[Any]], expected: Any, seconds: float = 30.0
) -> None:
    """Waits until the service shows what is expected; at the deadline, the difference fails.

    What is not there yet (a 404 in `shown`) is no failure before the deadline either.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert await shown() == expected
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
