"""Rows to strips, strips to feeds: pure, in a stable order; equal inputs give equal values.

SQL only chooses which discussions may be in a feed; who is in it, and in which order, is decided
here, by what the strips themselves say. So a feed can be checked entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from msgspec import Struct, structs

from services.core import rating
from services.core.events import (
    DiscussionKey,
    DiscussionState,
    Feed,
    FeedEntry,
    FeedName,
    Strip,
    Version,
)

MAX_ENTRIES = 200
MAX_CANDIDATES = MAX_ENTRIES + 50
"""What SQL chooses for a feed: within the minute that `as_of` may be late, a few may be too old."""
MAX_CHANGED_COMMENTS = 100
FEEDS: tuple[FeedName, ...] = get_args(FeedName)
WINDOWS: Mapping[FeedName, timedelta] = {
    "top-day": timedelta(days=1),
    "top-week": timedelta(days=7),
}
"""A feed with a window holds what was opened in (`as_of` − window, `as_of`]."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""`as_of` of an empty feed without a window."""


class Facts(Struct, frozen=True, kw_only=True):
    """What Postgres knows of one opened discussion at one instant."""

    discussion: DiscussionKey
    state: DiscussionState
    url: str
    title: str
    language: str
    section: str
    opened_at: datetime
    last_activity: datetime
    """The newest visible comment, else the opening."""
    comments: int
    views: int
    viewers: int
    up: int
    down: int


class Scope(Struct, frozen=True, order=True):
    """Where a discussion shows: "" stands for all languages, or all sections."""

    site: str
    language: str
    section: str


class FeedKey(Struct, frozen=True, order=True):
    site: str
    feed: FeedName
    language: str
    section: str

    def __str__(self) -> str:
        """The key of the feed's records in feeds.v1."""
        return f"{self.site}/{self.feed}/{self.language}/{self.section}"


def strip(facts: Facts, version: Version, changed_comments: Sequence[str] | None) -> Strip:
    """`changed_comments`: ids since the last published strip; None or too many say reload."""
    site, _, discussion = facts.discussion.partition("/")
    if changed_comments is not None and len(changed_comments) > MAX_CHANGED_COMMENTS:
        changed_comments = None
    return Strip(
        site=site,
        discussion=discussion,
        version=version,
        state=facts.state,
        url=facts.url,
        title=facts.title,
        language=facts.language,
        section=facts.section,
        opened_at=facts.opened_at,
        last_activity=facts.last_activity,
        views=facts.views,
        viewers=facts.viewers,
        comments=facts.comments,
        up=facts.up,
        down=facts.down,
        rating=facts.up - facts.down,
        changed_comments=None if changed_comments is None else sorted(changed_comments),
    )


def says_the_same(one: Strip, other: Strip) -> bool:
    """Whether two strips differ in nothing but version and changes."""
    return structs.replace(one, version=other.version, changed_comments=None) == structs.replace(
        other, changed_comments=None
    )


def score(strip: Strip | FeedEntry) -> int:
    """What `top` ranks by and `hot` starts from: rating and visible comments together."""
    return strip.rating + strip.comments


def scopes(strip: Strip) -> list[Scope]:
    """The scopes whose feeds show this discussion; none once it is removed."""
    if strip.state == "removed":
        return []
    return [
        Scope(strip.site, language, section)
        for language in ("", strip.language)
        for section in ("", strip.section)
    ]


def shows(key: FeedKey, strip: Strip) -> bool:
    """Whether the feed's scope is one of `scopes(strip)`."""
    return (
        strip.state != "removed"
        and strip.site == key.site
        and key.language in ("", strip.language)
        and key.section in ("", strip.section)
    )


def feeds_of(scopes: Iterable[Scope]) -> list[FeedKey]:
    """Every feed of these scopes, once, in key order."""
    return sorted(
        FeedKey(scope.site, name, scope.language, scope.section)
        for scope in set(scopes)
        for name in FEEDS
    )


def entry(strip: Strip) -> FeedEntry:
    return FeedEntry(
        discussion=strip.discussion,
        version=strip.version,
        title=strip.title,
        url=strip.url,
        language=strip.language,
        section=strip.section,
        state=strip.state,
        opened_at=strip.opened_at,
        last_activity=strip.last_activity,
        comments=strip.comments,
        views=strip.views,
        rating=strip.rating,
    )


def minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def since(name: FeedName, now: datetime) -> datetime | None:
    """All that a feed with a window holds was opened after this instant; None: no window."""
    window = WINDOWS.get(name)
    return None if window is None else minute_of(now) - window


def fold(key: FeedKey, strips: Iterable[Strip], now: datetime, version: Version) -> Feed:
    """The first 200 of these strips that belong into this feed, in its order.

    `as_of` of a feed with a window is the minute of `now`, or the newest opening since: it holds
    what was opened after `as_of` − window and not after `as_of`. Else it is the newest activity in
    the feed, so that equal strips give equal feeds at any time.
    """
    shown = [strip for strip in strips if shows(key, strip)]
    window = WINDOWS.get(key.feed)
    if window is not None:
        opened = [strip.opened_at for strip in shown if strip.opened_at <= now]
        as_of = max([minute_of(now), *opened])
        shown = [strip for strip in shown if as_of - window < strip.opened_at <= as_of]
    entries = sorted(map(entry, shown), key=_ORDERS[key.feed])[:MAX_ENTRIES]
    if window is None:
        as_of = max((entry.last_activity for entry in entries), default=EPOCH)
    return Feed(
        site=key.site,
        feed=key.feed,
        language=key.language,
        section=key.section,
        version=version,
        as_of=as_of,
        entries=entries,
    )


def expires_at(feed: Feed) -> datetime | None:
    """The first minute at which an entry of this feed is out of its window; None: never."""
    window = WINDOWS.get(feed.feed)
    if window is None or not feed.entries:
        return None
    leaves = min(entry.opened_at for entry in feed.entries) + window
    return leaves if leaves == minute_of(leaves) else minute_of(leaves) + timedelta(minutes=1)


def hot(strip: Strip | FeedEntry) -> float:
    return rating.hot(score(strip), strip.opened_at)


def _seconds(instant: datetime) -> float:
    return (instant - EPOCH).total_seconds()


def _latest(entry: FeedEntry) -> tuple[Any, ...]:
    return (-_seconds(entry.last_activity), entry.discussion)


def _hot(entry: FeedEntry) -> tuple[Any, ...]:
    return (-hot(entry), entry.discussion)


def _top(entry: FeedEntry) -> tuple[Any, ...]:
    return (-score(entry), -_seconds(entry.opened_at), entry.discussion)


_ORDERS: Mapping[FeedName, Callable[[FeedEntry], tuple[Any, ...]]] = {
    "latest": _latest,
    "hot": _hot,
    "top-day": _top,
    "top-week": _top,
    "top-all": _top,
}
