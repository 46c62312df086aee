"""Brakes and effects on a real Postgres: batches of any size, and a rebuild, leave equal tables."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.core import codec, db, events
from services.core.consume import Batch, Record
from services.core.db import Pool
from services.core.discussion import LiveJudge, RecordedJudge
from services.core.rules import Facts, Ruleset, Submission, load
from services.core.rules.brakes import Brakes, brakeable
from services.core.store import dump, notices, rule_hits
from services.moderation.brakes import Braking
from services.moderation.departures import Departures
from services.moderation.failures import Failures
from services.moderation.handle import Moderation
from services.moderation.rules import Rules

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TABLES = {
    "comments": "discussion, comment",
    "outcomes": "discussion, event_id, event_digest",
    "author_totals": "site, author, slot",
    "author_limits": "site, author, slot",
    "rule_hits": "rule, hour, version, slot",
    "rule_failures": "discussion, comment, rule, version",
}
NOTICES = (
    "SELECT discussion, comment, revision, channel, site, rule, recorded_at FROM notices"
    " ORDER BY discussion, comment, revision, channel"
)
OFF = Brakes(rejects_per_hour=0, probation_days=0)

RULES = """
- {id: ad, when: {words: [слон]}, then: reject, limits: {per_hour: 3, per_day: 8}, TEXTS}
- {id: rude, when: {words: [дурак]}, then: {action: hold, labels: [insult], limit: 2m},
   limits: {per_hour: 4}, TEXTS}
- {id: shout, when: "text.upper > 0.6", TEXTS,
   then: {labels: [shout, odd], notify: [editors], score: 1}, limits: {per_day: 40}}
- {id: threat, when: {words: [убью]}, then: {action: reject, notify: [editors, lawyers]}, TEXTS}
- {id: scored, when: "score(x) > 0.5", on_missing: skip, TEXTS,
   then: {action: hold, labels: [scored], notify: [editors], limit: 1m}}
- {id: shaded, status: shadow, when: "text.words > 0", TEXTS,
   then: {action: reject, labels: [no], notify: [nobody], limit: 9d}}
