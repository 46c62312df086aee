"""While a reader reads the snapshots from their beginning, none of them is shown."""

from __future__ import annotations

from services.reader.shelf import Feeds, Strips
from tests.unit.reader.build import T0, a_feed, a_strip


def test_what_was_read_so_far_is_shown_to_nobody_until_the_topic_was_read_to_its_end() -> None:
    read = False
    feeds, strips = Feeds(lambda: read), Strips(10, lambda: read)
    feeds.put("key", a_feed(1), T0)
    strips.put("key", a_strip(1), T0)
    assert feeds.get("key") is None
    assert strips.get("key") is None
    assert feeds.newest("key") is not None
    assert strips.newest("key") is not None
    read = True
    assert feeds.get("key") is not None
    assert strips.get("key") is not None


def test_what_was_read_once_stays() -> None:
    answers = iter([True])
    strips = Strips(10, lambda: next(answers))
    strips.put("key", a_strip(1), T0)
    assert strips.get("key") is not None
    assert strips.get("key") is not None
