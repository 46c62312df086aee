"""Asks a Kafka broker for its metadata over a plain socket: an open port alone proves nothing.

The Kafka clients live in core's consume and produce; this one question needs none of them.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

METADATA = 3
VERSION = 4
MOST_BYTES = 1024 * 1024


def brokers(port: int, host: str = "127.0.0.1", seconds: float = 2.0) -> list[int]:
    """Ids of the brokers that this one knows to be alive; empty while it cannot say."""
    # No topics are asked for, none is to be made: only the brokers come back.
    body = struct.pack(">hhihiB", METADATA, VERSION, 1, -1, 0, 0)
    with suppress(OSError, struct.error), socket.create_connection((host, port), seconds) as peer:
        peer.settimeout(seconds)
        peer.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", _read(peer, 4))
        if not 0 < size < MOST_BYTES:
            return []
        return _broker_ids(_read(peer, size))
    return []


def _read(peer: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        more = peer.recv(count - len(got))
        if not more:
            raise ConnectionError("the broker hung up")
        got += more
    return got


def _broker_ids(answer: bytes) -> list[int]:
    _, _, count = struct.unpack_from(">iii", answer)  # correlation, throttle time, how many
    at, ids = 12, []
    for _ in range(count):
        (node,) = struct.unpack_from(">i", answer, at)
        (host,) = struct.unpack_from(">h", answer, at + 4)
        at += 6 + host + 4
        (rack,) = struct.unpack_from(">h", answer, at)
        at += 2 + max(rack, 0)
        ids.append(node)
    return ids
