"""`veche rebuild`: Postgres anew from Kafka equals the live one, byte for byte, or is refused."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from msgspec import structs

from services.core import consume, db, topics
from services.core.produce import Outgoing, Producer, Sent
from services.core.settings import Kafka, environment
from services.core.store import dump
from services.publisher import shards
from tests.integration.publishing import Seen, until, watching
from tests.integration.rebuilding import History, write_rules
from tests.processes import ROOT, Services, Trust

INPUTS = (topics.CONTROL, topics.COMMENTS, topics.VOTES, topics.VIEWS)


class Live:
    """The live services on their database, which can be stopped when they owe nothing."""

    def __init__(self, services: Services, kafka: Kafka, dsn: str, producer: Producer) -> None:
        self.services = services
        self.kafka = kafka
        self.dsn = dsn
        self.producer = producer

    async def start(self, *names: str) -> None:
        for service in [self.services.start(name) for name in names]:
            await asyncio.to_thread(service.wait_ready)

    async def stop(self) -> None:
        for service in self.services.all:
            await asyncio.to_thread(service.stop)

    async def take(self, records: list[Outgoing], *, published: bool = True) -> None:
        """Sends them, and returns when every effect is there, votes settled, all published."""
        answers = await self.producer.send_all(records, deadline_seconds=20)
        assert all(isinstance(answer, Sent) for answer in answers)
        held = await consume.logs(self.kafka, INPUTS)
        ends = {(t, p): end for t in INPUTS for p, (_, end) in held[t].ranges.items()}
        connection = await asyncpg.connect(self.dsn)
        try:
            deadline = time.monotonic() + 40
            while True:
                rows = await connection.fetch("SELECT topic, partition, next_offset FROM fences")
                owed = await connection.fetchval(
                    "SELECT (SELECT count(*) FROM outbox)"
                    " + (SELECT count(*) FROM dirty_discussions)"
                    " + (SELECT count(*) FROM parked_votes p JOIN comments c"
                    "    ON c.discussion = p.discussion AND c.comment = p.target)"
                )
                reached = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
                if reached == ends and (owed == 0 or not published):
                    return
                assert time.monotonic() < deadline, f"the services still owe {owed}"
                await asyncio.sleep(0.05)
        finally:
            await connection.close()


class Veche:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env

    async def __call__(self, *words: str, **env: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", *words),
            env=environment({**self.env, **env, "COLUMNS": "200"}),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return process.returncode, said.decode(), wrong.decode()


@pytest.fixture
def kafka(kafka_bootstrap: str, topic_prefix: str) -> Kafka:
    return Kafka(kafka_bootstrap, topic_prefix)


@pytest.fixture
async def live(
    services: Services, kafka: Kafka, postgres_dsn: str, tmp_path: Path
) -> AsyncIterator[Live]:
    rules = write_rules(tmp_path / "rules", held="mammoth", rejected="badger")
    services.env["VECHE_RULES_DIR"] = str(rules)
    async with Producer(kafka) as producer:
        yield Live(services, kafka, postgres_dsn, producer)


@pytest.fixture
def veche(services: Services) -> Veche:
    return Veche(services.env)


@pytest.fixture
def history(trust: Trust) -> History:
    return History(trust.env["VECHE_DECISION_SECRET"].encode())


@pytest.fixture
async def other_database(postgres_admin_dsn: str) -> AsyncIterator[Callable[[], str]]:
    """`other_database()`: the DSN of a database that does not exist yet; dropped after the test."""
    named: list[str] = []

    def name() -> str:
        named.append(f"veche_test_{uuid.uuid4().hex[:12]}")
        return urlunsplit(urlsplit(postgres_admin_dsn)._replace(path=f"/{named[-1]}"))

    yield name
    async with connected(postgres_admin_dsn) as connection:
        for database in named:
            await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def copied(admin_dsn: str, dsn: str, copy: str) -> None:
    """A backup: the whole database as it stands, restored under another name."""
    names = [urlsplit(one).path[1:] for one in (copy, dsn)]
    async with connected(admin_dsn) as connection:
        await connection.execute("CREATE DATABASE {} TEMPLATE {}".format(*names))


async def shorten(kafka: Kafka, begins: Mapping[tuple[str, int], int]) -> None:
    """What retention does: the log begins later."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(kafka.topic(topic), partition): RecordsToDelete(before_offset=begin)
                for (topic, partition), begin in begins.items()
            }
        )
    finally:
        await admin.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_rebuild_equals_the_live_state_whatever_the_rules_say_now(
    live: Live,
    history: History,
    veche: Veche,
    kafka: Kafka,
    services: Services,
    other_database: Callable[[], str],
    postgres_admin_dsn: str,
    tmp_path: Path,
) -> None:
    await live.start("moderation", "counters")
    await live.take(history.first(), published=False)
    await live.stop()
    backup, newer_log_than_backup = other_database(), other_database()
    await copied(postgres_admin_dsn, live.dsn, backup)
    await copied(postgres_admin_dsn, live.dsn, newer_log_than_backup)
    async with connected(backup) as connection:
        rows = await connection.fetch("SELECT topic, partition, next_offset FROM fences")
        backed_up = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    await live.start("moderation", "counters", "publisher")
    await live.take(history.policies(1, "closed"))
    await live.take(history.second())
    await live.take(history.crowd(1_500))
    await live.take(history.policies(2, "publish_first"))
    await live.take(history.third())
    await live.stop()
    code, expected, wrong = await veche("dump")
    assert code == 0, wrong
    await check_that_much_happened(live.dsn)

    # Rules of today would let pass what was held, and hold what was published.
    today = {"VECHE_RULES_DIR": str(write_rules(tmp_path / "today", held="thought", rejected="x1"))}
    rebuilt = other_database()
    code, _, wrong = await veche(
        "rebuild", "--into", rebuilt, "--against", live.dsn, "--yes", **today
    )
    assert code == 0, wrong
    code, found, wrong = await veche("dump", "--dsn", rebuilt)
    assert code == 0, wrong
    assert found == expected
    await check_that_nothing_is_told_twice(rebuilt)

    # Interrupted after moderation, gone on with; this one relies on its own checks alone.
    interrupted = other_database()
    words = ("rebuild", "--into", interrupted, "--yes")
    code, _, wrong = await veche(*words, **today, VECHE_VIEWER_SECRET="")
    assert code == 1
    assert "VECHE_VIEWER_SECRET" in wrong
    await check_that_nobody_publishes(interrupted)
    code, _, wrong = await veche(*words, "--continue", **today)
    assert code == 0, wrong
    assert (await veche("dump", "--dsn", interrupted))[1] == expected

    # Retention: the log alone is refused, backup plus tail is not.
    await shorten(kafka, backed_up)
    code, _, wrong = await veche("rebuild", "--into", other_database(), "--yes", **today)
    assert code == 1
    assert "the log is not whole" in wrong
    code, _, wrong = await veche(
        "rebuild", "--into", backup, "--continue", "--against", live.dsn, "--yes", **today
    )
    assert code == 0, wrong
    code, found, wrong = await veche("dump", "--dsn", backup)
    assert found == expected
    await check_that_nothing_is_told_twice(backup)

    # A backup older than the log's beginning has a hole that nothing can fill.
    held = await consume.logs(kafka, [topics.COMMENTS])
    await shorten(
        kafka, {(topics.COMMENTS, p): e for p, (_, e) in held[topics.COMMENTS].ranges.items()}
    )
    code, _, wrong = await veche("rebuild", "--into", newer_log_than_backup, "--continue", "--yes")
    assert code == 1
    assert "restore a newer one" in wrong

    async with watching(kafka) as seen:
        await until(lambda: seen.last("herald/d3") and seen.last("gazette/d2"))
        before = {key: seen.last(key) for key in ("gazette/d1", "gazette/d2", "herald/d3")}
        await readers_take_the_new_incarnation(services, rebuilt, seen, before)


