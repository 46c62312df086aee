"""The history that facts are cut from.

It starts with what one batched query found and takes in every record of its own batch as it is
applied, so batches of one and of 2,000 give each comment the same facts.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from services.core.events import Policy
from services.core.rules.facts import (
    LIMITED_UNTIL,
    Facts,
    Kind,
    Query,
    Submission,
    Use,
    Value,
    Windows,
    answer,
)
from services.core.rules.near import Signature, alike, signature, signatures
from services.core.rules.reading import Reading
from services.core.rules.uses import NearUse, add, forget, newest

if TYPE_CHECKING:
    from services.core.rules.brakes import Tallies

_SECONDS_A_DAY = 86_400

KARMA_MOST = 200
"""An author's newest comments, whose ratings are added up."""

Author = tuple[str, str]
"""(site, author)."""
Text = tuple[str, bytes]
"""(site, body hash)."""
Band = tuple[str, int]
"""(site, a number that signatures of nearly equal texts share)."""
Earlier: TypeAlias = tuple[tuple[Kind, Sequence[Use]], ...]


class Rated(NamedTuple):
    """One of an author's comments, in time order."""

    at: datetime
    discussion: str
    comment: str
    rating: int


@dataclass(slots=True)
class Totals:
    published: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Record:
    """What moderators ruled on the revisions that a reader reported."""

    upheld: int = 0
    dismissed: int = 0

    @property
    def weight(self) -> float:
        """1 of a reader nobody knows, towards 2 of one who is always right, towards 0 else."""
        return 2 * (self.upheld + 1) / (self.upheld + self.dismissed + 2)


