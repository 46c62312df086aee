"""The console against a real Postgres. Outcomes are written as moderation would write them, by a
stand-in for Kafka and moderation together; the way through both is a system test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from services.console import decide, show
from services.console.app import create_app
from services.console.decide import Decider
from services.core import codec, db, events, topics
from services.core.errors import Retryable
from services.core.produce import Outgoing, Sent
from services.core.store.notices import Place
from services.core.tokens import Issuers

SECRET = b"decision-secret-decision-secret-0123"
ISSUER_SECRET = "issuer-secret-issuer-secret-0123456789"
T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
SITE = "/v1/console/sites/gazette"
TITLES = {"insults": {"ru": "Оскорбления", "en": "Insults"}}
Settle = Callable[[events.DecisionMade], Any]


class Log:
    """Takes what the console sends; `settle` does to Postgres what moderation would."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.away = False
        self.settle: Settle | None = None
        self.settling: set[asyncio.Task[Any]] = set()

    async def send_all(
        self, records: list[Outgoing], *, deadline_seconds: float
    ) -> list[Sent | Retryable]:
        if self.away:
            return [Retryable("Kafka is not reachable") for _ in records]
        self.sent += records
        if self.settle is not None:
            for record in records:
                event = codec.decode_comments(record.value)
                self.settling.add(asyncio.create_task(self.settle(event)))
        return [Sent(record.topic, 0, 0, T0) for record in records]

    async def send(
        self, topic: str, key: bytes, value: bytes, *, deadline_seconds: float
    ) -> Sent | Retryable:
        [result] = await self.send_all([Outgoing(topic, key, value)], deadline_seconds=1)
        if isinstance(result, Retryable):
            raise result
        return result


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[db.Pool]:
    pool = await db.connect_pool(postgres_dsn, 4)
    yield pool
    await pool.close()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def console(
    pool: db.Pool, log: Log, tmp_path: Path
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """`console(role="moderator", sub="mod-1")`: a client that brings this token."""
    file = tmp_path / "issuers.toml"
    file.write_text(
        f'[[issuer]]\niss = "desk"\nsites = ["gazette", "herald"]\n'
        f'roles = ["reader", "moderator", "admin"]\n'
        f'algorithms = ["HS256"]\nsecret = "{ISSUER_SECRET}"\n'
    )
    decider = Decider(log, pool, SECRET, clock=lambda: datetime.now(UTC))  # type: ignore[arg-type]
    app = create_app(pool, decider, Issuers.load(file), TITLES)
    clients: list[httpx.AsyncClient] = []

    def client(role: str = "moderator", sub: str = "mod-1") -> httpx.AsyncClient:
        token = jwt.encode(
            {
                "iss": "desk",
                "aud": "veche",
                "sub": sub,
                "site": "gazette",
                "role": role,
                "exp": datetime.now(UTC) + timedelta(minutes=5),
            },
            ISSUER_SECRET,
            algorithm="HS256",
        )
        made = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://console",
            headers={"authorization": f"Bearer {token}"} if role else {},
        )
        clients.append(made)
        return made

    yield client
    for made in clients:
        await made.aclose()


async def a_discussion(pool: db.Pool, key: str = "gazette/a1") -> None:
    await pool.execute(
        "INSERT INTO discussions (discussion, site, revision, url, title, language, section,"
        " state, opened_at) VALUES ($1, $2, 1, 'https://g.example/a1', 'Вече', 'ru', 'history',"
        " 'open', $3)",
        key,
        key.partition("/")[0],
        T0,
    )


async def a_held_comment(
    pool: db.Pool,
    comment: str,
    *,
    key: str = "gazette/a1",
    body: str = "ты дурак",
    author: str = "reader-1",
    since: datetime = T0,
    reason: str = "rule",
    published: str | None = None,
) -> None:
    """Pending at revision 1, or, where `published` is a text, an edit of it held at revision 2."""
    site = key.partition("/")[0]
    newest = 2 if published is not None else 1
    await pool.execute(
        "INSERT INTO comments (discussion, comment, site, author, author_name, submitted_at,"
        " status, revision, published_revision, held_revision, held_reason, held_since)"
        " VALUES ($1, $2, $3, $4, 'Нина', $5, $6, $7, $8, $7, $9, $5)",
        key,
        comment,
        site,
        author,
        since,
        "published" if published is not None else "pending",
        newest,
        1 if published is not None else None,
        reason,
    )
    texts = [published, body] if published is not None else [body]
    for revision, text in enumerate(texts, 1):
        await pool.execute(
            "INSERT INTO revisions VALUES ($1, $2, $3, $4, $5, $6, ''::bytea, $7, $8)",
            key,
            comment,
            revision,
            site,
            author,
            text,
            f"e-{comment}-{revision}",
            since,
        )
    verdict = events.VerdictGiven(
        "hold", "hash-1", [events.FindingSeen("insults", "hold", [(3, 8)], {"word": "дурак"})]
    )
    await pool.execute(
        "INSERT INTO outcomes VALUES ($1, $2, ''::bytea, 'veche.comment.submitted.v1', $3, $4,"
        " 'held', $5, 'pending', $6, '{\"earlier\": 3}', $7)",
        key,
        f"e-{comment}-{newest}",
        comment,
        newest,
        reason,
        codec.encode(verdict).decode(),
        since,
    )


