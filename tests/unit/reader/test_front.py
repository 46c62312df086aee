from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import msgspec
import pytest

from services.core.db import Pool
from services.core.events import FeedPublished
from services.core.metrics import HTTP_SECONDS
from services.reader import strips
from services.reader.app import create_app
from services.reader.best import Orders
from services.reader.broadcast import Broadcaster, Places
from services.reader.cursor import Cursors
from services.reader.parts import Freshness, Parts
from services.reader.rendered import CodingChoice
from services.reader.shared import Shared
from services.reader.shelf import Feeds, KeptStrip, Strips
from tests.unit.reader.build import T0, a_feed, a_strip, feed_record

ORIGIN = "https://gazette.example"
FEED = "/v1/sites/gazette/feeds/latest"
STRIP = "/v1/sites/gazette/discussions/d1"


class Away:
    """A pool whose server is down."""

    def acquire(self, timeout: float) -> Any:
        raise ConnectionRefusedError


class Age:
    caught_up = True
    seconds = 0


@pytest.fixture
def age() -> Age:
    return Age()


@pytest.fixture
def parts(age: Age) -> Parts:
    return Parts(
        feeds=Feeds(),
        strips=Strips(100),
        feed_streams=Broadcaster("feed", 4),
        discussion_streams=Broadcaster("discussion", 4),
        places=Places(0),
        freshness=Freshness(lambda: age.caught_up, lambda: age.seconds, lambda: age.seconds),
        pool=cast("Pool", Away()),
        cursors=Cursors(b"k" * 32),
        orders=Orders(lambda: 0.0, 60.0),
        pages=Shared(1.0, 100, lambda: 0.0),
        written=Shared(1.0, 100, lambda: 0.0),
        choose_coding=CodingChoice(),
        origins=frozenset({ORIGIN}),
        now=lambda: T0,
    )


@pytest.fixture
async def http(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    parts.feeds.put("gazette/latest//", a_feed(entries=20), T0)
    parts.feeds.put("gazette/latest/ru/news", a_feed(language="ru", section="news"), T0)
    parts.feeds.put("gazette/top-all//", a_feed(feed="top-all"), T0)
    parts.feeds.put("gazette/top-day//", a_feed(feed="top-day"), T0)
    parts.strips.put("gazette/d1", a_strip(7), T0)
    parts.strips.put("gazette/gone", a_strip(discussion="gone", state="removed"), T0)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(parts)),
        base_url="http://reader",
        headers={"accept-encoding": "identity"},
    ) as client:
        yield client


async def test_a_feed_is_the_published_bytes_with_its_version(http: httpx.AsyncClient) -> None:
    answer = await http.get(FEED)
    published = msgspec.json.decode(feed_record(a_feed(entries=20)), type=FeedPublished).data
    assert answer.status_code == 200
    assert answer.content == msgspec.json.encode(published, order="deterministic")
    assert answer.headers["veche-version"] == "1.1"
    assert answer.headers["last-modified"] == "Tue, 24 Nov 2026 09:00:00 GMT"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"].startswith("public, max-age=1, stale-while-revalidate=")
    assert "accept-encoding" in answer.headers["vary"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "age" not in answer.headers


async def test_an_unchanged_feed_is_304_in_each_coding(http: httpx.AsyncClient) -> None:
    for coding in ("identity", "gzip", "br", "zstd"):
        accepts = {"accept-encoding": coding}
        etag = (await http.get(FEED, headers=accepts)).headers["etag"]
        again = await http.get(FEED, headers=accepts | {"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag


async def test_a_feed_is_compressed_where_asked(http: httpx.AsyncClient) -> None:
    async with http.stream("GET", FEED, headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == (await http.get(FEED)).content


async def test_head_has_the_headers_of_get(http: httpx.AsyncClient) -> None:
    head, get = await http.head(FEED), await http.get(FEED)
    assert (head.status_code, head.headers["etag"]) == (200, get.headers["etag"])


async def test_memory_for_what_strangers_ask_is_bounded(parts: Parts) -> None:
    front = create_app(parts)
    parts.feeds.put("gazette/latest//", a_feed(), T0)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(front), base_url="http://reader"
    ) as client:
        long = "zstd, x-" + "x" * 300
        for query in ("", "?x=1", "?x=" + "1" * 5_000):
            answer = await client.get(FEED + query, headers={"accept-encoding": long})
            assert answer.status_code == 200
    assert sorted(query for _, query in front._feed_keys) == [b"", b"x=1"]
    assert list(parts.choose_coding._known) == [b""]


async def test_a_bug_is_a_problem_and_counted(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(strips, "_knows_all", broken)
    counted = HTTP_SECONDS.labels("reader", "counters", "500")._sum
    before = counted.get()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(parts), raise_app_exceptions=False),
        base_url="http://reader",
    ) as client:
        answer = await client.get(
            "/v1/sites/gazette/counters?discussion=other", headers={"origin": ORIGIN}
        )
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:veche:problem:internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert counted.get() > before


async def test_scopes_and_windows_name_their_own_feed(http: httpx.AsyncClient) -> None:
    scoped = await http.get(FEED, params={"language": "ru", "section": "news"})
    assert scoped.json()["section"] == "news"
    top = "/v1/sites/gazette/feeds/top"
    assert (await http.get(top)).json()["feed"] == "top-all"
    assert (await http.get(top, params={"window": "day"})).json()["feed"] == "top-day"
    assert (await http.get(top + "-day")).json()["feed"] == "top-day"


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/v1/sites/gazette/feeds/coldest", 404, None),
        ("/v1/sites/gazette/feeds/hot", 404, None),
        ("/v1/sites/elsewhere/feeds/latest", 404, None),
        ("/v1/sites/GAZETTE/feeds/latest", 404, None),
        (FEED + "?language=zz", 404, None),
        (FEED + "?language=RUSSIAN", 400, "language"),
        (FEED + "?language=ru&language=en", 400, "language"),
        (FEED + "?section=a/b", 400, "section"),
        (FEED + "?window=day", 400, "window"),
        ("/v1/sites/gazette/feeds/top?window=year", 400, "window"),
        ("/v1/sites/gazette/discussions/a b", 404, None),
        ("/v1/sites/gazette/discussions/d1/comments?sort=worst", 400, "sort"),
        ("/v1/sites/gazette/discussions/d1/comments?limit=0", 400, "limit"),
        ("/v1/sites/gazette/discussions/d1/comments?limit=101", 400, "limit"),
        ("/v1/sites/gazette/discussions/d1/comments?cursor=forged", 400, "cursor"),
        ("/v1/sites/gazette/counters", 400, "discussion"),
        ("/v1/sites/gazette/counters?" + "&".join(f"discussion=d{n}" for n in range(101)), 400,
         "discussion"),
        (STRIP + "/", 404, None),
        (STRIP + "/comments/", 404, None),
        ("/v1/sites/gazette", 404, None),
        ("/", 404, None),
    ],
)  # fmt: skip
async def test_errors_are_problems_that_name_the_parameter(
    http: httpx.AsyncClient, path: str, status: int, parameter: str | None
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem = answer.json()
    assert problem["status"] == status
    assert problem.get("parameter") == parameter


async def test_other_methods_are_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/sites/gazette/counters")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_what_postgres_answered_before_it_went_away_stays(
    http: httpx.AsyncClient, parts: Parts
) -> None:
    parts.strips.answered("gazette/d1", KeptStrip(a_strip(8), T0))
    answer = await http.get(STRIP)
    assert (answer.status_code, answer.headers["veche-version"]) == (200, "1.8")


