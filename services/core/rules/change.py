"""What a changed ruleset says differently of comments that were judged before. Pure.

Both rulesets judge anew on the same facts: the recorded ones, and what was not recorded computed
from these very comments in event-time order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from services.core.events import VerdictGiven
from services.core.rules.facts import Submission, Value
from services.core.rules.judge import judge
from services.core.rules.ruleset import Ruleset
from services.core.rules.timeline import STATUS, Timeline

SAMPLES = 5
EVERYWHERE = "*"
"""In place of sites: all of them."""


class Replayed(NamedTuple):
    """A comment, and the facts recorded with it; empty where none were."""

    submission: Submission
    facts: Mapping[str, Value]

    @property
    def name(self) -> str:
        return f"{self.submission.discussion}/{self.submission.comment}"


def newly_rejecting(before: Ruleset, after: Ruleset) -> list[str]:
    """Live rules that reject and are new or changed: these need a second person."""
    return sorted(rule for rule, _ in _rejecting(after) - _rejecting(before))


def changed(before: Ruleset, after: Ruleset) -> dict[str, str]:
    """Rule → added, removed or changed."""
    was, now = _versions(before), _versions(after)
    return {
        rule: "added" if rule not in was else "removed" if rule not in now else "changed"
        for rule in sorted(was | now)
        if was.get(rule) != now.get(rule)
    }


def reach(before: Ruleset, after: Ruleset) -> list[str]:
    """The sites that a change touches, by `scope.site` of every rule that differs, as it was and
    as it is; EVERYWHERE where such a rule names none."""
    sites: set[str] = set()
    differ = changed(before, after)
    for ruleset in (before, after):
        for rule in ruleset.rules:
            if rule.id in differ:
                sites |= set(rule.scope.site) or {EVERYWHERE}
    return sorted(sites)


def effect(before: Ruleset, after: Ruleset, comments: Iterable[Replayed]) -> dict[str, Any]:
    """Verdicts that move, in all and by rule, with comments as samples: ids, no texts."""
    sides = [(each, Timeline(each.windows)) for each in (before, after)]
    total = recorded = 0
    moves: Counter[str] = Counter()
    by_rule: dict[str, Counter[str]] = {}
    samples: dict[tuple[str, str], list[str]] = {}
    for comment in comments:
        total += 1
        recorded += bool(comment.facts)
        was, now = (_judged(*side, comment) for side in sides)
        if was.action == now.action:
            continue
        move = f"{was.action} -> {now.action}"
        moves[move] += 1
        stops = now if now.action != "publish" else was
        rules = {found.rule for found in stops.findings if found.action == stops.action}
        for rule in rules:
            by_rule.setdefault(rule, Counter())[move] += 1
        for rule in ("", *rules):
            if len(named := samples.setdefault((rule, move), [])) < SAMPLES:
                named.append(comment.name)
    return {
        "comments": total,
        "facts": {"recorded": recorded, "anew": total - recorded},
        "moves": [
            {"move": move, "comments": count, "samples": samples["", move]}
            for move, count in sorted(moves.items())
        ],
        "rules": [
            {"rule": rule, "move": move, "comments": count, "samples": samples[rule, move]}
            for rule, counts in sorted(by_rule.items())
            for move, count in sorted(counts.items())
        ],
    }


def _judged(ruleset: Ruleset, timeline: Timeline, comment: Replayed) -> VerdictGiven:
    facts = timeline.facts(comment.submission, comment.facts)
    verdict = judge(comment.submission, facts, ruleset)
    timeline.written(comment.submission, STATUS[verdict.action])
    return verdict


def _rejecting(ruleset: Ruleset) -> set[tuple[str, str]]:
    return {
        (one.rule.id, one.version)
        for one in ruleset.compiled
        if one.rule.status == "live" and one.rule.effect.action == "reject"
    }


def _versions(ruleset: Ruleset) -> dict[str, str]:
    return {one.rule.id: one.version for one in (*ruleset.compiled, *ruleset.idle)}