def settle_with(pool: db.Pool, result: str, reason: str = "", statement: str = "") -> Settle:
    async def settle(event: events.DecisionMade) -> None:
        async with db.transaction(pool) as connection:
            if statement:
                await connection.execute(statement, event.key, event.data.comment)
            await connection.execute(
                "INSERT INTO outcomes VALUES ($1, $2, $3, 'veche.decision.made.v1', $4, 1, $5, $6,"
                " '', NULL, $7, $8)",
                event.key,
                event.id,
                codec.digest(event),
                event.data.comment,
                result,
                reason,
                codec.encode({"ruling": event.data.ruling, "moderator": event.actor}).decode(),
                T0,
            )

    return settle


PUBLISH = (
    "UPDATE comments SET status = 'published', published_revision = revision,"
    " held_revision = NULL, held_reason = NULL, held_since = NULL,"
    " ruling = 'approve', ruled_by = 'mod-1', ruled_revision = revision, ruled_at = now()"
    " WHERE discussion = $1 AND comment = $2"
)
APPROVE = {
    "discussion": "a1",
    "comment": "c1",
    "ruling": "approve",
    "expected": {"revision": 1, "status": "pending"},
}


async def test_queue_shows_text_spans_titles_and_what_to_send_back(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    await pool.execute(
        "INSERT INTO reports VALUES ('gazette/a1', 'c1', 1, 'r8', 'insult', '', 'e8', $1),"
        " ('gazette/a1', 'c1', 1, 'r9', 'insult', '', 'e9', $1)",
        T0,
    )
    answer = await console().get(f"{SITE}/queue")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    [item] = answer.json()["items"]
    assert item["body"] == "ты дурак"
    assert item["author"] == {"id": "reader-1", "name": "Нина"}
    assert item["expected"] == {"revision": 1, "status": "pending"}
    [finding] = item["findings"]
    assert finding["title"] == {"ru": "Оскорбления", "en": "Insults"}
    [[start, end]] = finding["spans"]
    assert item["body"][start:end] == "дурак"
    assert item["reports"] == {"count": 2, "weight": 2.0, "reasons": {"insult": 2}}
    assert item["published"] is None
    assert item["claim"] is None
    assert answer.json()["next"] is None


async def test_queue_is_filtered_by_label_and_shows_effects(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    await a_held_comment(pool, "c2", since=T0 + timedelta(seconds=1))
    await pool.execute("UPDATE comments SET labels = '{insult,spam}' WHERE comment = 'c2'")
    findings = [
        events.FindingSeen(
            "insults", "hold", would="reject", detail={"braked": "quota", "hits": 1_000},
            effects={"labels": ["insult", "spam"], "score": 2.5},
        ),
        events.FindingSeen("shaded", "note", shadow=True, effects={"score": 9}),
    ]  # fmt: skip
    verdict = events.VerdictGiven("hold", "hash-1", findings)
    await pool.execute(
        "UPDATE outcomes SET verdict = $1 WHERE comment = 'c2'", codec.encode(verdict).decode()
    )
    [item] = (await console().get(f"{SITE}/queue", params={"label": "spam"})).json()["items"]
    assert (item["comment"], item["labels"], item["score"]) == ("c2", ["insult", "spam"], 2.5)
    assert item["findings"][0]["would"] == "reject"
    assert item["findings"][0]["detail"] == {"braked": "quota", "hits": 1_000}
    assert item["findings"][0]["effects"]["labels"] == ["insult", "spam"]
    assert (await console().get(f"{SITE}/queue", params={"label": "none"})).json()["items"] == []
    assert len((await console().get(f"{SITE}/queue")).json()["items"]) == 2
    assert (await console().get(f"{SITE}/queue", params={"label": "Ж"})).status_code == 400
    one = (await console().get(f"{SITE}/comments/a1/c2")).json()
    assert one["labels"] == ["insult", "spam"]
    assert one["outcomes"][0]["score"] == 2.5


async def test_notices_of_a_channel_are_read_in_order(pool, console) -> None:
    await a_discussion(pool)
    for n in range(3):
        await a_held_comment(pool, f"c{n}", body=f"текст {n}")
        for channel in ("editors", "lawyers"):
            await pool.execute(
                "INSERT INTO notices (discussion, comment, revision, channel, site, rule,"
                " recorded_at) VALUES ('gazette/a1', $1, 1, $2, 'gazette', 'insults', $3)",
                f"c{n}", channel, T0,
            )  # fmt: skip
    address = f"{SITE}/notices?channel=editors"
    first = (await console().get(f"{address}&limit=2")).json()
    assert [item["comment"] for item in first["items"]] == ["c0", "c1"]
    assert first["items"][0]["title"] == {"ru": "Оскорбления", "en": "Insults"}
    assert (first["items"][0]["body"], first["items"][0]["status"]) == ("текст 0", "pending")
    assert first["more"]
    last = (await console().get(f"{address}&after={first['next']}")).json()
    assert [item["comment"] for item in last["items"]] == ["c2"]
    # Whoever comes back with the last `next` gets what is new since.
    again = (await console().get(f"{address}&after={last['next']}")).json()
    assert (again["items"], again["next"], again["more"]) == ([], last["next"], False)
    assert (await console().get(f"{SITE}/notices")).status_code == 400
    for cursor in ("zzz", show.after(Place(2**62, "gazette/a1", "c1", 1))):
        refused = await console().get(f"{address}&after={cursor}")
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_parameter")
    assert (await console(role="reader").get(address)).status_code == 403


async def test_what_waits_for_a_score_is_not_in_the_queue_before_it_is_late(pool, console) -> None:
    await a_discussion(pool)
    soon = datetime.now(UTC) + timedelta(seconds=25)
    await a_held_comment(pool, "waits", since=soon, reason="score")
    await a_held_comment(pool, "late", reason="score")
    queue = (await console().get(f"{SITE}/queue")).json()["items"]
    assert [(item["comment"], item["reason"]) for item in queue] == [("late", "score")]
    claims = (await console().post(f"{SITE}/claims", json={"count": 10})).json()
    assert [claim["comment"] for claim in claims["claimed"]] == ["late"]
    assert (await console().get(f"{SITE}/stats")).json()["held"] == 1


async def test_queue_shows_the_published_revision_beside_a_held_edit(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1", published="мир", reason="edit")
    [item] = (await console().get(f"{SITE}/queue")).json()["items"]
    assert item["published"] == {"revision": 1, "body": "мир"}
    assert item["expected"] == {"revision": 2, "status": "published"}


async def test_pages_meet_every_held_comment_once_oldest_first(pool, console) -> None:
    await a_discussion(pool)
    for number in range(7):
        await a_held_comment(pool, f"c{number}", since=T0 + timedelta(seconds=number // 2))
    await a_discussion(pool, "herald/a1")
    await a_held_comment(pool, "x", key="herald/a1")
    seen: list[str] = []
    after = ""
    while after is not None:
        page = await console().get(f"{SITE}/queue", params={"limit": 2, "after": after})
        seen += [item["comment"] for item in page.json()["items"]]
        after = page.json()["next"]
    assert seen == [f"c{number}" for number in range(7)]


async def test_one_comment_shows_its_revisions_outcomes_and_reports(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1", published="мир")
    file = (await console().get(f"{SITE}/comments/a1/c1")).json()
    assert [revision["body"] for revision in file["revisions"]] == ["ты дурак", "мир"]
    assert file["outcomes"][0]["findings"][0]["rule"] == "insults"
    assert file["outcomes"][0]["facts"] == {"earlier": 3}
    assert file["expected"] == {"revision": 2, "status": "published"}
    assert (await console().get(f"{SITE}/comments/a1/none")).status_code == 404


async def test_a_claim_of_another_moderator_is_told_not_stolen(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    item = {"discussion": "a1", "comment": "c1"}
    first = await console().post(f"{SITE}/claims", json={"items": [item]})
    assert [claim["comment"] for claim in first.json()["claimed"]] == ["c1"]
    second = await console(sub="mod-2").post(f"{SITE}/claims", json={"items": [item]})
    assert second.json()["claimed"] == []
    assert second.json()["taken"][0]["moderator"] == "mod-1"
    [shown] = (await console(sub="mod-2").get(f"{SITE}/queue")).json()["items"]
    assert shown["claim"]["moderator"] == "mod-1"
    await console(sub="mod-2").delete(f"{SITE}/claims/a1/c1")
    assert (await pool.fetchval("SELECT moderator FROM claims")) == "mod-1"
    released = await console().delete(f"{SITE}/claims")
    assert released.json() == {"released": [item]}
    again = await console(sub="mod-2").post(f"{SITE}/claims", json={"items": [item]})
    assert len(again.json()["claimed"]) == 1


async def test_an_expired_claim_is_free(pool, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    await pool.execute(
        "INSERT INTO claims VALUES ('gazette/a1', 'c1', 'mod-2', now() - interval '1 second')"
    )
    answer = await console().post(f"{SITE}/claims", json={"count": 1})
    assert answer.json()["claimed"][0]["moderator"] == "mod-1"


async def test_two_moderators_claim_different_parts_of_the_queue(pool, console) -> None:
    await a_discussion(pool)
    for number in range(4):
        await a_held_comment(pool, f"c{number}", since=T0 + timedelta(seconds=number))
    first = await console().post(f"{SITE}/claims", json={"count": 2})
    second = await console(sub="mod-2").post(f"{SITE}/claims", json={"count": 5})
    assert [claim["comment"] for claim in first.json()["claimed"]] == ["c0", "c1"]
    assert [claim["comment"] for claim in second.json()["claimed"]] == ["c2", "c3"]


async def test_what_is_not_held_cannot_be_claimed(pool, console) -> None:
    item = {"discussion": "a1", "comment": "c1"}
    answer = await console().post(f"{SITE}/claims", json={"items": [item]})
    assert answer.json() == {"claimed": [], "taken": [], "not_held": [item]}


async def test_a_decision_is_a_signed_event_and_answers_with_its_outcome(
    pool, log, console
) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    await console().post(f"{SITE}/claims", json={"count": 1})
    log.settle = settle_with(pool, "applied", statement=PUBLISH)
    answer = await console().post(f"{SITE}/decisions", json=APPROVE)
    assert answer.status_code == 200
    assert answer.json()["result"] == "applied"
    assert answer.json()["current"]["status"] == "published"
    [record] = log.sent
    event = codec.decode_comments(record.value)
    assert isinstance(event, events.DecisionMade)
    assert (record.topic, record.key) == (topics.COMMENTS, b"gazette/a1")
    assert (event.actor, event.role) == ("mod-1", "moderator")
    assert codec.signature_holds(event.signature, codec.digest(event), event.id, SECRET)
    assert await pool.fetchval("SELECT count(*) FROM claims") == 0
    [ruled] = (await console().get(f"{SITE}/comments/a1/c1")).json()["decisions"]
    assert (ruled["ruling"], ruled["moderator"]) == ("approve", "mod-1")


async def test_a_conflict_tells_how_the_comment_stands_now(pool, log, console) -> None:
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    log.settle = settle_with(pool, "refused", "conflict", PUBLISH)
    answer = await console().post(f"{SITE}/decisions", json=APPROVE)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:veche:problem:conflict"
    assert answer.json()["current"]["expected"] == {"revision": 1, "status": "published"}
    assert answer.json()["current"]["ruling"]["moderator"] == "mod-1"


async def test_a_decision_without_an_outcome_in_time_says_where_to_ask(
    pool, log, console, monkeypatch
) -> None:
    monkeypatch.setattr(decide, "WAIT_SECONDS", 0.05)
    await a_discussion(pool)
    await a_held_comment(pool, "c1")
    waiting = await console().post(f"{SITE}/decisions", json=APPROVE | {"id": "d-1"})
    assert waiting.status_code == 202
    assert waiting.headers["location"] == waiting.json()["poll"]
    assert (await console().get(waiting.json()["poll"])).status_code == 202
    await settle_with(pool, "applied", statement=PUBLISH)(codec.decode_comments(log.sent[0].value))
    settled = await console().get(waiting.json()["poll"])
    assert settled.status_code == 200
    assert settled.json()["result"] == "applied"


async def test_kafka_away_is_told_with_the_id_to_send_again(log, console) -> None:
    log.away = True
    answer = await console().post(f"{SITE}/decisions", json=APPROVE | {"id": "d-1"})
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert answer.json()["id"] == "d-1"


async def test_bulk_decisions_answer_one_by_one(pool, log, console) -> None:
    await a_discussion(pool)
    for number in (1, 2):
        await a_held_comment(pool, f"c{number}")
    log.settle = settle_with(pool, "applied", statement=PUBLISH)
    answer = await console().post(
        f"{SITE}/decisions/bulk",
        json={
            "decisions": [
                APPROVE,
                APPROVE | {"comment": "c2", "ruling": "reject"},
                APPROVE | {"comment": "c2"},
            ]
        },
    )
    assert [result["status"] for result in answer.json()["results"]] == [200, 422, 200]
    assert len(log.sent) == 2


async def test_reject_needs_a_reason_for_the_author(log, console) -> None:
    answer = await console().post(f"{SITE}/decisions", json=APPROVE | {"ruling": "reject"})
    assert answer.status_code == 422
    assert answer.json()["field"] == "/reason"
    assert log.sent == []


async def test_an_authors_history_counts_and_lists(pool, console) -> None:
    await a_discussion(pool)
    for number in range(3):
        await a_held_comment(pool, f"c{number}", since=T0 + timedelta(seconds=number))
    await pool.execute(PUBLISH, "gazette/a1", "c1")
    await pool.execute("UPDATE comments SET deleted_at = now() WHERE comment = 'c2'")
    history = (await console().get(f"{SITE}/authors/reader-1")).json()
    assert history["counts"] == {
        "comments": 3,
        "published": 1,
        "rejected": 0,
        "pending": 1,
        "deleted": 1,
        "held": 2,
        "reports": 0,
    }
    assert [comment["comment"] for comment in history["comments"]] == ["c2", "c1", "c0"]
    assert history["decisions"][0]["moderator"] == "mod-1"
    assert (await console().get(f"{SITE}/authors/nobody")).status_code == 404


async def test_stats_count_what_waits_and_its_age(pool, console) -> None:
    assert (await console().get(f"{SITE}/stats")).json()["oldest_held_since"] is None
    await a_discussion(pool)
    await a_held_comment(pool, "c1", reason="report")
    stats = (await console().get(f"{SITE}/stats")).json()
    assert stats["held"] == 1
    assert stats["by_reason"] == {"report": 1}
    assert stats["oldest_held_seconds"] > 0


async def test_a_policy_is_an_administrators_event(pool, log, console) -> None:
    wanted = {
        "policy": "hold_first",
        "report_threshold": 2,
        "edit_hold": "hide",
        "late_scores": "hold",
    }
    assert (await console().put(f"{SITE}/policy", json=wanted)).status_code == 403
    admin = console(role="admin")
    assert (await admin.get(f"{SITE}/policy")).json()["policy"] == "publish_first"
    await pool.execute(
        "INSERT INTO site_policies VALUES ('gazette', 'hold_first', 2, 'hide', 'hold')"
    )
    assert (await admin.put(f"{SITE}/policy", json=wanted)).status_code == 200
    event = codec.decode_control(log.sent[0].value)
    assert event.data == events.SitePolicy("hold_first", 2, "hide", "hold")
    assert codec.signature_holds(event.signature, codec.digest(event), event.id, SECRET)
    assert (await admin.get(f"{SITE}/policy")).json() == wanted


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("", f"{SITE}/queue", 401),
        ("reader", f"{SITE}/queue", 403),
        ("moderator", "/v1/console/sites/herald/queue", 403),
        ("moderator", "/v1/console/sites/UPPER/queue", 400),
        ("moderator", f"{SITE}/policy", 403),
        ("moderator", f"{SITE}/nothing", 404),
        ("moderator", f"{SITE}/queue?after=%00", 400),
        ("moderator", f"{SITE}/queue?after=e30", 400),
        ("moderator", f"{SITE}/queue?limit=101", 400),
        ("moderator", f"{SITE}/queue/", 404),
        ("moderator", f"{SITE}/authors/a%00b", 400),
        ("moderator", f"{SITE}/decisions", 405),
    ],
)
async def test_bad_requests_are_problems(console, role: str, path: str, status: int) -> None:
    answer = await console(role=role).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b"[" * 50_000, "application/json", 400),
        (b'"' + b"x" * 300_000 + b'"', "application/json", 413),
        (codec.encode(APPROVE | {"more": 1}), "application/json", 422),
        (codec.encode(APPROVE | {"reason": "\x00"}), "application/json", 400),
        (codec.encode(APPROVE | {"comment": "c1\n"}), "application/json", 422),
        (
            codec.encode(APPROVE | {"expected": {"revision": 0, "status": "pending"}}),
            "application/json",
            422,
        ),
        (
            # Moderation could not read it: it must not get as far as the log.
            codec.encode(APPROVE | {"expected": {"revision": 2**31, "status": "pending"}}),
            "application/json",
            422,
        ),
        (b"\xff", "application/json", 400),
    ],
)
async def test_bad_bodies_are_problems(log, console, body: bytes, kind: str, status: int) -> None:
    answer = await console().post(f"{SITE}/decisions", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert log.sent == []
