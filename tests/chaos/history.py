"""The history: one JSON line per thing that a client or the nemesis did, written as it happens.

A write has a line `invoke` and then `ok`, `fail` or `maybe`; "maybe" (no answer, or 503) is never
counted as failed. Reads, streamed events and faults are single lines. Nothing here comes from the
services but what they answered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()


class History:
    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = file.open("wb", buffering=1 << 16)
        self._began = time.monotonic()
        self.acknowledged = 0
        self.maybes = 0
        self._op = 0

    def now(self) -> float:
        return round(time.monotonic() - self._began, 4)

    def begin(self, session: str, f: str, key: str, event: str, value: Any = None) -> int:
        self._op += 1
        self._write(
            {"op": self._op, "type": "invoke", "session": session, "f": f, "key": key,
             "event": event, "value": value, "start": self.now()}
        )  # fmt: skip
        return self._op

    def end(self, op: int, type: str, **seen: Any) -> None:
        """`type` is ok, fail or maybe."""
        if type == "ok":
            self.acknowledged += 1
        elif type == "maybe":
            self.maybes += 1
        self._write({"op": op, "type": type, "end": self.now(), **seen})

    def note(self, type: str, **seen: Any) -> None:
        """A read, a streamed event or a fault."""
        self._write({"type": type, "at": self.now(), **seen})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(_ENCODER.encode(line) + b"\n")

    def close(self) -> None:
        self._out.close()


def lines(file: Path) -> Iterator[dict[str, Any]]:
    decoder = msgspec.json.Decoder()
    with file.open("rb") as source:
        for line in source:
            yield decoder.decode(line)
