"""Invariants of what readers see: snapshots, streams, threads."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from tests.chaos.evidence import Evidence, Published, Version, feed_wrong, instant
from tests.chaos.finding import invariant
from tests.chaos.model import Comment, Shown


def _by_key(published: Iterable[Published]) -> dict[str, list[Published]]:
    found: dict[str, list[Published]] = defaultdict(list)
    for one in published:
        found[one.key].append(one)
    return found


@invariant
def snapshot_fold(e: Evidence) -> Iterator[str]:
    """Every strip is a fold at its version, the last one of everything; feeds of their strips."""
    contents: dict[tuple[str, Version], Published] = {}
    for one in [*e.strips, *e.feeds]:
        name = (one.key, one.version)
        if contents.setdefault(name, one).data != one.data:
            yield f"{one.key}@{one.version} was published with two contents"
    by_key = _by_key(e.strips)
    votes: dict[str, list[list[tuple[int, int]]]] = defaultdict(list)
    for (key, _), steps in e.model.vote_prefixes.items():
        votes[key].append(steps)
    for key, d in e.model.discussions.items():
        if d.opened_at is None:
            continue
        if key not in by_key:
            yield f"{key} is open and has no strip"
            continue
        last = max(by_key[key], key=lambda one: one.version)
        up, down = e.model.up_down(key)
        want = (d.shown(), e.model.views.get(key, 0), up, down)
        if _said(last) != want:
            yield f"{key}@{last.version} ends with {_said(last)}, not {want}"
        yield from _prefixes(by_key[key], d.prefixes, votes.get(key, []), e.model.views.get(key, 0))
    yield from _feeds(e, contents, by_key)


def _said(one: Published) -> tuple[Shown, int, int, int]:
    data = one.data
    shown = Shown(data["comments"], instant(data["last_activity"]), data["state"], data["title"])
    return shown, data["views"], data["up"], data["down"]


def _prefixes(
    published: list[Published],
    prefixes: list[Shown],
    votes: list[list[tuple[int, int]]],
    views: int,
) -> Iterator[str]:
    """In the order of versions, each strip is a state that the log went through, never an earlier
    one than the strip before it."""
    reachable = _reachable(votes)
    place = seen = 0
    for one in sorted(published, key=lambda one: one.version):
        shown, viewed, up, down = _said(one)
        if viewed < seen or viewed > views:
            yield f"{one.key}@{one.version} has {viewed} views after {seen}, of {views} in all"
        seen = max(seen, viewed)
        if reachable is not None and (up, down) not in reachable:
            yield f"{one.key}@{one.version} has votes {(up, down)} that never stood together"
        try:
            place = prefixes.index(shown, place)
        except ValueError:
            yield f"{one.key}@{one.version} shows {shown}, which no prefix of the log gives"


def _reachable(votes: list[list[tuple[int, int]]]) -> set[tuple[int, int]] | None:
    """The sums of one prefix per partition; None where they are too many to tell."""
    sums = {(0, 0)}
    for steps in votes:
        distinct = set(steps)
        if len(sums) * len(distinct) > 400_000:
            return None
        sums = {(a + up, b + down) for a, b in sums for up, down in distinct}
    return sums


def _feeds(
    e: Evidence,
    contents: dict[tuple[str, Version], Published],
    strips: dict[str, list[Published]],
) -> Iterator[str]:
    yield from e.feeds_wrong
    final = {key: max(found, key=lambda one: one.version) for key, found in strips.items()}
    newest = {key: one.version for key, one in final.items()}
    for feed in e.feeds:
        yield from feed_wrong(feed, contents, newest)
    for key, found in _by_key(e.feeds).items():
        feed = max(found, key=lambda one: one.version)
        expected = _ranked(feed, final.values())
        if expected is not None:
            got = [(x["discussion"], tuple(x["version"])) for x in feed.data["entries"]]
            if got != expected:
                yield f"{key}@{feed.version} ends as {got[:5]}, not {expected[:5]}"


def _ranked(feed: Published, strips: Iterable[Published]) -> list[tuple[str, Version]] | None:
    """What the feed's last version must list; None for feeds that depend on the clock."""
    data = feed.data
    if data["feed"] not in ("latest", "hot", "top-all"):
        return None
    shown = [
        one
        for one in strips
        if one.data["site"] == data["site"]
        and one.data["state"] != "removed"
        and data["language"] in ("", one.data["language"])
        and data["section"] in ("", one.data["section"])
    ]

    def seconds(one: Published, name: str) -> float:
        moment: datetime = instant(one.data[name])
        return moment.timestamp()

    def score(one: Published) -> int:
        return int(one.data["rating"] + one.data["comments"])

    def hot(one: Published) -> float:
        points = score(one)
        sign = (points > 0) - (points < 0)
        size = math.log10(max(abs(points), 1))
        return round(sign * size + seconds(one, "opened_at") / 45_000, 7)

    orders: dict[str, Callable[[Published], tuple[float | str, ...]]] = {
        "latest": lambda one: (-seconds(one, "last_activity"), one.data["discussion"]),
        "hot": lambda one: (-hot(one), one.data["discussion"]),
        "top-all": lambda one: (
            -score(one), -seconds(one, "opened_at"), one.data["discussion"],
        ),
    }  # fmt: skip
    shown.sort(key=orders[data["feed"]])
    return [(one.data["discussion"], one.version) for one in shown[:200]]


