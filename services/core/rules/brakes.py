"""Brakes: what makes a rule do less than it says once it does too much.

A reject becomes a hold, so that a rule gone wrong buries moderators in work and never readers'
comments in the bin. A hold becomes a note only where the rule's own limits, or the quota of holds,
say so: the portal then chose a queue that people can work off over looking at every comment.

Counts run on the time of the records (the broker's, also where an importer states another), by
hours of UTC: an hour is the one that the record falls into, a day that hour and the 23 before.
They are of what was judged before the comment at hand, earlier records of its batch included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import structs

from services.core.events import FindingSeen, VerdictGiven
from services.core.rules.judge import RULE_ERROR, fold
from services.core.rules.rule import Limits, Rule
from services.core.rules.ruleset import Ruleset

ALL = ""
"""In place of a rule: all comments judged, and how many were held and rejected by verdict."""

DAY = timedelta(hours=24)
NO_LIMITS = Limits()
_ASKING = ("notify", "limit")
"""Effects that do something to people; labels and scores only say something of the comment."""

Version = tuple[str, str]
"""(rule, version); (ALL, "") for all comments."""


@dataclass(frozen=True)
class Brakes:
    """For all rules; 0 switches a brake off. Probation is AbuseFilter's emergency throttle, with
    numbers for a portal: a new version that hits more than so many, and such a share, of a day's
    comments was hardly meant so."""

    rejects_per_hour: int = 1_000
    """Comments that rules may reject in an hour, on all sites together."""
    holds_per_hour: int = 0
    """Comments that rules may hold in an hour, on all sites together; beyond it they are let
    through. Off unless a portal asks for it."""
    probation_days: int = 7
    """Of a rule's version, from its first hit on."""
    probation_hits: int = 25
    probation_percent: int = 5


class Tally(NamedTuple):
    """What a rule did before this comment; recorded with the outcome, and enough to brake on."""

    acts_in_hour: int
    acts_in_day: int
    """Of the rule, whatever its version: an edit of a rule does not fill its limits up."""
    hits_in_day: int
    """By this version."""
    comments_in_day: int
    """Judged, whatever was found."""
    all_rejects_in_hour: int
    """Comments rejected by rules."""
    all_holds_in_hour: int
    """Comments held by rules."""
    first_hit: str
    """The hour of this version's first hit, ISO 8601; this comment's where it is the first."""


@dataclass(slots=True)
class Counts:
    hits: int = 0
    holds: int = 0
    rejects: int = 0
    acts: int = 0
    """Times that the rule did what its limits count: see `_acts`."""

    def add(self, hits: int, holds: int, rejects: int, acts: int) -> None:
        self.hits += hits
        self.holds += holds
        self.rejects += rejects
        self.acts += acts


@dataclass(slots=True)
class Tallies:
    """What rules did lately: begins with what one statement found, takes in its own batch."""

    deltas: dict[tuple[str, str, datetime], Counts] = field(default_factory=dict)
    """(rule, version, hour) → what this batch adds: what the store writes."""
    _known: dict[str, dict[datetime, dict[str, Counts]]] = field(default_factory=dict)
    _first: dict[Version, datetime] = field(default_factory=dict)

    def found(self, rule: str, version: str, at: datetime, counts: Counts) -> None:
        self._count(rule, version, at).add(counts.hits, counts.holds, counts.rejects, counts.acts)
        self._hit_first(rule, version, at)

    def judged(self, at: datetime, verdict: VerdictGiven) -> None:
        """Takes in the verdict on a revision; a score's verdict later does not count again."""
        when = hour_of(at)
        hits = [found for found in verdict.findings if is_hit(found)]
        held = verdict.action == "hold" and any(found.action == "hold" for found in hits)
        self._add(ALL, "", when, Counts(1, held, verdict.action == "reject"))
        for found in hits:
            held, rejected = found.action == "hold", found.action == "reject"
            counts = Counts(1, held, rejected, _acts(found))
            self._add(found.rule, found.version, when, counts)

    def of(self, rule: str, version: str, at: datetime) -> Tally:
        hour = hour_of(at)
        day = [hour - n * timedelta(hours=1) for n in range(24)]
        of_rule, of_all = self._known.get(rule, {}), self._known.get(ALL, {})
        none: dict[str, Counts] = {}
        return Tally(
            acts_in_hour=sum(one.acts for one in of_rule.get(hour, none).values()),
            acts_in_day=sum(one.acts for each in day for one in of_rule.get(each, none).values()),
            hits_in_day=sum(
                one.hits for each in day if (one := of_rule.get(each, none).get(version))
            ),
            comments_in_day=sum(
                one.hits for each in day for one in of_all.get(each, none).values()
            ),
            all_rejects_in_hour=sum(one.rejects for one in of_all.get(hour, none).values()),
            all_holds_in_hour=sum(one.holds for one in of_all.get(hour, none).values()),
            first_hit=min(self._first.get((rule, version), hour), hour).isoformat(),
        )

    def _add(self, rule: str, version: str, hour: datetime, counts: Counts) -> None:
        delta = self.deltas.get((rule, version, hour))
        if delta is None:
            delta = self.deltas[rule, version, hour] = Counts()
        delta.add(counts.hits, counts.holds, counts.rejects, counts.acts)
        self.found(rule, version, hour, counts)

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
    rules: Mapping[str, Rule],
    brakes: Brakes,
    at: datetime,
) -> VerdictGiven:
    """The verdict with those findings made less of that a brake stops. Pure.

    `tallies` are by rule, of those that `may_brake`; `rules` what is stated of them. A braked
    finding says what it `would` have done, and in `detail` which brake stopped it at which count.
    """
    if not tallies:
        return verdict
    findings = [
        _braked(found, rules[found.rule], tallies[found.rule], brakes, at)
        if found.rule in tallies
        else found
        for found in verdict.findings
    ]
    return fold(findings, verdict.ruleset)


