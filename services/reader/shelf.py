"""The newest snapshots in memory: every feed, and the newest strips up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from services.core import codec
from services.core.events import Feed, Strip
from services.reader.rendered import Rendered

SPARE = 0.1
"""Evict in one sweep per this share of the bound, so that a record costs no sorting."""
MAX_FEEDS = 10_000
MAX_FEED_BYTES = 256 * 1024 * 1024
"""JSON of all feeds: 50 KB each where they are full; most sections' are far shorter."""


@dataclass(frozen=True, slots=True)
class KeptStrip:
    strip: Strip
    rendered: Rendered


def strip_shown(strip: Strip) -> dict[str, Any]:
    """What a strip says to readers: `changed_comments` is for the streams only."""
    shown = asdict(strip)
    del shown["changed_comments"]
    return shown


def render_strip(strip: Strip, published_at: datetime) -> KeptStrip:
    return KeptStrip(strip, Rendered(strip.version, published_at, codec.encode(strip_shown(strip))))


class Loaded:
    """Whether the topic was read to its end: what is shown before might be a version long past."""

    def __init__(self, caught_up: Callable[[], bool]) -> None:
        self._caught_up = caught_up
        self._was = False

    def __bool__(self) -> bool:
        self._was = self._was or self._caught_up()
        return self._was


class Feeds:
    """The newest `bound` feeds by the time of their record, by `site/feed/language/section`.

    None while they are read. Portals invent sections as they like, so there is a bound.
    """

    def __init__(
        self,
        caught_up: Callable[[], bool] = lambda: True,
        bound: int = MAX_FEEDS,
        bound_bytes: int = MAX_FEED_BYTES,
    ) -> None:
        self._kept: dict[str, Rendered] = {}
        self._loaded = Loaded(caught_up)
        self._bound = bound
        self._bound_bytes = bound_bytes
        self.bytes = 0
        """JSON of what is kept."""
        self.whole = True
        """Nothing was ever left out: what is not here was not published."""

    def __len__(self) -> int:
        return len(self._kept)

    def newest(self, key: str) -> Rendered | None:
        """What was read so far, be it long past."""
        return self._kept.get(key)

    def get(self, key: str) -> Rendered | None:
        return self._kept.get(key) if self._loaded else None

    def put(self, key: str, feed: Feed, published_at: datetime) -> bool:
        """False where this version, or a higher one, is here already."""
        kept = self._kept.get(key)
        if kept is not None and kept.version >= feed.version:
            return False
        self.drop(key)
        rendered = self._kept[key] = Rendered(feed.version, published_at, codec.encode(feed))
        self.bytes += len(rendered.body)
        if (
            len(self._kept) > self._bound * (1 + SPARE)
            or self.bytes > self._bound_bytes * (1 + SPARE)
        ):  # fmt: skip
            self._evict()
        return True

    def drop(self, key: str) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self.bytes -= len(gone.body)

    def _evict(self) -> None:
        self.whole = False
        for key in sorted(self._kept, key=lambda key: self._kept[key].published_at):
            if len(self._kept) <= self._bound and self.bytes <= self._bound_bytes:
                return
            self.drop(key)


class Strips:
    """The newest `bound` strips by the time of their record, by `site/discussion`.

    None while they are read: Postgres answers instead.
    """

    def __init__(self, bound: int, caught_up: Callable[[], bool] = lambda: True) -> None:
        self._kept: dict[str, KeptStrip] = {}
        self._loaded = Loaded(caught_up)
        self._bound = bound
        self.bytes = 0
        """JSON of what is kept."""
        self.whole = True
        """Nothing was ever left out: what is not here was not published."""

    def __len__(self) -> int:
        return len(self._kept)

    def newest(self, key: str) -> KeptStrip | None:
        """What was read so far, be it long past."""
        return self._kept.get(key)

    def get(self, key: str) -> KeptStrip | None:
        return self._kept.get(key) if self._loaded else None

    def put(self, key: str, strip: Strip, published_at: datetime) -> bool:
        """False where this version, or a higher one, is here already."""
        kept = self._kept.get(key)
        if kept is not None and kept.strip.version >= strip.version:
            return False
        self.drop(key)
        kept = self._kept[key] = render_strip(strip, published_at)
        self.bytes += len(kept.rendered.body)
        if len(self._kept) > self._bound * (1 + SPARE):
            self._evict()
        return True

    def drop(self, key: str) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self.bytes -= len(gone.rendered.body)

    def _evict(self) -> None:
        self.whole = False
        by_age = sorted(self._kept, key=lambda key: self._kept[key].rendered.published_at)
        for key in by_age[: len(by_age) - self._bound]:
            self.drop(key)
