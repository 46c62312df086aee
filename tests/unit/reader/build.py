"""Builders of what the reader serves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from services.core import codec
from services.core.events import Feed, FeedEntry, FeedPublished, Strip, StripPublished, Version
from services.reader.broadcast import Subscriber

T0 = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def a_strip(number: int = 1, **changes: Any) -> Strip:
    stated: dict[str, Any] = {
        "site": "gazette",
        "discussion": "d1",
        "version": Version(1, number),
        "state": "open",
        "url": "https://gazette.example/d1",
        "title": "Вече собралось",
        "language": "ru",
        "section": "news",
        "opened_at": T0,
        "last_activity": T0,
        "views": 10,
        "viewers": 7,
        "comments": 3,
        "up": 2,
        "down": 1,
        "rating": 1,
        "changed_comments": [],
    }
    return Strip(**(stated | changes))


def a_feed(number: int = 1, entries: int = 1, **changes: Any) -> Feed:
    stated: dict[str, Any] = {
        "site": "gazette",
        "feed": "latest",
        "language": "",
        "section": "",
        "version": Version(1, number),
        "as_of": T0,
        "entries": [an_entry(f"d{place}") for place in range(entries)],
    }
    return Feed(**(stated | changes))


def an_entry(discussion: str) -> FeedEntry:
    return FeedEntry(
        discussion=discussion,
        version=Version(1, 1),
        title=f"О чём говорят: {discussion}",
        url=f"https://gazette.example/{discussion}",
        language="ru",
        section="news",
        state="open",
        opened_at=T0,
        last_activity=T0 + timedelta(minutes=5),
        comments=3,
        views=10,
        rating=1,
    )


def strip_record(strip: Strip) -> bytes:
    return codec.encode(
        StripPublished(
            id=f"{strip.site}/{strip.discussion}@{strip.version}",
            source=f"/sites/{strip.site}",
            site=strip.site,
            data=strip,
        )
    )


def feed_record(feed: Feed) -> bytes:
    return codec.encode(
        FeedPublished(
            id=f"{feed.site}/{feed.feed}/{feed.language}/{feed.section}@{feed.version}",
            source=f"/sites/{feed.site}",
            site=feed.site,
            data=feed,
        )
    )


async def heard(subscriber: Subscriber) -> bytes:
    """The next chunk, once it is there."""
    async with asyncio.timeout(5):
        while (chunk := subscriber.take()) is None:
            await asyncio.sleep(0)
        return chunk
