"""Rules over a file of comments: hits, overlap, precision and recall; and one ruleset's verdicts
against another's. Comments are named by id, never shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from services.cli.rules import stored
from services.cli.rules.run import Run, Told, prepared
from services.cli.rules.said import tell
from services.cli.rules.stored import days_option, recorded_option, site_option
from services.cli.rules.write import as_json, loaded, say
from services.core.errors import Misconfigured
from services.core.rules import Ruleset, replay
from services.core.rules.questions import Seen

SAMPLES = 5
PAIRS = 10
NOT_APPLIED = ("hold_first of sites and discussions", "limits on authors", "brakes")
"""What a verdict of moderation hangs on beside the rules: a backtest tells of rules alone."""

files_argument = click.argument(
    "files", nargs=-1,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
rules_option = click.option(
    "--rules", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The ruleset's folder; the shipped one by default.",
)  # fmt: skip
label_option = click.option(
    "--label", help="Comments with this label are bad; else those whose `decision` is reject."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), help="So many lines at most; with --days the newest."
)
workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)


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
        samples: dict[int, list[tuple[int, str]]] = {}
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
                    "hits": count,
                    "precision": _share(true[n], labelled[n]),
                    "recall": _share(true[n], told[True]),
                    "samples": [name for _, name in sorted(samples[n])[:SAMPLES]],
                }
                for n, count in sorted(hits.items(), key=lambda item: (-item[1], item[0]))
            ],
            "silent": [rule.id for n, rule in enumerate(rules) if not hits[n]],
            "overlap": [
                {"rules": [rules[a].id, rules[b].id], "comments": count}
                for (a, b), count in overlap.most_common(PAIRS)
            ],
        }


@click.command()
@files_argument
@rules_option
@label_option
@limit_option
@days_option
@site_option
@recorded_option
@workers_option
@as_json
def backtest(
    files: tuple[Path, ...],
    folder: Path | None,
    label: str | None,
    limit: int | None,
    days: float | None,
    site: str,
    recorded: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Run rules over files of comments, or those of the last days.

    FILES are JSON lines, plain or .gz. Hits, overlap, precision and recall, against labels or what
    moderators decided. Facts are computed anew in event-time order from the lines themselves
    (`author`, `at`, `discussion`); a line's own `facts` win. Without `at`, what a window counts is
    unknown.
    Rules alone are judged: without hold_first, limits on authors and brakes.
    """
    ruleset = loaded(folder)
    began = perf_counter()
    run, said = _chosen(files, days, (ruleset,), site, recorded, limit, workers, label)
    counted = Counted(ruleset)
    for told, seen in run.verdicts(ruleset):
        if not told.warm:
            counted.add(told, seen)
    some(counted.total, run)
    seconds = perf_counter() - began
    report = counted.report() | {
        "not_comments": run.unread,
        "facts": said or _judged_on(run),
        "not_applied": list(NOT_APPLIED),
        "seconds": round(seconds, 3),
        "per_second": round(counted.total / seconds),
    }  # fmt: skip
    if as_json:
        say(report)
        return
    _show(report)


def _chosen(
    files: tuple[Path, ...],
    days: float | None,
    rulesets: tuple[Ruleset, ...],
    site: str,
    recorded: bool,
    limit: int | None,
    workers: int,
    label: str | None = None,
) -> tuple[Run, str]:
    """Lines of files or of the database, and what the report says of the latter's facts."""
    if bool(files) == (days is not None):
        raise click.UsageError("name FILES, or --days for what the database holds")
    if days is None:
        if site or recorded:
            raise click.UsageError("--site and --recorded go with --days")
        return prepared(files, limit, workers, label), ""
    if label is not None:
        raise click.UsageError("--label goes with FILES: the database has moderators' decisions")
    held = stored.comments(days, rulesets, site=site, recorded=recorded, limit=limit)
    return Run(held.raw, workers), held.facts


def some(comments: int, run: Run) -> None:
    """Raises Misconfigured where nothing was judged, so that nobody takes silence for an answer."""
    if not comments:
        unread = f": {run.unread} of {len(run.raw)} lines are no comments" if run.unread else ""
        raise Misconfigured(f"there is no comment to judge{unread}")


def _judged_on(run: Run) -> str:
    said = "computed anew in event-time order"
    if run.recorded:
        said += f"; recorded ones on {run.recorded} lines"
    if run.timeless:
        said += f"; windows unknown on {run.timeless} lines without `at`"
    return said


def _show(report: dict[str, Any]) -> None:
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
        tell(f"e.g. {', '.join(one['samples'][:2])}", 6)
    for one in report["overlap"][:5]:
        tell(f"both {' and '.join(one['rules'])}: {one['comments']}", 2)
    if report["silent"]:
        tell(f"silent: {', '.join(report['silent'])}", 2)
    if report["not_comments"]:
        tell(f"{report['not_comments']} lines are no comments", 2)
    tell(f"{report['seconds']} s, {report['per_second']} comments/s")


@click.command()
@click.argument("old", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, file_okay=False, path_type=Path))
@files_argument
@limit_option
@days_option
@site_option
@recorded_option
@workers_option
@as_json
def diff(
    old: Path,
    new: Path,
    files: tuple[Path, ...],
    limit: int | None,
    days: float | None,
    site: str,
    recorded: bool,
    workers: int,
    as_json: bool,
) -> None:
    """What OLD and NEW rules say differently of the same comments.

    Of FILES, or of the last days: newly held, rejected, let through.
    """
    before, after = loaded(old), loaded(new)
    run, said = _chosen(files, days, (before, after), site, recorded, limit, workers)
    first = [replay.verdict(seen, before) for _, seen in run.verdicts(before, after)]
    moves: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    total = 0
    for was, (told, seen) in zip(first, run.verdicts(after, before), strict=True):
        if told.warm:
            continue
        total += 1
        now = replay.verdict(seen, after)
        if now != was:
            move = f"{was} -> {now}"
            moves[move] += 1
            if len(named := samples.setdefault(move, [])) < SAMPLES:
                named.append(told.id)
    some(total, run)
    versions = [
        {one.rule.id: one.version for one in (*each.compiled, *each.idle)}
        for each in (before, after)
    ]
    old_versions, new_versions = versions
    changed = sorted(
        name
        for name in old_versions | new_versions
        if old_versions.get(name) != new_versions.get(name)
    )
    if as_json:
        say({"comments": total, "changed_rules": changed, "facts": said or _judged_on(run),
             "not_applied": list(NOT_APPLIED),
             "moves": [{"move": m, "comments": c, "samples": samples[m]}
                       for m, c in moves.most_common()]})  # fmt: skip
        return
    tell(f"rules that differ: {', '.join(changed) or 'none'}")
    tell(f"rules alone, without {', '.join(NOT_APPLIED)}")
    for move, count in moves.most_common():
        tell(f"{move}: {count} of {total}, e.g. {', '.join(samples[move])}", 2)
    if not moves:
        tell(f"the same verdicts on {total} comments", 2)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _shown(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
