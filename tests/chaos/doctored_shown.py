"""Ways to break what readers of a clean run were shown, and the invariant that must say so."""

from __future__ import annotations

from typing import Any

from tests.chaos.build import D
from tests.chaos.doctored import Doctor, row
from tests.chaos.evidence import Evidence, Published


def _strip(e: Evidence, **changes: Any) -> None:
    last = e.strips[-1]
    e.strips[-1] = Published(last.key, last.version, {**last.data, **changes}, 0, last.offset)


def a_strip_that_is_behind(e: Evidence) -> None:
    _strip(e, views=1)


def a_strip_of_no_prefix(e: Evidence) -> None:
    first = e.strips[0]
    e.strips[0] = Published(first.key, first.version, {**first.data, "comments": 9}, 0, 1)


def two_contents_of_a_version(e: Evidence) -> None:
    last = e.strips[-1]
    e.strips.append(Published(last.key, last.version, {**last.data, "views": 1}, 0, 3))


def a_stale_entry(e: Evidence) -> None:
    last = e.feeds[-1]
    entry = {**last.data["entries"][0], "views": 1}
    e.feeds[-1] = Published(last.key, last.version, {**last.data, "entries": [entry]}, 0, 2)


def an_entry_of_no_version(e: Evidence) -> None:
    first = e.feeds[0]
    entry = {**first.data["entries"][0], "version": [1, 9]}
    e.feeds[0] = Published(first.key, first.version, {**first.data, "entries": [entry]}, 0, 1)


def a_feed_that_is_behind(e: Evidence) -> None:
    e.feeds.pop()


def a_reader_sent_back(e: Evidence) -> None:
    read = {"session": "p", "key": "discussions/d1", "at": 1.0}
    e.reads += [{**read, "version": [1, 2]}, {**read, "version": [1, 1]}]


def an_older_survivor(e: Evidence) -> None:
    e.strips.append(Published(e.strips[0].key, (1, 1), e.strips[0].data, 0, 9))


def a_stream_without_its_changes(e: Evidence) -> None:
    at = [line["event"] for line in e.streamed].index("comments")
    e.streamed[at] = {**e.streamed[at], "ids": ["c1", "c2", "c3"], "vanished": []}


def a_change_untold(e: Evidence) -> None:
    _strip(e, changed_comments=["c1", "c2"])


def a_deleted_comment_back(e: Evidence) -> None:
    row(e, "comments", comment="c4")["visible"] = True


def a_deleted_comment_streamed(e: Evidence) -> None:
    at = [line["event"] for line in e.streamed].index("comments")
    e.streamed[at] = {**e.streamed[at], "vanished": []}


def a_comment_that_a_stream_holds_back(e: Evidence) -> None:
    at = [line["event"] for line in e.streamed].index("comments")
    e.streamed[at] = {**e.streamed[at], "vanished": ["c1", "c4"]}


def a_deleted_comment_shown(e: Evidence) -> None:
    e.threads[D]["c4"] = "bye"


def a_comment_not_shown(e: Evidence) -> None:
    e.threads[D]["c1"] = None


def not_ones_own_write(e: Evidence) -> None:
    e.own[0] = {**e.own[0], "shown": 0}


DOCTORED: list[tuple[str, Doctor]] = [
    ("snapshot_fold", a_strip_that_is_behind),
    ("snapshot_fold", a_strip_of_no_prefix),
    ("snapshot_fold", two_contents_of_a_version),
    ("snapshot_fold", a_stale_entry),
    ("snapshot_fold", an_entry_of_no_version),
    ("snapshot_fold", a_feed_that_is_behind),
    ("version_backwards", a_reader_sent_back),
    ("version_backwards", an_older_survivor),
    ("stream_gap", a_stream_without_its_changes),
    ("untold_change", a_change_untold),
    ("resurrection", a_deleted_comment_back),
    ("resurrection", a_deleted_comment_streamed),
    ("resurrection", a_deleted_comment_shown),
    ("thread_fold", a_comment_not_shown),
    ("thread_fold", a_comment_that_a_stream_holds_back),
    ("read_your_writes", not_ones_own_write),
]
