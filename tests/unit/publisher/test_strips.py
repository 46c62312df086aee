"""Which strip follows which: versions, and the names of what changed."""

from __future__ import annotations

from datetime import UTC, datetime

from services.core import feed
from services.core.events import DiscussionKey, Strip, Version
from services.core.feed import Facts
from services.core.store.strips import Locked, Seen
from services.publisher.strips import next_strip

NOW = datetime(2026, 3, 5, tzinfo=UTC)


def facts(views: int = 0) -> Facts:
    return Facts(
        discussion=DiscussionKey("demo/d1"), state="open", url="https://example.org/", title="t",
        language="ru", section="news", opened_at=NOW, last_activity=NOW, comments=0, views=views,
        viewers=0, up=0, down=0,
    )  # fmt: skip


def a_row(number: int = 3, published: int = 3, incarnation: int = 1) -> Locked:
    version = Version(incarnation, number)
    return Locked(version, published, feed.strip(facts(), version, ["c0"]))


def test_the_first_strip_says_reload():
    strip = next_strip(Locked(Version(0, 0), 0, None), Seen(facts(), {"c1": 1}), 1)
    assert strip.version == Version(1, 1)
    assert strip.changed_comments is None


def test_nothing_new_is_the_strip_before():
    row = a_row()
    assert next_strip(row, Seen(facts(), {}), 1) is row.strip


def test_a_new_count_is_a_new_version_that_changes_no_comment():
    strip = next_strip(a_row(), Seen(facts(views=1), {}), 1)
    assert (strip.version, strip.views, strip.changed_comments) == (Version(1, 4), 1, [])


def test_an_edit_is_a_new_version_although_no_count_differs():
    strip = next_strip(a_row(), Seen(facts(), {"c2": 1, "c1": 4}), 1)
    assert (strip.version, strip.changed_comments) == (Version(1, 4), ["c1", "c2"])


def test_an_unsent_strip_is_sent_as_it_is_while_nothing_differs():
    row = a_row(number=4, published=3)
    assert next_strip(row, Seen(facts(), {}), 1) is row.strip


def test_a_new_incarnation_versions_everything_anew():
    strip: Strip = next_strip(a_row(), Seen(facts(), {}), 2)
    assert strip.version == Version(2, 4)
    assert strip.changed_comments is None
