"""A small run in which all went well, as evidence: what tests of the invariants start from."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.evidence import Evidence, Published
from tests.chaos.model import Model, Record

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
D = "gazette/d1"
ABOUT = {"discussion": "d1"}
DESCRIBED = {
    **ABOUT, "revision": 1, "url": "https://portal.example/1", "title": "Bridges",
    "language": "en", "section": "town",
}  # fmt: skip


class Log:
    """Records with the offsets that a broker would give."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._next: dict[tuple[str, int], int] = defaultdict(int)

    def put(
        self, kind: str, data: dict[str, Any], actor: str = "portal", *, partition: int = 0,
        id: str = "", after: timedelta = timedelta(0), **members: Any,
    ) -> str:  # fmt: skip
        topic = {"vote": "votes.v1", "discussion.viewed": "views.v1"}.get(
            kind if kind == "discussion.viewed" else kind.partition(".")[0], "comments.v1"
        )
        offset = self._next[topic, partition]
        self._next[topic, partition] += 1
        at = T0 + timedelta(seconds=len(self.records)) + after
        event = {
            "id": id or f"e{len(self.records)}", "type": f"veche.{kind}.v1", "site": "gazette",
            "actor": actor, "time": at.isoformat(), "data": data, **members,
        }  # fmt: skip
        self.records.append(Record(topic, partition, offset, at, event))
        return str(event["id"])


def a_log() -> Log:
    log = Log()
    log.put("discussion.opened", DESCRIBED)
    log.put("comment.submitted", {**ABOUT, "comment": "c1", "body": "good morning"}, "ann")
    log.put("comment.submitted", {**ABOUT, "comment": "c2", "body": "hm", "parent": "c1"}, "bob")
    log.put("comment.submitted", {**ABOUT, "comment": "c3", "body": "zhdun"}, "bob")
    log.put("comment.submitted", {**ABOUT, "comment": "c4", "body": "bye"}, "cat")
    log.put("comment.deleted", {**ABOUT, "comment": "c4"}, "cat")
    log.put(
        "decision.made",
        {**ABOUT, "comment": "c3", "ruling": "approve",
         "expected": {"revision": 1, "status": "pending"}},
        "mod",
    )  # fmt: skip
    log.put("vote.cast", {**ABOUT, "value": 1}, "ann", partition=1)
    log.put("vote.cast", {**ABOUT, "value": 1}, "bob", partition=2)
    log.put("vote.cast", {**ABOUT, "value": -1}, "bob", partition=2)
    log.put("vote.cast", {**ABOUT, "value": 1, "comment": "c1"}, "bob", partition=2)
    log.put("discussion.viewed", ABOUT, "ann")
    log.put("discussion.viewed", ABOUT, "ann")
    log.put("discussion.viewed", ABOUT, "bob")
    log.put("report.filed", {**ABOUT, "comment": "c2", "revision": 1, "reason": "spam"}, "cat")
    for seen in ("published", "rejected"):  # the second ruling on it settles the report anew
        ruling = "reject" if seen == "published" else "restore"
        expected = {"revision": 1, "status": seen}
        said = {**ABOUT, "comment": "c2", "ruling": ruling, "expected": expected}
        log.put("decision.made", said, "mod")
    return log


def a_clean_run(log: Log | None = None) -> Evidence:
    """Everything as the model says: no invariant finds anything."""
    records = (log or a_log()).records
    model = Model().fold(records)
    e = Evidence(records=records, model=model)
    e.invoked = {record.event["id"]: "ok" for record in records}
    e.receipts = [(r.event["id"], (r.topic, r.partition, r.offset)) for r in records]
    e.ends = {}
    for r in records:
        e.ends[r.topic, r.partition] = r.offset + 1
    rows: dict[str, list[Any]] = defaultdict(list)
    rows["fences"] = [
        {"topic": t, "partition": p, "next_offset": end, "stopped_reason": None}
        for (t, p), end in e.ends.items()
    ]
    rows["fence_steps"] = [
        {"topic": t, "partition": p, "stood": 0, "stands": end, "epoch_was": 1, "epoch_is": 1}
        for (t, p), end in e.ends.items()
    ]
    causes = {r.event["id"]: r.event["type"] for r in records}
    for one in model.outcomes:
        rows["outcomes"].append(
            {"discussion": one.discussion, "event_id": one.event, "digest": "00",
             "cause": causes[one.event], "comment": one.comment, "revision": one.revision,
             "result": one.result, "reason": one.reason, "status": one.status}
        )  # fmt: skip
        e.told.append(
            {"discussion": one.discussion, "id": f"{one.event}:00",
             "data": {"event": one.event, "digest": "00", "reason": one.reason}}
        )  # fmt: skip
    for d in model.discussions.values():
        _discussion(e, rows, d)
    for (discussion, target, voter), ballot in model.votes.items():
        changes = [change.replace("+", "") for change in ballot.changes]
        rows["votes"].append(
            {"discussion": discussion, "target": target, "voter": voter, "value": ballot.value,
             "changes": changes}
        )  # fmt: skip
    for target, up, down in (("", *model.up_down(D)), ("c1", 1, 0)):
        rows["vote_totals"].append({"discussion": D, "target": target, "up": up, "down": down})
    rows["reporter_totals"] = [
        {"reporter": name, "upheld": told["upheld"], "dismissed": told["dismissed"]}
        for name, told in model.reporters().items()
    ]
    rows["view_totals"] = [{"discussion": d, "views": n} for d, n in model.views.items()]
    rows["connections"] = [{"open": 4, "stuck": 0}]
    e.tables = dict(rows)
    e.processes, e.descriptors = ["reader-1"], {"reader-1": 40}
    e.tasks = {"reader-1": 12}
    return e


