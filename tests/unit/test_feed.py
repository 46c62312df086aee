"""The fold of strips into feeds: who is in, in which order, as of when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.core import codec, feed
from services.core.events import DiscussionKey, Strip, Version
from services.core.feed import Facts, FeedKey, Scope

NOW = datetime(2026, 3, 5, 12, 30, 45, tzinfo=UTC)
V = Version(1, 1)


def a_strip(discussion: str = "d1", **says: object) -> Strip:
    facts = Facts(
        discussion=DiscussionKey(f"demo/{discussion}"),
        state="open",
        url="https://example.org/a",
        title="A title",
        language="ru",
        section="news",
        opened_at=NOW - timedelta(hours=2),
        last_activity=NOW - timedelta(hours=1),
        comments=0,
        views=0,
        viewers=0,
        up=0,
        down=0,
    )
    strip = feed.strip(facts, V, None)
    return structs.replace(strip, **says)


def ids(name: str, strips: list[Strip], now: datetime = NOW) -> list[str]:
    key = FeedKey("demo", name, "", "")  # type: ignore[arg-type]
    return [entry.discussion for entry in feed.fold(key, strips, now, V).entries]


instants = st.integers(0, 33 * 24 * 60 * 60).map(lambda seconds: NOW - timedelta(seconds=seconds))
strips = st.lists(
    st.builds(
        a_strip,
        discussion=st.text("abcXYZ019._~-", min_size=1, max_size=5),
        state=st.sampled_from(["open", "closed", "removed"]),
        language=st.sampled_from(["ru", "en"]),
        section=st.sampled_from(["news", "sport"]),
        opened_at=instants,
        last_activity=instants,
        comments=st.integers(0, 50),
        rating=st.integers(-50, 50),
    ),
    max_size=30,
    unique_by=lambda strip: strip.discussion,
)
keys = st.builds(
    FeedKey,
    st.just("demo"),
    st.sampled_from(feed.FEEDS),
    st.sampled_from(["", "ru", "en"]),
    st.sampled_from(["", "news", "sport"]),
)


@given(keys, strips, st.randoms())
def test_order_of_arrival_changes_no_byte(key, strips, random):
    shuffled = list(strips)
    random.shuffle(shuffled)
    one, other = feed.fold(key, strips, NOW, V), feed.fold(key, shuffled, NOW, V)
    assert codec.encode(one) == codec.encode(other)


@given(keys, strips)
def test_a_feed_holds_exactly_what_its_scope_and_window_say(key, strips):
    window = feed.WINDOWS.get(key.feed)
    folded = feed.fold(key, strips, NOW, V)
    if window is not None:
        assert NOW.replace(second=0) <= folded.as_of <= NOW
    expected = {
        strip.discussion
        for strip in strips
        if strip.state != "removed"
        and key.language in ("", strip.language)
        and key.section in ("", strip.section)
        and (window is None or folded.as_of - window < strip.opened_at <= folded.as_of)
    }
    assert {entry.discussion for entry in folded.entries} == expected


@given(keys, strips, st.integers(0, 40 * 24 * 60))
def test_a_feed_changes_by_time_alone_only_when_it_expires(key, strips, minutes):
    folded = feed.fold(key, strips, NOW, V)
    later = NOW + timedelta(minutes=minutes)
    again = feed.fold(key, strips, later, V)
    expires_at = feed.expires_at(folded)
    is_over = expires_at is not None and feed.minute_of(later) >= expires_at
    assert (folded.entries != again.entries) == is_over


@given(strips)
def test_feeds_without_a_window_need_no_clock(strips):
    for name in ("latest", "hot", "top-all"):
        key = FeedKey("demo", name, "", "")
        late = feed.fold(key, strips, NOW + timedelta(days=400), V)
        assert codec.encode(feed.fold(key, strips, NOW, V)) == codec.encode(late)


def test_latest_puts_newest_activity_first_and_breaks_ties_by_id():
    strips = [
        a_strip("b", last_activity=NOW),
        a_strip("c", last_activity=NOW + timedelta(seconds=1)),
        a_strip("a", last_activity=NOW),
    ]
    assert ids("latest", strips) == ["c", "a", "b"]


def test_top_ranks_by_rating_and_comments_then_the_later_opening():
    strips = [
        a_strip("old", comments=3, opened_at=NOW - timedelta(hours=9)),
        a_strip("new", rating=2, comments=1),
        a_strip("best", rating=4),
        a_strip("worst", rating=-4, comments=1),
    ]
    assert ids("top-all", strips) == ["best", "new", "old", "worst"]


def test_ten_times_the_score_weighs_as_much_as_twelve_and_a_half_hours():
    early = a_strip().opened_at - timedelta(seconds=45_000)
    assert ids(
        "hot", [a_strip("late", rating=1), a_strip("loved", rating=11, opened_at=early)]
    ) == [
        "loved",
        "late",
    ]
    assert ids("hot", [a_strip("late", rating=1), a_strip("liked", rating=9, opened_at=early)]) == [
        "late",
        "liked",
    ]


def test_an_entry_leaves_the_day_at_the_first_full_minute():
    opened = datetime(2026, 3, 4, 12, 30, 30, tzinfo=UTC)
    strip = a_strip(opened_at=opened)
    folded = feed.fold(FeedKey("demo", "top-day", "", ""), [strip], NOW, V)
    assert folded.as_of == datetime(2026, 3, 5, 12, 30, tzinfo=UTC)
    assert feed.expires_at(folded) == datetime(2026, 3, 5, 12, 31, tzinfo=UTC)
    assert ids("top-day", [strip], datetime(2026, 3, 5, 12, 31, tzinfo=UTC)) == []


def test_what_was_opened_this_minute_is_in_the_day_at_once():
    opened = NOW - timedelta(seconds=5)
    folded = feed.fold(FeedKey("demo", "top-day", "", ""), [a_strip(opened_at=opened)], NOW, V)
    assert (folded.as_of, len(folded.entries)) == (opened, 1)


def test_a_feed_holds_its_first_two_hundred():
    strips = [a_strip(f"d{number:03}", rating=number) for number in range(250)]
    assert ids("top-all", strips) == [f"d{number:03}" for number in range(249, 49, -1)]


def test_a_removed_discussion_shows_in_no_scope():
    assert feed.scopes(a_strip(state="removed")) == []
    assert feed.scopes(a_strip(state="closed")) == [
        Scope("demo", "", ""),
        Scope("demo", "", "news"),
        Scope("demo", "ru", ""),
        Scope("demo", "ru", "news"),
    ]


def test_a_feeds_key_names_its_scope():
    assert str(FeedKey("demo", "latest", "ru", "")) == "demo/latest/ru/"


@pytest.mark.parametrize(("count", "named"), [(0, True), (100, True), (101, False)])
def test_more_than_a_hundred_changes_say_reload(count, named):
    facts = Facts(
        discussion=DiscussionKey("demo/d1"), state="open", url="https://example.org/", title="t",
        language="ru", section="news", opened_at=NOW, last_activity=NOW, comments=0, views=0,
        viewers=0, up=3, down=5,
    )  # fmt: skip
    strip = feed.strip(facts, V, [f"c{number}" for number in range(count)])
    assert (strip.changed_comments is not None) == named
    assert strip.rating == -2
