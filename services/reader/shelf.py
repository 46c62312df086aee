"""The newest snapshots in memory: every feed, and the newest strips up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec.structs import asdict

from services.core import codec
from services.core.events import Feed, Strip, Version
from services.reader.rendered import Rendered

SPARE = 0.1
"""Evict in one sweep per this share of the bound, so that a record costs no sorting."""
MAX_FEEDS = 10_000
MAX_FEED_BYTES = 256 * 1024 * 1024
"""JSON of all feeds: 50 KB each where they are full; most sections' are far shorter."""
MAX_STRIP_BYTES = 128 * 1024 * 1024
"""JSON of all strips: about 1 KB each."""
MAX_AHEAD = 10_000
"""Strips that Postgres answered and the topic did not bring yet."""

K = TypeVar("K", bound=Rendered)


class KeptStrip(Rendered):
    """A strip as readers see it, and as it was published.

    No comment changed between `quiet_since` and this version: who holds that one, or a later one,
    holds the comments too, and needs the newest strip alone.
    """

    __slots__ = ("quiet_since", "strip")

    def __init__(
        self, strip: Strip, published_at: datetime, before: KeptStrip | None = None
    ) -> None:
        super().__init__(strip.version, published_at, codec.encode(strip_shown(strip)))
        self.strip = strip
        quiet = (
            before is not None
            and strip.changed_comments == []
            and follows(strip.version, before.version)
        )
        self.quiet_since: Version = before.quiet_since if before and quiet else strip.version


def follows(version: Version, before: Version) -> bool:
    """No version lies between the two: what changed since `before` is what the record says."""
    return version == Version(before.incarnation, before.number + 1)


def strip_shown(strip: Strip) -> dict[str, Any]:
    """What a strip says to readers: `changed_comments` is for the streams only."""
    shown = asdict(strip)
    del shown["changed_comments"]
    return shown


class Loaded:
    """Whether the topic was read to its end: what is shown before might be a version long past."""

    def __init__(self, caught_up: Callable[[], bool]) -> None:
        self._caught_up = caught_up
        self._was = False

    def __bool__(self) -> bool:
        self._was = self._was or self._caught_up()
        return self._was


class Shelf(Generic[K]):
    """The newest snapshots by the time of their record: at most `bound`, of `bound_bytes` of JSON.

    None is shown while they are read.
    """

    def __init__(self, bound: int, bound_bytes: int, caught_up: Callable[[], bool]) -> None:
        self._kept: dict[str, K] = {}
        self._loaded = Loaded(caught_up)
        self._bound = bound
        self._bound_bytes = bound_bytes
        self.bytes = 0
        """JSON of what is kept."""
        self.whole = True
        """Nothing was ever left out: what is not here was not published."""

    def __len__(self) -> int:
        return len(self._kept)

    def newest(self, key: str) -> K | None:
        """What was read so far, be it long past."""
        return self._kept.get(key)

    def get(self, key: str) -> K | None:
        return self._kept.get(key) if self._loaded else None

    def drop(self, key: str) -> None:
        """The topic says that there is none any more."""
        self._remove(key)

    def _remove(self, key: str) -> None:
        if (gone := self._kept.pop(key, None)) is not None:
            self.bytes -= len(gone.body)

    def _put(self, key: str, version: Version, make: Callable[[], K]) -> bool:
        """False where this version, or a higher one, is here already."""
        kept = self._kept.get(key)
        if kept is not None and kept.version >= version:
            return False
        self._remove(key)
        made = self._kept[key] = make()
        self.bytes += len(made.body)
        if self._exceeds(1 + SPARE):
            self._evict()
        return True

    def _exceeds(self, share: float) -> bool:
        return len(self._kept) > self._bound * share or self.bytes > self._bound_bytes * share

    def _evict(self) -> None:
        self.whole = False
        for key in sorted(self._kept, key=lambda key: self._kept[key].published_at):
            if not self._exceeds(1):
                return
            self._remove(key)


class Feeds(Shelf[Rendered]):
    """By `site/feed/language/section`. Portals invent sections as they like: hence the bounds."""

    def __init__(
        self,
        caught_up: Callable[[], bool] = lambda: True,
        bound: int = MAX_FEEDS,
        bound_bytes: int = MAX_FEED_BYTES,
    ) -> None:
        super().__init__(bound, bound_bytes, caught_up)

    def put(self, key: str, feed: Feed, published_at: datetime) -> bool:
        """False where this version, or a higher one, is here already."""
        return self._put(
            key, feed.version, lambda: Rendered(feed.version, published_at, codec.encode(feed))
        )


class Strips(Shelf[KeptStrip]):
    """By `site/discussion`. Postgres answers for those that are not here.

    The publisher commits a version before it sends it, so Postgres may answer one that the topic
    has yet to bring. It is shown until then: an older one would send its readers back.
    """

    def __init__(
        self,
        bound: int,
        caught_up: Callable[[], bool] = lambda: True,
        bound_bytes: int = MAX_STRIP_BYTES,
    ) -> None:
        super().__init__(bound, bound_bytes, caught_up)
        self._ahead: dict[str, KeptStrip] = {}
        """Answered by Postgres, each higher than what is kept; the last answered last."""

    def get(self, key: str) -> KeptStrip | None:
        return self._ahead.get(key) or self._kept.get(key) if self._loaded else None

    def put(self, key: str, strip: Strip, published_at: datetime) -> bool:
        """False where the topic brought this version, or a higher one, before."""
        ahead = self._ahead.get(key)
        if ahead is not None and ahead.version <= strip.version:
            del self._ahead[key]
        before = self._kept.get(key)
        return self._put(key, strip.version, lambda: KeptStrip(strip, published_at, before))

    def answered(self, key: str, written: KeptStrip) -> KeptStrip:
        """Remembers what Postgres answered; gives the highest version known, to be shown."""
        known = self._ahead.get(key) or self._kept.get(key)
        if known is not None and known.version >= written.version:
            return known
        self._ahead.pop(key, None)
        self._ahead[key] = written
        if len(self._ahead) > MAX_AHEAD:
            del self._ahead[next(iter(self._ahead))]
        return written

    def drop(self, key: str) -> None:
        super().drop(key)
        self._ahead.pop(key, None)
