"""The publisher against real Postgres and real Kafka: what readers are told, and that it lasts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import log10

import pytest

from services.core import db, produce, topics
from services.core.consume import tail
from services.core.events import Feed, Version
from services.core.settings import Kafka
from services.core.store import dirty, outbox
from services.publisher import survivors
from services.publisher.strips import fold, publish
from tests.conftest import new_prefix
from tests.integration.publishing import (
    OPENED,
    Effects,
    Seen,
    Wire,
    publishing,
    until,
    watching,
)

HOUR = timedelta(hours=1)


@pytest.fixture
async def kafka(kafka_bootstrap: str) -> Kafka:
    prefix = new_prefix()
    await produce.create_topics(
        kafka_bootstrap, prefix, [topics.STRIPS, topics.FEEDS, topics.OUTCOMES]
    )
    return Kafka(kafka_bootstrap, prefix)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[db.Pool]:
    async with await db.connect_pool(postgres_dsn, 8) as pool:
        yield pool


@pytest.fixture
async def wire(kafka: Kafka) -> AsyncIterator[Wire]:
    async with produce.Producer(kafka) as producer:
        yield Wire(producer)


@pytest.fixture
async def seen(kafka: Kafka) -> AsyncIterator[Seen]:
    async with watching(kafka) as seen:
        yield seen


@pytest.fixture
def effects(pool: db.Pool) -> Effects:
    return Effects(pool)


async def dirty_rows(pool: db.Pool) -> int:
    async with pool.acquire() as connection:
        return await connection.fetchval(
            "SELECT (SELECT count(*) FROM dirty_discussions) + (SELECT count(*) FROM"
            " changed_comments)"
        )


async def marks_of(pool: db.Pool, discussion: str) -> list[dirty.Mark]:
    async with pool.acquire() as connection:
        return await dirty.take(connection, produce.home_partition(discussion), 100)


async def test_a_strip_shows_what_is_counted_in_all_slots(pool, wire, seen, effects):
    await effects.open("demo/d1")
    await effects.comment("demo/d1", "c1", HOUR)
    await effects.comment("demo/d1", "c2", 2 * HOUR)
    await effects.votes("demo/d1", 5, 2, slot=0)
    await effects.votes("demo/d1", 3, 0, slot=4)
    await effects.views("demo/d1", 40, [b"a" * 16, b"b" * 16], slot=1)
    await effects.views("demo/d1", 2, [b"b" * 16, b"c" * 16], slot=2)
    async with publishing(pool, wire):
        await until(lambda: seen.last("demo/d1"))
    strip = seen.last("demo/d1")
    assert strip is not None
    assert (strip.comments, strip.views, strip.viewers) == (2, 42, 3)
    assert (strip.up, strip.down, strip.rating) == (8, 2, 6)
    assert (strip.opened_at, strip.last_activity) == (OPENED, OPENED + 2 * HOUR)
    assert (strip.version, strip.changed_comments) == (Version(1, 1), None)
    assert await dirty_rows(pool) == 0


async def test_last_activity_and_count_go_back_when_a_comment_vanishes(pool, wire, seen, effects):
    await effects.open("demo/d1")
    await effects.comment("demo/d1", "c1", HOUR)
    await effects.comment("demo/d1", "c2", 2 * HOUR)
    async with publishing(pool, wire):
        await until(lambda: seen.ids("demo/latest//") == ["d1"])
        await effects.hide("demo/d1", "c2")
        await until(lambda: seen.last("demo/d1").comments == 1)
        assert seen.last("demo/d1").last_activity == OPENED + HOUR
        assert seen.last("demo/d1").changed_comments == ["c2"]
        await effects.hide("demo/d1", "c1")
        await until(lambda: seen.last("demo/d1").comments == 0)
        await until(lambda: seen.last_feed("demo/latest//").entries[0].last_activity == OPENED)
    assert seen.last("demo/d1").last_activity == OPENED


async def test_a_burst_costs_two_versions_a_second_and_ends_in_the_last_state(
    pool, wire, seen, effects
):
    await effects.open("demo/viral")
    loop = asyncio.get_running_loop()
    async with publishing(pool, wire):
        began = loop.time()
        for number in range(1, 1_201):
            await effects.views("demo/viral", number, slot=number % 6)
        lasted = loop.time() - began
        total = sum(range(1_195, 1_201))
        await until(lambda: seen.last("demo/viral") and seen.last("demo/viral").views == total)
        await until(lambda: seen.last_feed("demo/hot//").entries[0].views == total)
    versions = [strip.version for strip in seen.of("demo/viral")]
    assert versions == sorted(set(versions))
    assert len(versions) <= 2 * lasted + 3
    of_feed = [one.version for one in seen.feeds if (one.feed, one.language) == ("hot", "")]
    assert len(of_feed) <= 2 * (2 * lasted + 3)


async def test_views_before_the_opening_count_once_it_is_opened(pool, wire, seen, effects):
    await effects.views("demo/early", 7)
    async with publishing(pool, wire):
        while await dirty_rows(pool):
            await asyncio.sleep(0.02)
        assert seen.of("demo/early") == []
        await effects.open("demo/early")
        await until(lambda: seen.last("demo/early"))
    assert seen.last("demo/early").views == 7


async def test_a_removed_discussion_says_so_and_leaves_every_feed(pool, wire, seen, effects):
    await effects.open("demo/d1")
    await effects.open("demo/d2")
    async with publishing(pool, wire):
        await until(lambda: sorted(seen.ids("demo/top-all/ru/news") or []) == ["d1", "d2"])
        await effects.open("demo/d1", state="removed")
        await until(lambda: seen.last("demo/d1").state == "removed")
        for key in ("demo/latest//", "demo/hot/ru/", "demo/top-all//news", "demo/latest/ru/news"):
            await until(lambda key=key: seen.ids(key) == ["d2"])


async def test_a_discussion_that_moves_leaves_its_old_section(pool, wire, seen, effects):
    await effects.open("demo/d1", section="news")
    async with publishing(pool, wire):
        await until(lambda: seen.ids("demo/latest//news") == ["d1"])
        await effects.open("demo/d1", section="sport")
        await until(lambda: seen.ids("demo/latest//sport") == ["d1"])
        await until(lambda: seen.ids("demo/latest//news") == [])
        assert seen.ids("demo/latest//") == ["d1"]


async def test_outcomes_are_sent_before_the_strip_that_shows_them(pool, wire, seen, effects):
    await effects.open("demo/d1")
    home = produce.home_partition("demo/d1")
    async with db.transaction(pool) as connection:
        records = [(topics.OUTCOMES, b"demo/d1", b"%d" % number) for number in range(1_200)]
        await outbox.add(connection, topics.COMMENTS, home, records)
    async with publishing(pool, wire):
        await until(lambda: seen.last("demo/d1"))
    sent = [(one.topic, one.value) for one in wire.sent]
    assert sent[:1_200] == [(topics.OUTCOMES, b"%d" % number) for number in range(1_200)]
    assert sent[1_200][0] == topics.STRIPS
    async with pool.acquire() as connection:
        assert await outbox.waiting(connection) == {}


async def test_without_acknowledgements_everything_stays_and_goes_out_later(
    pool, wire, seen, effects
):
    await effects.open("demo/d1")
    async with db.transaction(pool) as connection:
        await outbox.add(connection, topics.VOTES, 3, [(topics.OUTCOMES, b"demo/d1", b"x")])
    wire.broken = True
    async with publishing(pool, wire) as publisher:
        await until(lambda: publisher.ready() == "the last cycle failed: Kafka or Postgres does"
                    " not answer")  # fmt: skip
        assert await dirty_rows(pool) == 1
        wire.broken = False
        await until(lambda: seen.ids("demo/latest//") == ["d1"])
        await until(lambda: publisher.ready() is None)
    assert [strip.version for strip in seen.of("demo/d1")] == [Version(1, 1)]
    assert [one.value for one in wire.sent if one.topic == topics.OUTCOMES] == [b"x"]
    assert await dirty_rows(pool) == 0


async def test_a_crash_between_commit_and_send_loses_nothing(pool, wire, seen, effects):
    await effects.open("demo/d1")
    await effects.comment("demo/d1", "c1", HOUR)
    await publish(pool, wire, await fold(pool, await marks_of(pool, "demo/d1")))
    await effects.comment("demo/d1", "c2", 2 * HOUR)
    await fold(pool, await marks_of(pool, "demo/d1"))  # … and here the process dies.
    async with publishing(pool, wire):
        await until(lambda: seen.last("demo/d1") and seen.last("demo/d1").comments == 2)
        await until(lambda: seen.ids("demo/latest//") == ["d1"])
    assert seen.last("demo/d1").changed_comments == ["c2"]
    assert await dirty_rows(pool) == 0


async def test_a_late_publisher_clears_nothing_that_it_has_not_seen(pool, wire, seen, effects):
    await effects.open("demo/d1")
    late = await fold(pool, await marks_of(pool, "demo/d1"))
    await effects.comment("demo/d1", "c1", HOUR)
    await publish(pool, wire, await fold(pool, await marks_of(pool, "demo/d1")))
    await effects.comment("demo/d1", "c2", 2 * HOUR)
    await publish(pool, wire, late)
    assert await dirty_rows(pool) == 2
    async with publishing(pool, wire):
        await until(lambda: seen.last("demo/d1") and seen.last("demo/d1").comments == 2)
    assert seen.last("demo/d1").changed_comments == ["c2"]


async def test_an_older_version_does_not_stay_the_last_record(kafka, pool, wire, seen, effects):
    await effects.open("demo/d1")
    async with publishing(pool, wire), surviving(kafka, pool):
        await until(lambda: seen.ids("demo/latest//") == ["d1"] and seen.last("demo/d1"))
        early = {topics.STRIPS: wire.sent_to(topics.STRIPS), topics.FEEDS: latest_of(wire)}
        await effects.comment("demo/d1", "c1", HOUR)
        await until(lambda: seen.last("demo/d1").comments == 1)
        await until(lambda: seen.last_feed("demo/latest//").entries[0].comments == 1)
        strip, feed = seen.last("demo/d1").version, seen.last_feed("demo/latest//").version
        for records in early.values():
            await wire.producer.send_all(records[:1])
        # Both come back: v1, v2, v1, v2.
        await until(
            lambda: [one.version < strip for one in seen.of("demo/d1")][-2:] == [True, False]
        )
        await until(lambda: seen.last("demo/d1").version == strip and len(seen.of("demo/d1")) == 4)
        await until(lambda: seen.last_feed("demo/latest//").version == feed)
        await until(lambda: len([one for one in seen.feeds if is_latest(one)]) == 4)


def is_latest(feed: Feed) -> bool:
    return (feed.feed, feed.language, feed.section) == ("latest", "", "")


def latest_of(wire: Wire) -> list[produce.Outgoing]:
    return [one for one in wire.sent_to(topics.FEEDS) if one.key == b"demo/latest//"]


@asynccontextmanager
async def surviving(kafka: Kafka, pool: db.Pool) -> AsyncIterator[None]:
    """The watch over both topics, as the process runs it."""
    watches = [
        asyncio.create_task(
            survivors.watch(
                survivors.of_strips(pool, 1.0), tail(kafka, topics.STRIPS), survivors.read_strip
            )
        ),
        asyncio.create_task(
            survivors.watch(
                survivors.of_feeds(pool, 1.0), tail(kafka, topics.FEEDS), survivors.read_feed
            )
        ),
    ]
    yield
    for watch in watches:
        assert not watch.done()
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)


async def test_two_publishers_of_the_same_shards_never_give_a_version_twice(
    kafka, pool, wire, seen, effects
):
    discussions = [f"demo/d{number}" for number in range(8)]
    for discussion in discussions:
        await effects.open(discussion)
    async with (
        produce.Producer(kafka) as other,
        publishing(pool, wire),
        publishing(pool, Wire(other)),
    ):
        for number in range(1, 60):
            for discussion in discussions:
                await effects.views(discussion, number)
        await until(
            lambda: all(
                max(seen.of(one), key=lambda strip: strip.version, default=None)
                and max(seen.of(one), key=lambda strip: strip.version).views == 59
                for one in discussions
            )
        )
    for discussion in discussions:
        said: dict[Version, int] = {}
        for strip in seen.of(discussion):
            assert said.setdefault(strip.version, strip.views) == strip.views
    contents: dict[tuple[object, ...], object] = {}
    for feed in seen.feeds:
        key = (feed.feed, feed.language, feed.section, feed.version)
        assert contents.setdefault(key, feed) == feed


async def test_a_new_incarnation_versions_feeds_anew(pool, wire, seen, effects):
    await effects.open("demo/d1")
    async with publishing(pool, wire):
        await until(lambda: seen.ids("demo/latest//") == ["d1"])
        async with pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO incarnations (incarnation, cause) VALUES (2, 'restored')"
            )
        await until(lambda: seen.last_feed("demo/latest//").version.incarnation == 2)
        await effects.views("demo/d1", 1)
        await until(lambda: seen.last("demo/d1").version.incarnation == 2)


async def test_an_entry_leaves_a_window_although_nothing_happens(pool, wire, seen, effects):
    await effects.open("demo/d1", opened_at=datetime.now(UTC) - HOUR)
    async with publishing(pool, wire):
        await until(lambda: seen.ids("demo/top-day//") == ["d1"])
        async with pool.acquire() as connection:
            # A day passes: everything is a day older, and nobody marks anything.
            await connection.execute(
                "UPDATE feed_entries SET opened_at = opened_at - interval '1 day'"
            )
            await connection.execute("UPDATE feeds SET expires_at = expires_at - interval '1 day'")
        await until(lambda: seen.ids("demo/top-day//") == [])
        assert seen.ids("demo/top-week//") == ["d1"]
        assert seen.ids("demo/top-all//") == ["d1"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_feeds_equal_what_can_be_worked_out_from_the_input(pool, wire, seen, effects, seed):
    chance = random.Random(seed)
    now = datetime.now(UTC)
    told = {}
    for number in range(60):
        one = told[f"d{number}"] = {
            "opened": now
            - timedelta(minutes=chance.choice([5, 90, 3_000, 9_000, 20_000]) + number),
            "language": chance.choice(["ru", "en"]),
            "section": chance.choice(["news", "sport"]),
            "comments": chance.randint(0, 4),
            "up": chance.randint(0, 9),
            "down": chance.randint(0, 9),
            "removed": number % 13 == 0,
        }
        name = f"demo/d{number}"
        where = {"language": one["language"], "section": one["section"]}
        await effects.open(name, opened_at=one["opened"], **where)
        for index in range(one["comments"]):
            await effects.comment(name, f"c{index}", timedelta(minutes=index + 1))
        await effects.votes(name, one["up"], one["down"])
        if one["removed"]:
            await effects.open(name, state="removed", **where)

    def score(one):
        return one["up"] - one["down"] + one["comments"]

    def hot(one):
        sign = (score(one) > 0) - (score(one) < 0)
        return sign * log10(max(abs(score(one)), 1)) + one["opened"].timestamp() / 45_000

    orders = {
        "latest": lambda one: -(one["opened"] + timedelta(minutes=one["comments"])).timestamp(),
        "hot": lambda one: -round(hot(one), 7),
        "top-all": lambda one: (-score(one), -one["opened"].timestamp()),
        "top-day": lambda one: (-score(one), -one["opened"].timestamp()),
        "top-week": lambda one: (-score(one), -one["opened"].timestamp()),
    }
    days = {"top-day": 1, "top-week": 7}
    async with publishing(pool, wire):
        for feed, order in orders.items():
            for language in ("", "ru", "en"):
                for section in ("", "news", "sport"):
                    since = now - timedelta(days=days.get(feed, 10_000))
                    expected = sorted(
                        (
                            name
                            for name, one in told.items()
                            if not one["removed"]
                            and language in ("", one["language"])
                            and section in ("", one["section"])
                            and one["opened"] > since
                        ),
                        key=lambda name: (order(told[name]), name),
                    )
                    key = f"demo/{feed}/{language}/{section}"
                    await until(lambda key=key, expected=expected: seen.ids(key) == expected)
    for feed in seen.feeds:
        assert all(entry.version <= seen.last(f"demo/{entry.discussion}").version
                   for entry in feed.entries)  # fmt: skip
