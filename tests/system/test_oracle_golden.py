"""The oracle against values worked out by hand: it must not be wrong in the way the product is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.system import oracle

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_discussion(**changes: object) -> oracle.Discussion:
    stated = {
        "id": "d1",
        "title": "Bridges",
        "url": "https://portal.example/bridges",
        "language": "en",
        "section": "town",
        "opened_at": T0,
    }
    return oracle.Discussion(**(stated | changes))  # type: ignore[arg-type]


def minutes(count: int) -> datetime:
    return T0 + timedelta(minutes=count)


def test_wilson_bound_by_hand() -> None:
    # p = 1, n = 1, z = 1.96: (1 + 3.8416/2 - 1.96·√(3.8416/4)) / (1 + 3.8416) = 1 / 4.8416
    assert oracle.wilson(1, 0) == pytest.approx(0.206543, abs=1e-6)
    # p = 0.5, n = 10: (0.5 + 0.19208 - 1.96·√(0.025 + 0.009604)) / 1.38416
    assert oracle.wilson(5, 5) == pytest.approx(0.236595, abs=1e-4)
    assert oracle.wilson(0, 0) == 0.0


def test_hot_is_ten_times_the_score_for_half_a_day_of_age() -> None:
    later = T0 + timedelta(seconds=45_000)
    assert oracle.hot(10, T0) == pytest.approx(oracle.hot(1, later))
    assert oracle.hot(0, T0) == oracle.hot(1, T0)
    assert oracle.hot(-10, later) == pytest.approx(oracle.hot(0, T0))


def test_a_discussion_by_hand() -> None:
    d = a_discussion()
    assert d.submit("c1", "ann", "good morning", minutes(1), None) == "published"
    assert d.submit("c2", "bob", "you zhdun!", minutes(2), "c1") == "held"
    assert d.submit("c3", "bob", "Отвергун", minutes(3), None) == "rejected"
    assert d.submit("c4", "cat", "and to you", minutes(4), "c2") == "published"
    assert d.submit("c5", "cat", "hm", minutes(5), "nobody") == "refused"
    d.vote("ann", 1, None)
    d.vote("bob", 1, None)
    d.vote("bob", -1, None)
    d.vote("cat", 1, "c1")
    d.vote("ann", 1, "c1")
    d.vote("dan", 0, "c1")
    d.view("ann", minutes(0))
    d.view("ann", minutes(29))
    d.view("ann", minutes(30))
    d.view("bob", minutes(30))
    assert d.strip() == {
        "views": 3,
        "comments": 2,
        "rating": 0,
        "up": 1,
        "down": 1,
        "last_activity": minutes(4),
        "state": "open",
    }
    assert [c.id for c in d.roots("newest")] == ["c1"]
    assert [(c.id, c.visible) for c in d.replies("c1")] == [("c2", False), ("c4", True)]
    assert (d.comments["c1"].up, d.comments["c1"].down) == (1, 0)

    assert d.decide("c2", "approve", 1, "pending") == "applied"
    assert d.decide("c2", "reject", 1, "pending") == "refused"
    assert d.delete("c4", "cat") == "applied"
    assert d.delete("c4", "ann") == "refused"
    assert d.strip()["comments"] == 2
    assert d.strip()["last_activity"] == minutes(2)
    assert [(c.id, c.visible) for c in d.replies("c1")] == [("c2", True)]


def test_edits_by_hand() -> None:
    d = a_discussion()
    d.submit("c1", "ann", "first", minutes(1), None)
    assert d.edit("c1", "bob", "mine now") == "refused"
    assert d.edit("c1", "ann", "second zhdun") == "held"
    assert (d.comments["c1"].visible, d.comments["c1"].body) == (True, "first")
    assert d.edit("c1", "ann", "third otvergun") == "rejected"
    assert (d.comments["c1"].visible, d.comments["c1"].body) == (True, "first")
    assert d.decide("c1", "reject", 3, "published") == "applied"
    assert d.strip()["comments"] == 0
    assert d.edit("c1", "ann", "fourth, clean") == "held"
    assert d.decide("c1", "approve", 4, "pending") == "applied"
    assert (d.comments["c1"].visible, d.comments["c1"].body) == (True, "fourth, clean")


def test_reports_by_hand() -> None:
    d = a_discussion()
    d.submit("c1", "ann", "first", minutes(1), None)
    assert d.report("c1", "ann", 1) == "refused"
    assert [d.report("c1", reader, 1) for reader in ("bob", "bob", "cat")] == ["applied"] * 3
    assert d.report("c1", "dan", 1) == "held"
    assert d.strip()["comments"] == 0
    assert d.decide("c1", "approve", 1, "pending") == "applied"
    assert [d.report("c1", reader, 1) for reader in ("eve", "fay")] == ["applied"] * 2
    assert d.report("c1", "gil", 1) == "held", "the sixth report: twice the threshold"
    assert d.strip()["comments"] == 1, "an approved revision is queued and never hidden"


def test_feeds_by_hand() -> None:
    old = a_discussion(id="a", opened_at=T0 - timedelta(days=8))
    new = a_discussion(id="b", opened_at=T0 - timedelta(hours=1), language="ru")
    gone = a_discussion(id="c", state="removed")
    old.submit("c1", "ann", "hello", T0, None)
    for voter in ("ann", "bob"):
        new.vote(voter, 1, None)
    portal = oracle.Portal({d.id: d for d in (old, new, gone)})
    ids = lambda name, **scope: [d.id for d in portal.feed(name, **scope)]  # noqa: E731
    assert ids("latest") == ["a", "b"]
    assert ids("hot") == ["b", "a"]
    assert ids("top-all") == ["b", "a"]
    assert ids("top-week", as_of=T0) == ["b"]
    assert ids("latest", language="ru") == ["b"]
    assert ids("latest", section="sport") == []
