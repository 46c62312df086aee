"""Learning from decisions on a real Postgres: lessons, the model's row, its use in a judgement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.core import db, events
from services.core.consume import Batch, Record
from services.core.db import Pool
from services.core.discussion import Judgement, LiveJudge
from services.core.events import FindingSeen, SitePolicy, VerdictGiven
from services.core.model import Learner, Settings
from services.core.model.stored import unpack_learner
from services.core.rules import Facts, Windows, read
from services.core.store import leases, models
from services.moderation import learn
from services.moderation.handle import Moderation
from services.moderation.rules import Rules
from services.moderation.scores import Models, Scoring
from tests.unit.model.build import texts
from tests.unit.rules.build import a_ruleset, a_submission

SMALL = Settings("rejection", bits=12, needed=20)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 4)
    yield pool
    await pool.close()


async def decide(
    pool: Pool,
    bodies: Sequence[str],
    rejected: Sequence[bool],
    site: str = "portal",
    first: int = 0,
) -> None:
    """Comments with decisions on them, as moderation's batches leave them."""
    discussion = f"{site}/d"
    async with db.transaction(pool) as connection:
        names = [f"c{first + i}" for i in range(len(bodies))]
        await connection.executemany(
            "INSERT INTO revisions VALUES ($1, $2, 1, $3, 'anna', $4, '', $2, $5)",
            [
                (discussion, name, site, body, NOON)
                for name, body in zip(names, bodies, strict=True)
            ],
        )
        await models.add_lessons(
            connection,
            [
                models.Lesson(discussion, f"decision-{name}", site, name, 1, label)
                for name, label in zip(names, rejected, strict=True)
            ],
        )


async def state(pool: Pool, site: str = "portal") -> models.Kept | None:
    async with db.transaction(pool) as connection:
        return await models.state(connection, site, "rejection")


