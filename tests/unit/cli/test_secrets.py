"""Keys are made once, and those that somebody brings win over them."""

from __future__ import annotations

from pathlib import Path

from services.cli import secrets


def test_what_the_environment_names_is_not_named_again(tmp_path: Path) -> None:
    secrets.make(tmp_path)
    mine = {"VECHE_ISSUERS_FILE": "/etc/veche/issuers.toml", "VECHE_RECEIPT_SECRET": "r" * 32}
    assert secrets.environment(tmp_path, mine) == {
        "VECHE_DECISION_SECRET_FILE": str(tmp_path / "decision.secret"),
        "VECHE_VIEWER_SECRET_FILE": str(tmp_path / "viewer.secret"),
    }


def test_only_files_that_are_there_are_named(tmp_path: Path) -> None:
    assert secrets.environment(tmp_path, {}) == {}


def test_a_variable_that_is_empty_names_nothing(tmp_path: Path) -> None:
    secrets.make(tmp_path)
    named = secrets.environment(tmp_path, {"VECHE_ISSUERS_FILE": ""})
    assert named["VECHE_ISSUERS_FILE"] == str(tmp_path / "issuers.toml")
