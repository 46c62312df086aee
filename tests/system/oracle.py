"""What Veche must show for what was sent: recomputed from the documented formulas, nothing else.

Imports nothing of `services`. One Discussion folds the events of one discussion in the order in
which they were accepted; Portal folds the feeds of a site from its discussions. The rules that the
system tests run under are two word lists (see `rules/`): a comment that contains a word of HOLD is
held, one that contains a word of REJECT is rejected, anything else is published.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HOLD = ("zhdun", "заждун")
REJECT = ("otvergun", "отвергун")
REPORT_THRESHOLD = 3
VIEW_WINDOW = timedelta(minutes=30)
HOT_SECONDS = 45_000
WILSON_Z = 1.96


def verdict(text: str) -> str:
    words = set("".join(c if c.isalnum() else " " for c in text.casefold()).split())
    if words & set(REJECT):
        return "reject"
    return "hold" if words & set(HOLD) else "publish"


def wilson(up: int, down: int) -> float:
    """Lower bound of the 95 % Wilson score interval of the share of up-votes; 0 without any."""
    n = up + down
    if up == 0:
        return 0.0  # exactly, by the formula
    p, z = up / n, WILSON_Z
    spread = z * math.sqrt((p * (1 - p) + z * z / (4 * n)) / n)
    return (p + z * z / (2 * n) - spread) / (1 + z * z / n)


def hot(score: int, opened_at: datetime) -> float:
    sign = (score > 0) - (score < 0)
    return round(sign * math.log10(max(abs(score), 1)) + opened_at.timestamp() / HOT_SECONDS, 7)


@dataclass
class Comment:
    id: str
    author: str
    parent: str | None
    at: datetime
    texts: list[str]
    status: str
    shown: int | None = None
    held: int | None = None
    deleted: bool = False
    reported: bool = False
    """It waits because readers reported it."""
    ruling: str | None = None
    approved: int | None = None
    """The revision that a moderator let stand last."""
    reporters: dict[int, set[str]] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)

    @property
    def revision(self) -> int:
        return len(self.texts)

    @property
    def visible(self) -> bool:
        return self.status == "published" and not self.deleted

    @property
    def body(self) -> str:
        assert self.shown is not None
        return self.texts[self.shown - 1]

    @property
    def up(self) -> int:
        return sum(value == 1 for value in self.votes.values())

    @property
    def down(self) -> int:
        return sum(value == -1 for value in self.votes.values())


@dataclass
class Discussion:
    id: str
    title: str
    url: str
    language: str
    section: str
    opened_at: datetime
    state: str = "open"
    comments: dict[str, Comment] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    view_windows: set[tuple[str, datetime]] = field(default_factory=set)

    # --- events, in the order of acceptance

    def submit(self, id: str, author: str, text: str, at: datetime, parent: str | None) -> str:
        if self.state != "open":
            return "refused"
        if parent is not None and parent not in self.comments:
            return "refused"
        ruled = verdict(text)
        comment = Comment(id, author, parent, at, [text], "pending")
        self.comments[id] = comment
        if ruled == "publish":
            comment.status, comment.shown = "published", 1
        elif ruled == "hold":
            comment.held = 1
        else:
            comment.status = "rejected"
        return {"publish": "published", "hold": "held", "reject": "rejected"}[ruled]

    def edit(self, id: str, author: str, text: str) -> str:
        comment = self.comments.get(id)
        if comment is None or comment.author != author or comment.deleted:
            return "refused"
        if comment.texts[-1] == text:
            return "applied"
        if self.state != "open":
            return "refused"
        ruled = verdict(text)
        if ruled == "publish" and (comment.ruling == "reject" or comment.reported):
            ruled = "hold"
        comment.texts.append(text)
        revision = comment.revision
        if ruled == "publish":
            comment.status, comment.shown, comment.held = "published", revision, None
        elif ruled == "hold":
            comment.held = revision
            comment.reported = comment.reported and verdict(text) == "publish"
            if comment.status == "rejected":
                comment.status = "pending"
        elif comment.status != "published":
            comment.status, comment.held = "rejected", None
        elif not comment.reported:
            comment.held = None
        return {"publish": "published", "hold": "held", "reject": "rejected"}[ruled]

    def delete(self, id: str, author: str) -> str:
        comment = self.comments.get(id)
        if comment is None or comment.author != author:
            return "refused"
        comment.deleted, comment.held, comment.reported = True, None, False
        return "applied"

    def report(self, id: str, reporter: str, revision: int) -> str:
        comment = self.comments.get(id)
        if comment is None or comment.author == reporter or comment.deleted:
            return "refused"
        if revision not in (comment.revision, comment.shown):
            return "refused"
        reporters = comment.reporters.setdefault(revision, set())
        if reporter in reporters:
            return "applied"
        reporters.add(reporter)
        if comment.status != "published" or len(reporters) < REPORT_THRESHOLD:
            return "applied"
        approved = comment.approved == revision
        if approved and (len(reporters) % REPORT_THRESHOLD or comment.held is not None):
            return "applied"
        comment.held = comment.held or comment.revision
        comment.reported = True
        if not approved:
            comment.status = "pending"
        return "held"

    def decide(self, id: str, ruling: str, revision: int, status: str) -> str:
        comment = self.comments.get(id)
        if comment is None or comment.deleted:
            return "refused"
        if (comment.revision, comment.status) != (revision, status):
            return "refused"
        comment.held, comment.reported, comment.ruling = None, False, ruling
        if ruling == "reject":
            comment.status, comment.approved = "rejected", None
        else:
            comment.status, comment.shown, comment.approved = "published", revision, revision
        return "applied"

    def vote(self, voter: str, value: int, comment_id: str | None) -> None:
        if comment_id is None:
            self.votes[voter] = value
        elif comment_id in self.comments and self.comments[comment_id].author != voter:
            self.comments[comment_id].votes[voter] = value

    def view(self, viewer: str, at: datetime) -> None:
        minute = at.minute - at.minute % 30
        self.view_windows.add((viewer, at.replace(minute=minute, second=0, microsecond=0)))

    # --- what readers see

    @property
    def visible(self) -> list[Comment]:
        return [comment for comment in self.comments.values() if comment.visible]

    @property
    def rating(self) -> int:
        return sum(self.votes.values())

    @property
    def last_activity(self) -> datetime:
        return max((comment.at for comment in self.visible), default=self.opened_at)

    @property
    def score(self) -> int:
        return self.rating + len(self.visible)

    def strip(self) -> dict[str, object]:
        return {
            "views": len(self.view_windows),
            "comments": len(self.visible),
            "rating": self.rating,
            "up": sum(value == 1 for value in self.votes.values()),
            "down": sum(value == -1 for value in self.votes.values()),
            "last_activity": self.last_activity,
            "state": self.state,
        }

    def roots(self, sort: str) -> list[Comment]:
        """Roots that show: visible ones, and hidden ones with something visible below."""
        shown = [
            comment
            for comment in self.comments.values()
            if comment.parent is None and (comment.visible or self._visible_below(comment.id))
        ]
        if sort == "best":
            return sorted(shown, key=lambda c: (-wilson(c.up, c.down), c.at, c.id))
        return sorted(shown, key=lambda c: (c.at, c.id), reverse=sort == "newest")

    def replies(self, root: str) -> list[Comment]:
        """Everything below a root that shows, oldest first."""
        below = [c for c in self.comments.values() if root in self._ancestors(c)]
        shown = [c for c in below if c.visible or self._visible_below(c.id)]
        return sorted(shown, key=lambda c: (c.at, c.id))

    def _ancestors(self, comment: Comment) -> list[str]:
        chain = []
        parent = comment.parent
        while parent is not None:
            chain.append(parent)
            parent = self.comments[parent].parent
        return chain

    def _visible_below(self, id: str) -> bool:
        return any(id in self._ancestors(comment) for comment in self.visible)


@dataclass
class Portal:
    """One site: its feeds are orders over its discussions."""

    discussions: dict[str, Discussion] = field(default_factory=dict)

    def feed(
        self, name: str, *, language: str = "", section: str = "", as_of: datetime | None = None
    ) -> list[Discussion]:
        """At most 200 discussions, in the feed's order."""
        chosen = self._in(language, section)
        if name == "latest":
            order = sorted(chosen, key=lambda d: d.id)
            order.sort(key=lambda d: d.last_activity, reverse=True)
        elif name == "hot":
            order = sorted(chosen, key=lambda d: d.id)
            order.sort(key=lambda d: hot(d.score, d.opened_at), reverse=True)
        else:
            span = {"top-day": timedelta(days=1), "top-week": timedelta(days=7)}.get(name)
            if span is not None:
                assert as_of is not None
                chosen = [d for d in chosen if as_of - span < d.opened_at <= as_of]
            order = sorted(chosen, key=lambda d: d.id)
            order.sort(key=lambda d: d.opened_at, reverse=True)
            order.sort(key=lambda d: d.score, reverse=True)
        return order[:200]

    def _in(self, language: str, section: str) -> list[Discussion]:
        return [
            discussion
            for discussion in self.discussions.values()
            if discussion.state != "removed"
            and language in ("", discussion.language)
            and section in ("", discussion.section)
        ]


def entry(discussion: Discussion) -> dict[str, object]:
    return {
        "discussion": discussion.id,
        "title": discussion.title,
        "url": discussion.url,
        "language": discussion.language,
        "section": discussion.section,
        "last_activity": discussion.last_activity,
        "comments": len(discussion.visible),
        "views": len(discussion.view_windows),
        "rating": discussion.rating,
    }


def entries(discussions: Iterable[Discussion]) -> list[dict[str, object]]:
    return [entry(discussion) for discussion in discussions]
