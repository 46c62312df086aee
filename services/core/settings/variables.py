"""How one variable is read, and refused by name; the only place that looks at the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from services.core.errors import Misconfigured

ROOT = Path(__file__).parents[3]
"""The checkout."""
ENVIRONMENT: Mapping[str, str] = os.environ


def required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise Misconfigured(f"{name} is not set; docs/configuration.md says what it means")
    return value


def whole(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, str(default))
    if not value.isdecimal():
        raise Misconfigured(f"{name} must be a whole number, not {value!r}")
    return int(value)


def tcp_port(env: Mapping[str, str], name: str, default: int) -> int:
    port = whole(env, name, default)
    if port > 65_535:
        raise Misconfigured(f"{name} must be a port, 65535 at most, not {port}")
    return port


def one_of(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(name) or default
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise Misconfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def text_or_file(env: Mapping[str, str], name: str) -> str:
    """The variable's value, else the text of the file that `{name}_FILE` names, else ""."""
    if env.get(name) or not env.get(f"{name}_FILE"):
        return env.get(name, "")
    file = Path(env[f"{name}_FILE"])
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise Misconfigured(f"{name}_FILE names {file}, which cannot be read: {error}") from error


def masked(group: object) -> dict[str, str]:
    """A settings group for a log line: secrets and passwords never show."""
    shown = {}
    for member in fields(group):  # type: ignore[arg-type]
        value = str(getattr(group, member.name))
        if "secret" in member.name or "password" in member.name:
            value = "***"
        elif member.name == "dsn" and "@" in value:
            scheme, _, rest = value.partition("://")
            user, _, host = rest.rpartition("@")
            value = f"{scheme}://{user.split(':')[0]}@{host}"
        shown[member.name] = value
    return shown
