"""Threads over real Postgres: pages, orders, tombstones, and their stability."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from services.core.events import Version
from services.reader.app import create_app
from services.reader.parts import Parts
from tests.integration.reader_rows import KEY, Clock, Rows, at, reader_over
from tests.unit.reader.build import T0, a_strip

COMMENTS = "/v1/sites/gazette/discussions/d1/comments"


@pytest.fixture
async def rows(postgres_dsn: str) -> AsyncIterator[Rows]:
    connection = await asyncpg.connect(postgres_dsn)
    rows = Rows(connection)
    await rows.discussion()
    yield rows
    await connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(postgres_dsn: str, clock: Clock) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    async with reader_over(postgres_dsn, clock) as made:
        yield made


@pytest.fixture
def http(reader: tuple[httpx.AsyncClient, Parts]) -> httpx.AsyncClient:
    return reader[0]


def ids(comments: list[dict[str, Any]]) -> list[str]:
    return [comment["id"] for comment in comments]


async def page(http: httpx.AsyncClient, path: str = COMMENTS, **asked: Any) -> dict[str, Any]:
    answer = await http.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def walk(http: httpx.AsyncClient, path: str = COMMENTS, **asked: Any) -> list[dict[str, Any]]:
    """Every page to the end."""
    pages = [await page(http, path, **asked)]
    while pages[-1]["next"]:
        pages.append(await page(http, path, cursor=pages[-1]["next"], **asked))
    return pages


async def test_a_comment_says_all_that_readers_see(http: httpx.AsyncClient, rows: Rows) -> None:
    await rows.comment("c1", 1, revision=2)
    await rows.votes("c1", 5, 2, slot=0)
    await rows.votes("c1", 1, 0, slot=3)
    shown = (await page(http))["comments"][0]
    assert shown == {
        "id": "c1",
        "parent": None,
        "root": "c1",
        "author": {"id": "ann", "name": "Ann"},
        "body": "c1, take 2 <b>",
        "submitted_at": "2026-11-24T09:01:00Z",
        "edited": {"revision": 2, "at": "2026-11-24T09:02:00Z"},
        "hidden": False,
        "up": 6,
        "down": 2,
        "rating": 4,
        "replies": 0,
        "first_replies": [],
        "more_replies": None,
    }


async def test_a_held_edit_leaves_the_published_revision_in_view(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment(
        "c1", revision=2, published_revision=1, held_revision=2, held_reason="rule", held_since=T0
    )
    shown = (await page(http))["comments"][0]
    assert (shown["body"], shown["edited"]) == ("c1, take 1 <b>", None)


async def test_what_is_hidden_is_not_there_and_its_visible_replies_stay_under_a_tombstone(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment("pending", 1, status="pending")
    await rows.comment("gone", 2, deleted_at=at(9))
    await rows.comment("parent", 3, status="rejected", descendants=1)
    await rows.comment("middle", 4, ["parent"], deleted_at=at(9), descendants=1)
    await rows.comment("leaf", 5, ["parent", "middle"])
    await rows.comment("hidden-leaf", 6, ["parent"], status="pending")
    comments = (await page(http))["comments"]
    assert ids(comments) == ["parent"]
    tombstone = comments[0]
    assert tombstone["hidden"] is True
    assert tombstone["replies"] == 1
    assert {"author", "body", "up", "down", "edited"}.isdisjoint(tombstone)
    below = tombstone["first_replies"]
    assert [(c["id"], c["hidden"], c["parent"]) for c in below] == [
        ("middle", True, "parent"),
        ("leaf", False, "middle"),
    ]
    assert "take" not in str(below[0])


async def test_newest_and_oldest_are_opposite_and_equal_times_order_by_id(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    for comment, minutes in (("b", 1), ("a", 1), ("c", 2), ("d", 0)):
        await rows.comment(comment, minutes)
    for limit in (1, 2, 3, 4, 5):
        oldest = await walk(http, sort="oldest", limit=limit)
        newest = await walk(http, sort="newest", limit=limit)
        assert [i for p in oldest for i in ids(p["comments"])] == ["d", "a", "b", "c"]
        assert [i for p in newest for i in ids(p["comments"])] == ["c", "b", "a", "d"]


async def test_first_replies_come_with_their_root_and_the_rest_on_demand(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment("root", 0, descendants=5)
    for number in range(5):
        await rows.comment(f"r{number}", number + 1, ["root"])
    for first in range(6):
        root = (await page(http, replies=first))["comments"][0]
        shown = ids(root["first_replies"])
        assert shown == [f"r{number}" for number in range(first)]
        assert (root["more_replies"] is None) == (first == 5)
        if root["more_replies"]:
            rest = await walk(http, f"{COMMENTS}/root/replies", cursor=root["more_replies"])
            assert shown + [i for p in rest for i in ids(p["replies"])] == [
                f"r{number}" for number in range(5)
            ]


async def test_replies_of_a_reply_are_what_stands_below_it(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    await rows.comment("root", 0, descendants=3)
    await rows.comment("a", 1, ["root"], descendants=1)
    await rows.comment("b", 2, ["root"])
    await rows.comment("a1", 3, ["root", "a"])
    pages = await walk(http, f"{COMMENTS}/a/replies", limit=1)
    assert [i for p in pages for i in ids(p["replies"])] == ["a1"]
    answer = await http.get(f"{COMMENTS}/nobody/replies")
    assert answer.status_code == 404


@pytest.mark.parametrize("sort", ["newest", "oldest", "best"])
@pytest.mark.parametrize("seed", range(3))
async def test_pages_stay_stable_while_comments_arrive(
    http: httpx.AsyncClient, rows: Rows, sort: str, seed: int
) -> None:
    chance = random.Random(seed)
    there = [f"c{number}" for number in range(25)]
    for comment in there:
        await rows.comment(comment, chance.randrange(10))
        await rows.votes(comment, chance.randrange(5), chance.randrange(5))
    read = await page(http, sort=sort, limit=4)
    seen = ids(read["comments"])
    number = 0
    while read["next"]:
        for _ in range(chance.randrange(4)):
            await rows.comment(f"new{number}", chance.randrange(-5, 15))
            await rows.votes(chance.choice(there), chance.randrange(50))
            number += 1
        read = await page(http, sort=sort, limit=4, cursor=read["next"])
        seen += ids(read["comments"])
    assert len(seen) == len(set(seen)), "a comment came twice"
    assert [comment for comment in seen if comment in there].__len__() == 25


async def test_best_is_frozen_for_a_minute_and_an_expired_order_goes_on_and_says_so(
    http: httpx.AsyncClient, rows: Rows, clock: Clock
) -> None:
    for number in range(6):
        await rows.comment(f"c{number}", number)
        await rows.votes(f"c{number}", 10 * (6 - number))
    first = await page(http, sort="best", limit=2)
    assert ids(first["comments"]) == ["c0", "c1"]
    assert first["order"]["expired"] is False
    await rows.votes("c5", 1_000)
    clock.now += 59
    again = await page(http, sort="best", limit=2)
    assert ids(again["comments"]) == ["c0", "c1"], "who begins within the minute sees the same"
    second = await page(http, sort="best", limit=2, cursor=first["next"])
    assert second["order"] == first["order"]
    assert ids(second["comments"]) == ["c2", "c3"]
    clock.now += 100
    third = await page(http, sort="best", limit=2, cursor=second["next"])
    assert third["order"]["expired"] is True
    assert third["order"]["name"] != first["order"]["name"]
    assert ids(third["comments"]) == ["c4"], "c5 rose above what was read already"
    assert ids((await page(http, sort="best"))["comments"])[0] == "c5"


async def test_best_leaves_out_what_vanished_since_it_was_frozen(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    for number in range(4):
        await rows.comment(f"c{number}", number)
    first = await page(http, sort="best", limit=2)
    await rows.connection.execute("UPDATE comments SET status = 'rejected' WHERE comment = 'c2'")
    second = await page(http, sort="best", limit=2, cursor=first["next"])
    assert (ids(second["comments"]), second["next"]) == (["c3"], None)


async def test_a_page_names_the_version_that_streams_go_on_from(
    reader: tuple[httpx.AsyncClient, Parts], rows: Rows
) -> None:
    http, parts = reader
    assert (await page(http))["version"] == ""
    await rows.strip(a_strip(8))
    assert (await page(http))["version"] == "1.8", "memory lacks it, Postgres does not"
    parts.strips.put(KEY, a_strip(version=Version(1, 9)), T0)
    assert (await page(http))["version"] == "1.9"


async def test_unknown_and_removed_discussions_are_404(http: httpx.AsyncClient, rows: Rows) -> None:
    await rows.discussion("gazette/removed", state="removed")
    await rows.comment("c1", key="gazette/removed")
    for name in ("nobody", "removed"):
        for path in (f"/v1/sites/gazette/discussions/{name}", COMMENTS.replace("d1", name)):
            assert (await http.get(path)).status_code == 404, path
    empty = await page(http)
    assert (empty["comments"], empty["next"]) == ([], None)


async def test_a_cursor_of_another_listing_is_refused(http: httpx.AsyncClient, rows: Rows) -> None:
    for number in range(3):
        await rows.comment(f"c{number}", number)
    cursor = (await page(http, sort="oldest", limit=1))["next"]
    answer = await http.get(COMMENTS, params={"sort": "newest", "cursor": cursor})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


async def test_strips_that_memory_does_not_hold_come_from_postgres(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    from services.core import codec

    strip = a_strip(4)
    await rows.connection.execute(
        "INSERT INTO strips (discussion, incarnation, version, strip) VALUES ($1, 1, 4, $2)",
        KEY, codec.encode(strip).decode(),
    )  # fmt: skip
    answer = await http.get("/v1/sites/gazette/discussions/d1")
    assert answer.json()["views"] == 10
    assert answer.headers["veche-version"] == "1.4"
    counted = await page(http, "/v1/sites/gazette/counters", discussion=["d1", "nobody"])
    assert counted["counters"]["d1"]["comments"] == 3
    assert counted["unknown"] == ["nobody"]


STRIP = "/v1/sites/gazette/discussions/d1"


async def told_at_once(parts: Parts) -> str:
    """The version in the first chunk of the discussion's stream."""
    begun: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(message: Any) -> None:
        if message.get("body"):
            begun.put_nowait(message["body"])

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": STRIP + "/stream"}
    scope |= {"query_string": b"", "headers": []}
    streaming = asyncio.create_task(create_app(parts)(scope, receive, send))
    async with asyncio.timeout(10):
        found = re.search(rb"event: strip\nid: (\S+)", await begun.get())
    streaming.cancel()
    await asyncio.wait((streaming,))
    assert found is not None
    return found[1].decode()


