"""What the reader's routes stand on; made by `__main__`, passed as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.core.db import Pool
from services.core.events import Version
from services.reader.best import Orders
from services.reader.broadcast import Broadcaster, Places
from services.reader.cursor import Cursors
from services.reader.rendered import CodingChoice, Encoded
from services.reader.shared import Shared
from services.reader.shelf import Feeds, Strips


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current memory is. Ages are whole seconds since it was last known to be complete."""

    caught_up: Callable[[], bool]
    feeds_age_seconds: Callable[[], int]
    strips_age_seconds: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Parts:
    feeds: Feeds
    strips: Strips
    feed_streams: Broadcaster
    discussion_streams: Broadcaster
    places: Places
    freshness: Freshness
    pool: Pool
    cursors: Cursors
    orders: Orders
    pages: Shared[Encoded]
    written: Shared[Version | None]
    """Versions in Postgres, asked for clients that hold more than memory does."""
    choose_coding: CodingChoice
    origins: frozenset[str]
    now: Callable[[], datetime]
