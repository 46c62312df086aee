"""What `--help` lists: every verb with its whole sentence."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from services.cli.__main__ import VERBS, veche

NAMES = [(), *((name,) for name in VERBS if isinstance(veche.get_command(None, name), click.Group))]  # type: ignore[attr-defined]


@pytest.mark.parametrize("names", NAMES, ids=lambda names: " ".join(("veche", *names)))
def test_no_sentence_is_cut_short(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(veche, [*names, "--help"]).output
    listed = shown.partition("Commands:\n")[2].splitlines()
    assert listed
    assert [line for line in listed if line.endswith("...")] == []
