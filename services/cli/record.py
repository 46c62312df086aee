"""What a rebuild reads first: recorded outcomes, dead letters, and the newest incarnation."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from rich.progress import Progress

from services.core import codec, consume, db, topics
from services.core.db import Connection
from services.core.errors import BadEvent
from services.core.events import OutcomeRecorded, Version
from services.core.settings import Kafka
from services.core.store import rebuild as store


class _Data(Struct):
    version: Version


class _Published(Struct):
    """What a strip and a feed have in common."""

    data: _Data


DEAD = tuple(name for name, topic in topics.declared().items() if name.endswith(".dead"))


async def read(kafka: Kafka, pool: db.Pool, held: Mapping[str, consume.Log], bars: Progress) -> int:
    """Puts them into the database; returns the highest incarnation that was ever published."""
    newest = 0
    for topic in (topics.OUTCOMES, *DEAD, topics.STRIPS, topics.FEEDS):
        total = sum(end - begin for begin, end in held[topic].ranges.values())
        bar = bars.add_task(topic, total=total)
        async for records in consume.tail(kafka, topic).held():
            values = [record.value for record in records if record.value is not None]
            if topic == topics.OUTCOMES:
                await _outcomes(pool, values)
            elif topic in DEAD:
                await _dead_letters(pool, values)
            else:
                newest = max(newest, *map(_incarnation, values), 0)
            bars.advance(bar, len(records))
        bars.update(bar, completed=total)
    return newest


async def drop_told(connection: Connection) -> None:
    """A backup's outbox: what the topics hold by now is not told again."""
    await _drop_outcomes(connection)
    for topic in DEAD:
        last = 0
        while page := await store.outbox_page(connection, topic, last):
            last = page[-1][0]
            known = []
            for sequence, value in page:
                letter = codec.decode(value, consume.DeadLetter)
                place = (letter.topic, letter.partition, letter.offset, letter.offset)
                if await store.dead_offsets(connection, *place):
                    known.append(sequence)
            await store.drop_outbox(connection, known)


async def _drop_outcomes(connection: Connection) -> None:
    last = 0
    while page := await store.outbox_page(connection, topics.OUTCOMES, last):
        last = page[-1][0]
        named = {}
        for sequence, value in page:
            told = codec.decode(value, OutcomeRecorded)
            named[sequence] = (told.discussion, told.data.event, told.data.digest)
        known = await store.recorded(
            connection, [(d, event, bytes.fromhex(digest)) for d, event, digest in named.values()]
        )
        await store.drop_outbox(connection, [s for s, name in named.items() if name in known])


async def _outcomes(pool: db.Pool, values: list[bytes]) -> None:
    """Raises BadEvent where the topic holds something else: it is ours alone to write."""
    told = [codec.decode(value, OutcomeRecorded) for value in values]
    async with db.transaction(pool) as connection:
        await store.add_outcomes(connection, [(one.discussion, one.data) for one in told])


async def _dead_letters(pool: db.Pool, values: list[bytes]) -> None:
    letters = [codec.decode(value, consume.DeadLetter) for value in values]
    async with db.transaction(pool) as connection:
        await store.add_dead_letters(
            connection, [(letter.topic, letter.partition, letter.offset) for letter in letters]
        )


def _incarnation(value: bytes) -> int:
    try:
        return codec.decode(value, _Published).data.version.incarnation
    except BadEvent:
        return 0  # not ours: no reader takes it either