async def readers_take_the_new_incarnation(
    services: Services, rebuilt: str, seen: Seen, before: Mapping[str, object]
) -> None:
    """The publisher on the rebuilt database says the same, under a higher version."""
    reader = services.start("reader")
    await asyncio.to_thread(reader.wait_ready)
    url = f"{reader.url}/v1/sites/gazette/discussions/d1"
    assert httpx.get(url).headers["veche-version"].startswith("1.")
    services.start("publisher", {"VECHE_POSTGRES_DSN": rebuilt})
    for key, old in before.items():
        await until(lambda key=key: seen.last(key).version.incarnation == 2, seconds=30)
        new = seen.last(key)
        assert new is not None
        assert old is not None
        same = {"version": new.version, "changed_comments": None}
        assert new == structs.replace(old, **same)  # type: ignore[type-var]
    await until(lambda: httpx.get(url).headers["veche-version"].startswith("2."))
    await until(
        lambda: (
            seen.last_feed("gazette/latest//").version.incarnation == 2
            and all(e.version.incarnation == 2 for e in seen.last_feed("gazette/latest//").entries)
        )
    )


async def check_that_much_happened(dsn: str) -> None:
    """Guards the scenario: an equality of nothing proves nothing."""
    async with connected(dsn) as connection:
        reasons = dict(
            await connection.fetch(
                "SELECT reason, count(*) FROM outcomes WHERE result = 'refused' GROUP BY 1"
            )
        )
        assert {
            "comment_deleted", "conflict", "discussion_closed", "discussion_unknown", "id_taken",
            "not_the_author", "own_report", "own_vote", "revision_stale", "vote_expired",
            "vote_parked_too_many",
        } <= reasons.keys()  # fmt: skip
        results = dict(await connection.fetch("SELECT result, count(*) FROM outcomes GROUP BY 1"))
        assert results.keys() == {"applied", "published", "held", "rejected", "refused"}
        scored = dict(
            await connection.fetch(
                "SELECT reason, count(*) FROM outcomes"
                " WHERE cause = 'veche.score.given.v1' GROUP BY 1"
            )
        )
        assert {"", "rule", "comment_unknown", "ruled", "not_in_view"} <= scored.keys()
        waiting = "SELECT status, held_reason FROM comments WHERE comment = $1"
        assert tuple(await connection.fetchrow(waiting, "h2")) == ("published", None)
        assert tuple(await connection.fetchrow(waiting, "h3")) == ("pending", "score")
        undone = await connection.fetch(
            "SELECT result, reason, status FROM outcomes WHERE cause = 'veche.rule.undone.v1'"
            " ORDER BY 1, 2"
        )
        assert [tuple(row) for row in undone] == [
            ("applied", "", "published"), ("applied", "", "published"),
            ("refused", "rule_not_found", "published"), ("refused", "ruled", "published"),
        ]  # fmt: skip
        for table in {*dump.TABLES} - {"rule_failures"}:  # no rule of a live process throws
            assert await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"), table
        statuses = dict(await connection.fetch("SELECT status, count(*) FROM comments GROUP BY 1"))
        assert statuses.keys() == {"pending", "published", "rejected"}


