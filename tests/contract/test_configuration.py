"""docs/configuration.md lists every variable that is read, and none that is not."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from services.core import settings, topics

ROOT = Path(__file__).parents[2]
SETTINGS = "".join(
    file.read_text("utf-8") for file in (ROOT / "services" / "core" / "settings").glob("*.py")
)
CADDYFILE = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text("utf-8")
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ROWS = {
    name: row
    for row in re.findall(r"^\| (?=`).+$", PAGE, re.MULTILINE)
    for name in re.findall(r"`([A-Z_]+(?:<TOPIC>)?)`", row.split(" | ")[0])
}
NAME = r"VECHE_[A-Z_]*[A-Z]"
BY_TOPIC = "VECHE_RETENTION_MS_<TOPIC>"


def read_by_us() -> set[str]:
    names = set(re.findall(rf'"({NAME})"', SETTINGS))
    for file in (ROOT / "services").rglob("*.py"):
        names |= set(re.findall(rf'secret\("({NAME})"', file.read_text("utf-8")))
    stated = {"JAVA_HOME", "MVNW_REPOURL"} & set(re.findall(r"[A-Z_]+", SETTINGS))
    return names | stated | {BY_TOPIC, "VECHE_KAFKA_SASL_PASSWORD_FILE"}


def read_by_caddy() -> set[str]:
    return set(re.findall(rf"\{{\$({NAME})", CADDYFILE))


def test_the_page_lists_what_is_read_and_nothing_else() -> None:
    assert set(ROWS) == read_by_us() | read_by_caddy()


def test_settings_name_no_variable_that_they_do_not_read() -> None:
    named = set(re.findall(rf"\b({NAME})\b(?!_)", SETTINGS))
    assert {one for one in named if not one.startswith("VECHE_RETENTION_MS")} <= set(ROWS)


def test_defaults_are_those_of_the_code() -> None:
    stated = re.findall(rf'(?:whole|tcp_port)\(env, "({NAME})", ([0-9_]+)\)', SETTINGS)
    assert stated
    for name, default in stated:
        assert ROWS[name].split(" | ")[1] == default.replace("_", ""), name


def test_secrets_are_marked() -> None:
    secret = {name for name in ROWS if name.endswith(("_SECRET", "_PASSWORD"))}
    assert secret == {name for name, row in ROWS.items() if "**secret**" in row}


def test_compose_states_no_variable_that_the_page_does_not_list() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    stated = {
        name.removesuffix("_FILE") if name.endswith("_SECRET_FILE") else name
        for service in compose["services"].values()
        for name in service.get("environment", {})
        if name.startswith("VECHE_")
    }
    assert stated <= set(ROWS)


def test_the_retention_that_the_page_advises_is_taken() -> None:
    advised = dict(re.findall(r"^(VECHE_RETENTION_MS_\w+)=(\d+)$", PAGE, re.MULTILINE))
    kept = topics.kept(settings.retention_ms(topics.declared(), advised))
    days = {name: one.retention_ms // topics.DAY_MS for name, one in kept.items()}
    for name in (topics.COMMENTS, topics.VOTES, topics.VIEWS, topics.OUTCOMES, "views.v1.dead"):
        assert days[name] == 21, name
