"""Row `ingest`: events over HTTP, one a request, each accepted after Kafka's `acks=all`.

Beside it the same server reads the same bodies and answers a fixed 202.
"""

from __future__ import annotations

import asyncio
import uuid
from itertools import cycle
from random import Random
from typing import Any

import httpx

from bench.beside import constant
from bench.client import Load, load, request
from bench.figures import Figure, Sample, compared
from bench.ground import Ground
from bench.latency import WORDS
from bench.traffic import SITE
from services.core import codec

CONNECTIONS = 64
READERS = 200


def bodies(ground: Ground, server: str, count: int) -> list[bytes]:
    """Requests of `READERS` readers: 70 % votes, 25 % views, 5 % comments."""
    random = Random(1)
    tokens = [ground.trust.mint(sub=f"reader-{n}", site=SITE) for n in range(READERS)]
    made = []
    for _ in range(count):
        kind = random.choices(("vote", "view", "comment"), (70, 25, 5))[0]
        data: dict[str, Any] = {"discussion": f"d{random.randrange(1_000)}"}
        if kind == "vote":
            data["value"] = 1
        elif kind == "comment":
            data |= {"comment": uuid.uuid4().hex, "body": " ".join(random.choices(WORDS, k=30))}
        item: dict[str, Any] = {"id": uuid.uuid4().hex, "data": data}
        if kind == "comment":
            item["type"] = "veche.comment.submitted.v1"
        made.append(
            request(
                "POST", f"{server}/v1/events/{kind}", codec.encode(item),
                content_type="application/json",
                authorization=f"Bearer {random.choice(tokens)}",
            )
        )  # fmt: skip
    return made


async def ingest_row(ground: Ground) -> list[Figure]:
    seconds = ground.size(10, 1)
    prefix = await ground.topics()
    service = ground.services.start("ingest", ground.env(prefix, ground.postgres))
    await asyncio.to_thread(service.wait_ready)
    made = bodies(ground, service.url, 10_000)
    p50s: list[float] = []
    p99s: list[float] = []

    async def post(server: str) -> Load:
        again = cycle(made)
        seen = await load(server, lambda: next(again), connections=CONNECTIONS, seconds=seconds)
        return seen.expect(202)

    async def ours() -> float:
        seen = await post(service.url)
        p50s.append(seen.at(0.5) * 1_000)
        p99s.append(seen.at(0.99) * 1_000)
        return seen.per_second

    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{service.url}/v1/events/vote",
            json={"id": uuid.uuid4().hex, "data": {"discussion": "d1", "value": 1}},
            headers={"authorization": f"Bearer {ground.trust.mint(site=SITE)}"},
        )

    with constant(ground, answer, answer.content) as beside:

        async def fixed() -> float:
            return (await post(beside)).per_second

        seen = await ground.alternate("ingest", {"veche": ours, "fixed": fixed})
    return [
        compared(
            "ingest", "events/s", seen["veche"], "the same server, a fixed 202", seen["fixed"],
            0.50, p50_ms=round(Sample(p50s).median, 2), p99_ms=round(Sample(p99s).median, 2),
            connections=CONNECTIONS,
        )
    ]  # fmt: skip
