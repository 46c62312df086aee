"""`veche rules`: what people do with rules, offline unless they ask what the database holds."""

from __future__ import annotations

import click

from services.cli.rules.agreement import agreement
from services.cli.rules.backtest import backtest, diff
from services.cli.rules.life import (
    approve,
    current,
    history,
    proposals,
    propose,
    rollback,
    undo,
    withdraw,
)
from services.cli.rules.write import check, explain, format_, test


@click.group()
def rules() -> None:
    """Write, measure, activate and take back rules.

    DIR is a folder of rules, by default VECHE_RULES_DIR, else the shipped one. check, test,
    explain, backtest, diff and format need no server; agreement and --days ask Postgres, the
    others a running console.
    """


for command in (check, test, explain, backtest, diff, agreement, format_):
    rules.add_command(command)
for command in (current, propose, proposals, approve, withdraw, history, rollback, undo):
    rules.add_command(command)
