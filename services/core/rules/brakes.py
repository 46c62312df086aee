"""Brakes: what turns a rule's reject into a hold, so that a rule gone wrong buries moderators in
work and never readers' comments in the bin.

Counts run on the time of the records (the broker's, also where an importer states another), by
hours of UTC: an hour is the one that the record falls into, a day that hour and the 23 before.
They are of what was judged before the comment at hand, earlier records of its batch included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from msgspec import structs

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules.judge import RULE_ERROR, fold
from services.core.rules.rule import Limits
from services.core.rules.ruleset import Ruleset

ALL = ""
"""In place of a rule: all comments judged, and how many were held and rejected by verdict."""

DAY = timedelta(hours=24)
NO_LIMITS = Limits()

Version = tuple[str, str]
"""(rule, version); (ALL, "") for all comments."""


@dataclass(frozen=True)
class Brakes:
    """For all rules; 0 switches a brake off. Probation is AbuseFilter's emergency throttle, with
    numbers for a portal: a new version that hits more than so many, and such a share, of a day's
    comments was hardly meant so."""

    rejects_per_hour: int = 1_000
    """Comments that rules may reject in an hour, on all sites together."""
    probation_days: int = 7
    """Of a rule's version, from its first hit on."""
    probation_hits: int = 25
    probation_percent: int = 5


class Tally(NamedTuple):
    """What a rule did before this comment; recorded with the outcome, and enough to brake on."""

    rejects_in_hour: int
    rejects_in_day: int
    """By the rule, whatever its version: an edit of a rule does not fill its limits up."""
    hits_in_day: int
    """By this version."""
    comments_in_day: int
    """Judged, whatever was found."""
    all_rejects_in_hour: int
    """Comments rejected by rules."""
    first_hit: str
    """The hour of this version's first hit, ISO 8601; this comment's where it is the first."""


@dataclass(slots=True)
class Counts:
    hits: int = 0
    holds: int = 0
    rejects: int = 0

    def add(self, hits: int, holds: int, rejects: int) -> None:
        self.hits += hits
        self.holds += holds
        self.rejects += rejects


@dataclass(slots=True)
class Tallies:
    """What rules did lately: begins with what one statement found, takes in its own batch."""

    deltas: dict[tuple[str, str, datetime], Counts] = field(default_factory=dict)
    """(rule, version, hour) → what this batch adds: what the store writes."""
    _known: dict[str, dict[datetime, dict[str, Counts]]] = field(default_factory=dict)
    _first: dict[Version, datetime] = field(default_factory=dict)

    def found(self, rule: str, version: str, at: datetime, hits: int, rejects: int) -> None:
        self._count(rule, version, at).add(hits, 0, rejects)
        self._hit_first(rule, version, at)

    def judged(self, at: datetime, verdict: VerdictGiven) -> None:
        """Takes in the verdict on a revision; a score's verdict later does not count again."""
        when = hour_of(at)
        action = verdict.action
        self._add(ALL, "", when, action == "hold", action == "reject")
        for found in verdict.findings:
            if is_hit(found):
                action = found.action  # type: ignore[assignment]
                self._add(found.rule, found.version, when, action == "hold", action == "reject")

    def of(self, rule: str, version: str, at: datetime) -> Tally:
        hour = hour_of(at)
        day = [hour - n * timedelta(hours=1) for n in range(24)]
        of_rule, of_all = self._known.get(rule, {}), self._known.get(ALL, {})
        none: dict[str, Counts] = {}
        return Tally(
            rejects_in_hour=sum(one.rejects for one in of_rule.get(hour, none).values()),
            rejects_in_day=sum(
                one.rejects for each in day for one in of_rule.get(each, none).values()
            ),
            hits_in_day=sum(
                one.hits for each in day if (one := of_rule.get(each, none).get(version))
            ),
            comments_in_day=sum(
                one.hits for each in day for one in of_all.get(each, none).values()
            ),
            all_rejects_in_hour=sum(one.rejects for one in of_all.get(hour, none).values()),
            first_hit=min(self._first.get((rule, version), hour), hour).isoformat(),
        )

    def _add(self, rule: str, version: str, hour: datetime, held: bool, rejected: bool) -> None:
        delta = self.deltas.get((rule, version, hour))
        if delta is None:
            delta = self.deltas[rule, version, hour] = Counts()
        delta.add(1, held, rejected)
        self._count(rule, version, hour).add(1, held, rejected)
        self._hit_first(rule, version, hour)

    def _count(self, rule: str, version: str, hour: datetime) -> Counts:
        by_version = self._known.setdefault(rule, defaultdict(dict)).setdefault(hour, {})
        return by_version.setdefault(version, Counts())

    def _hit_first(self, rule: str, version: str, hour: datetime) -> None:
        known = self._first.get((rule, version))
        if known is None or hour < known:
            self._first[rule, version] = hour


def brake(
    verdict: VerdictGiven,
    tallies: Mapping[str, Tally],
    limits: Mapping[str, Limits],
    brakes: Brakes,
    at: datetime,
) -> VerdictGiven:
    """The verdict with those rejects turned into holds that a brake stops. Pure.

    `tallies` and `limits` are by rule, of the rules that reject. A braked finding holds, says that
    it `would` reject, and in `detail` which brake stopped it at which count. Holds stay holds: no
    brake lets a comment through.
    """
    if verdict.action != "reject":
        return verdict
    findings = [
        _braked(found, tallies[found.rule], limits.get(found.rule, NO_LIMITS), brakes, at)
        if found.action == "reject" and found.rule in tallies
        else found
        for found in verdict.findings
    ]
    return fold(findings, verdict.ruleset)


def _braked(
    found: FindingSeen, tally: Tally, limits: Limits, brakes: Brakes, at: datetime
) -> FindingSeen:
    by, count = _stopped(tally, limits, brakes, at)
    if not by:
        return found
    detail: dict[str, Any] = {**found.detail, "braked": by, "hits": count}
    return structs.replace(found, action="hold", would="reject", detail=detail)


def _stopped(tally: Tally, limits: Limits, brakes: Brakes, at: datetime) -> tuple[str, int]:
    """(the brake, the count that it stopped at); ("", 0) where none does."""
    new = hour_of(at) - datetime.fromisoformat(tally.first_hit) < timedelta(
        days=brakes.probation_days
    )
    hits = tally.hits_in_day
    if (
        new
        and hits >= brakes.probation_hits
        and hits * 100 > brakes.probation_percent * tally.comments_in_day
    ):
        return "probation", hits
    if limits.per_hour is not None and tally.rejects_in_hour >= limits.per_hour:
        return "per_hour", tally.rejects_in_hour
    if limits.per_day is not None and tally.rejects_in_day >= limits.per_day:
        return "per_day", tally.rejects_in_day
    if brakes.rejects_per_hour and tally.all_rejects_in_hour >= brakes.rejects_per_hour:
        return "quota", tally.all_rejects_in_hour
    return "", 0


def is_hit(found: FindingSeen) -> bool:
    """Whether a rule of the ruleset matched: not the machinery, not one that lacked a value."""
    if not found.version or found.rule == RULE_ERROR:
        return False
    return not (found.action == "note" and not found.would and "unknown" in found.detail)


def rejecting(ruleset: Ruleset) -> tuple[Version, ...]:
    """The rules that brakes might stop."""
    return tuple(
        (one.rule.id, one.version)
        for one in ruleset.compiled
        if one.rule.status == "live" and one.rule.effect.action == "reject"
    )


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
