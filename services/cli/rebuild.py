"""`veche rebuild`: Postgres anew from Kafka, into another database, verified before it publishes.

It reads what was recorded (outcomes.v1, dead letters), lets moderation and counters apply the input
topics to that, as children of this command, and compares. docs/rebuild.md is its story.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli import dump, record, secrets, target
from services.core import consume, db, topics
from services.core.errors import Misconfigured, VecheError
from services.core.produce import home_partition
from services.core.settings import ROOT, Kafka, Local, environment
from services.core.store import fences
from services.core.store import rebuild as store
from services.embedded.child import Child

INPUTS = {
    topics.CONTROL: topics.MODERATION_GROUP,
    topics.COMMENTS: topics.MODERATION_GROUP,
    topics.VOTES: topics.COUNTERS_GROUP,
    topics.VIEWS: topics.COUNTERS_GROUP,
}
"""Input topic → the consumer group whose fence holds."""

STATEMENT_SECONDS = 3600.0
LOOK_SECONDS = 0.5


@click.command()
@click.option("--into", required=True, metavar="DSN", help="An empty database; made if absent.")
@click.option(
    "--against",
    default="",
    metavar="DSN",
    help="Compare with this database, whose moderation and counters are stopped or idle.",
)
@click.option(
    "--continue",
    "go_on",
    is_flag=True,
    help="It holds a restored backup or an interrupted rebuild: go on from there.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebuild(into: str, against: str, go_on: bool, yes: bool) -> None:
    """Rebuild Postgres from Kafka into another database.

    Nothing is published from it before it is verified; then it begins a new incarnation. Run it
    with the services' keys (VECHE_DECISION_SECRET, VECHE_VIEWER_SECRET) and VECHE_RULES_DIR.
    Exit code 1: it was refused, or what was rebuilt is not what it should be.
    """
    if against == into:
        raise click.UsageError("--into and --against name the same database")
    kafka = target.kafka()
    asyncio.run(Rebuild(kafka, into, against, go_on, yes).run())


class Rebuild:
    def __init__(self, kafka: Kafka, into: str, against: str, go_on: bool, yes: bool) -> None:
        self.kafka = kafka
        self.into = into
        self.against = against
        self.go_on = go_on
        self.yes = yes
        self.console = Console(stderr=True)

    async def run(self) -> None:
        await self._prepare()
        pool = await db.connect_pool(self.into, 2, statement_timeout_seconds=STATEMENT_SECONDS)
        try:
            held = await self._logs()
            await self._check_begins(pool, held)
            ends = await self._live_ends(held) if self.against else {}
            if not self.yes:
                click.confirm("Rebuild?", abort=True, err=True)
            async with db.transaction(pool) as connection:
                await store.forget(connection)
                await store.hold_publishers(
                    connection, topics.declared()[topics.COMMENTS].partitions
                )
            with self._bars() as bars:
                newest = await record.read(self.kafka, pool, held, bars)
                # Ends after what was recorded: the cause of every outcome read lies before them.
                ends = ends or _ends(await self._logs())
                async with db.transaction(pool) as connection:
                    await store.put_ends(connection, ends)
                    await store.analyze(connection)
                    await record.drop_told(connection)
                with tempfile.TemporaryDirectory(prefix="veche-rebuild-") as logs:
                    for name in ("moderation", "counters"):
                        await self._apply(pool, name, ends, Path(logs), bars)
            await self._verify(pool, ends)
            incarnation = await self._begin(pool, newest)
            async with db.transaction(pool) as connection:
                counts = await store.counts(connection)
                news = await store.outbox_topics(connection)
            for topic, records in news.items():
                self._say(f"{records} records go to {topic}: what this rebuild found out first")
            self._say(", ".join(f"{count} {what}" for what, count in counts.items()))
            self._say(f"verified; incarnation {incarnation} begins: point the services at it")
        finally:
            await asyncio.wait_for(pool.close(), 10)

    # --- before

    async def _prepare(self) -> None:
        """Raises Misconfigured where the database is not one to rebuild into."""
        if await db.make_database(self.into):
            self._say("made the database")
        pool = await db.connect_pool(self.into, 1)
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
        if holds == "veche" and not self.go_on:
            raise Misconfigured(
                "the database of --into is not empty: name one that does not exist yet, or say "
                "--continue if it holds a restored backup or an interrupted rebuild"
            )
        if self.go_on and holds == "nothing":
            raise Misconfigured(
                "--continue finds no backup in the database of --into: leave it out"
            )
        if others:
            raise Misconfigured("services are connected to the database of --into: stop them first")
        await db.migrate(self.into)

    async def _logs(self) -> dict[str, consume.Log]:
        names = {*INPUTS, topics.OUTCOMES, topics.STRIPS, topics.FEEDS}
        names |= {topics.dead_letters_of(name) for name in INPUTS}
        held = await consume.logs(self.kafka, names)
        if lacking := sorted(names - held.keys()):
            raise Misconfigured(f"the cluster lacks {', '.join(lacking)}: it is not Veche's log")
        return held

    async def _check_begins(self, pool: db.Pool, held: Mapping[str, consume.Log]) -> None:
        """The log alone where it is whole; else a backup that is no older than its beginning."""
        for topic in (topics.OUTCOMES, *record.DEAD):
            begins = [begin for begin, _ in held[topic].ranges.values()]
            if any(begins) and not self.go_on:
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
                if not self.go_on:
                    raise Misconfigured(
                        f"{topic}[{partition}] begins at offset {begin}: the log is not whole. "
                        f"Restore a backup into the database and say --continue"
                    )
                raise Misconfigured(
                    f"the backup ends before {topic}[{partition}]'s log begins "
                    f"({reached.get((topic, partition), 0)} < {begin}): restore a newer one"
                )

    async def _live_ends(self, held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
        """Where the database compared with stands; it must owe nothing."""
        async with dump.snapshot(self.against) as connection:
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

    # --- the children

    async def _apply(
        self,
        pool: db.Pool,
        name: str,
        ends: Mapping[store.Place, int],
        logs: Path,
        bars: Progress,
    ) -> None:
        """Runs one service in its rebuild mode. Raises VecheError with its last lines."""
        places = {place: end for place, end in ends.items() if INPUTS[place[0]] == name}
        child = Child(
            name,
            [sys.executable, "-m", f"services.{name}"],
            log=logs / f"{name}.log",
            env=environment(
                {
                    **_keys(),
                    "VECHE_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
                    "VECHE_TOPIC_PREFIX": self.kafka.topic_prefix,
                    "VECHE_POSTGRES_DSN": self.into,
                    "VECHE_REBUILD": "1",
                }
            ),
            cwd=ROOT,
        )
        bar = bars.add_task(name, total=sum(places.values()))
        child.start()
        try:
            while child.running:
                await asyncio.sleep(LOOK_SECONDS)
                async with pool.acquire(timeout=5) as connection:
                    rows = await fences.every(connection)
                done = sum(r.next_offset for r in rows if (r.topic, r.partition) in places)
                bars.update(bar, completed=done)
            if child.code != 0:
                raise VecheError(
                    f"{name} ended with code {child.code}; once that is mended, run this again "
                    f"with --continue{child.last_lines()}"
                )
        finally:
            child.stop()

    # --- after

    async def _verify(self, pool: db.Pool, ends: Mapping[store.Place, int]) -> None:
        async with db.transaction(pool) as connection:
            for name, meaning in store.CHECKS.items():
                if failing := await store.check(connection, name):
                    raise VecheError(
                        f"not verified: {failing} {meaning}. Nothing was published; the database "
                        f"stays as it is for you to look at"
                    )
        self._say(f"{len(store.CHECKS)} checks hold")
        if self.against:
            await self._compare(ends)

    async def _compare(self, ends: Mapping[store.Place, int]) -> None:
        async with AsyncExitStack() as stack:
            there = await stack.enter_async_context(dump.snapshot(self.against))
            here = await stack.enter_async_context(dump.snapshot(self.into))
            rows = await fences.every(there)
            if any(row.next_offset > ends.get((row.topic, row.partition), 0) for row in rows):
                raise VecheError(
                    "the database of --against went on meanwhile: stop its moderation and "
                    "counters, and run this again with --continue"
                )
            differences = await dump.compare(here, there)
        for difference in differences:
            assert difference.first is not None
            self._say(f"{difference.table}: {difference.here} rows here, {difference.there} there")
            self._say(f"  here:  {difference.first[0][:2000]}")
            self._say(f"  there: {difference.first[1][:2000]}")
        if differences:
            raise VecheError("not verified: it differs from --against. Nothing was published")
        self._say("equal to --against, byte for byte")

    async def _begin(self, pool: db.Pool, newest: int) -> int:
        """Every discussion dirty, a new incarnation, and the publishers let in: in this order."""
        if self.against:
            async with dump.snapshot(self.against) as connection:
                newest = max(newest, await store.newest_incarnation(connection))
        async with db.transaction(pool) as connection:
            newest = max(newest, await store.newest_incarnation(connection))
            last = ""
            while found := await store.discussions_after(connection, last):
                homes = {discussion: home_partition(discussion) for discussion in found}
                await store.mark_dirty(connection, topics.COMMENTS, homes)
                last = found[-1]
            await store.begin(connection, newest + 1, "rebuilt")
            await store.forget(connection)
        return newest + 1

    # --- telling

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def _bars(self) -> Iterator[Progress]:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
        ) as bars:
            yield bars


def _begins(held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
    return {(topic, p): begin for topic in INPUTS for p, (begin, _) in held[topic].ranges.items()}


def _ends(held: Mapping[str, consume.Log]) -> dict[store.Place, int]:
    return {(topic, p): end for topic in INPUTS for p, (_, end) in held[topic].ranges.items()}


def _keys() -> dict[str, str]:
    """The keys that `veche up` made, where the environment names none."""
    given = environment()
    made = secrets.environment(Local.read().data_dir)
    return {
        name: file
        for name, file in made.items()
        if name not in given and name.removesuffix("_FILE") not in given and Path(file).exists()
    }
