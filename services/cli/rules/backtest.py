"""Rules over a file of comments, or over those of the last days; and one ruleset's verdicts against
another's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import perf_counter

import click

from services.cli.rules import stored
from services.cli.rules.hits import SAMPLES, Counted, show
from services.cli.rules.run import Run, prepared
from services.cli.rules.said import tell
from services.cli.rules.stored import days_option, recorded_option, site_option
from services.cli.rules.write import as_json, loaded, say
from services.core.errors import Misconfigured
from services.core.rules import Ruleset, replay

NOT_APPLIED = ("hold_first of sites and discussions", "limits on authors", "brakes")
"""What a verdict of moderation hangs on beside the rules: a backtest tells of rules alone."""

files_argument = click.argument(
    "files", nargs=-1,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
rules_option = click.option(
    "--rules", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The ruleset's folder; by default VECHE_RULES_DIR, else the shipped one.",
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
        "first_not_comment": run.first_unread,
        "facts": said or _judged_on(run),
        "not_applied": list(NOT_APPLIED),
        "seconds": round(seconds, 3),
        "per_second": round(counted.total / seconds),
    }  # fmt: skip
    if as_json:
        say(report)
        return
    show(report)


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
        unread = f"{run.unread} of {len(run.raw)} lines are no comments"
        why = f": {unread}, the first of them: {run.first_unread}" if run.unread else ""
        raise Misconfigured(f"there is no comment to judge{why}")


def _judged_on(run: Run) -> str:
    said = "computed anew in event-time order"
    if run.recorded:
        said += f"; recorded ones on {run.recorded} lines"
    if run.timeless:
        said += f"; windows unknown on {run.timeless} lines without `at`"
    return said


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
