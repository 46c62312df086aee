"""Receipts and `/v1/me` over real Postgres."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from services.core.receipts import Receipt, issue
from tests.integration.reader_rows import KEY, RECEIPT_SECRET, Clock, Rows, at, reader_over
from tests.processes import Trust
from tests.unit.reader.build import T0

ME = "/v1/me/sites/gazette/discussions/d1"
DIGEST = b"d" * 16
VERDICT = json.dumps(
    {
        "action": "hold",
        "ruleset": "abc",
        "findings": [
            {"rule": "insults", "action": "hold", "spans": [[0, 4]]},
            {"rule": "shouting", "action": "note"},
        ],
    }
)


@pytest.fixture
async def rows(postgres_dsn: str) -> AsyncIterator[Rows]:
    connection = await asyncpg.connect(postgres_dsn)
    rows = Rows(connection)
    await rows.discussion()
    yield rows
    await connection.close()


@pytest.fixture
async def http(postgres_dsn: str, trust: Trust) -> AsyncIterator[httpx.AsyncClient]:
    async with reader_over(postgres_dsn, Clock(), trust, time.time()) as (client, _):
        yield client


def a_receipt(topic: str = "comments.v1", offset: int = 5, **changes: Any) -> Receipt:
    stated: dict[str, Any] = {
        "topic": topic,
        "partition": 2,
        "offset": offset,
        "event": "e1",
        "type": "veche.comment.submitted.v1",
        "digest": DIGEST.hex(),
        "discussion": KEY,
        "actor": "ann",
        "comment": "c1",
    }
    return Receipt(**(stated | changes))


async def became(http: httpx.AsyncClient, receipt: Receipt) -> dict[str, Any]:
    answer = await http.get(f"/v1/receipts/{issue(receipt, RECEIPT_SECRET)}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()  # type: ignore[no-any-return]


async def fence(rows: Rows, next_offset: int, topic: str = "comments.v1", **columns: Any) -> None:
    group = "moderation" if topic == "comments.v1" else "counters"
    await rows.connection.execute(
        "INSERT INTO fences (consumer_group, topic, partition, topic_id, next_offset, epoch, owner,"
        " stopped_reason) VALUES ($1, $2, 2, gen_random_uuid(), $3, 1, 'x', $4)"
        " ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET next_offset = $3,"
        " stopped_reason = $4",
        group, topic, next_offset, columns.get("stopped_reason"),
    )  # fmt: skip


async def test_an_event_waits_until_the_fence_has_passed_it(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    assert (await became(http, a_receipt()))["result"] == "waiting", "nobody works on it yet"
    await fence(rows, 5)
    waiting = await became(http, a_receipt())
    assert (waiting["result"], waiting["reason"]["code"]) == ("waiting", "waiting")
    await fence(rows, 5, stopped_reason="dead_letter_limit")
    assert (await became(http, a_receipt()))["reason"]["code"] == "stopped"
    await fence(rows, 6)
    lost = await became(http, a_receipt())
    assert (lost["result"], lost["reason"]["code"]) == ("dead_lettered", "dead_lettered")


async def test_a_held_comment_says_which_rule_and_why_in_both_languages(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment("c1", status="pending", held_revision=1, held_reason="rule", held_since=T0)
    await rows.outcome("e1", "held", "rule", VERDICT)
    told = await became(http, a_receipt())
    assert (told["result"], told["reason"]["code"]) == ("held", "rule")
    assert told["findings"] == [
        {
            "rule": "insults",
            "action": "hold",
            "spans": [[0, 4]],
            "reason": {"ru": "Есть грубое слово.", "en": "There is a rude word."},
        }
    ]
    assert told["now"] == {
        "status": "pending",
        "revision": 1,
        "published_revision": None,
        "waits_for_moderator": True,
    }
    await rows.connection.execute(
        "UPDATE comments SET status = 'published', published_revision = 1, held_revision = NULL,"
        " held_reason = NULL, ruling = 'approve', ruled_revision = 1"
    )
    approved = await became(http, a_receipt())
    assert (approved["result"], approved["now"]["status"]) == ("held", "published")
    assert approved["now"]["ruling"]["ruling"] == "approve"


@pytest.mark.parametrize("reason", ["id_taken", "discussion_closed", "not_the_author"])
async def test_a_refusal_has_its_reason_in_both_languages(
    http: httpx.AsyncClient, rows: Rows, reason: str
) -> None:
    await rows.outcome("e1", "refused", reason)
    told = await became(http, a_receipt())
    assert (told["result"], told["reason"]["code"]) == ("refused", reason)
    assert told["reason"]["ru"]
    assert told["reason"]["en"]
    assert "now" not in told


async def test_the_same_id_with_another_body_has_an_outcome_of_its_own(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment("c1")
    await rows.outcome("e1", "published", status="published")
    await rows.outcome("e1", "refused", "id_taken", event_digest=b"x" * 16)
    assert (await became(http, a_receipt()))["result"] == "published"
    other = a_receipt(digest=(b"x" * 16).hex())
    assert (await became(http, other))["reason"]["code"] == "id_taken"


async def test_a_vote_answers_from_the_vote_itself(http: httpx.AsyncClient, rows: Rows) -> None:
    receipt = a_receipt("votes.v1", type="veche.vote.cast.v1", event="v1")
    assert (await became(http, receipt))["result"] == "waiting"
    await fence(rows, 6, "votes.v1")
    await rows.connection.execute(
        "INSERT INTO parked_votes (discussion, voter, target, source_offset, slot, shard, event_id,"
        " event_digest, value, voted_at, recorded_at)"
        " VALUES ($1, 'ann', 'c1', 5, 2, 0, 'v1', $2, 1, $3, $3)", KEY, DIGEST, T0,
    )  # fmt: skip
    parked = await became(http, receipt)
    assert (parked["result"], parked["reason"]["code"]) == ("waiting", "waiting_for_comment")
    await rows.connection.execute("DELETE FROM parked_votes")
    await rows.connection.execute(
        "INSERT INTO votes VALUES ($1, 'c1', 'ann', 1, '{v1:1}', $2)", KEY, T0
    )
    counted = await became(http, receipt)
    assert (counted["result"], counted["reason"], counted["vote"]) == ("applied", None, 1)
    await rows.connection.execute("UPDATE votes SET value = -1, changes = '{v2:-1,v1:1}'")
    replaced = await became(http, receipt)
    assert (replaced["reason"]["code"], replaced["vote"]) == ("superseded", -1)
    await rows.outcome("v9", "refused", "own_vote")
    own = await became(http, a_receipt("votes.v1", event="v9"))
    assert (own["result"], own["reason"]["code"]) == ("refused", "own_vote")


async def test_a_view_is_applied_once_the_fence_has_passed_it(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    receipt = a_receipt("views.v1", comment="")
    await fence(rows, 5, "views.v1")
    assert (await became(http, receipt))["result"] == "waiting"
    await fence(rows, 6, "views.v1")
    assert (await became(http, receipt))["result"] == "applied"


async def test_forged_receipts_are_unknown(http: httpx.AsyncClient) -> None:
    text = issue(a_receipt(), RECEIPT_SECRET)
    forged = issue(a_receipt(), b"f" * 32)
    for receipt in (forged, text[:-2] + "xx", "nonsense", text.replace(".", "")):
        answer = await http.get(f"/v1/receipts/{receipt}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_own_pending_and_rejected_comments_come_with_reasons(
    http: httpx.AsyncClient, rows: Rows, mint: Callable[..., str]
) -> None:
    await rows.comment("seen", 0)
    await rows.comment(
        "c1", 1, status="pending", held_revision=1, held_reason="rule", held_since=T0
    )
    await rows.outcome("e-c1-1", "held", "rule", VERDICT)
    await rows.comment(
        "no", 2, status="rejected", ruling="reject", ruled_revision=1, ruling_reason="Не по теме."
    )
    await rows.comment("edited", 3, revision=2, published_revision=1)
    await rows.outcome("e-edited-2", "rejected", "rule", comment="edited", revision=2)
    await rows.comment("gone", 4, status="pending", deleted_at=at(5))
    await rows.comment("others", 5, status="pending", author="bob")
    answer = await http.get(
        ME + "/comments", headers={"authorization": f"Bearer {mint(sub='ann')}"}
    )
    assert answer.headers["cache-control"] == "no-store"
    comments = {comment["id"]: comment for comment in answer.json()["comments"]}
    assert set(comments) == {"c1", "no", "edited"}
    assert comments["c1"]["reason"]["code"] == "rule"
    assert comments["c1"]["findings"][0]["reason"]["en"] == "There is a rude word."
    assert comments["no"]["reason"]["said"] == "Не по теме."
    assert (comments["edited"]["status"], comments["edited"]["body"]) == (
        "published",
        "edited, take 2 <b>",
    )


async def test_own_votes_come_with_those_that_wait(
    http: httpx.AsyncClient, rows: Rows, mint: Callable[..., str]
) -> None:
    for target, value, voter in (("", 1, "ann"), ("c1", -1, "ann"), ("c2", 0, "ann"),
                                 ("c3", 1, "bob")):  # fmt: skip
        await rows.connection.execute(
            "INSERT INTO votes VALUES ($1, $2, $3, $4, '{}', $5)", KEY, target, voter, value, T0
        )
    await rows.connection.execute(
        "INSERT INTO parked_votes (discussion, voter, target, source_offset, slot, shard, event_id,"
        " event_digest, value, voted_at, recorded_at)"
        " VALUES ($1, 'ann', 'c9', 5, 2, 0, 'v1', $2, 1, $3, $3)", KEY, DIGEST, T0,
    )  # fmt: skip
    answer = await http.get(ME + "/votes", headers={"authorization": f"Bearer {mint(sub='ann')}"})
    assert answer.json() == {"discussion": 1, "comments": {"c1": -1, "c9": 1}}


async def test_nobody_else_gets_in(http: httpx.AsyncClient, mint: Callable[..., str]) -> None:
    for token, status in (
        ("", 401),
        ("Bearer nonsense", 401),
        ("Basic " + mint(), 401),
        (f"Bearer {mint(exp=1)}", 401),
        (f"Bearer {mint(site='herald')}", 403),
        (f"Bearer {mint()}", 200),
    ):
        answer = await http.get(ME + "/votes", headers={"authorization": token} if token else {})
        assert answer.status_code == status, token[:10]
        assert answer.headers["cache-control"] == "no-store"
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer ")
