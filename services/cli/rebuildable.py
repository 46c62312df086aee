"""What a rebuild begins from: the database to fill, the log, the database to compare with.

Each is looked at before anything is written; a refusal says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.cli import dump, record
from services.core import consume, db, topics
from services.core.errors import Misconfigured
from services.core.settings import Kafka
from services.core.store import fences
from services.core.store import rebuild as store

INPUTS = {
    topics.CONTROL: topics.MODERATION_GROUP,
    topics.COMMENTS: topics.MODERATION_GROUP,
    topics.VOTES: topics.COUNTERS_GROUP,
    topics.VIEWS: topics.COUNTERS_GROUP,
}
"""Input topic → the consumer group whose fence holds."""


async def prepare(into: str, go_on: bool) -> bool:
    """Migrates the database to rebuild into; True where it was made just now.

    Raises Misconfigured where it is not one to rebuild into.
    """
    made = await db.make_database(into)
    pool = await db.connect_pool(into, 1)
    try:
        async with pool.acquire(timeout=5) as connection:
            holds = await store.holds(connection)
            others = await store.services_connected(connection)
    finally:
        await pool.close()
    if holds == "other":
        raise Misconfigured(
            "the database of --into holds tables that are not Veche's: name another"
        )
    if holds == "veche" and not go_on:
        raise Misconfigured(
            "the database of --into is not empty: name one that does not exist yet, or say "
            "--continue if it holds a restored backup or an interrupted rebuild"
        )
    if go_on and holds == "nothing":
        raise Misconfigured("--continue finds no backup in the database of --into: leave it out")
    if others:
        raise Misconfigured("services are connected to the database of --into: stop them first")
    await db.migrate(into)
    return made


async def logs(kafka: Kafka) -> dict[str, consume.Log]:
    names = {*INPUTS, topics.OUTCOMES, topics.STRIPS, topics.FEEDS}
    names |= {topics.dead_letters_of(name) for name in INPUTS}
    held = await consume.logs(kafka, names)
    if lacking := sorted(names - held.keys()):
        raise Misconfigured(f"the cluster lacks {', '.join(lacking)}: it is not Veche's log")
    return held


async def check_begins(pool: db.Pool, held: Mapping[str, consume.Log], go_on: bool) -> None:
    """The log alone where it is whole; else a backup that is no older than its beginning."""
    for topic in (topics.OUTCOMES, *record.DEAD):
        begins = [begin for begin, _ in held[topic].ranges.values()]
        if any(begins) and not go_on:
            raise Misconfigured(
                f"{topic} is not whole, so comments would be judged again: restore a backup "
                f"into the database and say --continue"
            )
    async with pool.acquire(timeout=5) as connection:
        rows = await fences.every(connection)
    reached = {(row.topic, row.partition): row.next_offset for row in rows}
    for topic in INPUTS:
        for partition, (begin, _) in held[topic].ranges.items():
            if reached.get((topic, partition), 0) >= begin:
                continue
            if not go_on:
                raise Misconfigured(
                    f"{topic}[{partition}] begins at offset {begin}: the log is not whole. "
                    f"Restore a backup into the database and say --continue"
                )
            raise Misconfigured(
                f"the backup ends before {topic}[{partition}]'s log begins "
                f"({reached.get((topic, partition), 0)} < {begin}): restore a newer one"
            )


async def live_ends(against: str, held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
    """Where the database compared with stands; it must owe nothing."""
    async with dump.snapshot(against) as connection:
        rows = await fences.every(connection)
        waiting, parked = await store.unsettled(connection)
    if waiting:
        raise Misconfigured(
            f"{waiting} records wait in the outbox of --against: let its publisher send them"
        )
    if parked:
        raise Misconfigured(
            f"{parked} votes of --against wait to be settled: let its counters run first"
        )
    reached = {(row.topic, row.partition): row.next_offset for row in rows}
    return {place: reached.get(place, begin) for place, begin in _begins(held).items()}


def ends(held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
    return {(topic, p): end for topic in INPUTS for p, (_, end) in held[topic].ranges.items()}


def _begins(held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
    return {(topic, p): begin for topic in INPUTS for p, (begin, _) in held[topic].ranges.items()}
