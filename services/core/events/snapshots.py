"""strips.v1 and feeds.v1: what readers see, in versions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from services.core.events.fields import DiscussionState, Site


class Version(Struct, frozen=True, order=True, array_like=True):
    """(incarnation, number): a restore or rebuild starts a new incarnation."""

    incarnation: int
    number: int

    def __str__(self) -> str:
        return f"{self.incarnation}.{self.number}"


class Strip(Struct, frozen=True, kw_only=True):
    """What readers see of one discussion: views · comments · rating, and its state."""

    site: str
    discussion: str
    """The portal's id, without the site."""
    version: Version
    state: DiscussionState
    url: str
    title: str
    language: str
    section: str
    opened_at: datetime
    last_activity: datetime
    views: int
    viewers: int
    """Approximate count of distinct viewers (HyperLogLog)."""
    comments: int
    """Visible comments."""
    up: int
    down: int
    rating: int
    """up − down."""
    changed_comments: list[str] | None = None
    """Comments that appeared, changed or vanished since the last published strip; None: reload."""


class FeedEntry(Struct, frozen=True, kw_only=True):
    """One discussion in a feed, as a portal's "Discussion" sidebar shows it."""

    discussion: str
    version: Version
    """Of the strip that this entry was folded from."""
    title: str
    url: str
    language: str
    section: str
    state: DiscussionState
    opened_at: datetime
    last_activity: datetime
    comments: int
    views: int
    rating: int


FeedName = Literal["latest", "hot", "top-day", "top-week", "top-all"]


class Feed(Struct, frozen=True, kw_only=True):
    """One complete, versioned state of a feed: at most 200 entries, in order."""

    site: str
    feed: FeedName
    language: str
    """"" for all languages."""
    section: str
    """"" for all sections."""
    version: Version
    as_of: datetime
    entries: list[FeedEntry]


class StripPublished(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="veche.strip.published.v1"
):
    """The value of a record of strips.v1; its key is `site/discussion`.

    It has no `time`: the record's timestamp says when it was sent, and equal strips give equal
    bytes.
    """

    id: str
    """`site/discussion@version`."""
    source: str
    site: Site
    data: Strip
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class FeedPublished(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="veche.feed.published.v1"
):
    """The value of a record of feeds.v1; its key is `site/feed/language/section`."""

    id: str
    """`site/feed/language/section@version`."""
    source: str
    site: Site
    data: Feed
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
