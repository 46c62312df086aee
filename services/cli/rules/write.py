"""While a rule is written: check it, run its tests, ask why it did what it did, tidy its text.

Exit codes: 0 all is well, 1 something is wrong with the rules, 2 usage.
"""

from __future__ import annotations

import json
import math
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import click

from services.core import settings
from services.core.errors import BadRuleset, Misconfigured
from services.core.rules import Facts, Ruleset, judge, load
from services.core.rules.document import nearest
from services.core.rules.expression import subject
from services.core.rules.format import formatted
from services.core.rules.rule import Case, Event
from services.core.rules.ruleset import expiring
from services.core.rules.trial import explain as explained
from services.core.rules.trial import quiet, submission_of, trials

SOON = timedelta(days=14)

folder_argument = click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def loaded(folder: Path | None) -> Ruleset:
    """Raises BadRuleset or Misconfigured: a sentence for the terminal."""
    return load(settings.rules_texts(folder or settings.rules_dir()))


def say(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


@click.command()
@folder_argument
@as_json
def check(folder: Path | None, as_json: bool) -> None:
    """Load the rules: mistakes by file, line and column.

    The nearest valid name is told. Warns of rules that expire within two weeks, or have.
    """
    try:
        ruleset = loaded(folder)
    except BadRuleset as error:
        if not as_json:
            raise
        say({"ok": False, "error": str(error)})
        sys.exit(1)
    by_status = {
        status: sum(rule.status == status for rule in ruleset.rules)
        for status in ("live", "shadow", "paused", "draft")
    }
    today = datetime.now(UTC).date()
    expiry = {
        rule: day.isoformat() for rule, day in expiring(ruleset) if day - today <= SOON
    }  # fmt: skip
    untested = [rule.id for rule in ruleset.rules if not rule.tests.must_match]
    if as_json:
        say(
            {
                "ok": True,
                "hash": ruleset.hash,
                "rules": by_status,
                "untested": untested,
                "expiring": expiry,
                "versions": {
                    one.rule.id: one.version for one in (*ruleset.compiled, *ruleset.idle)
                },
            }
        )
        return  # fmt: skip
    counted = ", ".join(f"{count} {status}" for status, count in by_status.items() if count)
    click.echo(f"{len(ruleset.rules)} rules ({counted or 'none'}), ruleset {ruleset.hash[:12]}")
    if untested:
        click.echo(f"without a test that must match: {', '.join(untested)}")
    for rule, day in expiry.items():
        over = date.fromisoformat(day) <= today
        click.secho(f"{rule} {'expired' if over else 'expires'} on {day}", fg="yellow")


@click.command()
@folder_argument
@click.option("--rule", "only", help="Of one rule.")
@as_json
def test(folder: Path | None, only: str | None, as_json: bool) -> None:
    """Run the tests that stand beside the rules."""
    ruleset = loaded(folder)
    _known(ruleset, only)
    done = [trial for trial in trials(ruleset) if only in (None, trial.rule)]
    failed = [trial for trial in done if not trial.passed]
    if as_json:
        say({"passed": len(done) - len(failed), "failed": [trial._asdict() for trial in failed]})
    else:
        for trial in failed:
            click.secho(f"{trial.rule}: {trial.kind} {trial.number} failed", fg="red")
            click.echo(f"  {trial.text[:100]!r}\n  {trial.why}")
        click.echo(f"{len(done) - len(failed)} of {len(done)} tests passed")
    if failed:
        sys.exit(1)


@click.command()
@folder_argument
@click.option("--text", help="The comment; else standard input.")
@click.option("--rule", "only", help="Of one rule.")
@click.option("--fact", "stated", multiple=True, help="'author.published=3', as often as needed.")
@click.option(
    "--event", type=click.Choice(get_args(Event)), default="submitted", show_default=True,
    help="What happened to the comment.",
)  # fmt: skip
@click.option("--site", default="portal", show_default=True, help="Where the comment stands.")
@click.option("--section", default="", help="Of the discussion.")
@click.option("--language", default="", help="Of the discussion, as its portal states it.")
@as_json
def explain(
    folder: Path | None,
    text: str | None,
    only: str | None,
    stated: tuple[str, ...],
    event: Event,
    site: str,
    section: str,
    language: str,
    as_json: bool,
) -> None:
    """Why a rule matches a comment, or what it misses.

    The nearest misses come first. Facts that are not stated are those of an author's first comment.
    """
    ruleset = loaded(folder)
    _known(ruleset, only)
    body = sys.stdin.read() if text is None else text
    comment = submission_of(
        Case(text=body, event=event, site=site, section=section, language=language)
    )
    values: dict[str, Any] = {}
    for rule in (*ruleset.compiled, *ruleset.idle):
        values |= quiet(rule.tree)
    for each in stated:
        key, equals, value = each.rpartition("=")
        if not equals:
            raise click.UsageError(f"--fact {each!r} is not NAME=NUMBER")
        values[subject(key)[0]] = _number(value)
    verdict = judge(comment, Facts(values), ruleset)
    told = explained(comment, Facts(values), ruleset)
    if only is not None:
        told = [one for one in told if one["rule"] == only]
    if as_json:
        found = [
            {"rule": f.rule, "action": f.action, "would": f.would, "spans": f.spans,
             "detail": f.detail, "version": f.version}
            for f in verdict.findings
        ]  # fmt: skip
        say({"verdict": verdict.action, "ruleset": verdict.ruleset, "findings": found,
             "rules": told})  # fmt: skip
        return
    click.secho(verdict.action, bold=True)
    for finding in verdict.findings:
        written = ", ".join(repr(body[start:end]) for start, end in finding.spans)
        said = f"would {finding.would}" if finding.would else finding.action
        click.echo(f"  {finding.rule}: {said} {written} {finding.detail or ''}".rstrip())
    click.echo("\nnearest misses:")
    for one in [one for one in told if one["in_scope"] and one["misses"]][:3]:
        for miss in one["misses"]:
            value = "unknown" if miss["unknown"] else miss["value"]
            click.echo(f"  {one['rule']} misses `{miss['matcher'][:80]}`: the value is {value!r}")
    for one in told:
        for matcher, error in one["errors"].items():
            click.echo(f"  {one['rule']} fails at `{matcher[:80]}`: {error}")
    outside = [one for one in told if not one["in_scope"]]
    if outside:
        click.echo("\nout of scope:")
    for one in outside:
        scope = "; ".join(f"{name} {', '.join(named)}" for name, named in one["scope"].items())
        click.echo(f"  {one['rule']}: {scope or 'submitted, edited'}")


@click.command("format")
@folder_argument
@click.option("--check", "only_check", is_flag=True, help="Change nothing; 1 where a file differs.")
def format_(folder: Path | None, only_check: bool) -> None:
    """Write every rule's file in the one way, comments kept.

    A file is replaced whole or not at all.
    """
    folder = folder or settings.rules_dir()
    differing = []
    for file in sorted((*folder.glob("*.yml"), *folder.glob("*.yaml"))):
        text = settings.text_of(file)
        tidy = formatted(file.name, text)
        if tidy != text:
            differing.append((file, tidy))
    for file, tidy in differing:
        if not only_check:
            _replace(file.resolve(), tidy)
        click.echo(f"{file.name} {'differs' if only_check else 'formatted'}")
    if differing and only_check:
        sys.exit(1)


def _replace(file: Path, text: str) -> None:
    """The whole file or none of it, with the rights that it had."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        beside.chmod(file.stat().st_mode)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Misconfigured(
            f"{file} cannot be written: {error.strerror}; it is as it was"
        ) from None


def _known(ruleset: Ruleset, only: str | None) -> None:
    if only is not None and ruleset.rule(only) is None:
        close = nearest(only, [rule.id for rule in ruleset.rules])
        raise BadRuleset(f"there is no rule {only!r} in this folder{close}")


def _number(value: str) -> float | int | None:
    if value == "unknown":
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.UsageError(f"{value!r} is no number; write unknown where it is not known")
    return int(number) if number.is_integer() else number
