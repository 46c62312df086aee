"""What every service listens on, logs, trusts and signs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.core.errors import Misconfigured
from services.core.settings.variables import (
    ENVIRONMENT,
    one_of,
    required,
    tcp_port,
    text_or_file,
    whole,
)


@dataclass(frozen=True)
class Http:
    host: str
    """VECHE_HTTP_HOST: the address that an HTTP service listens on."""
    port: int
    """VECHE_HTTP_PORT."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT, port: int = 8080) -> Http:
        return cls(
            host=env.get("VECHE_HTTP_HOST", "127.0.0.1"),
            port=tcp_port(env, "VECHE_HTTP_PORT", port),
        )


@dataclass(frozen=True)
class Probes:
    host: str
    """VECHE_PROBES_HOST: where /livez, /readyz and /metrics listen, apart from the public port."""
    port: int
    """VECHE_PROBES_PORT."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT, port: int = 9090) -> Probes:
        return cls(
            host=env.get("VECHE_PROBES_HOST", "127.0.0.1"),
            port=tcp_port(env, "VECHE_PROBES_PORT", port),
        )


@dataclass(frozen=True)
class Logs:
    level: str
    """VECHE_LOG_LEVEL: debug, info, warning or error."""
    format: str
    """VECHE_LOG_FORMAT: text or json."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Logs:
        return cls(
            level=one_of(env, "VECHE_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            format=one_of(env, "VECHE_LOG_FORMAT", "text", ("text", "json")),
        )


@dataclass(frozen=True)
class Trust:
    """Whom a service believes, and the keys that it signs with."""

    issuers_file: Path
    """VECHE_ISSUERS_FILE: TOML, who may issue tokens for which sites and roles."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Trust:
        return cls(issuers_file=Path(required(env, "VECHE_ISSUERS_FILE")))


@dataclass(frozen=True)
class Reader:
    """Bounds of one reader process."""

    strips: int
    """VECHE_READER_STRIPS: newest strips kept in memory; the rest are read from Postgres."""
    streams: int
    """VECHE_READER_STREAMS: open streams at most; one more is told to come back later."""
    stream_queue: int
    """VECHE_READER_STREAM_QUEUE: events that wait for a slow reader before it is dropped."""
    socket_buffer_bytes: int
    """VECHE_READER_SOCKET_BUFFER: what the kernel holds for one connection (SO_SNDBUF)."""
    best_seconds: int
    """VECHE_READER_BEST_SECONDS: how long a discussion's `best` order stays as it is."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Reader:
        return cls(
            strips=whole(env, "VECHE_READER_STRIPS", 50_000),
            streams=whole(env, "VECHE_READER_STREAMS", 10_000),
            stream_queue=whole(env, "VECHE_READER_STREAM_QUEUE", 16),
            socket_buffer_bytes=whole(env, "VECHE_READER_SOCKET_BUFFER", 65_536),
            best_seconds=whole(env, "VECHE_READER_BEST_SECONDS", 60),
        )


def secret(name: str, env: Mapping[str, str] = ENVIRONMENT) -> bytes:
    """A signing key: at least 32 bytes, given as text, or by `{name}_FILE`.

    Names in use: VECHE_RECEIPT_SECRET, VECHE_VIEWER_SECRET, VECHE_DECISION_SECRET;
    VECHE_DEMO_SECRET under `veche up` only.
    """
    given = text_or_file(env, name)
    if len(given.encode()) < 32:
        raise Misconfigured(f"{name} must hold at least 32 bytes; try `openssl rand -hex 32`")
    return given.encode()


def allowed_origins(env: Mapping[str, str] = ENVIRONMENT) -> frozenset[str]:
    """VECHE_ALLOWED_ORIGINS: exact origins of portals, split by spaces or commas; default none."""
    origins = frozenset(env.get("VECHE_ALLOWED_ORIGINS", "").replace(",", " ").split())
    for origin in origins:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or set(rest) & set("/*?#@"):
            raise Misconfigured(
                f"VECHE_ALLOWED_ORIGINS holds {origin!r}; an origin looks like https://news.example"
            )
    return origins


def issuers_file(env: Mapping[str, str] = ENVIRONMENT) -> Path | None:
    """VECHE_ISSUERS_FILE, for commands that can do without."""
    return Path(env["VECHE_ISSUERS_FILE"]) if env.get("VECHE_ISSUERS_FILE") else None
