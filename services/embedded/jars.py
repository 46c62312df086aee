"""The broker's jars: exactly those of `jars.sha256`, fetched once with jgo, checked every time.

`jars.sha256` is the lock: a SHA-256 and a path in Maven's layout per line. Fetched jars stay in
`VECHE_CACHE_DIR`, so a second start needs no network. Honoured from the environment:
HTTPS_PROXY, HTTP_PROXY, NO_PROXY; REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE;
MVNW_REPOURL (the Maven wrapper's name for a mirror of the central repository).
`python -m services.embedded.jars` resolves COORDINATES anew and rewrites the lock.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from services.core.errors import Misconfigured
from services.core.settings import Local, environment

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.4.0",
    # Kafka logs through slf4j 1.7; this binds it to log4j2, which writes the file.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
)
LOCK = Path(__file__).with_name("jars.sha256")
FETCH_SECONDS = 60
FETCHED_AT_ONCE = 6
TRIES = 3


class JarMismatch(Misconfigured):
    """A jar is not the one that was locked: it is never run."""


def classpath(
    local: Local, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Path]:
    """Every jar's path, fetched and checked; raises Misconfigured if one cannot be had.

    `progress(done, total)` is called after each jar that had to be fetched.
    """
    locked = _locked()
    repository = local.cache_dir / "jars"
    missing = [path for path in locked if not (repository / path).exists()]
    if missing:
        _fetch(missing, locked, local, progress)
    for path, sha256 in locked.items():
        found = _sha256(repository / path)
        if found != sha256:
            raise JarMismatch(
                f"{repository / path} has SHA-256 {found}, not {sha256} as locked: delete it "
                f"and start again; if it comes back, do not trust where it comes from"
            )
    return [repository / path for path in locked]


def _fetch(
    paths: Iterable[str],
    locked: dict[str, str],
    local: Local,
    progress: Callable[[int, int], None],
) -> None:
    context = _maven(local)
    paths = list(paths)
    with ThreadPoolExecutor(FETCHED_AT_ONCE) as threads:
        waiting = {threads.submit(_fetch_one, context, path, locked[path]): path for path in paths}
        for done, future in enumerate(as_completed(waiting), 1):
            try:
                future.result()
            except JarMismatch:
                threads.shutdown(cancel_futures=True)
                raise
            except Exception as error:
                threads.shutdown(cancel_futures=True)
                raise Misconfigured(
                    f"the Kafka jars cannot be fetched ({Path(waiting[future]).name}: "
                    f"{type(error).__name__}: {str(error)[:300]}): check the network, HTTPS_PROXY "
                    f"and MVNW_REPOURL (a Maven mirror), or set VECHE_KAFKA_BOOTSTRAP to a "
                    f"cluster of yours"
                ) from error
            progress(done, len(paths))


def _fetch_one(context: Any, path: str, sha256: str) -> None:
    """Fetches beside its place and moves it there once it is whole and the right one."""
    *group, artifact, version, _ = path.split("/")
    wanted = context.project(".".join(group), artifact).at_version(version).artifact()
    target: Path = context.repo_cache.parent / "jars" / path
    for attempt in range(1, TRIES + 1):
        try:
            fetched = Path(wanted.resolve())
            break
        except Exception:  # the library names no errors of its own; the last one goes on up
            if attempt == TRIES:
                raise
    found = _sha256(fetched)
    if found != sha256:
        fetched.unlink()
        raise JarMismatch(
            f"{context.remote_repos['central']} sent {target.name} with SHA-256 {found}, "
            f"not {sha256} as locked: it is not used; do not trust that repository"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)


def _maven(local: Local, repository: str = "jars.partial") -> Any:
    """jgo's context on a folder for downloads that are not checked yet."""
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    env = environment()
    if not (env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE")) and (
        bundle := env.get("SSL_CERT_FILE")
    ):
        os.putenv("REQUESTS_CA_BUNDLE", bundle)
    return MavenContext(
        repo_cache=local.cache_dir / repository,
        remote_repos={"central": local.maven_url or MAVEN_CENTRAL_URL},
        timeout=FETCH_SECONDS,
    )


def _locked() -> dict[str, str]:
    """Path -> SHA-256, in the lock's order."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return {path: sha256 for sha256, path in lines}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def lock(local: Local) -> dict[str, str]:
    """Resolves COORDINATES, each by itself; where two want the same jar, the first one's wins.

    jgo lets log4j's managed versions override Kafka's own if they are resolved together.
    """
    from jgo.env import EnvironmentBuilder

    context = _maven(local, "lock")
    builder = EnvironmentBuilder(context=context, cache_dir=local.cache_dir / "lock-env")
    chosen: dict[str, str] = {}
    for coordinates in COORDINATES:
        lockfile = builder.from_endpoint(coordinates, update=True).lockfile
        if lockfile is None:
            raise Misconfigured(f"jgo resolved nothing for {coordinates}")
        for one in lockfile.dependencies:
            version = one.version
            path = f"{one.groupId.replace('.', '/')}/{one.artifactId}/{version}"
            name = f"{one.groupId}:{one.artifactId}"
            chosen.setdefault(name, f"{path}/{one.artifactId}-{version}.jar")
    return {path: _sha256(context.repo_cache / path) for path in sorted(chosen.values())}


if __name__ == "__main__":
    jars = lock(Local.read())
    heading = f"# {' '.join(COORDINATES)}\n"
    LOCK.write_text(heading + "".join(f"{sha256}  {path}\n" for path, sha256 in jars.items()))
    sys.stdout.write(f"{len(jars)} jars locked in {LOCK}\n")
