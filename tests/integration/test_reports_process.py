"""Reports weighed by what moderators ruled on each reader's earlier ones, in the real process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import asyncpg

from services.core import codec, topics
from services.core.produce import Producer
from services.core.settings import Kafka
from tests.integration.rebuilding import History
from tests.processes import Services, Trust

RULES = """\
id: suspected
title: {ru: "Жалобы", en: "Reports"}
reason: {ru: "Посмотрит модератор.", en: "A moderator will look."}
scope: {event: [reported]}
when: reports.weight > 1.2
then: hold
"""


async def test_a_report_of_a_reader_who_was_right_holds_and_one_of_a_stranger_does_not(
    services: Services,
    kafka_bootstrap: str,
    topic_prefix: str,
    postgres_dsn: str,
    trust: Trust,
    tmp_path: Path,
) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    services.start("moderation", {"VECHE_RULES_DIR": str(tmp_path)}).wait_ready()
    history = History(trust.env["VECHE_DECISION_SECRET"].encode())
    pool = await asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1)

    async with pool, Producer(Kafka(kafka_bootstrap, topic_prefix)) as producer:

        async def became(event: Any) -> dict[str, Any]:
            await producer.send(topics.COMMENTS, event.key.encode(), codec.encode(event))
            end = time.monotonic() + 60
            while time.monotonic() < end:
                row = await pool.fetchrow("SELECT * FROM outcomes WHERE event_id = $1", event.id)
                if row is not None:
                    return dict(row) | {"facts": codec.decode(row["facts"], dict[str, Any])}
                await asyncio.sleep(0.05)
            raise AssertionError(f"never: {event.id}")

        await producer.send(topics.COMMENTS, b"gazette/d1", codec.encode(history.opened("d1")))
        for comment in ("c1", "c2", "c3", "c4"):
            assert (await became(history.said("d1", comment, "ann", comment)))["result"] == (
                "published"
            )
        first = await became(history.reported("c1", "wise"))
        assert (first["result"], first["facts"]["reports.weight"]) == ("applied", 1.0)
        await became(history.reported("c2", "silly"))
        await became(history.decided("c1", "reject", 1, "published"))
        await became(history.decided("c2", "approve", 1, "published"))
        stranger = await became(history.reported("c3", "stranger"))
        assert (stranger["result"], stranger["facts"]["reports.weight"]) == ("applied", 1.0)
        wise = await became(history.reported("c4", "wise"))
        assert (wise["result"], wise["facts"]["reports.weight"]) == ("held", 1.3333)
        silly = await became(history.reported("c3", "silly"))
        assert (silly["result"], silly["facts"]["reports.weight"]) == ("held", 1.6667)  # two
        assert await pool.fetchval("SELECT status FROM comments WHERE comment = 'c4'") == "pending"