def may_brake(found: FindingSeen, rule: Rule | None, brakes: Brakes) -> bool:
    """Whether a brake might stop this finding: of a live rule, and not the machinery's."""
    if rule is None or rule.status != "live" or not is_hit(found):
        return False
    if found.action == "reject":
        return True
    if rule.effect.action == "reject":
        return False  # held for want of a value, or braked before: that stays
    return (rule.limits != NO_LIMITS and bool(_acts(found))) or (
        found.action == "hold" and brakes.holds_per_hour > 0
    )


def _braked(
    found: FindingSeen, rule: Rule, tally: Tally, brakes: Brakes, at: datetime
) -> FindingSeen:
    by, count = _stopped(found.action, tally, rule.limits, brakes, at)
    if not by:
        return found
    detail: dict[str, Any] = {**found.detail, "braked": by, "hits": count}
    if found.action == "reject":
        return structs.replace(found, action="hold", would="reject", detail=detail)
    effects = {name: value for name, value in found.effects.items() if name not in _ASKING}
    would = "hold" if found.action == "hold" else found.would
    return structs.replace(found, action="note", would=would, detail=detail, effects=effects)


def _stopped(
    action: str, tally: Tally, limits: Limits, brakes: Brakes, at: datetime
) -> tuple[str, int]:
    """(the brake, the count that it stopped at); ("", 0) where none does."""
    if action == "reject":
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
    if limits.per_hour is not None and tally.acts_in_hour >= limits.per_hour:
        return "per_hour", tally.acts_in_hour
    if limits.per_day is not None and tally.acts_in_day >= limits.per_day:
        return "per_day", tally.acts_in_day
    most, used = {
        "reject": (brakes.rejects_per_hour, tally.all_rejects_in_hour),
        "hold": (brakes.holds_per_hour, tally.all_holds_in_hour),
    }.get(action, (0, 0))
    return ("quota", used) if most and used >= most else ("", 0)


def _acts(found: FindingSeen) -> int:
    """Whether the rule did something: rejected, held, or asked something of people."""
    if found.shadow or "braked" in found.detail:
        return 0
    return int(found.action != "note" or any(name in found.effects for name in _ASKING))


def is_hit(found: FindingSeen) -> bool:
    """Whether a rule of the ruleset matched: not the machinery, not one that lacked a value."""
    if not found.version or found.rule == RULE_ERROR:
        return False
    return not (found.action == "note" and not found.would and "unknown" in found.detail)


def brakeable(ruleset: Ruleset, brakes: Brakes) -> tuple[Version, ...]:
    """The rules that brakes might stop."""
    return tuple(
        (one.rule.id, one.version)
        for one in ruleset.compiled
        if one.rule.status == "live"
        and (
            one.rule.effect.action == "reject"
            or one.rule.limits != NO_LIMITS
            or (one.rule.effect.action == "hold" and brakes.holds_per_hour > 0)
        )
    )


@lru_cache(maxsize=64)
def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
