"""What a run over many comments comes to: hits, overlap, precision and recall, and how it is told.
Comments are named by id, never shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from services.cli.rules.run import Told
from services.cli.rules.said import tell
from services.core.rules import Ruleset, replay
from services.core.rules.questions import Seen

SAMPLES = 5
PAIRS = 10


@dataclass(slots=True)
class Alike:
    """Comments that one label and the same rules have."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)
    """Place and id of the first few."""


class Counted:
    """What a run comes to."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.total = 0
        self._alike: dict[tuple[Seen, bool | None], Alike] = {}

    def add(self, told: Told, seen: Seen) -> None:
        """Comments that look alike to the rules are counted as one; the first few are named."""
        self.total += 1
        alike = self._alike.get((seen, told.bad))
        if alike is None:
            alike = self._alike[seen, told.bad] = Alike()
        alike.count += 1
        if alike.count <= SAMPLES:
            alike.first.append((self.total, told.id))

    def report(self) -> dict[str, Any]:
        rules = [each.rule for each in self.ruleset.compiled]
        verdicts: Counter[str] = Counter()
        hits: Counter[int] = Counter()
        true: Counter[int] = Counter()
        labelled: Counter[int] = Counter()
        overlap: Counter[tuple[int, int]] = Counter()
        failed: Counter[int] = Counter()
        samples: dict[int, list[tuple[int, str]]] = {}
        failed_samples: dict[int, list[tuple[int, str]]] = {}
        flagged: Counter[bool | None] = Counter()
        told: Counter[bool | None] = Counter()
        for (seen, bad), alike in self._alike.items():
            count = alike.count
            verdict = replay.verdict(seen, self.ruleset)
            verdicts[verdict] += count
            told[bad] += count
            flagged[bad] += count * (verdict != "publish")
            for n in seen.hits:
                hits[n] += count
                labelled[n] += count * (bad is not None)
                true[n] += count * bool(bad)
                samples.setdefault(n, []).extend(alike.first)
            for n in seen.failed:
                failed[n] += count
                failed_samples.setdefault(n, []).extend(alike.first)
            for pair in combinations(seen.hits, 2):
                overlap[pair] += count
        return {
            "ruleset": self.ruleset.hash,
            "comments": self.total,
            "verdicts": {name: verdicts[name] for name in replay.VERDICTS},
            "labelled": told[True] + told[False],
            "bad": told[True],
            "precision": _share(flagged[True], flagged[True] + flagged[False]),
            "recall": _share(flagged[True], told[True]),
            "rules": [
                {
                    "rule": rules[n].id,
                    "status": rules[n].status,
                    "action": rules[n].effect.action,
                    "hits": hits[n],
                    "precision": _share(true[n], labelled[n]),
                    "recall": _share(true[n], told[True]),
                    "samples": _first(samples.get(n, [])),
                    "failed": failed[n],
                    "failed_samples": _first(failed_samples.get(n, [])),
                }
                for n in sorted({*hits, *failed}, key=lambda n: (-hits[n], n))
            ],
            "silent": [
                rule.id for n, rule in enumerate(rules) if n not in hits and n not in failed
            ],
            "overlap": [
                {"rules": [rules[a].id, rules[b].id], "comments": count}
                for (a, b), count in overlap.most_common(PAIRS)
            ],
        }


def show(report: dict[str, Any]) -> None:
    verdicts = ", ".join(f"{count} {name}" for name, count in report["verdicts"].items())
    tell(f"{report['comments']} comments: {verdicts}")
    tell(f"facts: {report['facts']}")
    tell(f"rules alone, without {', '.join(report['not_applied'])}")
    if report["labelled"]:
        tell(
            f"{report['labelled']} labelled, {report['bad']} bad: precision "
            f"{_shown(report['precision'])}, recall {_shown(report['recall'])}"
        )
    for one in report["rules"]:
        quality = f"  precision {_shown(one['precision'])}" if one["precision"] is not None else ""
        tell(f"{one['rule']:30} {one['status']:6} {one['action']:7} {one['hits']:8}{quality}", 2)
        if one["samples"]:
            tell(f"e.g. {', '.join(one['samples'][:2])}", 6)
        if one["failed"]:
            tell(f"failed on {one['failed']}, e.g. {', '.join(one['failed_samples'][:2])}", 6)
    for one in report["overlap"][:5]:
        tell(f"both {' and '.join(one['rules'])}: {one['comments']}", 2)
    if report["silent"]:
        tell(f"silent: {', '.join(report['silent'])}", 2)
    if report["not_comments"]:
        first = report["first_not_comment"]
        tell(f"{report['not_comments']} lines are no comments, the first of them: {first}", 2)
    tell(f"{report['seconds']} s, {report['per_second']} comments/s")


def _first(named: list[tuple[int, str]]) -> list[str]:
    return [name for _, name in sorted(named)[:SAMPLES]]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _shown(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
