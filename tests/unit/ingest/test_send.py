"""What is answered once the log has spoken, or has not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.core import codec, receipts
from services.core.errors import Retryable
from services.core.produce import Outgoing, Sent
from services.ingest.send import DEADLINE_SECONDS
from tests.unit.ingest.build import RECEIPT_SECRET, KeepingLog, bearer, client, item


async def test_a_receipt_says_where_the_event_stands_and_what_it_said(tmp_path: Path) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events/comment", json=item(), headers=bearer())
    assert answer.status_code == 202
    body = answer.json()
    assert body["id"] == "e1"
    assert body["receipt_url"] == f"/v1/receipts/{body['receipt']}"
    assert answer.headers["cache-control"] == "no-store"
    event = codec.decode_comments(log.kept[0].value or b"")
    assert receipts.read(body["receipt"], RECEIPT_SECRET) == receipts.Receipt(
        topic="comments.v1",
        partition=3,
        offset=0,
        event="e1",
        type="veche.comment.submitted.v1",
        digest=codec.digest(event).hex(),
        discussion="gazette/d1",
        actor="ada",
        comment="c1",
    )


async def test_a_repeat_has_the_same_digest_whatever_its_time(tmp_path: Path) -> None:
    digests = set()
    async with client(tmp_path) as http:
        for time in ("2026-11-24T09:30:00Z", "2026-11-24T12:31:00+03:00"):
            answer = await http.post("/v1/events/comment", json=item(time=time), headers=bearer())
            digests.add(receipts.read(answer.json()["receipt"], RECEIPT_SECRET).digest)
    assert len(digests) == 1


async def test_kafka_away_is_503_with_an_unknown_outcome_and_a_deadline_below_a_second(
    tmp_path: Path,
) -> None:
    log = KeepingLog(up=False)
    waits = set()
    async with client(tmp_path, log) as http:
        for _ in range(50):
            answer = await http.post("/v1/events/comment", json=item(), headers=bearer())
            assert answer.status_code == 503
            assert answer.json()["code"] == "outcome_unknown"
            assert "same id may safely be sent again" in answer.json()["detail"]
            waits.add(answer.headers["retry-after"])
    assert waits == {"1", "2", "3"}
    assert DEADLINE_SECONDS < 1
    assert set(log.deadlines) == {DEADLINE_SECONDS}


class StuckLog(KeepingLog):
    """Takes records and does not answer until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.taken = 0

    async def send_all(
        self, records: Sequence[Outgoing], *, deadline_seconds: float
    ) -> list[Sent | Retryable]:
        self.taken += len(records)
        await self.let.wait()
        return await super().send_all(records, deadline_seconds=deadline_seconds)


async def test_what_is_in_flight_is_bounded(tmp_path: Path) -> None:
    log = StuckLog()
    async with client(tmp_path, log, max_in_flight=3) as http:

        async def send() -> Any:
            return await http.post("/v1/events/comment", json=item(), headers=bearer())

        waiting = [asyncio.create_task(send()) for _ in range(3)]
        while log.taken < 3:
            await asyncio.sleep(0)
        refused = await send()
        assert (refused.status_code, refused.json()["code"]) == (503, "busy")
        assert "nothing was sent" in refused.json()["detail"]
        assert refused.headers["retry-after"] in ("1", "2", "3")
        log.let.set()
        assert [(await task).status_code for task in waiting] == [202, 202, 202]
        assert (await send()).status_code == 202


async def test_a_bug_is_500_without_a_word_about_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenLog(KeepingLog):
        async def send_all(self, records: Any, *, deadline_seconds: float) -> Any:
            raise RuntimeError("secret detail")

    async with client(tmp_path, BrokenLog()) as http:
        answer = await http.post("/v1/events/comment", json=item(), headers=bearer())
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


# --- batches


def comments(count: int) -> list[dict[str, Any]]:
    return [
        item(id=f"e{n}", data={"discussion": "d", "comment": f"c{n}", "body": "Да"})
        for n in range(count)
    ]


async def test_a_batch_of_500_is_202_with_a_receipt_each_in_order(tmp_path: Path) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": comments(500)}, headers=bearer())
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [one["id"] for one in results] == [f"e{n}" for n in range(500)]
    read = [receipts.read(one["receipt"], RECEIPT_SECRET) for one in results]
    assert [one.event for one in read] == [one["id"] for one in results]
    assert [one.offset for one in read] == list(range(500))


@pytest.mark.parametrize("count", [0, 501, 5_000])
async def test_a_batch_beyond_its_bounds_is_refused_whole(count: int, tmp_path: Path) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": comments(count)}, headers=bearer())
    assert (answer.status_code, answer.json()["field"]) == (422, "/events")
    assert log.kept == []


async def test_a_batch_of_100_000_is_too_large(tmp_path: Path) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": comments(100_000)}, headers=bearer())
    assert answer.status_code == 413
    assert log.kept == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "/events"),
        ({"events": {}}, "/events"),
        ({"events": None}, "/events"),
        ([], "/events"),
        ({"events": comments(1), "site": "herald"}, "/site"),
    ],
)
async def test_a_batch_of_another_shape_is_refused_whole(
    body: Any, field: str, tmp_path: Path
) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json=body, headers=bearer())
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert log.kept == []


async def test_bad_items_are_told_one_by_one_and_the_others_are_kept(tmp_path: Path) -> None:
    log = KeepingLog()
    events: list[Any] = comments(5)
    events[1] = 5
    events[2]["data"]["body"] = " "
    events[3]["type"] = "veche.discussion.opened.v1"
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": events}, headers=bearer())
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [(one["id"], one["status"]) for one in results] == [
        ("e0", 202),
        (None, 422),
        ("e2", 422),
        ("e3", 403),
        ("e4", 202),
    ]
    assert [one["problem"]["field"] for one in results if "problem" in one] == [
        "/events/1",
        "/events/2/data/body",
        "/events/3/type",
    ]
    assert len(log.kept) == 2


async def test_a_batch_that_the_log_confirmed_in_part_is_503_and_says_which(
    tmp_path: Path,
) -> None:
    log = KeepingLog(failing={1})
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": comments(3)}, headers=bearer())
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    document = answer.json()
    assert document["code"] == "outcome_unknown"
    assert [one["status"] for one in document["results"]] == [202, 503, 202]
    assert "receipt" in document["results"][0]


async def test_a_poisonous_text_anywhere_refuses_the_whole_batch_and_says_where(
    tmp_path: Path,
) -> None:
    log = KeepingLog()
    events = comments(3)
    events[1]["data"]["body"] = "a\x00b"
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": events}, headers=bearer())
    assert (answer.status_code, answer.json()["field"]) == (400, "/events/1/data/body")
    assert log.kept == []
