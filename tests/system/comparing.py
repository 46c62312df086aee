"""What the service shows, in the shape of the oracle's answers."""

from __future__ import annotations

from typing import Any

from tests.system import oracle
from tests.system.portal import Veche, instant


async def root_ids(veche: Veche, discussion: str, sort: str) -> list[str]:
    return [root["id"] for root in await veche.roots(discussion, sort, limit=100)]


def same_comment(shown: dict[str, Any], discussion: oracle.Discussion) -> None:
    comment = discussion.comments[shown["id"]]
    assert shown["hidden"] is not comment.visible
    assert (shown["parent"], instant(shown["submitted_at"])) == (comment.parent, comment.at)
    if comment.visible:
        assert shown["body"] == comment.body
        assert shown["author"]["id"] == comment.author
        assert (shown["up"], shown["down"]) == (comment.up, comment.down)
    else:
        assert not {"body", "author", "up", "down"} & shown.keys()


async def strip_seen(veche: Veche, discussion: str) -> dict[str, Any]:
    strip = await veche.strip(discussion)
    names = ("views", "comments", "rating", "up", "down", "state")
    seen = {name: strip[name] for name in names}
    return seen | {"last_activity": instant(strip["last_activity"])}


async def feed_seen(veche: Veche, name: str, language: str, section: str) -> list[dict[str, Any]]:
    names = (
        "discussion",
        "title",
        "url",
        "language",
        "section",
        "comments",
        "views",
        "rating",
    )
    return [
        {name: entry[name] for name in names} | {"last_activity": instant(entry["last_activity"])}
        for entry in (await veche.feed(name, language, section))["entries"]
    ]
