"""The named invariants: each counts what breaks it and shows the smallest witness that it has."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.evidence import INPUTS, Evidence, Published, Version, feed_wrong, instant
from tests.chaos.model import Comment, Shown

COMMENTS = "comments.v1"
VOTE = "veche.vote.cast.v1"
DESCRIPTORS = 150
WITNESSES = 3


@dataclass
class Finding:
    count: int = 0
    witness: list[str] = field(default_factory=list)


Invariant = Callable[[Evidence], Iterable[str]]
INVARIANTS: dict[str, Invariant] = {}


def invariant(function: Invariant) -> Invariant:
    INVARIANTS[function.__name__] = function  # type: ignore[attr-defined]
    return function


def check(evidence: Evidence) -> dict[str, Finding]:
    """Every invariant, by name."""
    findings: dict[str, Finding] = {}
    for name, function in INVARIANTS.items():
        finding = findings[name] = Finding()
        for witness in function(evidence):
            finding.count += 1
            finding.witness.append(witness[:400])
        finding.witness = sorted(finding.witness, key=len)[:WITNESSES]
    return findings


# --- the log and its effects


@invariant
def lost(e: Evidence) -> Iterator[str]:
    """What was acknowledged is in the log; what is in the log has its outcome, told to all."""
    at = {(r.topic, r.partition, r.offset): r.event["id"] for r in e.records}
    for event, place in e.receipts:
        if at.get(place) != event:
            yield f"{event} was accepted at {place}, where the log holds {at.get(place)}"
    in_log = set(at.values())
    for event, said in e.invoked.items():
        if said == "ok" and event not in in_log:
            yield f"{event} was accepted and is in no log"
    recorded = {(row["discussion"], row["event_id"]) for row in e.rows("outcomes")}
    for r in e.records:
        if r.topic == COMMENTS and (r.discussion, r.event["id"]) not in recorded:
            yield f"{r.event['id']} ({r.event['type']}) at {r.partition}:{r.offset} has no outcome"
    told = {(one["discussion"], one["data"]["event"], one["data"]["digest"]) for one in e.told}
    for row in e.rows("outcomes"):
        if (row["discussion"], row["event_id"], row["digest"]) not in told:
            yield f"the outcome of {row['event_id']} is not in outcomes.v1"


@invariant
def phantom(e: Evidence) -> Iterator[str]:
    """Nothing happened that nobody sent, or that its sender was told had failed."""
    for r in e.records:
        said = e.invoked.get(r.event["id"])
        if said is None and r.event["id"] not in e.injected:
            yield f"{r.event['id']} is in {r.topic} and nobody sent it"
        elif said == "fail":
            yield f"{r.event['id']} is in {r.topic} though its sender was told that it failed"
    known = {(r.discussion, r.event["id"]) for r in e.records}
    for row in e.rows("outcomes"):
        if (row["discussion"], row["event_id"]) not in known:
            yield f"an outcome of {row['event_id']}, which is in no log"
    comments = {(d.key, c) for d in e.model.discussions.values() for c in d.comments}
    for row in e.rows("comments"):
        if (row["discussion"], row["comment"]) not in comments:
            yield f"comment {row['comment']} of {row['discussion']} has no cause"


@invariant
def duplicate_effect(e: Evidence) -> Iterator[str]:
    """A fence only steps on from where it stood: no range of the log took effect twice."""
    last: dict[tuple[str, int], int] = {}
    for row in e.rows("fence_steps"):
        place = (row["topic"], row["partition"])
        if row["epoch_was"] != row["epoch_is"]:  # an operator's resume
            last[place] = row["stands"]
            continue
        if row["stands"] <= row["stood"]:
            yield f"{place}: the fence went from {row['stood']} to {row['stands']}"
        elif place in last and row["stood"] != last[place]:
            yield f"{place}: a step from {row['stood']} after one to {last[place]}"
        last[place] = row["stands"]
    seen = Counter((row["discussion"], row["event_id"]) for row in e.rows("revisions"))
    for (discussion, event), count in seen.items():
        if count > 1:
            yield f"{event} wrote {count} revisions in {discussion}"
    said: dict[tuple[str, str], str] = {}
    for one in e.told:
        name, data = (one["discussion"], one["id"]), str(one["data"])
        if said.setdefault(name, data) != data:
            yield f"outcomes.v1 tells two things of {one['id']}"


@invariant
def counter_mismatch(e: Evidence) -> Iterator[str]:
    """Every counter equals its recomputation, tolerance 0."""
    up_down: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in e.rows("votes"):
        if row["value"]:
            up_down[row["discussion"], row["target"]][row["value"] < 0] += 1
    totals = {(r["discussion"], r["target"]): [r["up"], r["down"]] for r in e.rows("vote_totals")}
    for key in {*up_down, *totals}:
        if totals.get(key, [0, 0]) != up_down.get(key, [0, 0]):
            yield f"votes of {key}: {totals.get(key)} counted, {up_down.get(key)} stand"
    views = {row["discussion"]: row["views"] for row in e.rows("view_totals")}
    for name in {*views, *e.model.views}:
        if views.get(name, 0) != e.model.views.get(name, 0):
            yield f"views of {name}: {views.get(name)} counted, {e.model.views.get(name)} happened"
    visible = Counter(row["discussion"] for row in e.rows("comments") if row["visible"])
    for row in e.rows("discussions"):
        if row["visible_comments"] != visible[row["discussion"]]:
            yield (
                f"{row['discussion']} counts {row['visible_comments']} comments,"
                f" {visible[row['discussion']]} are visible"
            )
    yield from _descendants(e)
    authors: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in e.rows("comments"):
        if row["status"] in ("published", "rejected"):
            authors[row["author"]][row["status"] == "rejected"] += 1
    counted = {
        row["author"]: [row["published"], row["rejected"]] for row in e.rows("author_totals")
    }
    for author in {*authors, *counted}:
        if counted.get(author, [0, 0]) != authors.get(author, [0, 0]):
            yield f"author {author}: {counted.get(author)} counted, {authors.get(author)} are there"


def _descendants(e: Evidence) -> Iterator[str]:
    below: Counter[tuple[str, str]] = Counter()
    for discussion in e.model.discussions.values():
        for comment in discussion.visible:
            below.update((discussion.key, name) for name in discussion.ancestors(comment)[:32])
    for row in e.rows("comments"):
        key = (row["discussion"], row["comment"])
        if row["visible_descendants"] != below[key]:
            yield f"{key} counts {row['visible_descendants']} below, {below[key]} are visible"


@invariant
def vote_state(e: Evidence) -> Iterator[str]:
    """Every voter's vote is the model's; so is what waits and what was refused."""
    stored = {(r["discussion"], r["target"], r["voter"]): r for r in e.rows("votes")}
    for key, ballot in e.model.votes.items():
        row = stored.pop(key, None)
        if row is None:
            yield f"the vote of {key} is missing, it is {ballot.value}"
        elif row["value"] != ballot.value:
            yield f"the vote of {key} is {row['value']}, its last is {ballot.value}"
        elif [change.rpartition(":")[0] for change in row["changes"]] != [
            change.rpartition(":")[0] for change in ballot.changes
        ]:
            yield f"the vote of {key} remembers {row['changes']}, not {ballot.changes}"
    for key in stored:
        yield f"a vote of {key} that nobody cast"
    parked = {tuple(row.values()) for row in e.rows("parked_votes")}
    expected = {(*key[:3], key[3]) for key in e.model.parked}
    for key in {key[:3] for key in parked} ^ {key[:3] for key in expected}:
        yield f"parked for ever or not at all: {key}"
    refused = {
        (r["discussion"], r["event_id"], r["reason"])
        for r in e.rows("outcomes")
        if r["cause"] == VOTE
    }
    for name in refused ^ e.model.refused_votes:
        yield f"refused vote, stored or in the model only: {name}"


@invariant
def order(e: Evidence) -> Iterator[str]:
    """What became of every event of comments.v1 is what the log's order makes of it."""
    yield from _order_told(e)
    stored: dict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for row in e.rows("outcomes"):
        if row["cause"] != VOTE:
            stored[row["discussion"], row["event_id"]].append(
                (row["result"], row["reason"], row["comment"], row["revision"], row["status"])
            )
    expected: dict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for one in e.model.outcomes:
        expected[one.discussion, one.event].append(
            (one.result, one.reason, one.comment, one.revision, one.status)
        )
    for name, outcomes in expected.items():
        if name in stored and Counter(stored[name]) != Counter(outcomes):
            yield f"{name}: {stored[name]}, by the log {outcomes}"
    rows = {(r["discussion"], r["comment"]): r for r in e.rows("comments")}
    texts: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for row in e.rows("revisions"):
        texts[row["discussion"], row["comment"]][row["revision"]] = row["body"]
    for d in e.model.discussions.values():
        for c in d.comments.values():
            found = rows.get((d.key, c.id))
            if found is None:
                yield f"comment {c.id} of {d.key} is missing"
                continue
            is_ = (found["status"], found["revision"], found["published_revision"],
                   found["held_revision"], found["deleted"])  # fmt: skip
            want = (c.status, c.revision, c.shown, c.held, c.deleted)
            if is_ != want:
                yield f"{d.key} {c.id} is {is_}, by the log {want}"
            elif [texts[d.key, c.id].get(n + 1) for n in range(c.revision)] != c.texts:
                yield f"{d.key} {c.id}: its texts are not those of the log"
    for row in e.rows("discussions"):
        known = e.model.discussions.get(row["discussion"])
        if known and (row["revision"], row["title"], row["state"]) != (
            known.revision, known.title, known.state,
        ):  # fmt: skip
            yield f"{row['discussion']} is at revision {row['revision']}, not {known.revision}"


