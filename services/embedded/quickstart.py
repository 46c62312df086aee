"""JDK 25's ahead-of-time cache: a broker starts in a third of the time and of the CPU.

Made once per Java and set of jars, by a broker that is started and stopped for it, and kept in
`VECHE_CACHE_DIR`. Only ever an optimization: where it cannot be made, the broker starts without.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from services.core.errors import VecheError
from services.embedded.java import Java
from services.embedded.kafka import HEAP, KafkaCluster

SINCE = 25
MAKING_SECONDS = 120.0
# Classes only: JDK 25's cache of compiled adapters mixes some of them up, and says so.
CLASSES_ONLY = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching")


def prepared(
    java: Java, jars: Sequence[Path], cache_dir: Path, tell: Callable[[str], None]
) -> Java:
    """The same Java with the flags that use the cache, which is made if it is missing."""
    if java.major < SINCE:
        return java
    cache = cache_dir / "aot" / f"{_key(java, jars)}.aot"
    if not cache.exists():
        tell("preparing quick starts of Kafka, once")
        try:
            _make(cache, java, jars)
        except (VecheError, OSError):
            return java
    if not cache.exists():
        return java
    return replace(java, quick_start=(*CLASSES_ONLY, f"-XX:AOTCache={cache}"))


def _make(cache: Path, java: Java, jars: Sequence[Path]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    beside = cache.with_suffix(f".{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="veche-quickstart-") as folder:
        home = Path(folder)
        once = KafkaCluster(home / "kafka", home / "logs", java=java, jars=jars)
        once.prepare()
        flags = (*CLASSES_ONLY, f"-XX:AOTCacheOutput={beside}")
        broker = once.broker(1)
        broker.java = replace(java, quick_start=flags)
        broker.grace_seconds = MAKING_SECONDS
        once.start()
        once.stop()  # the cache is written on the way out
        whole = broker.child is not None and broker.child.code != -signal.SIGKILL
    if whole and beside.exists():
        beside.replace(cache)
    beside.unlink(missing_ok=True)


def _key(java: Java, jars: Sequence[Path]) -> str:
    """Java checks the class path and the collector itself, and goes without where they differ."""
    release = (java.command.parents[1] / "release").read_text()
    stated = "\n".join([release, *CLASSES_ONLY, *HEAP, *map(str, jars)])
    return hashlib.sha256(stated.encode()).hexdigest()[:16]