@dataclass(slots=True)
class History:
    windows: Windows
    totals: dict[Author, Totals] = field(default_factory=dict)
    deltas: dict[Author, Totals] = field(default_factory=dict)
    """How this batch changed the totals: what the store adds."""
    reporters: dict[Author, Record] = field(default_factory=dict)
    settled: dict[Author, Record] = field(default_factory=dict)
    """How this batch changed the records of reporters: what the store adds."""
    limits: dict[Author, datetime] = field(default_factory=dict)
    """Until when rules slow an author down."""
    new_limits: dict[Author, datetime] = field(default_factory=dict)
    """Those of this batch: what the store writes."""
    tallies: Tallies | None = None
    """What rules did lately, where brakes may ask."""
    signatures: dict[bytes, Signature] = field(default_factory=dict)
    """By body hash."""
    new_near: list[tuple[str, tuple[int, ...], NearUse]] = field(default_factory=list)
    """What this batch adds, with its site and bands: what the store writes."""
    _recent: dict[Author, list[Use]] = field(default_factory=dict)
    _own_copies: dict[tuple[Author, bytes], list[Use]] = field(default_factory=dict)
    _site_copies: dict[Text, list[Use]] = field(default_factory=dict)
    _first: dict[Author, datetime] = field(default_factory=dict)
    _near: dict[Band, list[NearUse]] = field(default_factory=dict)
    _rated: dict[Author, list[Rated]] = field(default_factory=dict)
    _asked: dict[Kind, list[Query]] = field(default_factory=dict)
    _quiet: dict[str, Value] = field(default_factory=dict)
    """What queries come to where nothing was written before, as mostly."""

    def __post_init__(self) -> None:
        for query in self.windows.queries:
            self._asked.setdefault(query.kind, []).append(query)
            self._quiet[query.key] = query.least

    def found_first(self, author: Author, at: datetime) -> None:
        self._first[author] = at

    def found_recent(self, author: Author, uses: Iterable[Use]) -> None:
        self._recent[author] = sorted(set(uses))

    def found_own_copies(self, author: Author, body_hash: bytes, uses: Iterable[Use]) -> None:
        self._own_copies[author, body_hash] = sorted(set(uses))

    def found_site_copies(self, text: Text, uses: Iterable[Use]) -> None:
        self._site_copies[text] = sorted(set(uses))

    def found_rated(self, author: Author, comments: Iterable[Rated]) -> None:
        self._rated[author] = sorted(comments)

    def found_near(self, band: Band, uses: Iterable[NearUse]) -> None:
        self._near[band] = sorted(uses)

    def sign(self, readings: Iterable[Reading]) -> None:
        """Works out the signatures of many texts together, in half the time."""
        new = {each.body_hash: each for each in readings if each.body_hash not in self.signatures}
        self.signatures.update(zip(new, signatures(list(new.values())), strict=True))

    def signature(self, reading: Reading) -> Signature:
        known = self.signatures.get(reading.body_hash)
        if known is None:
            known = self.signatures[reading.body_hash] = signature(reading)
        return known

    def forget(self, now: datetime) -> None:
        """What no window reaches any more, and what only a store would ask for."""
        windows = self.windows
        self.signatures.clear()
        self.new_near.clear()
        self.deltas.clear()
        if not windows.first:
            self._first.clear()
        forget(self._recent, now - windows.recent if windows.recent_most else None)
        forget(self._own_copies, now - windows.copies if windows.own_copies_most else None)
        forget(self._site_copies, now - windows.copies if windows.site_copies_most else None)
        forget(self._near, now - windows.near if windows.near_most else None)

    def written(self, submission: Submission) -> None:
        """Takes in a revision that was stored, whatever its verdict."""
        author = (submission.site, submission.author)
        text = (submission.site, submission.reading.body_hash)
        use = Use(submission.at, submission.discussion, submission.comment, submission.author)
        windows = self.windows
        if windows.first:
            self._first[author] = min(submission.at, self._first.get(author, submission.at))
        if submission.revision == 1:
            if windows.recent_most:
                add(self._recent, author, use)
            if (rated := self._rated.get(author)) is not None:
                insort(rated, Rated(use.at, use.discussion, use.comment, 0))
        if windows.own_copies_most:
            add(self._own_copies, (author, text[1]), use)
        if windows.site_copies_most:
            add(self._site_copies, text, use)
        if windows.near_most:
            said = self.signature(submission.reading)
            near = NearUse(
                submission.at, submission.discussion, submission.comment, submission.revision,
                submission.author, said.bits,
            )  # fmt: skip
            for number in said.bands:
                add(self._near, (submission.site, number), near)
            self.new_near.append((submission.site, said.bands, near))

    def limited(self, author: Author, until: datetime) -> None:
        """Takes in that a rule slows the author down; the latest end counts."""
        for known in (self.limits, self.new_limits):
            known[author] = max(until, known.get(author, until))

    def moved(self, author: Author, before: str | None, after: str) -> None:
        """Takes in a change of status of one of the author's comments."""
        for status, step in ((before, -1), (after, 1)):
            if status not in ("published", "rejected"):
                continue
            for totals in (self.totals, self.deltas):
                of_author = totals.get(author)
                if of_author is None:
                    of_author = totals[author] = Totals()
                if status == "published":
                    of_author.published += step
                elif status == "rejected":
                    of_author.rejected += step

    def ruled(self, reporter: Author, before: str, after: str) -> None:
        """Takes in how a report is settled: ``, `upheld` or `dismissed`."""
        for name, step in ((before, -1), (after, 1)):
            for records in (self.reporters, self.settled):
                record = records.setdefault(reporter, Record())
                if name == "upheld":
                    record.upheld += step
                elif name == "dismissed":
                    record.dismissed += step

    def weight(self, site: str, reporters: Iterable[str]) -> float:
        unknown = Record()
        return sum((self.reporters.get((site, name)) or unknown).weight for name in reporters)

    def facts(
        self, submission: Submission, policy: Policy, recorded_at: datetime | None = None
    ) -> Facts:
        """`recorded_at` is the broker's time, which a limit on the author ends by."""
        author = (submission.site, submission.author)
        totals = self.totals.get(author) or Totals()
        windows = self.windows
        values: dict[str, Value] = {
            "author.published": totals.published,
            "author.rejected": totals.rejected,
        }
        until = self.limits.get(author)
        if until is not None and recorded_at is not None and recorded_at < until:
            values[LIMITED_UNTIL] = until.isoformat()
        if windows.first:
            age = submission.at - self._first.get(author, submission.at)
            values["author.age_days"] = round(max(age.total_seconds(), 0) / _SECONDS_A_DAY, 4)
        if windows.karma and (rated := self._rated.get(author)) is not None:
            values["author.karma"] = sum(one.rating for one in rated[-KARMA_MOST:])
        if windows.discussion:
            if submission.comments is not None:
                values["discussion.comments"] = submission.comments
            if submission.opened_at is not None:
                age = submission.at - submission.opened_at
                values["discussion.age_hours"] = round(max(age.total_seconds(), 0) / 3_600, 4)
        if windows.queries:
            values |= self._quiet
            for kind, uses in self._earlier(submission, author):
                if uses:
                    for query in self._asked[kind]:
                        values[query.key] = answer(query, submission, uses)
        return Facts(values, policy, self.tallies)

    def _earlier(self, submission: Submission, author: Author) -> Earlier:
        """Of each kind that rules ask for, the uses that windows reach."""
        windows, body_hash = self.windows, submission.reading.body_hash
        text = (submission.site, body_hash)
        recent = newest(self._recent.get(author), submission, windows.recent, windows.recent_most)
        own = newest(
            self._own_copies.get((author, body_hash)),
            submission, windows.copies, windows.own_copies_most,
        )  # fmt: skip
        copies = newest(
            self._site_copies.get(text), submission, windows.copies, windows.site_copies_most
        )
        near = self._nearly_equal(submission) if windows.near_most else ()
        return (("recent", recent), ("own", own), ("site", copies), ("near", near))

    def _nearly_equal(self, submission: Submission) -> tuple[Use, ...]:
        """Of each band the newest are looked at; other comments' nearly equal texts are left."""
        said, windows = self.signature(submission.reading), self.windows
        found: dict[int, NearUse] = {}
        # Bands share their uses, and most of those in one band are in the others too.
        for number in said.bands:
            if uses := self._near.get((submission.site, number)):
                for use in newest(uses, submission, windows.near, windows.near_most):
                    found[id(use)] = use
        return tuple(
            {
                Use(use.at, use.discussion, use.comment, use.author)
                for use in found.values()
                if alike(said.bits, use.bits)
            }
        )
