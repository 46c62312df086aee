"""The broker's jars and its Java: only what was locked ever runs."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from services.core.errors import Misconfigured
from services.core.settings import Local
from services.embedded import jars, java

PATH = "org/example/tool/1.0/tool-1.0.jar"
JAR = b"PK the right bytes"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A Maven repository on this machine; `.url` is in the file `url`."""
    folder = tmp_path / "repository"
    (folder / PATH).parent.mkdir(parents=True)
    (folder / PATH).write_bytes(JAR)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (tmp_path / "url").write_text(f"http://127.0.0.1:{server.server_port}")
        yield folder
        server.shutdown()
        thread.join()


@pytest.fixture
def local(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    lock = tmp_path / "jars.sha256"
    lock.write_text(f"# a heading\n{hashlib.sha256(JAR).hexdigest()}  {PATH}\n")
    monkeypatch.setattr(jars, "LOCK", lock)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = (tmp_path / "url").read_text()
    return replace(Local.read(), cache_dir=tmp_path / "cache", maven_url=url)


def test_jars_are_fetched_once_from_the_mirror_and_then_offline(
    local: Local, repository: Path
) -> None:
    seen: list[tuple[int, int]] = []
    first = jars.classpath(local, lambda done, total: seen.append((done, total)))
    assert [path.read_bytes() for path in first] == [JAR]
    assert seen == [(1, 1)]
    (repository / PATH).unlink()
    assert jars.classpath(replace(local, maven_url="http://127.0.0.1:9")) == first


def test_a_jar_of_other_bytes_is_never_kept(local: Local, repository: Path) -> None:
    (repository / PATH).write_bytes(b"PK something else")
    with pytest.raises(jars.JarMismatch, match="as locked"):
        jars.classpath(local)
    assert not list(local.cache_dir.rglob("*.jar"))


def test_a_cached_jar_that_was_changed_is_never_run(local: Local) -> None:
    (jar,) = jars.classpath(local)
    jar.write_bytes(b"PK changed afterwards")
    with pytest.raises(jars.JarMismatch, match="delete it"):
        jars.classpath(local)


def test_unreachable_repository_says_what_to_do(local: Local) -> None:
    with pytest.raises(Misconfigured, match="HTTPS_PROXY and MVNW_REPOURL"):
        jars.classpath(replace(local, maven_url="http://127.0.0.1:9"))


def test_the_lock_has_one_version_of_each_jar_and_all_of_kafka_is_one_version() -> None:
    paths = [line.split()[1] for line in jars.LOCK.read_text().splitlines() if line[0] != "#"]
    names = [path.rsplit("/", 2)[0] for path in paths]
    assert len(set(names)) == len(names)
    assert {path.split("/")[4] for path in paths if path.startswith("org/apache/kafka/")} == {
        "4.4.0"
    }


def java_home(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize("version", ["17", "21.0.5", "25.0.2"])
def test_java_home_wins_where_it_is_new_enough(tmp_path: Path, version: str) -> None:
    home = java_home(tmp_path / "jdk", version)
    assert java.find(home).command == home / "bin" / "java"


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22"])
def test_an_old_java_home_gives_way_to_the_wheels(tmp_path: Path, version: str) -> None:
    found = java.find(java_home(tmp_path / "jdk", version))
    assert tmp_path not in found.command.parents
    assert found.major >= java.OLDEST


def test_no_java_at_all_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="JAVA_HOME"):
        java.find(None)