def _order_told(e: Evidence) -> Iterator[str]:
    """outcomes.v1 tells of a discussion in the order of its log; repeats may come later."""
    place: dict[tuple[str, str], int] = {}
    for r in e.records:
        if r.topic == COMMENTS:
            name = (r.discussion, r.event["id"])
            place[name] = min(place.get(name, r.offset), r.offset)
    at: dict[str, int] = {}
    heard: set[tuple[str, str]] = set()
    for one in e.told:
        name = (one["discussion"], one["data"]["event"])
        if name in place and name not in heard and one["data"].get("reason") != "id_taken":
            if place[name] < at.get(name[0], -1):
                yield f"outcomes.v1 tells of {name} after what followed it"
            at[name[0]] = place[name]
            heard.add(name)


@invariant
def decision_overwritten(e: Evidence) -> Iterator[str]:
    """What a moderator ruled stands until the next ruling."""
    rows = {(r["discussion"], r["comment"]): r for r in e.rows("comments")}
    for d in e.model.discussions.values():
        for c in d.comments.values():
            row = rows.get((d.key, c.id))
            if row is None:
                continue
            is_ = (row["ruling"] or "", row["ruled_revision"], row["ruled_by"] or "")
            if is_ != (c.ruling, c.ruled_revision, c.ruled_by):
                yield f"{d.key} {c.id}: ruled {is_}, not {(c.ruling, c.ruled_revision, c.ruled_by)}"


