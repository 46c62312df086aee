"""`veche rules propose|proposals|approve|withdraw|history|rollback|undo|current`: a ruleset's life,
through the console of a running installation.

Exit codes: 0 done, 1 refused (the sentence says what to do), 2 usage, 3 sent and not settled yet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
from rich.console import Console
from rich.table import Table

from services.cli import tokens
from services.cli.rules.said import tell
from services.cli.rules.write import as_json, say
from services.core import settings
from services.core.errors import VecheError

SECONDS = 90.0
"""A proposal is loaded, tested and replayed before the answer."""
Command = TypeVar("Command", bound=Callable[..., Any])


class Asking:
    """The console, as this person may speak to it."""

    def __init__(self, url: str, token: str, site: str, user: str, role: str) -> None:
        self._url = url.rstrip("/")
        self._token = (
            token
            or settings.console_token()
            or tokens.from_issuers_file(site=site, role=role, user=user)
        )

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """(status, answer). Raises VecheError with what the console's problem says."""
        headers = {"authorization": f"Bearer {self._token}"}
        address = f"{self._url}/v1/console/rulesets{path}"
        try:
            answer = httpx.request(method, address, headers=headers, json=body, timeout=SECONDS)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise VecheError(
                f"{self._url} does not answer as a console does ({error!r}): "
                "start it with `veche up`, or name it with --url or VECHE_PORT"
            ) from None
        if answer.status_code >= 400:
            for failed in told.get("failed", ()):
                click.echo(f"  {failed['rule']}: {failed['kind']} {failed['number']}: "
                           f"{failed['text'][:100]!r}", err=True)  # fmt: skip
            raise VecheError(f"{told.get('code', answer.status_code)}: {told.get('detail', '')}")
        return answer.status_code, told


def asks(role: str) -> Callable[[Command], Command]:
    """Options that say which console, and on whose behalf."""

    def decorate(command: Command) -> Command:
        for option in (
            click.option("--url", default=lambda: settings.Local.read().origin,
                         show_default="`veche up`'s, on VECHE_PORT", help="Where Veche answers."),
            click.option("--token", default="",
                         help="Yours; VECHE_TOKEN, or made from the issuers file, if left out."),
            click.option("--site", default="demo", show_default=True,
                         help="The token's portal; * changes rules of all."),
            click.option("--user", default="operator", show_default=True,
                         help="Whose token is made, where none is given."),
            as_json,
        ):  # fmt: skip
            command = option(command)
        return _bound(command, role)

    return decorate


def _bound(command: Command, role: str) -> Command:
    def run(url: str, token: str, site: str, user: str, **rest: Any) -> Any:
        return command(Asking(url, token, site, user, role), **rest)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    run.__click_params__ = command.__click_params__  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reason", required=True, help="Why; it stands in the history.")
@asks("admin")
def propose(ask: Asking, folder: Path, reason: str, as_json: bool) -> None:
    """Propose the rules of FOLDER, and see what they would change.

    They are loaded, tested and replayed over the newest comments.
    """
    body = {"files": settings.rules_texts(folder), "reason": reason}
    _, told = ask("POST", "/proposals", body)
    if as_json:
        say(told)
        return
    _show_effect(told)
    if told["reach"] and "*" not in told["reach"]:
        click.echo(f"on {', '.join(told['reach'])} only")
    whose = "another administrator: " if told["second_person"] else ""
    click.echo(f"\nproposal {told['id']}; next, {whose}veche rules approve {told['id']}")


@click.command()
@asks("moderator")
def proposals(ask: Asking, as_json: bool) -> None:
    """What is proposed, the newest first."""
    _, told = ask("GET", "")
    if as_json:
        say(told["proposals"])
        return
    if not told["proposals"]:
        click.echo("nothing is proposed; next: veche rules propose FOLDER --reason WHY")
        return
    table = _table("id", "state", "author", "proposed", "second person", "moves", "reason")
    for one in told["proposals"]:
        moves = sum(each["comments"] for each in one["effect"].get("moves", ()))
        stale = one["state"] == "open" and one["parent"] != told["current"]["hash"]
        table.add_row(
            str(one["id"]), "stale" if stale else one["state"], one["author"],
            one["proposed_at"][:16], "needed" if one["rejects"] else "", str(moves), one["reason"],
        )  # fmt: skip
    Console().print(table)
    click.echo("next: veche rules approve ID, or withdraw ID; a stale one is proposed again")


@click.command()
@click.argument("id", type=click.IntRange(min=1))
@asks("admin")
def approve(ask: Asking, id: int, as_json: bool) -> None:
    """Activate a proposal: every worker judges by it within 5 s."""
    _settled(*ask("POST", f"/proposals/{id}/approve"), as_json)


@click.command()
@click.argument("id", type=click.IntRange(min=1))
@asks("admin")
def withdraw(ask: Asking, id: int, as_json: bool) -> None:
    """Take a proposal back."""
    _, told = ask("POST", f"/proposals/{id}/withdraw")
    say(told) if as_json else click.echo(f"proposal {id} is withdrawn")


