"""Rules over a file of comments: hits, overlap, precision and recall; and one ruleset's verdicts
against another's. Comments are named by id, never shown."""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations, islice, pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click

from services.cli.rules import lines
from services.cli.rules.lines import Line
from services.cli.rules.write import as_json, loaded, say
from services.core.errors import Misconfigured
from services.core.rules import Facts, Ruleset, replay
from services.core.rules.reading import read
from services.core.rules.replay import Seen
from services.core.rules.timeline import STATUS, Timeline

CHUNK = 1_000
SAMPLES = 5
PAIRS = 10

files_argument = click.argument(
    "files", nargs=-1, required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
rules_option = click.option(
    "--rules", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The ruleset's folder; the shipped one by default.",
)  # fmt: skip
label_option = click.option(
    "--label", help="Comments with this label are bad; else those whose `decision` is reject."
)
workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)


class Judged(NamedTuple):
    seen: Seen
    body_hash: bytes


class Counted:
    """What a run comes to."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.verdicts: Counter[str] = Counter()
        self.hits: Counter[int] = Counter()
        self.true: Counter[int] = Counter()
        self.labelled: Counter[int] = Counter()
        self.overlap: Counter[tuple[int, int]] = Counter()
        self.samples: dict[int, list[str]] = {}
        self.bad = self.told = self.flagged_bad = self.flagged_told = self.total = 0

    def add(self, line: Line, seen: Seen, bad: bool | None) -> str:
        verdict = replay.verdict(seen, self.ruleset)
        self.total += 1
        self.verdicts[verdict] += 1
        flagged = verdict != "publish"
        if bad is not None:
            self.told += 1
            self.bad += bad
            self.flagged_told += flagged
            self.flagged_bad += flagged and bad
        for n in seen.hits:
            self.hits[n] += 1
            if bad is not None:
                self.labelled[n] += 1
                self.true[n] += bad
            if len(named := self.samples.setdefault(n, [])) < SAMPLES:
                named.append(str(line.id))
        self.overlap.update(combinations(seen.hits, 2))
        return verdict

    def report(self) -> dict[str, Any]:
        rules = [each.rule for each in self.ruleset.compiled]
        return {
            "ruleset": self.ruleset.hash,
            "comments": self.total,
            "verdicts": {name: self.verdicts[name] for name in replay.VERDICTS},
            "labelled": self.told,
            "bad": self.bad,
            "precision": _share(self.flagged_bad, self.flagged_told),
            "recall": _share(self.flagged_bad, self.bad),
            "rules": [
                {
                    "rule": rules[n].id,
                    "status": rules[n].status,
                    "action": rules[n].effect.action,
                    "hits": count,
                    "precision": _share(self.true[n], self.labelled[n]),
                    "recall": _share(self.true[n], self.bad),
                    "samples": self.samples[n],
                }
                for n, count in sorted(self.hits.items(), key=lambda item: (-item[1], item[0]))
            ],
            "silent": [rule.id for n, rule in enumerate(rules) if not self.hits[n]],
            "overlap": [
                {"rules": [rules[a].id, rules[b].id], "comments": count}
                for (a, b), count in self.overlap.most_common(PAIRS)
            ],
        }


class Run:
    """One pass over the comments in event-time order; `facts` says what it judged on."""

    def __init__(self, raw: list[bytes], workers: int) -> None:
        self.raw = raw
        self.workers = workers
        self.unread = 0
        self.recorded = self.timeless = 0

    def verdicts(self, ruleset: Ruleset) -> Iterator[tuple[Line, Seen]]:
        global _RULESET
        _RULESET = ruleset
        self.unread = self.recorded = self.timeless = 0
        fork = multiprocessing.get_context("fork")
        chunks = [self.raw[n : n + CHUNK] for n in range(0, len(self.raw), CHUNK)]
        timeline = Timeline(ruleset.windows) if replay.asks_facts(ruleset) else None
        settled = replay.facts_only(ruleset)
        with (
            ProcessPoolExecutor(self.workers, mp_context=fork) as pool,
            click.progressbar(length=len(self.raw), label="judging", file=sys.stderr) as bar,
        ):
            for chunk, judged in zip(chunks, pool.map(_judge, chunks), strict=True):
                for raw, one in zip(chunk, judged, strict=True):
                    line = lines.decoded(raw) if one is not None else None
                    if one is None or line is None:
                        self.unread += 1
                        continue
                    yield line, self._settled(ruleset, timeline, settled, line, one)
                bar.update(len(chunk))

    def _settled(
        self,
        ruleset: Ruleset,
        timeline: Timeline | None,
        settled: frozenset[int],
        line: Line,
        one: Judged,
    ) -> Seen:
        if timeline is None:
            return replay.closed(one.seen, ruleset)
        comment = lines.submission(line, replay.unread(one.body_hash))
        self.recorded += bool(line.facts)
        timeless = comment.at == lines.EPOCH
        self.timeless += timeless
        facts = timeline.facts(comment, line.facts, windows=not timeless)
        seen = replay.settle(one.seen, comment, facts, ruleset, settled)
        if seen is None:
            whole = lines.submission(line, read(line.text or line.body))
            seen = replay.closed(replay.look(whole, facts, ruleset), ruleset)
        timeline.written(comment, STATUS[replay.verdict(seen, ruleset)])
        return seen


_RULESET: Ruleset | None = None
_UNKNOWN = Facts()


def _judge(chunk: list[bytes]) -> list[Judged | None]:
    """In a worker: every comment with its facts unknown."""
    assert _RULESET is not None
    judged: list[Judged | None] = []
    for raw in chunk:
        line = lines.decoded(raw)
        if line is None:
            judged.append(None)
            continue
        reading = read(line.text or line.body)
        seen = replay.look(lines.submission(line, reading), _UNKNOWN, _RULESET)
        judged.append(Judged(seen, reading.body_hash))
    return judged


def prepared(files: tuple[Path, ...], limit: int | None, workers: int) -> Run:
    """Raises Misconfigured where no line is a comment."""
    raw = list(islice(lines.read_lines(files), limit))
    if not raw:
        raise Misconfigured("there is no line in these files")
    times = [lines.when(line) if (line := lines.decoded(each)) else lines.EPOCH for each in raw]
    run = Run(raw, workers)
    if any(a > b for a, b in pairwise(times)):
        order = sorted(range(len(raw)), key=times.__getitem__)
        run.raw = [raw[n] for n in order]
    return run


@click.command()
@files_argument
@rules_option
@label_option
@click.option("--limit", type=click.IntRange(min=1), help="So many lines at most.")
@workers_option
@as_json
def backtest(
    files: tuple[Path, ...],
    folder: Path | None,
    label: str | None,
    limit: int | None,
    workers: int,
    as_json: bool,
) -> None:
    """Run the rules over FILES, JSON lines (plain or .gz): hits, overlap, precision, recall.

    Facts are computed anew in event-time order from the lines themselves (`author`, `at`,
    `discussion`); a line's own `facts` win. Without `at`, what a window counts is unknown.
    """
    ruleset = loaded(folder)
    run = prepared(files, limit, workers)
    counted = Counted(ruleset)
    began = perf_counter()
    for line, seen in run.verdicts(ruleset):
        counted.add(line, seen, lines.bad(line, label))
    seconds = perf_counter() - began
    report = counted.report() | {
        "not_comments": run.unread,
        "facts": _judged_on(run),
        "seconds": round(seconds, 3),
        "per_second": round(counted.total / seconds),
    }  # fmt: skip
    if as_json:
        say(report)
        return
    _show(report)


def _judged_on(run: Run) -> str:
    said = "computed anew in event-time order"
    if run.recorded:
        said += f"; recorded ones on {run.recorded} lines"
    if run.timeless:
        said += f"; windows unknown on {run.timeless} lines without `at`"
    return said


def _show(report: dict[str, Any]) -> None:
    verdicts = ", ".join(f"{count} {name}" for name, count in report["verdicts"].items())
    click.echo(f"{report['comments']} comments: {verdicts}; facts {report['facts']}")
    if report["labelled"]:
        click.echo(
            f"{report['labelled']} labelled, {report['bad']} bad: precision "
            f"{_shown(report['precision'])}, recall {_shown(report['recall'])}"
        )
    for one in report["rules"]:
        quality = f"  precision {_shown(one['precision'])}" if one["precision"] is not None else ""
        click.echo(
            f"  {one['rule']:24} {one['status']:6} {one['action']:7} {one['hits']:8}{quality}"
            f"  e.g. {', '.join(one['samples'][:2])}"
        )
    for one in report["overlap"][:5]:
        click.echo(f"  both {' and '.join(one['rules'])}: {one['comments']}")
    if report["silent"]:
        click.echo(f"  silent: {', '.join(report['silent'])}")
    if report["not_comments"]:
        click.echo(f"  {report['not_comments']} lines are no comments")
    click.echo(f"{report['seconds']} s, {report['per_second']} comments/s")


@click.command()
@click.argument("old", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, file_okay=False, path_type=Path))
@files_argument
@click.option("--limit", type=click.IntRange(min=1), help="So many lines at most.")
@workers_option
@as_json
def diff(
    old: Path, new: Path, files: tuple[Path, ...], limit: int | None, workers: int, as_json: bool
) -> None:
    """What OLD and NEW rules say differently of FILES: newly held, rejected, let through."""
    before, after = loaded(old), loaded(new)
    run = prepared(files, limit, workers)
    first = [replay.verdict(seen, before) for _, seen in run.verdicts(before)]
    moves: Counter[str] = Counter()
    samples: dict[str, list[str]] = {}
    for was, (line, seen) in zip(first, run.verdicts(after), strict=True):
        now = replay.verdict(seen, after)
        if now != was:
            move = f"{was} -> {now}"
            moves[move] += 1
            if len(named := samples.setdefault(move, [])) < SAMPLES:
                named.append(str(line.id))
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
        say({"comments": len(first), "changed_rules": changed,
             "moves": [{"move": m, "comments": c, "samples": samples[m]}
                       for m, c in moves.most_common()]})  # fmt: skip
        return
    click.echo(f"rules that differ: {', '.join(changed) or 'none'}")
    for move, count in moves.most_common():
        click.echo(f"  {move}: {count} of {len(first)}, e.g. {', '.join(samples[move])}")
    if not moves:
        click.echo(f"  the same verdicts on {len(first)} comments")


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _shown(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
