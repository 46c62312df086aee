"""`veche secrets`: the keys of one installation and its issuers file, made once."""

from __future__ import annotations

import os
import secrets as chance
from collections.abc import Mapping
from pathlib import Path

import click

from services.embedded.child import write_private

KEYS = ("receipt", "viewer", "decision")
PORTAL = "veche:portal"
MODERATORS = "veche:moderators"

ISSUERS = """\
# Who may issue tokens, for which sites and roles. Made by `veche`; docs/configuration.md.

[[issuer]]
iss = "{portal}"
sites = [{sites}]
roles = ["reader", "portal", "importer"]
algorithms = ["HS256"]
secret = "{portal_secret}"

[[issuer]]
iss = "{moderators}"
sites = [{moderated}]
roles = ["moderator", "admin"]
algorithms = ["HS256"]
secret = "{moderators_secret}"
"""
DEMO = """
# Signs in whoever asks: never in production.
[[issuer]]
iss = "veche:demo"
sites = [{sites}]
roles = ["reader", "portal"]
algorithms = ["HS256"]
secret = "{demo_secret}"
"""


def make(
    folder: Path, sites: tuple[str, ...] = ("demo",), owner: int | None = None, demo: bool = False
) -> list[Path]:
    """Makes the files that are missing, readable by their owner alone; returns those it made.

    With `demo`, the demonstration's issuer is among the issuers, and its key beside them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {f"{key}.secret": chance.token_hex(32) for key in (*KEYS, *["demo"] * demo)}
    contents["issuers.toml"] = (ISSUERS + DEMO * demo).format(
        portal=PORTAL,
        moderators=MODERATORS,
        sites=", ".join(f'"{site}"' for site in sites),
        moderated=", ".join(f'"{site}"' for site in (*sites, *["*"] * (len(sites) > 1))),
        portal_secret=chance.token_hex(32),
        moderators_secret=chance.token_hex(32),
        demo_secret=contents.get("demo.secret", ""),
    )
    made = []
    for name, text in contents.items():
        if not (folder / name).exists():
            write_private(folder / name, text)
            made.append(folder / name)
        if owner is not None:
            os.chown(folder / name, owner, -1)
    return made


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that point services at the files there, but for what `given` names already."""
    files = {f"VECHE_{key.upper()}_SECRET_FILE": folder / f"{key}.secret" for key in KEYS}
    files["VECHE_ISSUERS_FILE"] = folder / "issuers.toml"
    return {
        name: str(file)
        for name, file in files.items()
        if not (given.get(name) or given.get(name.removesuffix("_FILE"))) and file.exists()
    }


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--site", "sites", multiple=True, default=("demo",), show_default=True)
@click.option("--owner", type=int, help="The user id that the services run as.")
def secrets(folder: Path, sites: tuple[str, ...], owner: int | None) -> None:
    """Make signing keys and an issuers file in FOLDER.

    What is there already stays.
    """
    made = make(folder, sites, owner)
    click.echo("\n".join(f"made {file}" for file in made) or "nothing to make")
