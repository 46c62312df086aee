from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from services.cli import up
from services.cli.up import Everything
from services.core.settings import Local


class Child:
    """Of a service or a server: notes its end in `stopped`."""

    def __init__(self, name: str, stopped: list[str], *, hangs: bool = False) -> None:
        self._name, self._stopped, self._hangs = name, stopped, hangs
        self.child = self

    def stop(self) -> None:
        self._stopped.append(self._name)
        if self._hangs:
            raise TimeoutError(self._name)


def test_servers_are_stopped_in_order_where_a_service_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = Local.read({"VECHE_DATA_DIR": str(tmp_path)})
    stopped: list[str] = []
    # The guardian of this process guards the test run's own servers.
    monkeypatch.setattr(up, "end_guard", lambda: stopped.append("guardian"))
    everything = Everything(local, Console(quiet=True))
    everything.services = {"ingest": cast("Any", Child("ingest", stopped, hangs=True))}
    for name in ("postgres", "kafka", "caddy"):
        setattr(everything, name, Child(name, stopped))
    with pytest.raises(TimeoutError):
        everything.__exit__()
    assert stopped == ["ingest", "caddy", "kafka", "postgres", "guardian"]
