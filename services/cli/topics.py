"""`veche topics`: makes the topics of schemas/topics.toml."""

from __future__ import annotations

import asyncio
import sys

import click

from services.cli import target
from services.core import produce, settings
from services.core.topics import declared


@click.command()
@click.option("--bootstrap", default="", help="The cluster; VECHE_KAFKA_BOOTSTRAP or `veche up`'s.")
@click.option("--replication-factor", default=1, show_default=True, help="Copies of each topic.")
@click.option(
    "--min-insync-replicas", default=1, show_default=True, help="Copies that acknowledge a record."
)
def topics(bootstrap: str, replication_factor: int, min_insync_replicas: int) -> None:
    """Create the topics that the cluster lacks.

    Those that differ from schemas/topics.toml are told (exit code 1). Nothing that exists is
    changed: partition counts never change in place. A new topic keeps its records as long as
    VECHE_RETENTION_MS_<TOPIC> or else schemas/topics.toml says.
    """
    report = asyncio.run(
        produce.create_topics(
            bootstrap or target.kafka_bootstrap(),
            settings.topic_prefix(),
            replication_factor=replication_factor,
            min_insync_replicas=min_insync_replicas,
            security=settings.KafkaSecurity.read(),
            retention_ms=settings.retention_ms(declared()),
        )
    )
    for name in report.created:
        click.echo(f"created {name}")
    for name, how in report.differing.items():
        click.echo(f"{name} differs from schemas/topics.toml: {how}", err=True)
    click.echo(f"{len(report.created)} created, {len(report.existing)} were there")
    sys.exit(1 if report.differing else 0)
