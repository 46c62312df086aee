"""The scorer between a portal's real HTTP endpoint, a real Kafka and a real Postgres."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.core import codec, db, events, settings, topics
from services.core.consume import Batch, Record
from services.core.db import Pool
from services.core.produce import Outgoing, Producer
from services.core.store.wanted_scores import Taken
from services.scorer.endpoint import FAILURES, Breaker, Endpoint, NoAnswer
from services.scorer.want import Want
from tests.processes import Services, Trust

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = """\
id: rude
title: {ru: "Грубость", en: "Rude"}
reason: {ru: "Посмотрит модератор.", en: "A moderator will look."}
when: score(toxicity) > 0.8
on_missing: skip
then: reject
"""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # else connections wait for a SYN's second try


class Portal:
    """The portal's classifier: `answers` maps a comment's text to what is sent back."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.answer: Callable[[str], tuple[int, bytes]] = lambda text: scores(0.1)
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                portal.asked.append(asked)
                portal.authorizations.append(self.headers["authorization"])
                status, body = portal.answer(asked["text"])
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked did not wait

            def log_message(self, *args: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/score"


def scores(value: Any, name: str = "toxicity") -> tuple[int, bytes]:
    return 200, json.dumps({"scores": {name: value}, "model": "m7"}).encode()


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.server.shutdown()
    portal.server.server_close()


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    pool = await db.connect_pool(postgres_dsn, 2)
    yield pool
    await pool.close()


@pytest.fixture
async def producer(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[Producer]:
    async with Producer(settings.Kafka(kafka_bootstrap, topic_prefix)) as producer:
        yield producer


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    return tmp_path


# --- the endpoint alone


def one(text: str = "текст") -> Taken:
    return Taken("gazette/d1", "c1", 2, "gazette", ["toxicity"], NOON, text, "ru")


@pytest.fixture
async def endpoint(portal: Portal) -> AsyncIterator[Endpoint]:
    async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:

        async def at_once(seconds: float) -> None:
            await asyncio.sleep(0)

        yield Endpoint(client, portal.url, deadline_seconds=0.3, sleep=at_once)


async def test_the_portal_is_told_what_it_needs_and_no_author(
    portal: Portal, endpoint: Endpoint
) -> None:
    answer = await endpoint.ask(one("Ну и ну"))
    assert (answer.scores, answer.model) == ({"toxicity": 0.1}, "m7")
    assert portal.asked == [
        {
            "site": "gazette", "discussion": "d1", "comment": "c1", "revision": 2,
            "language": "ru", "text": "Ну и ну", "scores": ["toxicity"],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"",
        b'{"scores": {"toxicity": NaN}}',
        b'{"scores": {"toxicity": 1e999}}',
        b'{"scores": {"toxicity": 1.2}}',
        b'{"scores": {"toxicity": -0.1}}',
        b'{"scores": {"toxicity": "0.5"}}',
        b'{"scores": {"Toxicity!": 0.5}}',
        b'{"scores": [0.5]}',
        b'{"score": 0.5}',
        b'{"scores": {"toxicity": 0.5}}' + b" " * 70_000,
    ],
)
async def test_an_answer_that_is_no_good_is_no_answer_and_not_asked_again(
    portal: Portal, endpoint: Endpoint, body: bytes
) -> None:
    portal.answer = lambda text: (200, body)
    with pytest.raises(NoAnswer):
        await endpoint.ask(one())
    assert len(portal.asked) == 1


async def test_a_failing_endpoint_is_asked_three_times(portal: Portal, endpoint: Endpoint) -> None:
    told = iter([(503, b""), (500, b""), scores(0.7)])
    portal.answer = lambda text: next(told)
    assert (await endpoint.ask(one())).scores == {"toxicity": 0.7}
    assert len(portal.asked) == 3


@pytest.mark.parametrize("status", [302, 400, 401, 404])
async def test_what_asking_again_does_not_mend_is_asked_once(
    portal: Portal, endpoint: Endpoint, status: int
) -> None:
    portal.answer = lambda text: (status, b"")
    with pytest.raises(NoAnswer, match=str(status)):
        await endpoint.ask(one())
    assert len(portal.asked) == 1


async def test_a_slow_endpoint_is_not_waited_for(portal: Portal, endpoint: Endpoint) -> None:
    let_go = threading.Event()

    def slow(text: str) -> tuple[int, bytes]:
        let_go.wait(10)
        return scores(0.1)

    portal.answer = slow
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer within"):
        await endpoint.ask(one())
    assert time.monotonic() - began < 5
    assert len(portal.asked) == 3
    let_go.set()


async def test_an_endpoint_that_fails_is_left_alone_and_tried_with_one_request() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES - 1):
        breaker.ended(well=False)
    assert not breaker.rests()
    breaker.ended(well=False)
    assert breaker.rests()
    now = 11.0
    assert (breaker.rests(), breaker.doubtful) == (False, True)
    breaker.ended(well=False)
    assert breaker.rests()
    now = 22.0
    breaker.ended(well=True)
    assert (breaker.rests(), breaker.doubtful) == (False, False)


# --- what is asked about


def recorded(comment: str, at: datetime, **more: Any) -> Record[events.OutcomeRecorded]:
    finding = events.FindingSeen(
        rule="rude", action="note", detail={"unknown": [more.pop("asks", "score(toxicity) > 0.8")]}
    )
    outcome = events.Outcome(
        event=f"say-{comment}", digest="00" * 16, comment=comment, revision=1,
        cause=more.pop("cause", "veche.comment.submitted.v1"),
        result=more.pop("result", "published"), reason=more.pop("reason", ""),
        verdict=events.VerdictGiven(action="publish", ruleset="r", findings=[finding]),
    )  # fmt: skip
    told = events.OutcomeRecorded(
        id=comment, source="/sites/gazette", site="gazette", time=at, data=outcome,
        discussion="gazette/d1",
    )  # fmt: skip
    return Record(0, at, told)


async def test_only_what_a_rule_hangs_on_is_asked_and_only_in_time(pool: Pool) -> None:
    fresh, old = NOON - timedelta(seconds=29), NOON - timedelta(seconds=31)
    told = [
        recorded("asked", fresh),
        recorded("waits", fresh, result="held", reason="score"),
        recorded("old", old),
        recorded("held", fresh, result="held", reason="rule"),
        recorded("rejected", fresh, result="rejected", reason="rule"),
        recorded("ours", fresh, asks="score(rejection) > 0.9"),
        recorded("other", fresh, asks="near(site, 1h) > 2"),
        recorded("report", fresh, cause="veche.report.filed.v1"),
    ]
    for _ in range(2):  # a repeat changes nothing
        async with db.transaction(pool) as connection:
            await Want(lambda: NOON)(connection, Batch(topics.OUTCOMES, 0, told))
    rows = await pool.fetch("SELECT comment, names FROM wanted_scores ORDER BY comment")
    assert [tuple(row) for row in rows] == [("asked", ["toxicity"]), ("waits", ["toxicity"])]


# --- the whole way


def event(kind: type[Any], data: Any, actor: str, id: str, **more: Any) -> Any:
    return kind(
        id=id, source="/sites/gazette", site="gazette", actor=actor, time=NOON, data=data, **more
    )


def opened() -> Any:
    data = events.DiscussionDescribed("d1", 1, "https://g.example/1", "T", "ru", "s")
    return event(events.DiscussionOpened, data, "portal", "open")


def said(comment: str, body: str) -> Any:
    data = events.CommentBody("d1", comment, body)
    return event(events.CommentSubmitted, data, "anna", f"say-{comment}")


def policy_of(trust: Trust, **stated: Any) -> Any:
    policy = events.SitePolicy(**stated)
    unsigned = event(events.SitePolicySet, policy, "admin", "p1", signature="")
    secret = trust.env["VECHE_DECISION_SECRET"].encode()
    signature = codec.sign(codec.digest(unsigned), "p1", secret)
    return event(events.SitePolicySet, policy, "admin", "p1", signature=signature)


async def send(producer: Producer, *told: Any, topic: str = topics.COMMENTS) -> None:
    key = b"gazette/d1" if topic == topics.COMMENTS else b"gazette"
    for sent in await producer.send_all([Outgoing(topic, key, codec.encode(e)) for e in told]):
        assert not isinstance(sent, Exception), sent


async def until(pool: Pool, statement: str, *arguments: Any, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (row := await pool.fetchrow(statement, *arguments)) is not None:
            return row
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {statement} {arguments}")


OF_SCORE = """
SELECT * FROM outcomes WHERE cause = 'veche.score.given.v1' AND comment = $1
"""


async def test_a_high_score_holds_a_published_comment_and_a_low_one_does_not(
    services: Services, producer: Producer, pool: Pool, portal: Portal, rules: Path
) -> None:
    portal.answer = lambda text: scores(0.95 if "злой" in text else 0.05)
    env = {"VECHE_RULES_DIR": str(rules)}
    asking = {"VECHE_SCORER_URL": portal.url, "VECHE_SCORER_SECRET": "let me in"}
    moderation, publisher = services.start("moderation", env), services.start("publisher")
    scorer = services.start("scorer", asking)
    for service in (moderation, publisher, scorer):
        service.wait_ready()
    await send(producer, opened(), said("c1", "злой текст"), said("c2", "добрый текст"))
    held = await until(pool, OF_SCORE, "c1")
    kept = await until(pool, OF_SCORE, "c2")
    assert (held["result"], held["reason"], held["status"]) == ("held", "rule", "pending")
    assert codec.decode(held["facts"], dict[str, Any])["score(toxicity)"] == 0.95
    assert (kept["result"], kept["status"]) == ("applied", "published")
    assert await pool.fetchval("SELECT visible_comments FROM discussions") == 1
    await until(pool, "SELECT 1 WHERE NOT EXISTS (SELECT FROM wanted_scores)")
    assert portal.authorizations == ["Bearer let me in"] * 2
    exposed = scorer.metrics()
    assert 'veche_scores_total{outcome="answered"} 2.0' in exposed
    assert "veche_scorer_seconds_count 2.0" in exposed
    assert 'veche_scores_applied_total{result="rule"} 1.0' in moderation.metrics()
    assert [service.stop() for service in (scorer, publisher, moderation)] == [0, 0, 0]


async def test_while_the_portal_fails_comments_are_published_or_wait_as_the_site_says(
    services: Services,
    producer: Producer,
    pool: Pool,
    portal: Portal,
    rules: Path,
    trust: Trust,
) -> None:
    portal.answer = lambda text: (500, b"")
    asking = {"VECHE_SCORER_URL": portal.url}
    moderation = services.start("moderation", {"VECHE_RULES_DIR": str(rules)})
    publisher, scorer = services.start("publisher"), services.start("scorer", asking)
    for service in (moderation, publisher, scorer):
        service.wait_ready()
    await send(producer, opened(), said("c1", "первый"))
    row = await until(pool, "SELECT status FROM comments WHERE comment = 'c1'")
    assert row["status"] == "published"
    await send(producer, policy_of(trust, late_scores="hold"), topic=topics.CONTROL)
    await until(pool, "SELECT 1 FROM site_policies WHERE late_scores = 'hold'")
    await send(producer, said("c2", "второй"))
    row = await until(pool, "SELECT * FROM comments WHERE comment = 'c2'")
    assert (row["status"], row["held_reason"]) == ("pending", "score")
    # It recovers; what waits is asked about, and published in time.
    portal.answer = lambda text: scores(0.05)
    await send(producer, said("c3", "третий"))
    scored = await until(pool, OF_SCORE, "c3")
    assert (scored["result"], scored["status"]) == ("published", "published")


async def test_while_a_slow_portal_thinks_a_comment_is_in_view_or_waits_as_the_site_says(
    services: Services,
    producer: Producer,
    pool: Pool,
    portal: Portal,
    rules: Path,
    trust: Trust,
) -> None:
    thinking, enough = threading.Event(), threading.Event()

    def slow(text: str) -> tuple[int, bytes]:
        thinking.set()
        enough.wait(20)
        return scores(0.95 if "злой" in text else 0.05)

    async def told(*comments: Any) -> dict[str, tuple[str, str | None]]:
        """How comments stand while the portal thinks."""
        thinking.clear()
        enough.clear()
        await send(producer, *comments)
        assert await asyncio.to_thread(thinking.wait, 60)
        found = await pool.fetch("SELECT comment, status, held_reason FROM comments")
        enough.set()
        return {row["comment"]: (row["status"], row["held_reason"]) for row in found}

    portal.answer = slow
    asking = {"VECHE_SCORER_URL": portal.url, "VECHE_SCORER_DEADLINE_MS": "10000"}
    for service in (
        services.start("moderation", {"VECHE_RULES_DIR": str(rules)}),
        services.start("publisher"),
        services.start("scorer", asking),
    ):
        service.wait_ready()
    assert await told(opened(), said("c1", "злой текст")) == {"c1": ("published", None)}
    scored = await until(pool, OF_SCORE, "c1")
    assert (scored["result"], scored["status"]) == ("held", "pending")
    await send(producer, policy_of(trust, late_scores="hold"), topic=topics.CONTROL)
    await until(pool, "SELECT 1 FROM site_policies WHERE late_scores = 'hold'")
    for comment, body, result in (("c2", "злой текст", "held"), ("c3", "добрый", "published")):
        stood = await told(said(comment, body))
        assert stood[comment] == ("pending", "score")
        scored = await until(pool, OF_SCORE, comment)
        assert (scored["result"], scored["reason"]) == (result, "rule" if result == "held" else "")


async def test_copies_share_the_work_and_one_takes_over_from_another_that_died(
    services: Services, producer: Producer, pool: Pool, portal: Portal, rules: Path
) -> None:
    asking = {"VECHE_SCORER_URL": portal.url}
    services.start("moderation", {"VECHE_RULES_DIR": str(rules)}).wait_ready()
    services.start("publisher").wait_ready()
    first, second = services.start("scorer", asking), services.start("scorer", asking)
    first.wait_ready()
    second.wait_ready()
    await send(producer, opened(), *(said(f"c{n}", f"текст {n}") for n in range(40)))
    scored = "SELECT 1 WHERE (SELECT count(DISTINCT comment) FROM outcomes WHERE cause = $1) = $2"
    await until(pool, scored, "veche.score.given.v1", 40)
    assert sorted(asked["comment"] for asked in portal.asked) == sorted(f"c{n}" for n in range(40))
    second.stop()
    # The first dies with a question on its lips: what it took is asked by the other in time.
    let_go, holding = threading.Event(), threading.Event()

    def hold(text: str) -> tuple[int, bytes]:
        holding.set()
        let_go.wait(20)
        return scores(0.9)

    portal.answer = hold
    await send(producer, said("last", "последний"))
    assert await asyncio.to_thread(holding.wait, 30)
    first.kill()
    let_go.set()
    portal.answer = lambda text: scores(0.9)
    second.start()  # it waits for the dead one's session before it has partitions, but not to ask
    held = await until(pool, OF_SCORE, "last")
    assert (held["result"], held["reason"]) == ("held", "rule")


async def test_a_score_that_nobody_signed_is_a_dead_letter(
    services: Services, producer: Producer, pool: Pool
) -> None:
    services.start("moderation").wait_ready()
    data = events.ScoreOfComment("d1", "c1", 1, "toxicity", 1.0)
    forged = event(events.ScoreGiven, data, "scorer", uuid4().hex, signature="forged")
    await send(producer, opened(), said("c1", "текст"), forged)
    letter = await until(pool, "SELECT value FROM outbox WHERE topic = 'comments.v1.dead'")
    assert b"bad_signature" in letter["value"]