async def versions_told(http: httpx.AsyncClient, parts: Parts, *asked: str) -> set[str]:
    told: set[str] = set()
    if "strip" in asked:
        told.add((await http.get(STRIP)).headers["veche-version"])
    if "counters" in asked:
        counted = await page(http, "/v1/sites/gazette/counters", discussion="d1")
        told.add(str(Version(*counted["counters"]["d1"]["version"])))
    if "stream" in asked:
        told.add(await told_at_once(parts))
    if "page" in asked:
        told.add((await page(http))["version"])
    return told


@pytest.mark.parametrize("first", ["strip", "counters", "stream"])
async def test_who_was_told_what_is_not_sent_yet_is_not_sent_back(
    reader: tuple[httpx.AsyncClient, Parts], rows: Rows, first: str
) -> None:
    http, parts = reader
    everywhere = ("strip", "counters", "stream", "page")
    await rows.strip(a_strip(10))
    assert await versions_told(http, parts, first) == {"1.10"}
    parts.strips.put(KEY, a_strip(9), T0)
    assert await versions_told(http, parts, *everywhere) == {"1.10"}
    parts.strips.put(KEY, a_strip(11), T0)
    assert await versions_told(http, parts, *everywhere) == {"1.11"}


async def test_counters_name_what_cannot_be_read_while_postgres_is_away(clock: Clock) -> None:
    async with reader_over("postgresql://nobody@127.0.0.1:9/none", clock) as (http, parts):
        parts.strips.put(KEY, a_strip(discussion="d1"), T0)
        counted = await page(http, "/v1/sites/gazette/counters", discussion=["d1", "other"])
        assert list(counted["counters"]) == ["d1"]
        assert (counted["unknown"], counted["unavailable"]) == ([], ["other"])
        away = await http.get("/v1/sites/gazette/counters", params={"discussion": "other"})
        assert away.status_code == 503


async def test_a_page_has_an_etag(http: httpx.AsyncClient, rows: Rows) -> None:
    await rows.comment("c1")
    etag = (await http.get(COMMENTS)).headers["etag"]
    again = await http.get(COMMENTS, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