async def test_before_the_topics_are_read_a_missing_feed_is_503(
    http: httpx.AsyncClient, age: Age
) -> None:
    age.caught_up = False
    answer = await http.get("/v1/sites/gazette/feeds/hot")
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert (await http.get(FEED)).status_code == 200


async def test_a_feed_that_may_have_been_left_out_is_503(
    http: httpx.AsyncClient, parts: Parts
) -> None:
    parts.feeds.whole = False
    assert (await http.get("/v1/sites/gazette/feeds/hot")).status_code == 503
    assert (await http.get(FEED)).status_code == 200


async def test_memory_answers_while_postgres_is_away_and_threads_say_when_to_return(
    http: httpx.AsyncClient, age: Age
) -> None:
    age.seconds = 42
    for path in (FEED, STRIP, "/v1/sites/gazette/counters?discussion=d1"):
        answer = await http.get(path)
        assert (answer.status_code, answer.headers["age"]) == (200, "42"), path
    for path in (STRIP + "/comments", "/v1/sites/gazette/discussions/other"):
        answer = await http.get(path)
        assert answer.status_code == 503, path
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_strip_says_its_state_and_version(http: httpx.AsyncClient) -> None:
    answer = await http.get(STRIP)
    strip = answer.json()
    assert (strip["state"], strip["views"], strip["comments"], strip["rating"]) == (
        "open",
        10,
        3,
        1,
    )
    assert strip["version"] == [1, 7]
    assert answer.headers["veche-version"] == "1.7"


async def test_counters_come_from_memory(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/sites/gazette/counters?discussion=d1&discussion=d1")
    assert list(answer.json()["counters"]) == ["d1"]
    again = await http.get(
        "/v1/sites/gazette/counters?discussion=d1",
        headers={"if-none-match": answer.headers["etag"]},
    )
    assert again.status_code == 304


async def test_exact_origins_are_allowed_and_look_alikes_are_not(http: httpx.AsyncClient) -> None:
    for path in (FEED, STRIP, STRIP + "/comments", "/v1/sites/gazette/feeds/nothing"):
        answer = await http.get(path, headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN, path
        assert "origin" in answer.headers["vary"], path
        assert "access-control-allow-credentials" not in answer.headers
    for origin in ("null", ORIGIN + ".evil.example", ORIGIN.upper(), "http://gazette.example", "*"):
        answer = await http.get(FEED, headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers, origin
        preflight = await http.options(FEED, headers={"origin": origin})
        assert "access-control-allow-origin" not in preflight.headers


async def test_a_preflight_allows_the_bearer_token(http: httpx.AsyncClient) -> None:
    answer = await http.options(
        "/v1/me/sites/gazette/discussions/d1/votes", headers={"origin": ORIGIN}
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"]


async def test_when_all_streams_are_taken_a_newcomer_gets_503(http: httpx.AsyncClient) -> None:
    for path in (FEED, STRIP):
        answer = await http.get(path + "/stream")
        assert answer.status_code == 503
        assert 5 <= int(answer.headers["retry-after"]) <= 30
