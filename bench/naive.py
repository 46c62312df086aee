"""The naive side of `votes` and `views`: bench/naive_consumer.py in an environment of its own."""

from __future__ import annotations

import asyncpg

from bench.cache import venv
from bench.ground import Ground, python

PACKAGES = ("faststream[kafka]>=0.6,<0.8", "asyncpg>=0.30", "cramjam>=2.9")
TABLES = """
CREATE TABLE naive_votes (
    discussion text, target text, voter text, value smallint NOT NULL,
    PRIMARY KEY (discussion, target, voter)
);
CREATE TABLE naive_totals (
    discussion text, target text, up integer NOT NULL, down integer NOT NULL,
    PRIMARY KEY (discussion, target)
);
CREATE TABLE naive_view_keys (
    window_start timestamptz, discussion text, viewer text,
    PRIMARY KEY (window_start, discussion, viewer)
);
CREATE TABLE naive_views (discussion text PRIMARY KEY, views bigint NOT NULL);
"""


async def run(ground: Ground, kind: str, topic: str, dsn: str, records: int) -> float:
    """Its rate over the first `records` of the topic."""
    where = await venv(ground, "faststream", *PACKAGES)
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(TABLES)
    await connection.close(timeout=10)
    said = await python(
        "bench/naive_consumer.py", kind, ground.kafka, topic, dsn, str(records),
        interpreter=str(where / "python"),
    )  # fmt: skip
    return float(said["per_second"])