""".replace("TEXTS", "title: {ru: а, en: a}, reason: {ru: а, en: a}")
TEXTS = ["Хорошая статья", "Купите слона", "Ну ты и дурак", "ПОЧЕМУ ТАК ДОРОГО", "Я тебя убью"]


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load({"rules.yml": RULES})


def moderation(ruleset: Ruleset, brakes: Brakes = OFF) -> Moderation:
    judge = Braking(LiveJudge(Rules(ruleset)), lambda: ruleset, brakes)
    return Moderation(judge, ruleset.windows, lambda: brakeable(ruleset, brakes))


def event(kind: type[Any], data: Any, *, actor: str, id: str, **more: Any) -> Any:
    return kind(
        id=id, source="/sites/portal", site="portal", actor=actor, time=NOON, data=data, **more
    )


def opened(discussion: str) -> Any:
    data = events.DiscussionDescribed(
        discussion=discussion, revision=1, url="https://portal.example/1", title="Заголовок",
        language="ru", section="news",
    )  # fmt: skip
    return event(events.DiscussionOpened, data, actor="portal", id=f"open-{discussion}")


def said(comment: str, body: str, *, by: str = "anna", discussion: str = "d1") -> Any:
    data = events.CommentBody(discussion=discussion, comment=comment, body=body)
    return event(events.CommentSubmitted, data, actor=by, id=f"say-{comment}")


def edited(comment: str, body: str, n: int, *, by: str = "anna", discussion: str = "d1") -> Any:
    data = events.CommentRewrite(discussion=discussion, comment=comment, body=body)
    return event(events.CommentEdited, data, actor=by, id=f"edit-{n}")


def scored(comment: str, n: int, discussion: str = "d1") -> Any:
    data = events.ScoreOfComment(discussion, comment, 1, "x", 0.9)
    return event(events.ScoreGiven, data, actor="s", id=f"score-{n}", signature="x")


def records(told: Sequence[Any], every: timedelta, start: datetime = NOON) -> list[Record[Any]]:
    return [Record(n, start + every * n, event) for n, event in enumerate(told)]


async def run(
    pool: Pool, handle: Any, rows: Sequence[Record[Any]], size: int, partition: int = 2
) -> None:
    for start in range(0, len(rows), size):
        async with db.transaction(pool) as connection:
            await handle(connection, Batch("comments.v1", partition, rows[start : start + size]))


async def tables(pool: Pool) -> dict[str, list[tuple[Any, ...]]]:
    async with pool.acquire() as connection:
        rows = {
            name: [tuple(r) for r in await connection.fetch(f"SELECT * FROM {name} ORDER BY {key}")]
            for name, key in TABLES.items()
        }
        rows["notices"] = [tuple(row) for row in await connection.fetch(NOTICES)]
        return rows


async def empty(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            f"TRUNCATE {', '.join(TABLES)}, notices, discussions, revisions, outbox,"
            " dirty_discussions, changed_comments"
        )


async def recorded_outcomes(pool: Pool) -> dict[tuple[str, str, str], events.Outcome]:
    """As outcomes.v1 would hold them."""
    async with pool.acquire() as connection:
        values = await connection.fetch("SELECT value FROM outbox")
    return {
        (told.discussion, told.data.event, told.data.digest): told.data
        for told in (codec.decode(row["value"], events.OutcomeRecorded) for row in values)
    }


def never(comment: Submission, facts: Facts) -> events.VerdictGiven:
    raise AssertionError("judged again")


def a_day(seed: int, count: int) -> list[Any]:
    chance = random.Random(seed)
    told: list[Any] = [opened("d1"), opened("d2")]
    for n in range(count):
        comment, by = f"c{chance.randrange(count // 2)}", f"r{chance.randrange(12)}"
        where = chance.choice(["d1", "d2"])
        match chance.choices("sec", (70, 20, 10))[0]:
            case "s":
                told.append(said(comment, chance.choice(TEXTS), by=by, discussion=where))
            case "e":
                told.append(edited(comment, chance.choice(TEXTS), n, by=by, discussion=where))
            case _:
                told.append(scored(comment, n, where))
    return told


BRAKED = {
    "ad": ("hold", "reject"), "threat": ("hold", "reject"), "rude": ("note", "hold"),
    "shout": ("note", ""),
}  # fmt: skip
BRAKES = Brakes(rejects_per_hour=5, probation_days=1, probation_hits=10, probation_percent=20)


async def test_batches_of_one_and_of_all_brake_and_limit_alike(
    pool: Pool, ruleset: Ruleset
) -> None:
    rows = records(a_day(3, 900), timedelta(seconds=100))  # a day and an hour
    await run(pool, moderation(ruleset, BRAKES), rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 41):
        await empty(pool)
        await run(pool, moderation(ruleset, BRAKES), rows, size)
        assert await tables(pool) == one_by_one
    seen = await findings(pool)
    by = {found["detail"].get("braked") for found in seen if found["rule"] in ("ad", "threat")}
    assert by == {None, "per_hour", "per_day", "probation", "quota"}
    assert all(
        (found["action"], found["would"]) == BRAKED[found["rule"]]
        for found in seen
        if "braked" in found["detail"]
    )
    assert {found["rule"] for found in seen if "braked" in found["detail"]} == set(BRAKED)
    assert {"limited", "rude", "scored", "shaded"} <= {found["rule"] for found in seen}
    assert all(rows for name, rows in one_by_one.items() if name != "rule_failures")


async def test_a_rebuild_takes_brakes_and_effects_as_they_were_recorded(
    pool: Pool, ruleset: Ruleset
) -> None:
    rows = records(a_day(4, 400), timedelta(seconds=60))
    await run(pool, moderation(ruleset, BRAKES), rows, 50)
    live = await tables(pool)
    recorded = await recorded_outcomes(pool)
    await empty(pool)
    today = load({"rules.yml": RULES.replace("слон", "тигр")})
    judge = RecordedJudge(recorded, Braking(LiveJudge(never), lambda: today, OFF))
    rebuilding = Moderation(judge, today.windows, lambda: brakeable(today, OFF))
    await run(pool, rebuilding, rows, 2_000)
    assert await tables(pool) == live


async def test_limits_of_a_rule_span_partitions_and_end_with_the_hour(
    pool: Pool, ruleset: Ruleset
) -> None:
    told = [opened("d1")] + [said(f"c{n}", "Купите слона", by=f"r{n}") for n in range(2)]
    await run(pool, moderation(ruleset), records(told, timedelta(seconds=1)), 10, partition=1)
    told = [opened("d2")] + [
        said(f"e{n}", "Купите слона", by=f"s{n}", discussion="d2") for n in range(2)
    ]
    later = records(told, timedelta(seconds=1), NOON + timedelta(minutes=30))
    await run(pool, moderation(ruleset), later, 1, partition=4)
    assert await results(pool) == ["rejected"] * 3 + ["held"]
    after = said("f1", "Купите слона", by="t", discussion="d2")
    row = Record(9, NOON + timedelta(hours=1), after)
    await run(pool, moderation(ruleset), [row], 1, partition=4)
    assert (await results(pool))[-1] == "rejected"
    async with pool.acquire() as connection:
        facts = codec.decode(
            await connection.fetchval("SELECT facts FROM outcomes WHERE event_id = 'say-e1'"),
            dict[str, Any],
        )
    assert facts["brakes"]["ad"] == {
        "acts_in_hour": 3, "acts_in_day": 3, "hits_in_day": 3, "comments_in_day": 3,
        "all_rejects_in_hour": 3, "all_holds_in_hour": 0, "first_hit": "2026-03-01T12:00:00+00:00",
    }  # fmt: skip


async def test_a_hold_over_its_limit_is_in_view_with_its_label_and_slows_nobody_down(
    pool: Pool, ruleset: Ruleset
) -> None:
    told = [opened("d1")]
    told += [said(f"c{n}", "Ну ты и дурак", by=f"r{n}") for n in range(6)]
    await run(pool, moderation(ruleset), records(told, timedelta(seconds=1)), 4)
    assert await results(pool) == ["held"] * 4 + ["published"] * 2
    async with pool.acquire() as connection:
        labels = await connection.fetchval("SELECT labels FROM comments WHERE comment = 'c5'")
        slowed = await connection.fetchval("SELECT count(*) FROM author_limits")
    assert (labels, slowed) == (["insult"], 4)
    last = [found for found in await findings(pool) if found["rule"] == "rude"][-1]
    assert (last["action"], last["would"]) == ("note", "hold")
    assert (last["detail"]["braked"], last["detail"]["hits"]) == ("per_hour", 4)


async def test_the_quota_of_holds_spans_rules_and_leaves_what_others_than_rules_hold(
    pool: Pool, ruleset: Ruleset
) -> None:
    told = [opened("d1")]
    told += [said(f"c{n}", "Ну ты и дурак", by=f"r{n}") for n in range(3)]
    told += [said("c9", "Хорошая статья", by="r0")]  # r0 is slowed down: that holds
    quota = Brakes(rejects_per_hour=0, holds_per_hour=2, probation_days=0)
    await run(pool, moderation(ruleset, quota), records(told, timedelta(seconds=1)), 9)
    assert await results(pool) == ["held", "held", "published", "held"]


async def test_a_rule_that_failed_on_five_comments_is_off_after_a_restart_too(
    pool: Pool, ruleset: Ruleset
) -> None:
    def failing(comment: Submission, facts: Facts) -> events.VerdictGiven:
        found = events.FindingSeen(
            rule="rule_error", action="hold", detail={"rule": "ad", "error": "E"}, version="v1"
        )
        return events.VerdictGiven(action="hold", ruleset="h", findings=[found])

    handle = Moderation(LiveJudge(failing), ruleset.windows)
    told = [opened("d1"), *(said(f"c{n}", "Слон", by=f"r{n}") for n in range(4))]
    told += [edited("c1", "Слоны", n, by="r1") for n in range(5)]  # the same comment
    rows = records(told, timedelta(seconds=1))
    with suppress(ConnectionResetError):  # a transaction that is tried again
        async with db.transaction(pool) as connection:
            await handle(connection, Batch("comments.v1", 2, rows))
            raise ConnectionResetError
    await run(pool, handle, rows, 3)
    failures = Failures()
    await failures.refresh(pool)
    assert failures.off == set()
    # The day after: four of those do not count any more, so it takes five.
    late = [said(f"e{n}", "Слон", by=f"s{n}") for n in range(5)]
    for n, event in enumerate(late):
        assert failures.off == set()
        at = NOON + timedelta(days=1, minutes=1 + n)
        await run(pool, handle, [Record(100 + n, at, event)], 1)
        await failures.refresh(pool)
    assert failures.off == {("ad", "v1")}
    live = await tables(pool)
    recorded = await recorded_outcomes(pool)
    await empty(pool)
    rebuilding = Moderation(RecordedJudge(recorded, LiveJudge(never)), ruleset.windows)
    days = [Record(100 + n, NOON + timedelta(days=1, minutes=1 + n), e) for n, e in enumerate(late)]
    await run(pool, rebuilding, [*rows, *days], 2_000)
    assert (await tables(pool))["rule_failures"] == live["rule_failures"]
    assert len(live["rule_failures"]) == 9


async def test_an_author_is_limited_for_as_long_as_the_rule_says(
    pool: Pool, ruleset: Ruleset
) -> None:
    told = [opened("d1"), said("c1", "Ну ты и дурак"), said("c2", "Хорошая статья")]
    told += [said("c3", "Хорошая статья", by="boris")]
    told += [edited("c2", "Очень хорошая статья", 1), said("c4", "Спасибо за статью")]
    rows = records(told, timedelta(seconds=40))
    await run(pool, moderation(ruleset), rows, 3)
    async with pool.acquire() as connection:
        found = await connection.fetch(
            "SELECT event_id, result, reason FROM outcomes WHERE verdict IS NOT NULL"
            " ORDER BY recorded_at"
        )
        limits = await connection.fetch("SELECT site, author, slot, until FROM author_limits")
    assert [tuple(row) for row in found] == [
        ("say-c1", "held", "rule"),
        ("say-c2", "held", "limited"),
        ("say-c3", "published", ""),
        ("edit-1", "published", ""),  # two minutes after: over
        ("say-c4", "published", ""),
    ]
    assert [tuple(row) for row in limits] == [
        ("portal", "anna", 2, NOON + timedelta(seconds=40, minutes=2))
    ]


async def test_labels_are_those_of_the_newest_revision(pool: Pool, ruleset: Ruleset) -> None:
    async def labels() -> list[str]:
        async with pool.acquire() as connection:
            return list(await connection.fetchval("SELECT labels FROM comments"))

    rows = records(
        [
            opened("d1"),
            said("c1", "ПОЧЕМУ ТАК ДОРОГО"),
            scored("c1", 1),
            edited("c1", "Хорошая статья", 2),
        ],
        timedelta(seconds=1),
    )
    handle = moderation(ruleset)
    await run(pool, handle, rows[:2], 2)
    assert await labels() == ["odd", "shout"]
    await run(pool, handle, rows[2:3], 1)
    assert await labels() == ["odd", "scored", "shout"]
    await run(pool, handle, rows[3:], 1)
    assert await labels() == []


async def test_notices_are_read_in_order_and_once(pool: Pool, ruleset: Ruleset) -> None:
    told: list[Any] = [opened("d1")]
    told += [said(f"c{n}", "Я ТЕБЯ УБЬЮ", by=f"r{n}") for n in range(5)]
    told += [said(f"d{n}", "ПОЧЕМУ ТАК ДОРОГО", by=f"r{n}") for n in range(5)]
    before = REGISTRY.get_sample_value("veche_notices_total", {"channel": "lawyers"}) or 0
    await run(pool, moderation(ruleset), records(told, timedelta(seconds=1)), 4)
    async with pool.acquire() as connection:
        place, found = notices.START, []
        while page := await notices.page(connection, "portal", "editors", place, 3):
            found += page
            place = page[-1].place
        assert [(one.comment, one.rule) for one in found] == [
            *((f"c{n}", "shout") for n in range(5)), *((f"d{n}", "shout") for n in range(5))
        ]  # fmt: skip
        lawyers = await notices.page(connection, "portal", "lawyers", notices.START, 100)
        assert [(one.comment, one.rule, one.status) for one in lawyers] == [
            (f"c{n}", "threat", "rejected") for n in range(5)
        ]
        assert await notices.page(connection, "other", "editors", notices.START, 100) == []
    after = REGISTRY.get_sample_value("veche_notices_total", {"channel": "lawyers"})
    assert after == before + 5


async def test_a_notice_of_a_transaction_that_still_runs_is_not_passed_over(
    pool: Pool, ruleset: Ruleset
) -> None:
    handle = moderation(ruleset)
    await run(pool, handle, records([opened("d1"), opened("d2")], timedelta(seconds=1)), 10)
    [slow] = records([said("c1", "ПОЧЕМУ ТАК ДОРОГО")], timedelta(seconds=1))
    [quick] = records(
        [said("c2", "ПОЧЕМУ ТАК ДОРОГО", by="boris", discussion="d2")], timedelta(seconds=1)
    )
    async with db.transaction(pool) as connection:
        await handle(connection, Batch("comments.v1", 1, [slow]))
        await run(pool, handle, [quick], 1, partition=3)
        # The slow one began before: until it ends, nobody reads past it.
        page = await notices.page(connection, "portal", "editors", notices.START, 9)
        assert page == []
    async with pool.acquire() as connection:
        page = await notices.page(connection, "portal", "editors", notices.START, 9)
    assert [one.comment for one in page] == ["c1", "c2"]


async def test_a_departure_is_told_once_by_name(
    pool: Pool, ruleset: Ruleset, caplog: pytest.LogCaptureFixture
) -> None:
    rude, shout = (next(c for c in ruleset.compiled if c.rule.id == id) for id in ("rude", "shout"))
    now = datetime(2026, 3, 9, 12, 5, tzinfo=UTC)
    last = now.replace(minute=0) - timedelta(hours=1)
    rows = []
    for n in range(100):
        hour = last - timedelta(hours=n)
        rows += [("", hour, "", 200), ("shout", hour, shout.version, 10)]
        rows += [("rude", hour, rude.version, 60 if n == 0 else 6)]
    async with pool.acquire() as connection:
        await connection.executemany(
            "INSERT INTO rule_hits VALUES ($1, $2, $3, 1, $4, 0, 0, 0)", rows
        )
    stop = asyncio.Event()
    departures = Departures(lambda: ruleset, lambda: now, "me")
    with caplog.at_level(logging.WARNING):
        watching = asyncio.create_task(departures.watch(pool, stop))
        while REGISTRY.get_sample_value(METRIC, {"rule": "rude"}) is None:
            await asyncio.sleep(0.01)
        stop.set()
        await watching
        departures._tell({"rude": 9.0})
    score = REGISTRY.get_sample_value(METRIC, {"rule": "rude"})
    assert score is not None
    assert score > 5
    said = [r.getMessage() for r in caplog.records if "often" in r.getMessage()]
    assert len(said) == 1
    assert "rule rude hits more often" in said[0]


METRIC = "veche_rule_hit_rate_departure"


async def test_hits_of_hours_90_days_before_the_newest_record_are_dropped_in_pieces(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_hits, "_FORGOTTEN", 3)

    async def left() -> list[int]:
        async with db.transaction(pool) as connection:
            await rule_hits.forget(connection)
            rows = await connection.fetch("SELECT hits FROM rule_hits ORDER BY hits")
            told = [line async for line in dump.lines(connection, "rule_hits")]
        seen[:] = [codec.decode(line.encode(), dict[str, Any])["row"]["hits"] for line in told]
        return [row["hits"] for row in rows]

    seen: list[int] = []
    async with pool.acquire() as connection:
        await connection.executemany(
            "INSERT INTO rule_hits VALUES ('ad', $1, 'v', 1, $2, 0, 0, 0)",
            [(NOON - timedelta(days=n), n) for n in (0, 1, 89, 90, 91, 92, 93, 94, 95)],
        )
    assert len(await left()) == 9  # nothing was ever recorded
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO fences VALUES"
            " ('moderation', 'comments.v1', 1, gen_random_uuid(), 1, 1, '', $1),"
            " ('moderation', 'comments.v1', 2, gen_random_uuid(), 1, 1, '', $2)",
            NOON + timedelta(minutes=5), NOON - timedelta(days=3),
        )  # fmt: skip
    assert len(await left()) == 6
    assert await left() == [0, 1, 89, 90]
    assert seen == [90, 89, 1, 0]


async def findings(pool: Pool) -> list[dict[str, Any]]:
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT verdict FROM outcomes WHERE verdict IS NOT NULL")
    return [
        {"would": "", "detail": {}, **found}
        for row in rows
        for found in codec.decode(row["verdict"], dict[str, Any]).get("findings", [])
    ]


async def results(pool: Pool) -> list[str]:
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT result FROM outcomes WHERE verdict IS NOT NULL ORDER BY recorded_at"
        )
    return [row["result"] for row in rows]
