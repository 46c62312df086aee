"""What a rule may know about a comment: facts as values, and what they are worked out from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from services.core.events import DiscussionKey, Policy
from services.core.rules.reading import Reading

if TYPE_CHECKING:
    from services.core.rules.brakes import Tallies

Value: TypeAlias = bool | int | float | str | None
"""None is unknown, which is not false."""

LIMITED_UNTIL = "author.limited_until"
"""The fact about an author whom a rule slows down, ISO 8601; not there for all others."""


Kind = Literal["recent", "own", "site", "near"]
"""Uses by the author, of the same text by the author and on the site, of nearly equal texts."""


class Query(NamedTuple):
    """A value over a window that a rule asks for, such as `count(author, 10m)`."""

    what: str
    over: str
    window: timedelta
    key: str

    @property
    def kind(self) -> Kind:
        """Which uses it counts."""
        if self.what in ("count", "discussions"):
            return "recent"
        if "near" in (self.what, self.over):
            return "near"
        return "own" if self.over == "author" else "site"

    @property
    def least(self) -> int:
        """What it comes to where there are no earlier uses: only the comment itself."""
        return 0 if self.what in ("copies", "near") else 1


class Submission(Struct, frozen=True):
    """One revision of a comment, to be judged."""

    discussion: DiscussionKey
    comment: str
    revision: int
    site: str
    author: str
    at: datetime
    reading: Reading
    section: str = ""
    language: str = ""
    """The discussion's, as its portal states them."""
    opened_at: datetime | None = None
    """The discussion; None of a comment from a file."""
    comments: int | None = None
    """Those that readers see in the discussion."""
    reported: bool = False
    """Whether it is a report of the revision that is judged."""


class Windows(NamedTuple):
    """How far back, and how many at most, the rules of a ruleset look."""

    recent: timedelta = timedelta()
    recent_most: int = 0
    """Comments of the author; floods count them."""
    copies: timedelta = timedelta()
    own_copies_most: int = 0
    site_copies_most: int = 0
    """Uses of the same text, by the author and on the site; repeats count them."""
    near: timedelta = timedelta()
    near_most: int = 0
    """Uses of nearly the same text that are looked at, of each band."""
    standing: bool = False
    """Whether a rule asks how an author's comments stand."""
    first: bool = False
    """Whether a rule asks since when an author writes."""
    karma: bool = False
    """Whether a rule asks how an author's comments are rated."""
    discussion: bool = False
    """Whether a rule asks about the discussion."""
    reports: bool = False
    """Whether rules look at reports."""
    queries: tuple[Query, ...] = ()
    """What the rules ask; the members above follow from it."""


class Use(NamedTuple):
    """One comment in a history, in time order; the rest of the order only breaks ties."""

    at: datetime
    discussion: str
    comment: str
    author: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was gathered about a comment, by the features' names; what is not there is unknown.

    Counts over windows are cut at the ruleset's limits: a count says so many or more.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    policy: Policy = "publish_first"
    tallies: Tallies | None = None
    """What rules did lately, where brakes may ask."""

    def seen(self) -> dict[str, Any]:
        """The facts as recorded with an outcome: `Facts(seen)` judges alike."""
        return dict(self.values)


def answer(query: Query, submission: Submission, uses: Sequence[Use]) -> int:
    """What a query comes to: the uses are earlier ones of its kind, other comments'."""
    since = submission.at - query.window
    inside = [use for use in uses if use.at > since]
    match query.what, query.over:
        case "count", "author":
            return 1 + len(inside)
        case "count", "author_here":
            return 1 + sum(use.discussion == submission.discussion for use in inside)
        case "discussions", _:
            return len({use.discussion for use in inside} | {submission.discussion})
        case "copies", _:
            return len({(use.discussion, use.comment) for use in inside})
        case "near", "author":
            own_ones = (use for use in inside if use.author == submission.author)
            return len({(use.discussion, use.comment) for use in own_ones})
        case "near", "site":
            return len({(use.discussion, use.comment) for use in inside})
    return len({use.author for use in inside} | {submission.author})  # authors
