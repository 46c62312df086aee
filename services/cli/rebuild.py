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

from services.cli import dump, rebuildable, record, secrets, target
from services.core import db, topics
from services.core.errors import VecheError
from services.core.produce import home_partition
from services.core.settings import ROOT, Kafka, Local, environment
from services.core.store import fences
from services.core.store import rebuild as store
from services.embedded.child import Child

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
        if await rebuildable.prepare(self.into, self.go_on):
            self._say("made the database")
        pool = await db.connect_pool(self.into, 2, statement_timeout_seconds=STATEMENT_SECONDS)
        try:
            held = await rebuildable.logs(self.kafka)
            await rebuildable.check_begins(pool, held, self.go_on)
            ends = await rebuildable.live_ends(self.against, held) if self.against else {}
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
                ends = ends or rebuildable.ends(await rebuildable.logs(self.kafka))
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
        places = {place: end for place, end in ends.items() if rebuildable.INPUTS[place[0]] == name}
        child = Child(
            name,
            [sys.executable, "-m", f"services.{name}"],
            log=logs / f"{name}.log",
            env=environment(
                {
                    **secrets.environment(Local.read().data_dir, environment()),
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