@invariant
def version_backwards(e: Evidence) -> Iterator[str]:
    """No reader is ever shown an older version, and compaction keeps the highest."""
    shown: dict[tuple[str, str], Version] = {}
    for line in [*e.reads, *(one for one in e.streamed if one["event"] == "strip")]:
        name = (line["session"], line["key"])
        version = (line["version"][0], line["version"][1])
        if version < shown.get(name, version):
            yield f"{name} saw {version} after {shown[name]}"
        shown[name] = version
    for published in (e.strips, e.feeds):
        for key, found in _by_key(published).items():
            last = max(found, key=lambda one: one.offset)
            highest = max(one.version for one in found)
            if last.version != highest:
                yield f"the last record of {key} is {last.version}, the highest was {highest}"
    stored = {r["discussion"]: (r["incarnation"], r["version"]) for r in e.rows("strips")}
    for key, found in _by_key(e.strips).items():
        highest = max(one.version for one in found)
        if key in stored and highest > stored[key]:
            yield f"{key}@{highest} was published, Postgres is at {stored[key]}"


@invariant
def stream_gap(e: Evidence) -> Iterator[str]:
    """A stream names every change between two versions that it shows, or says `reset`."""
    changes = {
        key: sorted({one.version: one for one in found}.values(), key=lambda one: one.version)
        for key, found in _by_key(e.strips).items()
    }
    site = next(iter(changes), "/").partition("/")[0]
    held: dict[str, Version | None] = {}
    named: dict[str, set[str]] = defaultdict(set)
    reset: dict[str, bool] = defaultdict(bool)
    for line in e.streamed:
        session = line["session"]
        match line["event"]:
            case "open":
                if not line["held"]:
                    held[session] = None
                named[session], reset[session] = set(), False
            case "comments":
                named[session] |= set(line["ids"])
            case "reset":
                reset[session] = True
            case "strip":
                version = (line["version"][0], line["version"][1])
                before = held.get(session)
                if before is not None and not reset[session]:
                    for one in changes.get(f"{site}/{line['key']}", []):
                        if before < one.version <= version:
                            told = one.data["changed_comments"]
                            missed = None if told is None else set(told) - named[session]
                            if missed is None or missed:
                                yield (
                                    f"{session} went from {before} to {version} without"
                                    f" {missed or 'a reset'} of {one.version}"
                                )
                held[session], named[session], reset[session] = version, set(), False


@invariant
def untold_change(e: Evidence) -> Iterator[str]:
    """Every comment that came into view was named by a strip, or a strip said to load anew."""
    for row in e.rows("changed_comments"):
        yield f"{row['comment']} of {row['discussion']} changed and was never told"
    by_key = _by_key(e.strips)
    for key, d in e.model.discussions.items():
        found = sorted(by_key.get(key, []), key=lambda one: one.version)
        told = [one.data["changed_comments"] for one in found]
        if not found or any(names is None for names in told[1:]):
            continue
        named = {name for names in told if names for name in names}
        first = instant(found[0].data["last_activity"])
        for comment in d.visible:
            if comment.id not in named and comment.at > first:
                yield f"{comment.id} of {key} came into view and no strip names it"


@invariant
def resurrection(e: Evidence) -> Iterator[str]:
    """Nothing that was deleted, rejected or held is shown at the end, in threads or on streams."""
    visible: dict[tuple[str, str], Comment] = {
        (d.key, c.id): c for d in e.model.discussions.values() for c in d.visible
    }
    for row in e.rows("comments"):
        if row["visible"] and (row["discussion"], row["comment"]) not in visible:
            yield f"{row['comment']} of {row['discussion']} is visible and must not be"
    for key, shown in e.threads.items():
        for name, body in shown.items():
            comment = visible.get((key, name))
            if body is not None and comment is None:
                yield f"{name} of {key} is shown to readers and must not be"
    for session, key, name, shows in _streamed_at_last(e):
        if shows and (key, name) not in visible:
            yield f"{session} was last shown {name} of {key}, which must not be"


@invariant
def thread_fold(e: Evidence) -> Iterator[str]:
    """Threads and streams hold every visible comment, threads with the text that is in view."""
    for key, shown in e.threads.items():
        known = e.model.discussions.get(key)
        for comment in known.visible if known else []:
            assert comment.shown is not None
            if shown.get(comment.id) != comment.texts[comment.shown - 1]:
                yield f"{comment.id} of {key} is not shown as it is"
    visible = {(d.key, c.id) for d in e.model.discussions.values() for c in d.visible}
    for session, key, name, shows in _streamed_at_last(e):
        if not shows and (key, name) in visible:
            yield f"{session} was last told that {name} of {key} vanished, and it is visible"


def _streamed_at_last(e: Evidence) -> Iterator[tuple[str, str, str, bool]]:
    """(session, discussion, comment, whether it is shown): what a stream that came to the last
    version told of each comment last."""
    last = {key: max(one.version for one in found) for key, found in _by_key(e.strips).items()}
    site = next(iter(last), "/").partition("/")[0]
    told: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    at: dict[tuple[str, str], Version] = {}
    for line in e.streamed:
        name = (line["session"], f"{site}/{line['key']}")
        match line["event"]:
            case "comments":
                told[name] |= dict.fromkeys(line["ids"], True)
                told[name] |= dict.fromkeys(line["vanished"], False)
            case "strip":
                at[name] = (line["version"][0], line["version"][1])
            case "reset":  # it loads anew
                told[name].clear()
            case "open" if not line["held"]:
                told[name].clear()
    for (session, key), comments in told.items():
        if at.get((session, key)) == last.get(key):
            for comment, shows in comments.items():
                yield session, key, comment, shows


@invariant
def read_your_writes(e: Evidence) -> Iterator[str]:
    """Who was told what became of an event sees it at once, by the own pages."""
    for line in e.own:
        if line["shown"] != line["expected"] and line["result"] != "refused":
            yield (
                f"{line['session']} was told {line['result']} of {line['event']}"
                f" and saw {line['shown']!r}, not {line['expected']!r}"
            )
