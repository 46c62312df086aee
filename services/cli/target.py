"""Which Kafka and Postgres a command talks to: those of the environment, else of `veche up`.

`veche up` writes `running.json` into its data directory while it runs.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from services.core import codec
from services.core.errors import BadEvent, Misconfigured
from services.core.settings import Kafka, KafkaSecurity, Local, topic_prefix
from services.embedded.child import write_private

FILE = "running.json"


def postgres_dsn() -> str:
    local = Local.read()
    return local.postgres_dsn or _running(local, "postgres_dsn", "VECHE_POSTGRES_DSN")


def kafka_bootstrap() -> str:
    local = Local.read()
    return local.kafka_bootstrap or _running(local, "kafka_bootstrap", "VECHE_KAFKA_BOOTSTRAP")


def kafka() -> Kafka:
    """The cluster with what the environment says of prefix and security."""
    return Kafka(kafka_bootstrap(), topic_prefix(), security=KafkaSecurity.read())


def tell(data: Path, *, kafka_bootstrap: str, postgres_dsn: str, pid: int) -> None:
    """Called by `veche up`; readable by its user only, since the DSN has the password."""
    said = {"kafka_bootstrap": kafka_bootstrap, "postgres_dsn": postgres_dsn, "pid": pid}
    write_private(data / FILE, codec.encode(said).decode())


def forget(data: Path) -> None:
    (data / FILE).unlink(missing_ok=True)


def _running(local: Local, name: str, variable: str) -> str:
    with suppress(OSError, BadEvent, KeyError):
        return str(codec.decode((local.data_dir / FILE).read_bytes(), dict[str, Any])[name])
    raise Misconfigured(
        f"no {variable} is set and no `veche up` runs on {local.data_dir}: start it, or set "
        f"{variable} (or VECHE_DATA_DIR, if it keeps its data elsewhere)"
    )
