"""What `--help` lists: every verb with its whole sentence."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from services.cli.__main__ import VERBS, veche

CONTEXT = click.Context(veche)
GROUPS = [name for name in VERBS if isinstance(veche.get_command(CONTEXT, name), click.Group)]


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_no_sentence_is_cut_short(group: str) -> None:
    shown = CliRunner().invoke(veche, [*group.split(), "--help"]).output
    listed = shown.partition("Commands:\n")[2].splitlines()
    assert listed
    assert [line for line in listed if line.endswith("...")] == []
