"""views.v1 → Postgres: each viewer counts once per discussion and 30 minutes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from services.core import metrics, viewers
from services.core.consume import Batch, Record
from services.core.db import Connection
from services.core.events import DiscussionViewed
from services.core.store import dirty
from services.core.store import views as store
from services.core.store.views import Seen, ViewKey

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A producer's clock is believed this far from the broker's."""

IMPORT_DELAY = timedelta(hours=1)
"""Views that an importer states to be older have keys of their own, which are not dropped."""

CLOSING_MARGIN = timedelta(hours=2)
"""Longer than anything that still falls into an hour's windows after it, by `IMPORT_DELAY`."""


@dataclass
class ViewCounter:
    """Handle and sweep of views.v1.

    `home`: a discussion's partition of comments.v1; `viewer_key`: (site, viewer) → a keyed hash.
    """

    home: Callable[[str], int]
    viewer_key: Callable[[str, str], bytes]

    async def handle(self, connection: Connection, batch: Batch[DiscussionViewed]) -> None:
        # Dictionaries as sets that keep the log's order.
        recent: dict[ViewKey, None] = {}
        imported: dict[ViewKey, None] = {}
        for record in batch.records:
            event = record.event
            moment, long_over = moment_of(record)
            viewer = self.viewer_key(event.site, event.actor)
            # The event's key, in line.
            key = window_of(moment), f"{event.site}/{event.data.discussion}", viewer
            (imported if long_over else recent)[key] = None
        if recent:
            hours = {window.replace(minute=0) for window in {window for window, _, _ in recent}}
            await store.open_hours(connection, hours)
        new = await store.claim(connection, recent)
        new += await store.claim(connection, imported, imported=True)
        metrics.VIEWS_REPEATED.inc(len(batch.records) - len(new))
        if not new:
            return
        viewers_of = defaultdict[str, list[bytes]](list)
        for _, discussion, viewer in new:
            viewers_of[discussion].append(viewer)
        sketches = await store.viewers(connection, batch.partition, viewers_of)
        await store.add(
            connection,
            batch.partition,
            {
                discussion: Seen(len(seen), viewers.add(sketches.get(discussion), seen))
                for discussion, seen in viewers_of.items()
            },
        )
        marks = {discussion: self.home(discussion) for discussion in viewers_of}
        await dirty.mark(connection, batch.topic, batch.partition, marks)

    async def sweep(self, connection: Connection, topic: str, partition: int) -> None:
        """Drops hours of keys that are over; one owner does it for all."""
        if partition == 0:
            await store.close_hours(connection, CLOSING_MARGIN)


def moment_of(record: Record[DiscussionViewed]) -> tuple[datetime, bool]:
    """The time that a view's window comes from, and whether that window was over before it came.

    The event's own time, held to the broker's, so that a retry falls into the same window; what an
    importer states goes before it.
    """
    event, recorded_at = record.event, record.recorded_at
    if isinstance(event.occurredat, datetime):
        recent = recorded_at - IMPORT_DELAY <= event.occurredat <= recorded_at + CLOCK_TOLERANCE
        return event.occurredat, not recent
    ahead = event.time - recorded_at
    if -CLOCK_TOLERANCE <= ahead <= CLOCK_TOLERANCE:
        return event.time, False
    return recorded_at + max(-CLOCK_TOLERANCE, min(ahead, CLOCK_TOLERANCE)), False


def window_of(moment: datetime) -> datetime:
    """The beginning of its half hour in UTC, whatever offset the moment was written with."""
    return _window(int(moment.timestamp() // 1800))


@lru_cache(maxsize=64)
def _window(half_hours: int) -> datetime:
    return datetime.fromtimestamp(half_hours * 1800, UTC)