def _discussion(e: Evidence, rows: dict[str, list[Any]], d: Any) -> None:
    rows["discussions"].append(
        {"discussion": d.key, "revision": d.revision, "title": d.title, "state": d.state,
         "visible_comments": len(d.visible)}
    )  # fmt: skip
    below: dict[str, int] = defaultdict(int)
    for comment in d.visible:
        for name in d.ancestors(comment):
            below[name] += 1
    authors: dict[str, int] = defaultdict(int)
    for c in d.comments.values():
        authors[c.author] += c.status == "published"
        rows["comments"].append(
            {"discussion": d.key, "comment": c.id, "author": c.author, "status": c.status,
             "revision": c.revision, "published_revision": c.shown, "held_revision": c.held,
             "deleted": c.deleted, "visible": c.visible, "ruling": c.ruling or None,
             "ruled_revision": c.ruled_revision, "ruled_by": c.ruled_by or None,
             "visible_descendants": below[c.id]}
        )  # fmt: skip
        for number, body in enumerate(c.texts, 1):
            rows["revisions"].append(
                {"discussion": d.key, "comment": c.id, "revision": number, "body": body,
                 "event_id": f"{c.id}-{number}"}
            )  # fmt: skip
    rows["author_totals"] = [
        {"author": author, "published": count, "rejected": 0} for author, count in authors.items()
    ]
    shown, (up, down) = d.shown(), e.model.up_down(d.key)
    for number, named in ((1, None), (2, ["c1", "c2", "c3", "c4"])):
        whole = number == 2
        first = d.prefixes[0]
        last = shown if whole else first
        strip = {
            "site": "gazette", "discussion": "d1", "version": [1, number], "title": d.title,
            "url": DESCRIBED["url"], "language": "en", "section": "town", "state": d.state,
            "opened_at": d.opened_at.isoformat(), "last_activity": last.last_activity.isoformat(),
            "comments": last.comments, "views": e.model.views[d.key] if whole else 0,
            "up": up if whole else 0, "down": down if whole else 0,
            "rating": up - down if whole else 0, "changed_comments": named,
        }  # fmt: skip
        e.strips.append(Published(d.key, (1, number), strip, 0, number))
        entry = {
            name: strip[name]
            for name in ("discussion", "version", "title", "url", "language", "section", "state",
                         "opened_at", "last_activity", "comments", "views", "rating")
        }  # fmt: skip
        feed = {
            "site": "gazette", "feed": "latest", "language": "", "section": "",
            "version": [1, number], "entries": [entry],
        }  # fmt: skip
        e.feeds.append(Published("gazette/latest//", (1, number), feed, 0, number))
    rows["strips"].append({"discussion": d.key, "incarnation": 1, "version": 2})
    e.reads = [
        {"session": "p", "key": "discussions/d1", "version": [1, n], "at": float(n)} for n in (1, 2)
    ]
    said = {"session": "s", "key": "d1"}
    e.streamed = [
        {**said, "event": "open", "held": ""},
        {**said, "event": "strip", "version": [1, 1]},
        {**said, "event": "comments", "ids": ["c1", "c2", "c3", "c4"], "vanished": ["c4"],
         "version": [1, 2]},
        {**said, "event": "strip", "version": [1, 2]},
    ]  # fmt: skip
    e.own = [{"session": "s", "event": "e7", "shown": 1, "expected": 1, "result": "applied"}]
    e.feeds_read = e.entries_compared = len(e.feeds)
    e.threads_asked = [d.key]
    e.threads[d.key] = {
        c.id: c.texts[c.shown - 1] if c.visible and c.shown else None for c in d.comments.values()
    }
