"""`veche rules`: what people do with rules, offline: no Kafka, no Postgres."""

from __future__ import annotations

import click

from services.cli.rules.backtest import backtest, diff
from services.cli.rules.write import check, explain, format_, test


@click.group()
def rules() -> None:
    """Check, test, explain and backtest rules: DIR is a folder, by default the shipped one."""


for command in (check, test, explain, backtest, diff, format_):
    rules.add_command(command)