@click.command()
@asks("moderator")
def history(ask: Asking, as_json: bool) -> None:
    """Which rulesets judged, and who answers for them."""
    _, told = ask("GET", "")
    if as_json:
        say({key: told[key] for key in ("current", "folder", "versions", "next")})
        return
    if not told["versions"]:
        click.echo(
            "nothing was activated yet: every process judges by the folder VECHE_RULES_DIR\n"
            "next: veche rules propose FOLDER --reason WHY"
        )
        return
    table = _table("version", "hash", "activated", "author", "approved by", "reason")
    for one in told["versions"]:
        table.add_row(
            str(one["version"]), one["hash"][:12], one["activated_at"][:19], one["author"],
            one["approved_by"], one["reason"],
        )  # fmt: skip
    Console().print(table)
    now = told["current"]
    click.echo(f"in use: version {now['version']}, {(now['hash'] or 'nothing')[:12]}")
    if told["folder"]["differs"]:
        click.echo("VECHE_RULES_DIR holds other rules; what was activated wins")
    click.echo("next: veche rules rollback VERSION, or undo RULE@VERSION for what a rule did")


@click.command()
@click.argument("version", type=click.IntRange(min=0))
@click.option("--reason", required=True, help="Why; it stands in the history.")
@asks("admin")
def rollback(ask: Asking, version: int, reason: str, as_json: bool) -> None:
    """Judge by an earlier VERSION again.

    0 is the folder VECHE_RULES_DIR.
    """
    _settled(*ask("POST", "/rollback", {"to": version, "reason": reason}), as_json)


@click.command()
@click.argument("rule", metavar="RULE@VERSION")
@click.option("--reason", required=True, help="Why; it stands with every comment.")
@click.option("--since", default=None, help="Not what it did before, ISO 8601 with a zone.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@asks("admin")
def undo(
    ask: Asking, rule: str, reason: str, since: str | None, dry_run: bool, as_json: bool
) -> None:
    """Take back what one version of a rule held or rejected.

    On the token's site. Where a moderator ruled since, or the comment changed, nothing changes.
    Twice undoes once.
    """
    name, at, version = rule.partition("@")
    if not at:
        raise click.UsageError(f"{rule!r} is not RULE@VERSION, such as links@0123456789ab")
    body = {"rule": name, "version": version, "reason": reason, "dry_run": dry_run}
    body |= {"since": since} if since else {}
    comments = already = 0
    samples: list[str] = []
    after: Any = None
    while True:
        _, told = ask("POST", "/undo", body | ({"after": after} if after else {}))
        comments += told["comments"]
        already += told["already"]
        samples += told["samples"]
        after = told["next"]
        if after is None:
            break
        click.echo(f"{comments} comments so far", err=True)
    if as_json:
        say({"dry_run": dry_run, "comments": comments, "already": already, "samples": samples[:10]})
        return
    did = "concerns" if dry_run else "is taken back on"
    tell(f"{rule} {did} {comments} comments ({already} before), e.g. "
         f"{', '.join(samples[:5]) or 'none'}")  # fmt: skip
    click.echo("next: leave out --dry-run" if dry_run else "next: veche_rules_undone_total tells")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Write the files below this folder.")
@asks("moderator")
def current(ask: Asking, out: Path | None, as_json: bool) -> None:
    """The rules in use; with --out as files, to change and propose."""
    _, told = ask("GET", "/current")
    if out is not None:
        for name, text in told["files"].items():
            file = (out / name).resolve()
            if not file.is_relative_to(out.resolve()):
                raise VecheError(f"{name!r} is no name within a folder of rules")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    if as_json:
        say(told)
        return
    click.echo(f"version {told['version']}, {told['hash'][:12]}, {len(told['files'])} files")
    if out is not None:
        click.echo(f"next: change {out}, then veche rules propose {out} --reason …")


def _settled(status: int, told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(told)
    elif status == 202:
        click.echo("sent, and not settled yet: run the same command again, it takes effect once")
    else:
        click.echo(f"version {told['version']} judges from here on ({told['hash'][:12]})")
        click.echo("next: veche_ruleset_version of every moderation shows it within 5 s")
    if status == 202:
        sys.exit(3)


def _show_effect(told: dict[str, Any]) -> None:
    effect = told["effect"]
    facts = effect["facts"]
    tell(f"{effect['comments']} comments judged again, {facts['recorded']} on recorded "
         f"facts, {facts['anew']} on facts computed anew; rules alone, without hold_first and "
         f"brakes")  # fmt: skip
    for rule, how in effect["changed"].items():
        click.echo(f"  {rule}: {how}")
    table = _table("verdict", "rule", "comments", "e.g.")
    for one in effect["moves"]:
        table.add_row(one["move"], "(all)", str(one["comments"]), ", ".join(one["samples"][:2]))
    for one in effect["rules"]:
        table.add_row(one["move"], one["rule"], str(one["comments"]), ", ".join(one["samples"][:2]))
    if effect["moves"]:
        Console().print(table)
    else:
        click.echo("the same verdicts on all of them")
    if told["rejects"]:
        click.echo(f"may newly reject: {', '.join(told['rejects'])}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
