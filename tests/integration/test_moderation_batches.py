"""The handler of comments.v1 on a real Postgres: batches of any size leave the same tables."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.core import codec, db, events, settings
from services.core.consume import Batch, Record
from services.core.db import Pool
from services.core.discussion import Cause, LiveJudge, RecordedJudge
from services.core.rules import Facts, Ruleset, Submission, load, read
from services.core.store import facts
from services.moderation import control, queue
from services.moderation.handle import Moderation
from services.moderation.rules import Rules

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TABLES = {
    "discussions": "discussion",
    "comments": "discussion, comment",
    "revisions": "discussion, comment, revision",
    "reports": "discussion, comment, revision, reporter",
    "author_totals": "site, author, slot",
    "reporter_totals": "site, reporter, slot",
    "outcomes": "discussion, event_id, event_digest",
    "site_policies": "site",
}


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load(settings.rules_texts(settings.rules_dir({})))


def moderation(ruleset: Ruleset) -> Moderation:
    return Moderation(LiveJudge(Rules(ruleset)), ruleset.windows)


def event(kind: type[Any], data: Any, *, actor: str, id: str, **more: Any) -> Any:
    site = more.pop("site", "portal")
    return kind(
        id=id, source=f"/sites/{site}", site=site, actor=actor, time=NOON, data=data, **more
    )


def opened(discussion: str, *, id: str = "", **more: Any) -> Any:
    data = events.DiscussionDescribed(
        discussion=discussion,
        revision=1,
        url="https://portal.example/1",
        title="Заголовок",
        language="ru",
        section="news",
    )
    return event(
        events.DiscussionOpened, data, actor="portal", id=id or f"open-{discussion}", **more
    )


def said(
    discussion: str,
    comment: str,
    body: str,
    *,
    by: str = "anna",
    to: str | None = None,
    **more: Any,
) -> Any:
    data = events.CommentBody(discussion=discussion, comment=comment, body=body, parent=to)
    return event(
        events.CommentSubmitted, data, actor=by, id=more.pop("id", f"say-{comment}"), **more
    )


def records(told: Sequence[Any]) -> list[Record[Any]]:
    return [Record(n, NOON + timedelta(milliseconds=20 * n), event) for n, event in enumerate(told)]


async def run(
    pool: Pool, handle: Any, rows: Sequence[Record[Any]], size: int, topic: str = "comments.v1"
) -> None:
    for start in range(0, len(rows), size):
        async with db.transaction(pool) as connection:
            await handle(connection, Batch(topic, 2, rows[start : start + size]))


async def tables(pool: Pool) -> dict[str, list[tuple[Any, ...]]]:
    async with pool.acquire() as connection:
        rows = {}
        for name, key in TABLES.items():
            found = await connection.fetch(f"SELECT * FROM {name} ORDER BY {key}")
            rows[name] = [tuple(row) for row in found]
        return rows


async def empty(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            f"TRUNCATE {', '.join(TABLES)}, near_bands, outbox, dirty_discussions, changed_comments"
        )


def a_day(seed: int, count: int) -> list[Any]:
    """Seeded traffic in which every rule and every transition has its turn."""
    chance = random.Random(seed)
    readers = [f"reader{n}" for n in range(8)]
    discussions = ["d1", "d2", "d3"]
    texts = [
        "Хорошая статья, спасибо",
        "Ну ты и дурак",
        "Купите слона, очень выгодно, только сегодня",
        "https://a.com https://b.com https://c.com",
        "см. https://casino.example/x",
        "ПОЧЕМУ ТАК ДОРОГО, ОБЪЯСНИТЕ МНЕ ПОЖАЛУЙСТА",
    ]
    told: list[Any] = [opened(name) for name in discussions]
    for n in range(count):
        discussion = chance.choice(discussions)
        comment = f"c{chance.randrange(25)}"
        reader = chance.choice(readers)
        named = {"discussion": discussion, "comment": comment}
        match chance.choices("sedrmcx", (60, 12, 5, 15, 10, 15, 3))[0]:
            case "s":
                parent = f"c{chance.randrange(25)}" if chance.random() < 0.5 else None
                told.append(
                    said(
                        discussion, comment, chance.choice(texts), by=reader, to=parent, id=f"e{n}"
                    )
                )
            case "e":
                data: Any = events.CommentRewrite(**named, body=chance.choice(texts))
                told.append(event(events.CommentEdited, data, actor=reader, id=f"e{n}"))
            case "d":
                data = events.CommentRef(**named)
                told.append(event(events.CommentDeleted, data, actor=reader, id=f"e{n}"))
            case "r":
                data = events.ReportOnComment(**named, revision=1, reason="spam")
                told.append(event(events.ReportFiled, data, actor=reader, id=f"e{n}"))
            case "c":
                data = events.ScoreOfComment(
                    **named,
                    revision=chance.choice([1, 1, 2]),
                    name=chance.choice(["rude", "spam"]),
                    value=chance.choice([0.1, 0.95]),
                )
                told.append(event(events.ScoreGiven, data, actor="s", id=f"e{n}", signature="x"))
            case "m":
                data = events.DecisionOnComment(
                    **named,
                    ruling=chance.choice(["approve", "reject", "restore"]),
                    expected=events.Expected(
                        revision=1, status=chance.choice(["pending", "published", "rejected"])
                    ),
                    reason="r",
                )
                told.append(
                    event(events.DecisionMade, data, actor="mod", id=f"e{n}", signature="x")
                )
            case _:
                told.append(chance.choice(told))
    return told


def a_day_of_reports(seed: int, count: int) -> list[Any]:
    """New comments that readers report and moderators rule on, again and again."""
    chance = random.Random(seed)
    told: list[Any] = []
    for n in range(count):
        named = {"discussion": chance.choice(["d1", "d2"]), "comment": f"r{chance.randrange(12)}"}
        reader = f"reader{chance.randrange(9)}"
        kind = chance.choices("srm", (20, 50, 30))[0]
        if kind == "s":
            told.append(said(**named, body="Купите слона, очень выгодно", by=reader, id=f"r{n}"))
        elif kind == "r":
            report = events.ReportOnComment(**named, revision=1, reason="spam")
            told.append(event(events.ReportFiled, report, actor=reader, id=f"r{n}"))
        else:
            decision = events.DecisionOnComment(
                **named,
                ruling=chance.choice(["approve", "reject", "restore"]),
                expected=events.Expected(
                    revision=1, status=chance.choice(["published", "pending", "rejected"])
                ),
                reason="r",
            )
            told.append(
                event(events.DecisionMade, decision, actor="mod", id=f"r{n}", signature="x")
            )
    return told


async def test_batches_of_one_and_of_all_leave_the_same_tables(
    pool: Pool, ruleset: Ruleset
) -> None:
    rows = records(a_day(seed=7, count=700))
    await run(pool, moderation(ruleset), rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 37):
        await empty(pool)
        await run(pool, moderation(ruleset), rows, size)
        assert await tables(pool) == one_by_one
    seen = {(row["cause"], row["result"], row["reason"]) for row in await all_outcomes(pool)}
    assert len(seen) > 20
    assert {"held", "rejected", "published", "refused"} <= {result for _, result, _ in seen}


SCORED = """
- {id: rude, when: {all: ["score(rude) > 0.8", "author.published < 3"]}, then: hold, TEXTS}
- {id: both, when: {all: ["score(rude) > 0.05", "score(spam) > 0.5"]}, then: reject, TEXTS}
""".replace("TEXTS", "on_missing: skip, title: {ru: а, en: a}, reason: {ru: а, en: a}")


@pytest.mark.parametrize("late_scores", ["publish", "hold"])
async def test_scores_are_judged_alike_in_batches_of_any_size(pool: Pool, late_scores: Any) -> None:
    ruleset = load({"scored.yml": SCORED})
    policy = Record(0, NOON, event(
        events.SitePolicySet, events.SitePolicy(late_scores=late_scores), actor="a", id="p",
        signature="x",
    ))  # fmt: skip
    rows = records(a_day(seed=5, count=500))
    await run(pool, control.take_effect, [policy], 1, "control.v1")
    await run(pool, moderation(ruleset), rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 17):
        await empty(pool)
        await run(pool, control.take_effect, [policy], 1, "control.v1")
        await run(pool, moderation(ruleset), rows, size)
        assert await tables(pool) == one_by_one
    scored = {
        (row["result"], row["reason"])
        for row in await all_outcomes(pool)
        if row["cause"] == "veche.score.given.v1"
    }
    assert {("held", "rule"), ("applied", ""), ("applied", "ruled")} <= scored
    assert (("published", "") in scored) == (late_scores == "hold")


TIGHT = """
- {id: flood, scope: {event: [submitted]}, when: "count(author, 2m) > 3", then: hold, TEXTS}
- {id: own, when: "copies(author, 3m) >= 2", then: hold, TEXTS}
- {id: site, when: "copies(site, 1m) >= 4", then: note, TEXTS}
- {id: wide, when: "authors(copies, 2m) >= 3", then: note, TEXTS}
- {id: newcomer, when: "author.published < 4", then: note, TEXTS}
- {id: young, when: "author.age_days < 0.001", then: note, TEXTS}
- {id: disliked, when: "author.karma < 0", on_missing: skip, then: note, TEXTS}
- {id: crowded, when: "discussion.comments > 20", then: note, TEXTS}
- {id: late, when: "discussion.age_hours > 0.1", on_missing: skip, then: note, TEXTS}
""".replace("TEXTS", "title: {ru: а, en: a}, reason: {ru: а, en: a}")


async def test_facts_do_not_depend_on_the_batch_though_times_are_stated_in_any_order(
    pool: Pool,
) -> None:
    chance = random.Random(11)
    ruleset = load({"tight.yml": TIGHT})
    told: list[Any] = [opened("d1"), opened("D2")]
    for n in range(300):
        comment = f"{chance.choice('aBcD')}{n}"
        # Few instants, so that many comments share one.
        stated = NOON + timedelta(seconds=15 * chance.randrange(40))
        told.append(
            said(
                chance.choice(["d1", "D2"]), comment, f"текст {chance.randrange(6)}",
                by=f"reader{chance.randrange(4)}", occurredat=stated, role="importer",
            )
        )  # fmt: skip
    rows = records(told)
    await run(pool, moderation(ruleset), rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 13):
        await empty(pool)
        await run(pool, moderation(ruleset), rows, size)
        assert await tables(pool) == one_by_one
    found = {f["rule"] for row in await all_outcomes(pool) for f in found_in(row)}
    assert found == {"flood", "own", "site", "wide", "newcomer", "young", "crowded", "late"}


def found_in(row: Any) -> list[Any]:
    verdict = codec.decode(row["verdict"], dict[str, Any]) if row["verdict"] else {}
    return list(verdict.get("findings", []))


async def test_the_same_records_again_change_nothing(pool: Pool, ruleset: Ruleset) -> None:
    rows = records(a_day(seed=8, count=150))
    await run(pool, moderation(ruleset), rows, 2_000)
    before = await tables(pool)
    await run(pool, moderation(ruleset), rows, 10)
    assert await tables(pool) == before


async def test_counts_are_what_a_recount_gives(pool: Pool, ruleset: Ruleset) -> None:
    await run(pool, moderation(ruleset), records(a_day(seed=9, count=400)), 50)
    async with pool.acquire() as connection:
        assert not await connection.fetch(
            "SELECT discussion FROM discussions d WHERE visible_comments <> (SELECT count(*)"
            " FROM comments c WHERE c.discussion = d.discussion AND c.visible)"
        )
        assert not await connection.fetch(
            "SELECT comment FROM comments c WHERE visible_descendants <> (SELECT count(*)"
            " FROM comments r WHERE r.discussion = c.discussion AND r.visible"
            " AND c.comment = ANY(r.path))"
        )
        assert not await connection.fetch(
            "SELECT author FROM comments c GROUP BY site, author"
            " HAVING count(*) FILTER (WHERE status = 'published') <>"
            " coalesce((SELECT sum(published) FROM author_totals t"
            "  WHERE t.site = c.site AND t.author = c.author), 0)"
        )


async def test_listed_word_is_held_with_its_span_and_told(pool: Pool, ruleset: Ruleset) -> None:
    body = "Ну ты и дуpaк"
    await run(pool, moderation(ruleset), records([opened("d1"), said("d1", "c1", body)]), 10)
    row = (await all_outcomes(pool))[-1]
    verdict = codec.decode(row["verdict"], events.VerdictGiven)
    finding = verdict.findings[0]
    start, end = finding.spans[0]
    assert (row["result"], row["reason"], finding.rule) == ("held", "rule", "insults")
    assert body[start:end] == "дуpaк"
    async with pool.acquire() as connection:
        told = await connection.fetch("SELECT topic, key, value FROM outbox ORDER BY sequence")
        assert [bytes(t["key"]) for t in told] == [b"portal/d1"] * 2
        record = codec.decode(told[-1]["value"], events.OutcomeRecorded)
        assert record.data.verdict == verdict
        dirty = await connection.fetch("SELECT discussion, shard FROM dirty_discussions")
        assert [tuple(row) for row in dirty] == [("portal/d1", 2)]
        assert not await connection.fetch("SELECT * FROM changed_comments")


async def test_a_flood_is_held_though_it_comes_in_one_batch(pool: Pool, ruleset: Ruleset) -> None:
    told = [opened("d1")] + [said("d1", f"c{n}", f"текст номер {n}") for n in range(25)]
    await run(pool, moderation(ruleset), records(told), 2_000)
    held = [row["comment"] for row in await all_outcomes(pool) if row["result"] == "held"]
    assert held == [f"c{n}" for n in range(20, 25)]


async def test_policy_of_the_site_holds_first(pool: Pool, ruleset: Ruleset) -> None:
    data = events.SitePolicy(policy="hold_first")
    policy = event(events.SitePolicySet, data, actor="admin", id="p1", signature="x")
    await run(pool, control.take_effect, records([policy]), 10, topic="control.v1")
    await run(pool, moderation(ruleset), records([opened("d1"), said("d1", "c1", "текст")]), 10)
    row = (await all_outcomes(pool))[-1]
    assert (row["result"], row["reason"], row["status"]) == ("held", "policy", "pending")


async def test_comment_waits_where_rules_cannot_run(pool: Pool, ruleset: Ruleset) -> None:
    def broken(comment: Submission) -> bool:
        raise ZeroDivisionError

    rules = tuple(replace(rule, in_scope=broken) for rule in ruleset.compiled)
    failing = replace(ruleset, compiled=rules)
    await run(pool, moderation(failing), records([opened("d1"), said("d1", "c1", "текст")]), 10)
    row = (await all_outcomes(pool))[-1]
    assert (row["result"], row["reason"], row["status"]) == ("held", "rule_error", "pending")


async def test_recorded_outcomes_are_taken_and_not_told_again(pool: Pool, ruleset: Ruleset) -> None:
    policy = event(
        events.SitePolicySet, events.SitePolicy(policy="closed"), actor="a", id="p", signature="x"
    )
    rows = records(a_day(seed=10, count=300))
    await run(pool, moderation(ruleset), rows[:200], 50)
    await run(pool, control.take_effect, records([policy]), 10, topic="control.v1")
    await run(pool, moderation(ruleset), rows[200:], 50)
    live = await tables(pool)
    async with pool.acquire() as connection:
        values = await connection.fetch("SELECT value FROM outbox")
    recorded = {
        (told.discussion, told.data.event, told.data.digest): told.data
        for told in (codec.decode(row["value"], events.OutcomeRecorded) for row in values)
    }
    await empty(pool)

    def never(comment: Submission, facts: Facts) -> events.VerdictGiven:
        raise AssertionError("judged again")

    rebuilding = Moderation(RecordedJudge(recorded, LiveJudge(never)), ruleset.windows)
    # Site policies come first in a rebuild, whatever they were when the comments came.
    await run(pool, control.take_effect, records([policy]), 10, topic="control.v1")
    await run(pool, rebuilding, rows, 2_000)
    assert await tables(pool) == live
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_an_author_s_karma_is_the_ratings_of_the_newest_comments(pool: Pool) -> None:
    ruleset = load({"tight.yml": TIGHT})
    rows = records([opened("d1"), *(said("d1", f"c{n}", f"слово {n}") for n in range(203))])
    await run(pool, moderation(ruleset), rows[:202], 100)
    async with pool.acquire() as connection:
        await connection.executemany(
            "INSERT INTO vote_totals (discussion, target, slot, up, down)"
            " VALUES ('portal/d1', $1, $2, $3, 1)",
            [("c0", 0, 1_000), ("c1", 0, 100), ("c2", 0, 10), ("c2", 1, 5), ("c7", 0, 0)],
        )
    await run(pool, moderation(ruleset), rows[202:], 100)
    karma = [json.loads(row["facts"])["author.karma"] for row in (await all_outcomes(pool))[-2:]]
    # 201 comments were there, then 202: of each the newest 200 count.
    assert karma == [99 + 9 + 4 - 1, 9 + 4 - 1]


NEAR = """
- {id: own, when: "near(author, 5m) >= 2", then: note, TEXTS}
- {id: wave, when: "near(site, 3m) >= 4", then: hold, TEXTS}
- {id: many, when: "authors(near, 5m) >= 3", then: note, TEXTS}
""".replace("TEXTS", "title: {ru: а, en: a}, reason: {ru: а, en: a}")


async def test_nearly_equal_texts_count_alike_in_batches_of_any_size(pool: Pool) -> None:
    chance = random.Random(5)
    ruleset = load({"near.yml": NEAR})
    offers = [
        "Зарабатывайте от ста тысяч в месяц не выходя из дома, подробности у оператора",
        "Продаём слонов с доставкой по всей стране, звоните нашему менеджеру сегодня",
        "Хорошая статья",
    ]
    told: list[Any] = [opened("d1"), opened("D2")]
    for n in range(300):
        name = {"discussion": chance.choice(["d1", "D2"]), "comment": f"{chance.choice('aB')}{n}"}
        body = f"{chance.choice(offers)} {chance.choice(['', 'срочно', '481516', 'друзья'])}"
        by = f"reader{chance.randrange(5)}"
        stated = NOON + timedelta(seconds=15 * chance.randrange(40))
        told.append(said(**name, body=body, by=by, occurredat=stated, role="importer"))
        if chance.random() < 0.2:
            edit = events.CommentRewrite(**name, body=body + " да")
            told.append(event(events.CommentEdited, edit, actor=by, id=f"edit{n}"))
    rows = records(told)
    await run(pool, moderation(ruleset), rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 17):
        await empty(pool)
        await run(pool, moderation(ruleset), rows, size)
        assert await tables(pool) == one_by_one
    seen = {
        (key, value)
        for row in await all_outcomes(pool)
        for key, value in json.loads(row["facts"] or "{}").items()
        if "near" in key
    }
    assert {value for key, value in seen if key == "authors(near, 5m)"} >= {1, 2, 3, 4, 5}


async def test_old_bands_are_swept_by_the_partition_s_own_time(pool: Pool) -> None:
    handle = moderation(load({"near.yml": NEAR}))
    rows = records([opened("d1"), said("d1", "c1", "Хорошая статья, спасибо за неё автору газеты")])
    await run(pool, handle, rows, 10)
    async with db.transaction(pool) as connection:
        for hours, left in ((1, 4), (2, 0)):
            await connection.execute(
                "INSERT INTO fences (consumer_group, topic, partition, topic_id, next_offset,"
                " record_at, epoch, owner)"
                " VALUES ('moderation', 'comments.v1', 2, $2, 2, $1, 1, '')"
                " ON CONFLICT (consumer_group, topic, partition) DO UPDATE"
                " SET record_at = excluded.record_at",
                NOON + timedelta(hours=hours),
                UUID(int=1),
            )
            await handle.sweep(connection, "comments.v1", 2)
            assert await connection.fetchval("SELECT count(*) FROM near_bands") == left


REPORTED = """
- {id: weighed, scope: {event: [reported]}, when: "reports.weight > 1.3", then: hold, TEXTS}
- {id: counted, scope: {event: [reported]}, when: "reports.count >= 2", then: note, TEXTS}
- {id: text, scope: {event: [submitted, reported]}, when: {words: [слон]}, then: note, TEXTS}
- {id: author, scope: {event: [reported]}, when: "count(author, 1h) > 3", then: note, TEXTS}
- {id: near, scope: {event: [reported]}, when: "near(site, 1h) >= 2", then: note, TEXTS}
- {id: same, scope: {event: [reported]}, when: "copies(site, 1h) >= 2", then: note, TEXTS}
""".replace("TEXTS", "title: {ru: а, en: a}, reason: {ru: а, en: a}")


async def test_reports_weigh_alike_in_batches_of_any_size_and_in_a_rebuild(pool: Pool) -> None:
    ruleset = load({"reported.yml": REPORTED})
    rows = records(a_day(seed=3, count=250) + a_day_of_reports(seed=3, count=250))
    handle = moderation(ruleset)
    await run(pool, handle, rows, 1)
    one_by_one = await tables(pool)
    for size in (2_000, 23):
        await empty(pool)
        await run(pool, handle, rows, size)
        assert await tables(pool) == one_by_one
    reports = [r for r in await all_outcomes(pool) if r["cause"] == "veche.report.filed.v1"]
    weights = {json.loads(r["facts"])["reports.weight"] for r in reports if r["verdict"]}
    assert len(weights) > 5
    assert ("held", "report") in {(r["result"], r["reason"]) for r in reports}
    async with pool.acquire() as connection:
        values = await connection.fetch("SELECT value FROM outbox")
    recorded = {
        (told.discussion, told.data.event, told.data.digest): told.data
        for told in (codec.decode(row["value"], events.OutcomeRecorded) for row in values)
    }
    await empty(pool)

    def never(comment: Submission, facts: Facts) -> events.VerdictGiven:
        raise AssertionError("judged again")

    # Rules of today that look at no report take nothing back, and those that do judge none anew.
    for today in (load({"near.yml": NEAR}), ruleset):
        await empty(pool)
        rebuilding = Moderation(RecordedJudge(recorded, LiveJudge(never)), today.windows)
        await run(pool, rebuilding, rows, 100)
        assert await tables(pool) == one_by_one


async def all_outcomes(pool: Pool) -> list[Any]:
    async with pool.acquire() as connection:
        return list(await connection.fetch("SELECT * FROM outcomes ORDER BY recorded_at"))


async def test_statements_prepare(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for family in ("comments", "outcomes", "policies", "facts"):
            for statement in db.queries(family).values():
                await connection.prepare(statement)


async def test_queue_is_measured_by_site(pool: Pool, ruleset: Ruleset) -> None:
    told = [opened("d1"), said("d1", "c1", "Ну ты и дурак"), said("d1", "c2", "Сам дурак")]
    await run(pool, moderation(ruleset), records(told), 10)
    stop = asyncio.Event()
    now = NOON + timedelta(milliseconds=20, seconds=90)
    watching = asyncio.create_task(queue.watch(pool, stop, lambda: now))
    while REGISTRY.get_sample_value("veche_oldest_held_seconds", {"site": "portal"}) != 90.0:
        await asyncio.sleep(0.01)
    assert REGISTRY.get_sample_value("veche_held_comments", {"site": "portal"}) == 2.0
    stop.set()
    await watching


async def test_uses_are_fetched_once_however_many_of_a_flood_ask_for_them(pool: Pool) -> None:
    texts = "title: {ru: а, en: a}\nreason: {ru: а, en: a}\n"
    asks = "any: ['copies(site, 1h) > 90', 'copies(author, 1h) > 90', 'count(author, 1h) > 90']"
    ruleset = load({"a.yml": f"id: flood\n{texts}when: {{{asks}}}\nthen: hold\n"})
    told = [opened("d1"), *(said("d1", f"c{n}", "Купите слона") for n in range(120))]
    rows = records(told)
    await run(pool, moderation(ruleset), rows[:61], 100)
    queries = facts._SQL
    fetched: dict[str, int] = {}

    class Counting:
        """A connection that counts what it brings."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        async def fetch(self, query: str, *arguments: Any) -> Any:
            found = await self.connection.fetch(query, *arguments)
            name = next(each for each in queries if queries[each] == query)
            fetched[name] = len(found)
            return found

    causes = [
        Cause(one.event, one.event.key, b"", one.recorded_at, one.recorded_at, read("Купите слона"))
        for one in rows[61:]
    ]
    async with pool.acquire() as connection:
        await facts.history(Counting(connection), causes, ruleset.windows)  # type: ignore[arg-type]
    assert fetched["uses"] == 3 * 60  # of the author, of the text by the author and on the site
