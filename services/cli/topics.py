"""`veche topics`: makes the topics of schemas/topics.toml."""

from __future__ import annotations

import asyncio
import sys

import click

from services.cli import target
from services.core import produce
from services.core.settings import topic_prefix


@click.command()
@click.option("--bootstrap", default="", help="The cluster; VECHE_KAFKA_BOOTSTRAP or `veche up`'s.")
@click.option("--replication-factor", default=1, show_default=True, help="Copies of each topic.")
@click.option(
    "--min-insync-replicas", default=1, show_default=True, help="Copies that acknowledge a record."
)
def topics(bootstrap: str, replication_factor: int, min_insync_replicas: int) -> None:
    """Create the topics that the cluster lacks; say which of the others differ (exit code 1).

    Nothing that exists is changed: partition counts never change in place.
    """
    report = asyncio.run(
        produce.create_topics(
            bootstrap or target.kafka_bootstrap(),
            topic_prefix(),
            replication_factor=replication_factor,
            min_insync_replicas=min_insync_replicas,
        )
    )
    for name in report.created:
        click.echo(f"created {name}")
    for name, how in report.differing.items():
        click.echo(f"{name} differs from schemas/topics.toml: {how}", err=True)
    click.echo(f"{len(report.created)} created, {len(report.existing)} were there")
    sys.exit(1 if report.differing else 0)
