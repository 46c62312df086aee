"""`veche token`: mints a bearer token."""

from __future__ import annotations

from pathlib import Path

import click

from services.cli import tokens

ROLES = ("reader", "portal", "importer", "moderator", "admin")


@click.command()
@click.option("--role", type=click.Choice(ROLES), default="moderator", show_default=True)
@click.option("--site", default="demo", show_default=True, help="The portal it is good for.")
@click.option("--user", default="operator", show_default=True, help="Whose token it is: its `sub`.")
@click.option("--name", default="", help="The name that people see; the user's id if left out.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=12.0,
    show_default=True,
    help="How long it is good for.",
)
@click.option(
    "--issuers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The issuers file; VECHE_ISSUERS_FILE or `veche up`'s if left out.",
)
def token(role: str, site: str, user: str, name: str, hours: float, issuers: Path | None) -> None:
    """Print a token that this installation believes."""
    click.echo(
        tokens.from_issuers_file(
            site=site, role=role, user=user, name=name, hours=hours, file=issuers
        )
    )
