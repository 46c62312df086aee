"""`veche migrate`: brings the database's schema up to date."""

from __future__ import annotations

import asyncio

import click

from services.cli import target
from services.core import db


@click.command()
@click.option(
    "--dsn", default="", help="The database; VECHE_POSTGRES_DSN or `veche up`'s if absent."
)
def migrate(dsn: str) -> None:
    """Apply the migrations that the database lacks."""
    done = asyncio.run(
        db.migrate(dsn or target.postgres_dsn(), lambda name: click.echo(f"applying {name}"))
    )
    click.echo(f"{len(done)} migrations applied" if done else "the schema is up to date")