@invariant
def dead_letter_conservation(e: Evidence) -> Iterator[str]:
    """Read = applied + dead-lettered: one letter per bad record, none for a good one."""
    letters = {place: value for place, value in e.letters if place[0] in INPUTS}
    for place, why in e.poison.items():
        if place not in letters:
            yield f"{why} at {place} has no dead letter"
        elif letters[place] != e.poison_values.get(place):
            yield f"the dead letter of {place} holds other bytes"
    for place in letters:
        if place not in e.poison:
            yield f"{place} is a dead letter and was good"
    for place, count in Counter(e.letters_put).items():
        if count > 1:
            yield f"{place} was dead-lettered {count} times"
    at = {(row["topic"], row["partition"]): row for row in e.rows("fences")}
    for key, end in e.ends.items():
        row = at.get(key)
        if end and (row is None or row["next_offset"] != end):
            yield f"{key}: the log ends at {end}, the fence at {row and row['next_offset']}"


# --- what readers see


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
    for feed in e.feeds:
        yield from feed_wrong(feed, contents)
    final = {key: max(found, key=lambda one: one.version) for key, found in strips.items()}
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
    """Nothing that was deleted, rejected or held is shown at the end."""
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


@invariant
def thread_fold(e: Evidence) -> Iterator[str]:
    """Threads over HTTP hold every visible comment, with the text that is in view."""
    for key, shown in e.threads.items():
        known = e.model.discussions.get(key)
        for comment in known.visible if known else []:
            assert comment.shown is not None
            if shown.get(comment.id) != comment.texts[comment.shown - 1]:
                yield f"{comment.id} of {key} is not shown as it is"


@invariant
def read_your_writes(e: Evidence) -> Iterator[str]:
    """Who was told what became of an event sees it at once, by the own pages."""
    for line in e.own:
        if line["shown"] != line["expected"] and line["result"] != "refused":
            yield (
                f"{line['session']} was told {line['result']} of {line['event']}"
                f" and saw {line['shown']!r}, not {line['expected']!r}"
            )


# --- the whole


@invariant
def staleness(e: Evidence) -> Iterator[str]:
    """Everything healed in time, and nothing waits at the end."""
    for kind, seconds, allowed in e.recoveries:
        if seconds > allowed:
            yield f"{seconds} s from healing after {kind}, {allowed} allowed"
    for name, count in e.waiting.items():
        if count:
            yield f"{count} in {name} at the end"
    for label in e.not_ready:
        yield f"{label} was not ready at the end"


@invariant
def leaks(e: Evidence) -> Iterator[str]:
    for row in e.rows("connections"):
        if row["stuck"]:
            yield f"{row['stuck']} transactions are open and idle"
        if row["open"] > e.connections_allowed:
            yield f"{row['open']} connections, the pools hold {e.connections_allowed}"
    for label, count in e.descriptors.items():
        if count > DESCRIPTORS:
            yield f"{label} holds {count} descriptors"


@invariant
def rebuild_equality(e: Evidence) -> Iterator[str]:
    """What Kafka holds makes the same database again, byte for byte of the canonical dump."""
    if e.rebuild:
        yield e.rebuild


@invariant
def unexplained_answers(e: Evidence) -> Iterator[str]:
    """No 500, and no refusal of a good request."""
    yield from e.broken