async def waiting(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM lessons"))


async def test_each_decision_is_learned_once_and_then_forgotten(pool: Pool) -> None:
    bodies, labels = texts(90)
    await decide(pool, bodies, labels)
    assert await learn.learn_site(pool, "portal", SMALL) == 90
    assert await learn.learn_site(pool, "portal", SMALL) == 0
    assert await waiting(pool) == 0
    kept = await state(pool)
    assert kept is not None
    assert kept.enough
    learner = unpack_learner(SMALL, kept.state)
    assert (learner.positives, learner.negatives) == (30, 60)


async def test_a_repeated_decision_is_one_lesson(pool: Pool) -> None:
    lesson = models.Lesson("portal/d", "decision-1", "portal", "c1", 1, True)
    for _ in range(2):
        async with db.transaction(pool) as connection:
            await models.add_lessons(connection, [lesson])
    assert await waiting(pool) == 1


async def test_sites_learn_apart(pool: Pool) -> None:
    bodies, labels = texts(30)
    await decide(pool, bodies, labels, site="north")
    await decide(pool, bodies[:3], labels[:3], site="south")
    for site in ("north", "south"):
        await learn.learn_site(pool, site, SMALL)
    north, south = await state(pool, "north"), await state(pool, "south")
    assert north is not None
    assert south is not None
    assert unpack_learner(SMALL, north.state).seen == 30
    assert unpack_learner(SMALL, south.state).seen == 3


async def test_an_erased_text_teaches_nothing_and_its_lesson_goes(pool: Pool) -> None:
    await decide(pool, ["казино"], [True])
    await pool.execute("DELETE FROM revisions")
    await learn.learn_site(pool, "portal", SMALL)
    kept = await state(pool)
    assert kept is not None
    assert unpack_learner(SMALL, kept.state).seen == 0
    assert await waiting(pool) == 0


async def test_who_learned_from_an_older_version_changes_nothing(pool: Pool) -> None:
    learner = Learner(SMALL)
    async with db.transaction(pool) as connection:
        assert await models.keep(connection, "portal", learner, 0) == 1
        assert await models.keep(connection, "portal", learner, 0) is None
        assert await models.keep(connection, "portal", learner, 1) == 2
        assert await models.keep(connection, "portal", learner, 1) is None


async def test_a_state_of_another_shape_is_learned_anew(pool: Pool) -> None:
    bodies, labels = texts(30)
    await decide(pool, bodies, labels)
    await learn.learn_site(pool, "portal", Settings("rejection", bits=10))
    await decide(pool, bodies, labels, first=100)
    await learn.learn_site(pool, "portal", SMALL)
    kept = await state(pool)
    assert kept is not None
    assert kept.version == 2
    assert unpack_learner(SMALL, kept.state).seen == 30


async def test_a_model_is_used_once_it_has_seen_enough_of_each_kind(pool: Pool) -> None:
    used = Models(SMALL)
    bodies, labels = texts(120)
    await decide(pool, bodies[:30], labels[:30])
    await learn.learn_site(pool, "portal", SMALL)
    await used.refresh(pool)
    assert used.of("portal", "rejection") is None
    await decide(pool, bodies[30:], labels[30:], first=30)
    await learn.learn_site(pool, "portal", SMALL)
    await used.refresh(pool)
    model = used.of("portal", "rejection")
    assert model is not None
    assert model.score("casino bonus click").value > 0.8
    assert used.of("portal", "toxicity") is None
    assert used.of("elsewhere", "rejection") is None


async def test_learning_runs_under_a_lease_and_measures_itself(pool: Pool) -> None:
    bodies, labels = texts(250)
    await decide(pool, bodies, labels)
    async with db.transaction(pool) as connection:
        assert await leases.take(connection, learn.LEASE, "somebody else", seconds=60)
    stop = asyncio.Event()
    task = asyncio.create_task(learn.learn(pool, stop, "me", SMALL))
    try:
        await asyncio.sleep(0)
        assert await waiting(pool) == 250
    finally:
        stop.set()
        await task
    assert await waiting(pool) == 250
    async with db.transaction(pool) as connection:
        await leases.give_back(connection, learn.LEASE, "somebody else")
    stop.clear()
    task = asyncio.create_task(learn.learn(pool, stop, "me", SMALL))
    async with asyncio.timeout(30):
        while await waiting(pool):
            await asyncio.sleep(0.01)
    stop.set()
    await task
    async with db.transaction(pool) as connection:
        assert learn.LEASE not in await leases.held(connection)
    quality = {"site": "portal", "model": "rejection", "measure": "auc"}
    assert (REGISTRY.get_sample_value("veche_model_quality", quality) or 0) > 0.9


async def test_a_site_whose_learning_fails_holds_up_no_other(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies, labels = texts(30)
    for site in ("east", "north", "west"):
        await decide(pool, bodies, labels, site=site)
    learned = learn.learn_site

    async def broken(pool: Pool, site: str, settings: Settings) -> int:
        if site == "north":
            raise ValueError("a lesson that cannot be learned")
        return await learned(pool, site, settings)

    monkeypatch.setattr(learn, "learn_site", broken)
    stop = asyncio.Event()
    task = asyncio.create_task(learn.learn(pool, stop, "me", SMALL))
    async with asyncio.timeout(30):
        while await waiting(pool) > 30:
            await asyncio.sleep(0.01)
    stop.set()
    await task
    assert await pool.fetch("SELECT DISTINCT site FROM lessons") == [("north",)]
    failed = REGISTRY.get_sample_value("veche_learning_failed_total", {"site": "north"})
    assert (failed or 0) >= 1


class Asks:
    """A judge that finds what it is told about a score."""

    def policy(self, cause: Any, current: SitePolicy) -> SitePolicy:
        return current

    def told(self, cause: Any) -> bool:
        return False

    def judge(self, cause: Any, submission: Any, facts: Facts) -> Judgement:
        seen = facts.seen()
        detail = {key: value for key, value in seen.items() if key.startswith("score(")}
        found = [FindingSeen(rule="learned", action="hold", detail=detail)] if detail else []
        return Judgement(VerdictGiven(action="hold", ruleset="r", findings=found), seen)


async def test_a_score_is_a_recorded_fact_and_its_finding_says_which_ngrams_told(
    pool: Pool,
) -> None:
    bodies, labels = texts(200)
    await decide(pool, bodies, labels)
    await learn.learn_site(pool, "portal", SMALL)
    used = Models(SMALL)
    await used.refresh(pool)
    judge = Scoring(Asks(), used, lambda: {"rejection", "unknown"})
    text = "Хорошая статья, но CASINO Bonus"
    submission: Any = SimpleNamespace(site="portal", reading=read(text))
    cause: Any = SimpleNamespace(event=None)
    judged = judge.judge(cause, submission, Facts())
    score = judged.facts["score(rejection)"]
    assert 0 < score < 1
    assert "score(unknown)" not in judged.facts
    (finding,) = judged.verdict.findings
    assert finding.detail["score(rejection)"] == score
    told = finding.detail["telling"]["score(rejection)"]["telling"]
    assert told
    assert finding.spans
    for each in told:
        start, end = each["span"]
        assert text[start:end] == each["ngram"]
    elsewhere: Any = SimpleNamespace(site="elsewhere", reading=read(text))
    assert judge.judge(cause, elsewhere, Facts()).verdict.findings == []


async def test_a_rule_holds_by_score_once_the_model_is_there(pool: Pool) -> None:
    ruleset = a_ruleset("id: learned\nwhen: score(rejection) > 0.8\non_missing: skip\nthen: hold")
    used = Models(SMALL)
    judge = Scoring(LiveJudge(Rules(ruleset)), used, lambda: ruleset.scores)
    cause: Any = SimpleNamespace(event=None)
    spam = a_submission("casino bonus click")
    assert judge.judge(cause, spam, Facts()).verdict.action == "publish"
    bodies, labels = texts(200)
    await decide(pool, bodies, labels)
    await learn.learn_site(pool, "portal", SMALL)
    await used.refresh(pool)
    judged = judge.judge(cause, spam, Facts())
    assert judged.verdict.action == "hold"
    assert judged.verdict.findings[0].detail["telling"]["score(rejection)"]["telling"]
    kind = a_submission("спасибо хорошая статья")
    assert judge.judge(cause, kind, Facts()).verdict.action == "publish"


def event(kind: type[Any], data: Any, actor: str, **more: Any) -> Any:
    return kind(
        id=f"{actor}-{data.__class__.__name__}-{more.pop('n', 0)}",
        source="/sites/portal",
        site="portal",
        actor=actor,
        time=NOON,
        data=data,
        **more,
    )


def ruled(ruling: Any, status: Any, n: int) -> Any:
    data = events.DecisionOnComment(
        discussion="d",
        comment="c",
        ruling=ruling,
        expected=events.Expected(revision=1, status=status),
        reason="r",
    )
    return event(events.DecisionMade, data, "mod", signature="x", n=n)


async def test_decisions_that_took_effect_leave_lessons_and_conflicts_leave_none(
    pool: Pool,
) -> None:
    described = events.DiscussionDescribed(
        discussion="d",
        revision=1,
        url="https://portal.example/1",
        title="а",
        language="ru",
        section="news",
    )
    told = [
        event(events.DiscussionOpened, described, "portal"),
        event(
            events.CommentSubmitted,
            events.CommentBody(discussion="d", comment="c", body="казино"),
            "anna",
        ),
        ruled("reject", "published", 1),
        ruled("reject", "published", 2),
        ruled("restore", "rejected", 3),
    ]
    handle = Moderation(
        LiveJudge(Rules(a_ruleset("id: long\nwhen: text.length > 9000\nthen: note"))), Windows()
    )
    async with db.transaction(pool) as connection:
        rows = [Record(n, NOON, each) for n, each in enumerate(told)]
        await handle(connection, Batch("comments.v1", 0, rows))
        lessons = await models.lessons_of(connection, "portal", 10)
    assert sorted((lesson.body, lesson.rejected) for lesson in lessons) == [
        ("казино", False),
        ("казино", True),
    ]
