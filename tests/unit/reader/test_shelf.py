from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.core.events import Version
from services.reader.shelf import Feeds, Strips
from tests.unit.reader.build import T0, a_feed, a_strip

VERSIONS = st.builds(Version, st.integers(1, 3), st.integers(1, 20))


@given(st.lists(VERSIONS, min_size=1))
def test_the_highest_version_of_a_feed_stays_whatever_the_order(versions: list[Version]) -> None:
    feeds = Feeds()
    for version in versions:
        feeds.put("k", a_feed(version=version), T0)
    kept = feeds.get("k")
    assert kept is not None
    assert kept.version == max(versions)


@given(st.lists(VERSIONS, min_size=1))
def test_the_highest_version_of_a_strip_stays_whatever_the_order(versions: list[Version]) -> None:
    strips = Strips(10)
    for version in versions:
        strips.put("k", a_strip(version=version), T0)
    kept = strips.get("k")
    assert kept is not None
    assert kept.strip.version == max(versions)


def test_a_repeated_version_changes_nothing() -> None:
    feeds = Feeds()
    assert feeds.put("k", a_feed(3), T0)
    assert not feeds.put("k", a_feed(3), T0)
    assert not feeds.put("k", a_feed(2), T0)


def test_the_newest_strips_stay_when_there_are_too_many() -> None:
    strips = Strips(10)
    for number in range(100):
        strips.put(f"k{number}", a_strip(), T0 + timedelta(seconds=number))
    assert len(strips) <= 11
    assert strips.get("k99") is not None
    assert strips.get("k0") is None


def test_the_newest_feeds_stay_when_there_are_too_many() -> None:
    feeds = Feeds(bound=10)
    assert feeds.whole
    for number in range(100):
        feeds.put(f"k{number}", a_feed(), T0 + timedelta(seconds=number))
    assert len(feeds) <= 11
    assert feeds.get("k99") is not None
    assert feeds.get("k0") is None
    assert not feeds.whole


def test_feeds_are_bounded_in_bytes_too() -> None:
    one = Feeds()
    one.put("k", a_feed(), T0)
    feeds = Feeds(bound_bytes=one.bytes * 10)
    for number in range(100):
        feeds.put(f"k{number}", a_feed(), T0 + timedelta(seconds=number))
    assert feeds.bytes == one.bytes * len(feeds) <= one.bytes * 11
    assert feeds.get("k99") is not None
    assert feeds.get("k0") is None
    assert not feeds.whole


def test_strips_are_bounded_in_bytes_too() -> None:
    one = Strips(1_000)
    one.put("k", a_strip(), T0)
    strips = Strips(1_000, bound_bytes=one.bytes * 10)
    for number in range(100):
        strips.put(f"k{number}", a_strip(), T0 + timedelta(seconds=number))
    assert strips.bytes == one.bytes * len(strips) <= one.bytes * 11
    assert strips.get("k99") is not None
    assert strips.get("k0") is None
    assert not strips.whole


def test_bytes_are_those_of_what_is_kept() -> None:
    feeds, strips = Feeds(), Strips(10)
    for number in range(50):
        feeds.put(f"k{number % 7}", a_feed(version=Version(1, number)), T0)
        strips.put(f"k{number}", a_strip(), T0 + timedelta(seconds=number))
    strips.drop("k49")
    for number in range(7):
        feeds.drop(f"k{number}")
    assert feeds.bytes == 0
    one = Strips(10)
    one.put("k", a_strip(), T0)
    assert strips.bytes == one.bytes * len(strips)


def test_a_strip_knows_since_when_no_comment_changed() -> None:
    strips = Strips(10)

    def quiet_since(changed: list[str] | None, version: Version) -> Version:
        strips.put("k", a_strip(version=version, changed_comments=changed), T0)
        kept = strips.get("k")
        assert kept is not None
        return kept.quiet_since

    assert quiet_since([], Version(1, 3)) == Version(1, 3)  # what came before is not known
    assert quiet_since([], Version(1, 4)) == Version(1, 3)
    assert quiet_since([], Version(1, 5)) == Version(1, 3)
    assert quiet_since(["c1"], Version(1, 6)) == Version(1, 6)
    assert quiet_since([], Version(1, 7)) == Version(1, 6)
    assert quiet_since([], Version(1, 9)) == Version(1, 9)  # 8 was not seen
    assert quiet_since([], Version(1, 10)) == Version(1, 9)
    assert quiet_since(None, Version(1, 11)) == Version(1, 11)
    assert quiet_since([], Version(2, 12)) == Version(2, 12)  # another incarnation


def test_readers_do_not_see_which_comments_changed() -> None:
    strips = Strips(10)
    strips.put("k", a_strip(changed_comments=["c1"]), T0)
    kept = strips.get("k")
    assert kept is not None
    assert b"changed_comments" not in kept.body
