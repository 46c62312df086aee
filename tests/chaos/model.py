"""The reference model: what the state must be, given the log. Pure, no I/O, nothing of `services`.

It folds the records of comments.v1, votes.v1 and views.v1 (as the broker keeps them: offsets and
timestamps) into what Postgres and readers must show. Written from the documented rules:
  comments  the log's order within a discussion decides; an event counts once by id and content
  votes     the last of a voter on a target wins, by offset; the last 8 ids are remembered
  views     one per (discussion, viewer, 30 minutes)
The rules that runs judge by are two word lists: HOLD and REJECT.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

HOLD = ("zhdun", "заждун")
REJECT = ("otvergun", "отвергун")
REPORT_THRESHOLD = 3
REMEMBERED = 8
WINDOW = timedelta(minutes=30)
CLOCKS_APART = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """One good record of an input topic; `at` is the broker's time."""

    topic: str
    partition: int
    offset: int
    at: datetime
    event: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.event["id"])

    @property
    def type(self) -> str:
        return str(self.event["type"])

    @property
    def discussion(self) -> str:
        return f"{self.event['site']}/{self.event['data']['discussion']}"

    @property
    def said(self) -> str:
        """Two events with one id say the same where this is equal."""
        event = self.event
        return json.dumps(
            [event["type"], event["site"], event["actor"], event["data"]], sort_keys=True
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event of comments.v1, or of a refused vote."""

    discussion: str
    event: str
    result: str
    reason: str = ""
    comment: str = ""
    revision: int = 0
    status: str = ""


@dataclass(slots=True)
class Comment:
    id: str
    author: str
    parent: str | None
    at: datetime
    texts: list[str]
    status: str = "pending"
    shown: int | None = None
    held: int | None = None
    held_reason: str = ""
    deleted: bool = False
    ruling: str = ""
    ruled_revision: int | None = None
    ruled_by: str = ""
    reporters: dict[int, set[str]] = field(default_factory=dict)
    settled: dict[tuple[int, str], str] = field(default_factory=dict)
    """(revision, reporter) → whether the newest ruling since upheld or dismissed the report."""

    @property
    def revision(self) -> int:
        return len(self.texts)

    @property
    def visible(self) -> bool:
        return self.status == "published" and not self.deleted


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a strip that comments.v1 decides, after one of its records."""

    comments: int
    last_activity: datetime
    state: str
    title: str


@dataclass(slots=True)
class Discussion:
    key: str
    revision: int = 0
    described: tuple[Any, ...] = ()
    title: str = ""
    state: str = ""
    opened_at: datetime | None = None
    comments: dict[str, Comment] = field(default_factory=dict)
    heard: dict[str, set[str]] = field(default_factory=dict)
    prefixes: list[Shown] = field(default_factory=list)

    @property
    def visible(self) -> list[Comment]:
        return [comment for comment in self.comments.values() if comment.visible]

    def shown(self) -> Shown:
        assert self.opened_at is not None
        visible = self.visible
        last = max((comment.at for comment in visible), default=self.opened_at)
        return Shown(len(visible), last, self.state, self.title)

    def ancestors(self, comment: Comment) -> list[str]:
        chain: list[str] = []
        parent = comment.parent
        while parent is not None:
            chain.append(parent)
            parent = self.comments[parent].parent
        return chain


@dataclass(slots=True)
class Ballot:
    value: int
    changes: list[str]


@dataclass
class Model:
    discussions: dict[str, Discussion] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    votes: dict[tuple[str, str, str], Ballot] = field(default_factory=dict)
    """(discussion, target, voter) → the vote that stands."""
    vote_prefixes: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)
    """(discussion, partition) → (up, down) of its own votes after each change, from (0, 0) on."""
    parked: set[tuple[str, str, str, int]] = field(default_factory=set)
    """(discussion, target, voter, offset) of votes on comments that never came."""
    refused_votes: set[tuple[str, str, str]] = field(default_factory=set)
    """(discussion, event id, reason)."""
    views: dict[str, int] = field(default_factory=dict)
    view_keys: set[tuple[str, str, datetime]] = field(default_factory=set)

    # --- folding

    def fold(self, records: Iterable[Record]) -> Model:
        """`records` in any order."""
        place = {"comments.v1": 0, "votes.v1": 1, "views.v1": 2}
        for record in sorted(records, key=lambda r: (place[r.topic], r.partition, r.offset)):
            self.take(record)
        return self

    def take(self, record: Record) -> None:
        """All of comments.v1 comes first, then all of votes.v1, then views.v1; each partition by
        its offsets. How partitions of one topic mingle changes nothing."""
        if record.topic == "comments.v1":
            self.outcomes += self.comments_event(record)
        elif record.topic == "votes.v1":
            self._vote(record)
        else:
            self._view(record)

    def comments_event(self, record: Record) -> list[Outcome]:
        """Nothing where the very same event was heard before."""
        discussion = self.discussions.setdefault(record.discussion, Discussion(record.discussion))
        event = record.event
        heard = discussion.heard.setdefault(event["id"], set())
        if record.said in heard:
            return []
        taken = bool(heard)
        heard.add(record.said)
        name = event["data"].get("comment", "")
        if taken:
            return [Outcome(record.discussion, event["id"], "refused", "id_taken", name)]
        kind = event["type"].split(".")[1:3]
        act = {
            "submitted": self._submit,
            "edited": self._edit,
            "deleted": self._delete,
            "filed": self._report,
            "made": self._decide,
        }.get(kind[1], self._describe)
        result, reason = act(discussion, record)
        known = discussion.comments.get(name)
        told = Outcome(
            record.discussion,
            event["id"],
            result,
            reason,
            name,
            known.revision if known and (reason != "id_taken") else 0,
            known.status if known and (reason != "id_taken") else "",
        )
        if discussion.opened_at is not None:
            shown = discussion.shown()
            if not discussion.prefixes or discussion.prefixes[-1] != shown:
                discussion.prefixes.append(shown)
        return [told]

    def _describe(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        data, type = record.event["data"], record.event["type"]
        state = {"opened": "open", "closed": "closed"}.get(
            type.split(".")[2], data.get("state", "open")
        )
        said = (state, *(data.get(m) for m in ("url", "title", "language", "section", "policy")))
        if discussion.opened_at is None or data["revision"] > discussion.revision:
            discussion.opened_at = discussion.opened_at or record.at
            discussion.revision, discussion.described = data["revision"], said
            discussion.title, discussion.state = data["title"], state
            return "applied", ""
        if (data["revision"], said) == (discussion.revision, discussion.described):
            return "applied", ""
        return "refused", "revision_stale"

    def _submit(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        data, actor = record.event["data"], record.event["actor"]
        known = discussion.comments.get(data["comment"])
        if known is not None:
            same = (known.author, known.parent, known.texts[0]) == (
                actor, data.get("parent"), data["body"],
            )  # fmt: skip
            return ("applied", "") if same else ("refused", "id_taken")
        if discussion.opened_at is None:
            return "refused", "discussion_unknown"
        parent = data.get("parent")
        if parent is not None and parent not in discussion.comments:
            return "refused", "parent_unknown"
        if discussion.state != "open":
            return "refused", "discussion_closed"
        comment = Comment(data["comment"], actor, parent, record.at, [data["body"]])
        discussion.comments[comment.id] = comment
        return self._rule(comment, data["body"], first=True)

    def _edit(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        data = record.event["data"]
        comment = discussion.comments.get(data["comment"])
        if comment is None:
            return "refused", "comment_unknown"
        if comment.author != record.event["actor"]:
            return "refused", "not_the_author"
        if comment.deleted:
            return "refused", "comment_deleted"
        if comment.texts[-1] == data["body"]:
            return "applied", ""
        if discussion.state != "open":
            return "refused", "discussion_closed"
        comment.texts.append(data["body"])
        return self._rule(comment, data["body"], first=False)

    def _rule(self, comment: Comment, text: str, *, first: bool) -> tuple[str, str]:
        action, reason = verdict(text), "rule"
        if action == "publish" and not first:
            if comment.ruling == "reject":
                action, reason = "hold", "rejected_before"
            elif comment.held_reason == "report":
                action, reason = "hold", "report"
        if action == "publish":
            comment.status, comment.shown = "published", comment.revision
            comment.held, comment.held_reason = None, ""
            return "published", ""
        if action == "hold":
            if comment.status != "published":
                comment.status = "pending"
            comment.held, comment.held_reason = comment.revision, reason
            return "held", reason
        if comment.status == "published" and comment.held_reason == "report":
            comment.held = comment.revision
            return "rejected", reason
        if comment.status != "published":
            comment.status = "rejected"
        comment.held, comment.held_reason = None, ""
        return "rejected", reason

    def _delete(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        comment = discussion.comments.get(record.event["data"]["comment"])
        if comment is None:
            return "refused", "comment_unknown"
        if comment.author != record.event["actor"]:
            return "refused", "not_the_author"
        comment.deleted = True
        comment.held, comment.held_reason = None, ""
        return "applied", ""

    def _report(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        data, reporter = record.event["data"], record.event["actor"]
        comment = discussion.comments.get(data["comment"])
        if comment is None:
            return "refused", "comment_unknown"
        if comment.deleted:
            return "refused", "comment_deleted"
        if comment.author == reporter:
            return "refused", "own_report"
        revision = data["revision"]
        if revision > comment.revision:
            return "refused", "revision_unknown"
        if revision not in (comment.revision, comment.shown):
            return "refused", "revision_stale"
        reporters = comment.reporters.setdefault(revision, set())
        if reporter in reporters:
            return "applied", ""
        reporters.add(reporter)
        if comment.status != "published" or len(reporters) < REPORT_THRESHOLD:
            return "applied", ""
        approved = comment.ruling in ("approve", "restore") and comment.ruled_revision == revision
        if approved and (len(reporters) % REPORT_THRESHOLD or comment.held is not None):
            return "applied", ""
        comment.held, comment.held_reason = comment.held or comment.revision, "report"
        if not approved:
            comment.status = "pending"
        return "held", "report"

    def _decide(self, discussion: Discussion, record: Record) -> tuple[str, str]:
        data = record.event["data"]
        comment = discussion.comments.get(data["comment"])
        if comment is None:
            return "refused", "comment_unknown"
        if comment.deleted:
            return "refused", "comment_deleted"
        expected = data["expected"]
        if (expected["revision"], expected["status"]) != (comment.revision, comment.status):
            return "refused", "conflict"
        comment.held, comment.held_reason = None, ""
        comment.ruling, comment.ruled_revision = data["ruling"], comment.revision
        comment.ruled_by = record.event["actor"]
        for reporter in comment.reporters.get(comment.revision, ()):
            told = "upheld" if data["ruling"] == "reject" else "dismissed"
            comment.settled[comment.revision, reporter] = told
        if data["ruling"] == "reject":
            comment.status = "rejected"
        else:
            comment.status, comment.shown = "published", comment.revision
        return "applied", ""

    # --- votes and views

    def _vote(self, record: Record) -> None:
        event = record.event
        discussion, target = record.discussion, event["data"].get("comment") or ""
        voter, value = event["actor"], event["data"]["value"]
        key = (discussion, target, voter)
        if target:
            known = self.discussions.get(discussion)
            comment = known.comments.get(target) if known else None
            if comment is None:
                self.parked.add((*key, record.offset))
                return
            if comment.author == voter:
                self.refused_votes.add((discussion, record.id, "own_vote"))
                return
        ballot = self.votes.setdefault(key, Ballot(0, []))
        repeated = [change for change in ballot.changes if change[:-3] == record.id]
        if repeated:
            if int(repeated[0][-2:]) != value:
                self.refused_votes.add((discussion, record.id, "id_taken"))
            return
        before, ballot.value = ballot.value, value
        ballot.changes = [f"{record.id}:{value:+d}", *ballot.changes[: REMEMBERED - 1]]
        if not target and before != value:
            steps = self.vote_prefixes.setdefault((discussion, record.partition), [(0, 0)])
            up, down = steps[-1]
            steps.append((up + (value == 1) - (before == 1), down + (value == -1) - (before == -1)))

    def _view(self, record: Record) -> None:
        said = datetime.fromisoformat(record.event["time"])
        moment = min(max(said, record.at - CLOCKS_APART), record.at + CLOCKS_APART)
        window = EPOCH + (moment - EPOCH) // WINDOW * WINDOW
        key = (record.discussion, record.event["actor"], window)
        if key not in self.view_keys:
            self.view_keys.add(key)
            self.views[record.discussion] = self.views.get(record.discussion, 0) + 1

    # --- what follows from it

    def reporters(self) -> dict[str, Counter[str]]:
        """Reader → how many of their reports moderators upheld and dismissed."""
        records: dict[str, Counter[str]] = defaultdict(Counter)
        for discussion in self.discussions.values():
            for comment in discussion.comments.values():
                for (_, reporter), told in comment.settled.items():
                    records[reporter][told] += 1
        return records

    def up_down(self, discussion: str) -> tuple[int, int]:
        last = [steps[-1] for (name, _), steps in self.vote_prefixes.items() if name == discussion]
        return sum(up for up, _ in last), sum(down for _, down in last)


def verdict(text: str) -> str:
    words = set("".join(c if c.isalnum() else " " for c in text.casefold()).split())
    if words & set(REJECT):
        return "reject"
    return "hold" if words & set(HOLD) else "publish"
