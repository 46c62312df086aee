"""A consumer as people write it: FastStream, pydantic models, one transaction per event.

Runs in an environment of its own (bench/naive.py makes it), so it imports nothing of ours:

    python bench/naive_consumer.py votes|views BOOTSTRAP TOPIC DSN RECORDS
"""

import asyncio
import json
import os
import sys
import time
import uuid
from datetime import datetime

import asyncpg
from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

KIND, BOOTSTRAP, TOPIC, DSN, RECORDS = sys.argv[1:]

broker = KafkaBroker(BOOTSTRAP, logger=None)  # a log line per event would cost it dear
app = FastStream(broker)
state: dict = {"done": 0, "first": 0.0, "last": 0.0}


class VoteData(BaseModel):
    discussion: str
    value: int
    comment: str | None = None


class VoteEvent(BaseModel):
    id: str
    site: str
    actor: str
    time: datetime
    data: VoteData


class ViewData(BaseModel):
    discussion: str


class ViewEvent(BaseModel):
    id: str
    site: str
    actor: str
    time: datetime
    data: ViewData


@app.on_startup
async def connect() -> None:
    state["pool"] = await asyncpg.create_pool(DSN, min_size=4, max_size=4)


def counted() -> None:
    now = time.monotonic()
    state["first"] = state["first"] or now
    state["last"] = now
    state["done"] += 1
    if state["done"] == int(RECORDS):
        rate = (state["done"] - 1) / (state["last"] - state["first"])
        print(json.dumps({"per_second": rate}), flush=True)
        os._exit(0)  # a drain would go through the rest of the topic


async def on_vote(event: VoteEvent) -> None:
    discussion, target = f"{event.site}/{event.data.discussion}", event.data.comment or ""
    async with state["pool"].acquire() as connection, connection.transaction():
        old = await connection.fetchval(
            "SELECT value FROM naive_votes WHERE discussion = $1 AND target = $2 AND voter = $3"
            " FOR UPDATE", discussion, target, event.actor,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO naive_votes VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (discussion, target, voter) DO UPDATE SET value = EXCLUDED.value",
            discussion, target, event.actor, event.data.value,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO naive_totals AS t VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (discussion, target) DO UPDATE"
            " SET up = t.up + EXCLUDED.up, down = t.down + EXCLUDED.down",
            discussion, target,
            (event.data.value == 1) - (old == 1), (event.data.value == -1) - (old == -1),
        )  # fmt: skip
    counted()


async def on_view(event: ViewEvent) -> None:
    window = event.time.replace(minute=event.time.minute // 30 * 30, second=0, microsecond=0)
    discussion = f"{event.site}/{event.data.discussion}"
    async with state["pool"].acquire() as connection, connection.transaction():
        new = await connection.fetchval(
            "INSERT INTO naive_view_keys VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
            window, discussion, event.actor,
        )  # fmt: skip
        if new:
            await connection.execute(
                "INSERT INTO naive_views AS v VALUES ($1, 1)"
                " ON CONFLICT (discussion) DO UPDATE SET views = v.views + 1",
                discussion,
            )
    counted()


handler = on_vote if KIND == "votes" else on_view
broker.subscriber(TOPIC, group_id=f"naive-{uuid.uuid4()}", auto_offset_reset="earliest")(handler)

if __name__ == "__main__":
    asyncio.run(app.run())
