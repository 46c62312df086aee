"""What `veche up` and the other commands take from the machine that they run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.core.settings.variables import ENVIRONMENT, ROOT, required, tcp_port


@dataclass(frozen=True)
class Local:
    """What `veche up` and the tests take from the machine that they run on."""

    port: int
    """VECHE_PORT: the one origin of `veche up`."""
    data_dir: Path
    """VECHE_DATA_DIR: where `veche up` keeps everything; `.veche` beside the code by default."""
    cache_dir: Path
    """VECHE_CACHE_DIR: the broker's jars, fetched once; `~/.cache/veche` by default."""
    java_home: Path | None
    """JAVA_HOME: wins over the wheel's Java where it is 17 or newer."""
    maven_url: str
    """MVNW_REPOURL: a mirror of Maven Central; the central repository by default."""
    kafka_bootstrap: str
    """VECHE_KAFKA_BOOTSTRAP: use this cluster and start none."""
    postgres_dsn: str
    """VECHE_POSTGRES_DSN: use this server and start none."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Local:
        cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "veche"
        return cls(
            port=tcp_port(env, "VECHE_PORT", 8000),
            data_dir=Path(env.get("VECHE_DATA_DIR") or ROOT / ".veche").resolve(),
            cache_dir=Path(env.get("VECHE_CACHE_DIR") or cache).resolve(),
            java_home=Path(env["JAVA_HOME"]) if env.get("JAVA_HOME") else None,
            maven_url=env.get("MVNW_REPOURL", ""),
            kafka_bootstrap=env.get("VECHE_KAFKA_BOOTSTRAP", ""),
            postgres_dsn=env.get("VECHE_POSTGRES_DSN", ""),
        )


@dataclass(frozen=True)
class Demo:
    """The demonstration's issuer, which exists under `veche up` only."""

    origin: str
    """VECHE_ORIGIN: the one origin, through which it opens the sample discussions."""

    @classmethod
    def read(cls, env: Mapping[str, str] = ENVIRONMENT) -> Demo:
        return cls(origin=required(env, "VECHE_ORIGIN").rstrip("/"))


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child process's environment: this one's, with `changes`."""
    return {**ENVIRONMENT, **(changes or {})}


def rebuilding(env: Mapping[str, str] = ENVIRONMENT) -> bool:
    """VECHE_REBUILD: set by `veche rebuild` for the children that it starts, never by hand."""
    return env.get("VECHE_REBUILD", "") == "1"


def console_token(env: Mapping[str, str] = ENVIRONMENT) -> str:
    """VECHE_TOKEN: what `veche rules propose` and its like bring to the console."""
    return env.get("VECHE_TOKEN", "")
