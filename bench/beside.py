"""Starts bench/constant.py with an answer that a real server gave."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from bench.ground import ROOT, Ground
from services.core.settings import environment
from services.embedded.child import Child, answers, free_ports

ADDED_BY_THE_SERVER = ("date",)


@contextmanager
def constant(
    ground: Ground, answer: httpx.Response, raw: bytes, *, buffer: int | None = None
) -> Iterator[str]:
    """The URL of a server on the same loop as ours: `answer`'s status and headers, and `raw`."""
    (port,) = free_ports(1)
    file = ground.home / f"answer-{port}.json"
    headers = [pair for pair in answer.headers.items() if pair[0] not in ADDED_BY_THE_SERVER]
    file.write_text(
        json.dumps(
            {
                "status": answer.status_code,
                "headers": headers,
                "body": base64.b64encode(raw).decode(),
                "buffer": buffer,
            }
        )
    )
    child = Child(
        "constant",
        [sys.executable, "-m", "bench.constant", str(port), file],
        log=ground.home / "logs/constant.log",
        env=environment(),
        cwd=ROOT,
    )
    child.start()
    try:
        child.wait_until(lambda: answers(port), 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.stop()