async def check_that_nobody_publishes(dsn: str) -> None:
    """A rebuild that was interrupted: no publisher gets a lease of that database."""
    async with connected(dsn) as connection:
        leases = await connection.fetch("SELECT name FROM leases WHERE expires_at = 'infinity'")
        every = {shards.lease_name(shard) for shard in range(shards.SHARDS)}
        assert {row["name"] for row in leases} == every
        assert await connection.fetchval("SELECT max(incarnation) FROM incarnations") == 1
        assert await connection.fetchval("SELECT count(*) FROM comments") > 40


async def check_that_nothing_is_told_twice(dsn: str) -> None:
    async with connected(dsn) as connection:
        assert await connection.fetch("SELECT topic, value FROM outbox") == []
        assert await connection.fetchval("SELECT count(*) FROM recorded_outcomes") == 0
        assert await connection.fetchval("SELECT max(incarnation) FROM incarnations") == 2
        undone = await connection.fetchval(
            "SELECT count(*) FROM discussions d WHERE NOT EXISTS"
            " (SELECT FROM dirty_discussions m WHERE m.discussion = d.discussion)"
        )
        assert undone == 0
        assert await connection.fetchval("SELECT count(*) FROM leases WHERE owner = 'rebuild'") == 0


async def test_a_database_in_use_is_refused(
    veche: Veche, postgres_dsn: str, other_database: Callable[[], str], postgres_admin_dsn: str
) -> None:
    async with connected(postgres_dsn) as connection:
        await connection.execute(
            "INSERT INTO site_policies VALUES ('gazette', 'closed', 3, 'keep');"
            "INSERT INTO discussions VALUES"
            " ('gazette/d1', 'gazette', 1, 'u', 't', 'en', 's', 'open', NULL, now(), 0)"
        )
    code, _, wrong = await veche("rebuild", "--into", postgres_dsn, "--yes")
    assert (code, "is not empty" in wrong) == (1, True), wrong

    pool = await db.connect_pool(postgres_dsn, 1)
    try:
        code, _, wrong = await veche("rebuild", "--into", postgres_dsn, "--continue", "--yes")
        assert (code, "stop them first" in wrong) == (1, True), wrong
    finally:
        await pool.close()

    strange = other_database()
    async with connected(postgres_admin_dsn) as connection:
        await connection.execute(f"CREATE DATABASE {urlsplit(strange).path[1:]}")
    async with connected(strange) as connection:
        await connection.execute("CREATE TABLE somebody_elses (n integer)")
    code, _, wrong = await veche("rebuild", "--into", strange, "--yes")
    assert (code, "not Veche's" in wrong) == (1, True), wrong


async def test_every_column_is_compared_or_left_out_by_name(postgres_dsn: str) -> None:
    compared, there = set(), set()
    async with connected(postgres_dsn) as connection:
        for table, query in db.queries("dump").items():
            statement = await connection.prepare(query)
            compared |= {f"{table}.{one.name}" for one in statement.get_attributes()}
        rows = await connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        )
        there = {f"{row['table_name']}.{row['column_name']}" for row in rows}
    left_out = {
        column for column in there
        if column in dump.LEFT_OUT or column.partition(".")[0] in dump.LEFT_OUT
    }  # fmt: skip
    assert not compared & left_out
    assert compared | left_out == there
    names = {column.partition(".")[0] for column in there} | there
    assert dump.LEFT_OUT.keys() <= names
    page = (ROOT / "docs/rebuild.md").read_text()
    assert [name for name in (*dump.LEFT_OUT, *dump.TABLES) if f"`{name}`" not in page] == []
