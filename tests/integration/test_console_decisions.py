"""A decision's whole way: console → Kafka → moderation → Postgres → the moderator's answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from services.core import produce, settings, topics
from tests.processes import Services

SITE = "/v1/console/sites/gazette"


@pytest.fixture
async def log(kafka_bootstrap: str, topic_prefix: str) -> AsyncIterator[produce.Producer]:
    kafka = settings.Kafka(kafka_bootstrap, topic_prefix)
    async with produce.Producer(kafka) as producer:
        yield producer


def event(id: str, type: str, actor: str, data: dict[str, Any]) -> produce.Outgoing:
    said = {
        "id": id,
        "type": type,
        "source": "/sites/gazette",
        "site": "gazette",
        "actor": actor,
        "role": "portal" if "discussion" in type else "reader",
        "time": "2026-01-01T00:00:00Z",
        "specversion": "1.0",
        "data": {"discussion": "a1", **data},
    }
    return produce.Outgoing(topics.COMMENTS, b"gazette/a1", json.dumps(said).encode())


OPENED = event(
    "o1",
    "veche.discussion.opened.v1",
    "portal",
    {"revision": 1, "url": "https://g.example/a1", "title": "A", "language": "en", "section": "s"},
)


def submitted(comment: str, body: str) -> produce.Outgoing:
    data = {"comment": comment, "body": body}
    return event(f"e-{comment}", "veche.comment.submitted.v1", "reader-1", data)


async def test_decisions_take_effect_conflict_and_repeat(
    services: Services, mint: Callable[..., str], log: produce.Producer
) -> None:
    processes = [services.start("moderation"), services.start("console")]
    for process in processes:
        process.wait_ready()
    await log.send_all([OPENED, submitted("c1", "what an idiot"), submitted("c2", "a moron")])
    headers = {"authorization": f"Bearer {mint(role='moderator', sub='mod-1')}"}
    async with httpx.AsyncClient(base_url=processes[1].url, headers=headers, timeout=10) as console:
        items: list[dict[str, Any]] = []
        while len(items) < 2:
            items = (await console.get(f"{SITE}/queue")).raise_for_status().json()["items"]
        first = {name: items[0][name] for name in ("discussion", "comment", "expected")}
        approval = first | {"ruling": "approve", "id": "d1"}

        answer = await console.post(f"{SITE}/decisions", json=approval)
        assert answer.status_code == 200, answer.text
        assert answer.json()["current"]["status"] == "published"

        again = await console.post(f"{SITE}/decisions", json=approval)
        assert (again.status_code, again.json()) == (200, answer.json())

        other = await console.post(f"{SITE}/decisions", json=first | {"ruling": "restore"})
        assert other.status_code == 409
        assert other.json()["type"] == "urn:veche:problem:conflict"
        assert other.json()["current"]["expected"] == {"revision": 1, "status": "published"}

        taken = await console.post(
            f"{SITE}/decisions", json=approval | {"ruling": "reject", "reason": "no"}
        )
        assert (taken.status_code, taken.json()["type"]) == (409, "urn:veche:problem:id_taken")

        missing = await console.post(
            f"{SITE}/decisions", json=first | {"ruling": "approve", "comment": "none"}
        )
        assert missing.status_code == 404

        file = (await console.get(f"{SITE}/comments/a1/{first['comment']}")).json()
        assert [(one["ruling"], one["moderator"]) for one in file["decisions"]] == [
            ("approve", "mod-1")
        ]
        address = f"{SITE}/comments/a1/{first['comment']}/why"
        why = (await console.get(address, timeout=60)).raise_for_status().json()
        assert (why["verdict"]["action"], why["ruleset"]["same"]) == ("hold", True)
        matched = {one["rule"] for one in why["rules"] if one["matched"]}
        assert matched == {found["rule"] for found in why["verdict"]["findings"]}
        left = (await console.get(f"{SITE}/queue")).json()["items"]
        assert [item["comment"] for item in left] == [items[1]["comment"]]


async def test_a_policy_holds_once_it_is_answered(
    services: Services, mint: Callable[..., str], log: produce.Producer
) -> None:
    processes = [services.start("moderation"), services.start("console")]
    for process in processes:
        process.wait_ready()
    await log.send_all([OPENED])
    wanted = {"policy": "hold_first", "report_threshold": 5, "edit_hold": "hide"}
    headers = {"authorization": f"Bearer {mint(role='admin', sub='boss')}"}
    async with httpx.AsyncClient(base_url=processes[1].url, headers=headers, timeout=10) as console:
        answer = await console.put(f"{SITE}/policy", json=wanted)
        while answer.status_code == 202:
            answer = await console.put(f"{SITE}/policy", json=wanted)
        assert answer.status_code == 200, answer.text
        assert (await console.get(f"{SITE}/policy")).json() == wanted | {"late_scores": "publish"}
        await log.send_all([submitted("c3", "a calm word")])
        items: list[dict[str, Any]] = []
        while not items:
            items = (await console.get(f"{SITE}/queue")).json()["items"]
        assert (items[0]["comment"], items[0]["reason"]) == ("c3", "policy")
