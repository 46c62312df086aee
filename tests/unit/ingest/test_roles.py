"""Who may send what: every role times every type, and whose name the event then bears."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core import codec, events
from services.ingest.admit import PORTAL_TYPES, TOPICS, TYPES
from tests.unit.ingest.build import KeepingLog, bearer, client, item

ROLES: tuple[events.Role, ...] = ("reader", "portal", "importer", "moderator", "admin")
DECODE = {
    "comments.v1": codec.decode_comments,
    "votes.v1": codec.decode_votes,
    "views.v1": codec.decode_views,
}


def allowed(role: str, type: str) -> bool:
    """The matrix, said a second time."""
    if role in ("portal", "importer"):
        return True
    of_readers = type == "veche.discussion.viewed.v1" or not type.startswith("veche.discussion.")
    return role == "reader" and of_readers


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("role", ROLES)
async def test_role_may_send_exactly_its_types(role: str, type: str, tmp_path: Path) -> None:
    log = KeepingLog()
    spoken_for = role in ("portal", "importer") and type not in PORTAL_TYPES
    sent = item(type, **({"actor": "bob", "actorname": "Боб"} if spoken_for else {}))
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": [sent]}, headers=bearer(role=role))
    [result] = answer.json()["results"]
    if not allowed(role, type):
        assert result["status"] == 403
        assert result["problem"]["code"] == "role_not_allowed"
        assert result["problem"]["field"] == "/events/0/type"
        assert log.kept == []
        return
    assert result["status"] == 202, result
    [kept] = log.kept
    assert kept.value is not None
    event = DECODE[kept.topic](kept.value)
    assert kept.topic == TOPICS[type]
    assert event.role == role
    assert event.source == "/sites/gazette"
    assert (event.actor, event.actorname) == (("bob", "Боб") if spoken_for else ("ada", "Ада"))
    key = "gazette/d1" + ("" if kept.topic == "comments.v1" else f"|{event.actor}")
    assert kept.key == key.encode()


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("role", ROLES)
async def test_only_an_importer_states_when_it_happened(
    role: str, type: str, tmp_path: Path
) -> None:
    spoken_for = role in ("portal", "importer") and type not in PORTAL_TYPES
    sent = item(
        type, occurredat="2019-03-01T12:00:00+03:00", **({"actor": "bob"} if spoken_for else {})
    )
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        answer = await http.post("/v1/events", json={"events": [sent]}, headers=bearer(role=role))
    assert (answer.status_code == 202) == (role == "importer")
    if role == "importer":
        assert log.kept[0].value is not None
        assert b'"occurredat":"2019-03-01T09:00:00Z"' in log.kept[0].value


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({}, 422, "/actor"),
        ({"actor": "anon:x"}, 422, "/actor"),
        ({"actor": "a b"}, 422, "/actor"),
        ({"actor": "bob", "actorname": ""}, 422, "/actorname"),
        ({"actor": "bob", "actorname": "\u200b\u3164"}, 422, "/actorname"),
        ({"actor": "bob", "site": "herald"}, 403, "/site"),
        ({"actor": "bob"}, 202, None),
    ],
)
async def test_a_portal_names_the_reader_that_it_acts_for(
    changes: dict[str, str], status: int, field: str | None, tmp_path: Path
) -> None:
    async with client(tmp_path) as http:
        answer = await http.post(
            "/v1/events/comment", json=item() | changes, headers=bearer(role="portal")
        )
    assert (answer.status_code, answer.json().get("field")) == (status, field)


async def test_an_importers_future_is_refused(tmp_path: Path) -> None:
    sent = item("veche.discussion.opened.v1", occurredat="2026-11-24T09:36:00Z")
    async with client(tmp_path) as http:
        answer = await http.post(
            "/v1/events/discussion", json=sent, headers=bearer(role="importer")
        )
    assert (answer.status_code, answer.json()["field"]) == (422, "/occurredat")


@pytest.mark.parametrize(
    ("type", "changes", "field"),
    [
        ("veche.discussion.opened.v1", {"state": "closed"}, "/data/state"),
        ("veche.discussion.closed.v1", {"state": "removed"}, "/data/state"),
        ("veche.discussion.opened.v1", {"url": "javascript:alert(1)"}, "/data/url"),
        ("veche.discussion.opened.v1", {"url": "https://a.test/a b"}, "/data/url"),
        ("veche.discussion.opened.v1", {"url": "https://a.test/\u202e"}, "/data/url"),
        ("veche.discussion.opened.v1", {"title": "\u200b"}, "/data/title"),
        ("veche.discussion.opened.v1", {"title": "т" * 501}, "/data/title"),
        ("veche.discussion.changed.v1", {"state": "removed"}, None),
        ("veche.discussion.closed.v1", {"state": "closed"}, None),
    ],
)
async def test_a_discussion_is_described_as_its_type_allows(
    type: str, changes: dict[str, str], field: str | None, tmp_path: Path
) -> None:
    sent = item(type)
    sent["data"] = sent["data"] | changes
    async with client(tmp_path) as http:
        answer = await http.post("/v1/events/discussion", json=sent, headers=bearer(role="portal"))
    assert (answer.status_code, answer.json().get("field")) == (422 if field else 202, field)


async def test_without_a_token_nothing_but_a_view_is_taken(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for kind in ("discussion", "comment", "vote", "report"):
            answer = await http.post(f"/v1/events/{kind}", json=item())
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        answer = await http.post("/v1/events", json={"events": [item()]})
        assert answer.status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer  ", "Basic YTpi", "bearer x.y.z", "token"])
async def test_a_bad_token_is_401_also_for_a_view(header: str, tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        answer = await http.post(
            "/v1/events/view",
            json=item("veche.discussion.viewed.v1"),
            headers={"authorization": header},
        )
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
