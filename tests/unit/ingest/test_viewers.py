"""Readers without a token: a signed cookie, one site that we know, views only."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core import codec
from services.ingest import cookie
from tests.unit.ingest.build import VIEWER_SECRET, KeepingLog, bearer, client, item

VIEW = item("veche.discussion.viewed.v1", site="gazette")


def actors(log: KeepingLog) -> list[str]:
    return [codec.decode_views(kept.value or b"").actor for kept in log.kept]


async def test_the_cookie_given_with_the_first_view_names_the_viewer_of_the_next(
    tmp_path: Path,
) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        first = await http.post("/v1/events/view", json=VIEW)
        assert first.status_code == 202
        set_cookie = first.headers["set-cookie"]
        assert "HttpOnly" in set_cookie
        assert "SameSite=Lax" in set_cookie
        assert "Path=/v1" in set_cookie
        assert "Secure" not in set_cookie
        await http.post("/v1/events/view", json=VIEW)
    one, other = actors(log)
    assert one == other
    assert log.kept[0].key == f"gazette/d1|{one}".encode()


async def test_the_cookie_is_secure_behind_tls(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        answer = await http.post("/v1/viewer", headers={"x-forwarded-proto": "https"})
    assert answer.status_code == 204
    assert answer.headers["set-cookie"].endswith("; Secure")


async def test_viewer_keeps_the_cookie_that_is_there(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        await http.post("/v1/viewer")
        value = http.cookies["veche_viewer"]
        await http.post("/v1/viewer")
        assert http.cookies["veche_viewer"] == value


def spoilt() -> list[str]:
    good = cookie.mint(VIEWER_SECRET)
    other = cookie.mint(b"w" * 32)
    viewer, mac = good.split(".")
    return [
        "", "x", viewer, f"{viewer}.", f".{mac}", other, good + "A", good[1:], f"ada.{mac}",
        f"{viewer}.{mac[:-1]}", f"{mac}.{viewer}", good.replace(".", ".."), "\x00" * 45,
    ]  # fmt: skip


@pytest.mark.parametrize("value", spoilt())
def test_a_cookie_that_we_did_not_sign_names_nobody(value: str) -> None:
    assert cookie.viewer_of(value, VIEWER_SECRET) is None


async def test_a_forged_cookie_is_replaced(tmp_path: Path) -> None:
    log = KeepingLog()
    forged = "A" * 22 + "." + "B" * 22
    async with client(tmp_path, log) as http:
        answer = await http.post(
            "/v1/events/view", json=VIEW, headers={"cookie": f"a=b; veche_viewer={forged}; c"}
        )
    assert answer.status_code == 202
    assert forged not in answer.headers["set-cookie"]
    assert actors(log) != ["anon:" + "A" * 22]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"site": None}, 422, "/site"),
        ({"site": "unknown"}, 422, "/site"),
        ({"site": "../gazette"}, 422, "/site"),
        ({"actor": "ada"}, 403, "/actor"),
        ({"actorname": "Ада"}, 403, "/actorname"),
        ({"occurredat": "2020-01-01T00:00:00Z"}, 403, "/occurredat"),
        ({"type": "veche.vote.cast.v1"}, 422, "/type"),
        ({"type": "veche.comment.submitted.v1"}, 422, "/type"),
    ],
)
async def test_a_view_without_a_token_states_its_site_and_nothing_more(
    changes: dict[str, str | None], status: int, field: str, tmp_path: Path
) -> None:
    stated = {name: value for name, value in (VIEW | changes).items() if value is not None}
    async with client(tmp_path) as http:
        answer = await http.post("/v1/events/view", json=stated)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_a_view_as_text_is_refused_so_that_no_other_page_can_send_it(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        answer = await http.post(
            "/v1/events/view", content=b"{}", headers={"content-type": "text/plain"}
        )
    assert answer.status_code == 415


async def test_with_a_token_a_view_is_the_readers(tmp_path: Path) -> None:
    log = KeepingLog()
    async with client(tmp_path, log) as http:
        sent = {name: value for name, value in VIEW.items() if name not in ("site", "type")}
        answer = await http.post("/v1/events/view", json=sent, headers=bearer())
    assert answer.status_code == 202
    assert "set-cookie" not in answer.headers
    assert actors(log) == ["ada"]


LOOK_ALIKES = [
    "null", "https://portal.test.evil.test", "https://evilportal.test", "http://portal.test",
    "https://portal.test:8443", "https://portal.test/", "https://PORTAL.test", "https://portal.tes",
    "https://sub.portal.test", "https://portal.test@evil.test", "file://", "*", "https://",
]  # fmt: skip


@pytest.mark.parametrize("origin", LOOK_ALIKES)
async def test_only_listed_origins_are_answered_to_pages(origin: str, tmp_path: Path) -> None:
    ask = {"origin": origin, "access-control-request-method": "POST"}
    async with client(tmp_path, allowed_origins=["https://portal.test"]) as http:
        refused = await http.options("/v1/events/vote", headers=ask)
        allowed = await http.options(
            "/v1/events/vote", headers=ask | {"origin": "https://portal.test"}
        )
        posted = await http.post("/v1/events/view", json=VIEW, headers={"origin": origin})
    assert "access-control-allow-origin" not in refused.headers
    assert allowed.headers["access-control-allow-origin"] == "https://portal.test"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in posted.headers


async def test_no_origin_is_allowed_by_default(tmp_path: Path) -> None:
    ask = {"origin": "https://portal.test", "access-control-request-method": "POST"}
    async with client(tmp_path) as http:
        answer = await http.options("/v1/events/vote", headers=ask)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
