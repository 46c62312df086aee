"""What the proxies read: the protocols of Postgres and Kafka, as far as points need it."""

from __future__ import annotations

import contextlib
import struct
import time
from dataclasses import dataclass
from typing import Any

from tests.chaos.wire import Connection, Mind

WRITES = (b"INSERT", b"UPDATE", b"DELETE")
SSL_REQUEST = 80877103
PRODUCE, JOIN, SYNC = 0, 11, 14


@dataclass(frozen=True)
class FenceMove:
    """What a transaction's own fence statement says: whose partition it believes to have."""

    topic: str
    partition: int
    epoch: int


def fence_move(rest: bytes) -> FenceMove | None:
    """From the parameters of a Bind message: group, topic, partition, epoch; None for others."""
    values: list[bytes] = []
    with contextlib.suppress(struct.error):
        (formats,) = struct.unpack_from("!h", rest)
        position = 2 + 2 * formats + 2
        for _ in range(4):
            (size,) = struct.unpack_from("!i", rest, position)
            values.append(rest[position + 4 : position + 4 + size])
            position += 4 + size
    if [len(value) for value in values[2:]] != [4, 8]:
        return None
    _, topic, partition, epoch = values
    return FenceMove(topic.decode(), int.from_bytes(partition, "big"), int.from_bytes(epoch, "big"))


class PostgresMind(Mind):
    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.buffer = b""
        self.started = False
        self.statements: dict[bytes, bytes] = {}
        self.fenced = self.effected = self.committing = False
        self.began_at = 0.0

    def from_client(self, data: bytes) -> None:
        self.buffer += data
        sent = position = 0
        buffer = self.buffer
        while True:
            if not self.started:
                if len(buffer) - position < 8:
                    break
                (length,) = struct.unpack_from("!i", buffer, position)
                (code,) = struct.unpack_from("!i", buffer, position + 4)
                end = position + length
                if len(buffer) < end:
                    break
                self.started = code != SSL_REQUEST
                position = end
                continue
            if len(buffer) - position < 5:
                break
            (length,) = struct.unpack_from("!i", buffer, position + 1)
            end = position + 1 + length
            if len(buffer) < end:
                break
            kind = buffer[position : position + 1]
            if kind in b"QPB":
                seen = end if kind == b"P" else min(end, position + 600)
                point = self._point(kind, buffer[position + 5 : seen])
                if point and self.connection.proxy.traps:
                    if sent < position:
                        self.connection.forward(buffer[sent:position])
                        sent = position
                    if point == "begin":
                        self.connection.forward(buffer[sent:end])
                        sent = end
                    self.connection.spring(point, **self._evidence())
            position = end
        if sent < position:
            self.connection.forward(buffer[sent:position])
        self.buffer = buffer[position:]

    def _evidence(self) -> dict[str, Any]:
        return {
            "in_transaction": self.in_transaction,
            "fenced": self.fenced,
            "effected": self.effected,
        }

    def _point(self, kind: bytes, body: bytes) -> str:
        if kind == b"Q":
            text = body.upper()
            if text.startswith((b"BEGIN", b"START TRANSACTION")):
                self.in_transaction, self.fenced, self.effected = True, False, False
                self.fence = None
                self.began_at = time.monotonic()
                return "begin"
            if text.startswith(b"COMMIT"):
                self.committing = True
                return "before_commit"
            if text.startswith(b"ROLLBACK"):
                self.in_transaction = False
            return ""
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            self.statements[name] = rest.partition(b"\0")[0]
            return ""
        _, _, rest = body.partition(b"\0")
        name, _, rest = rest.partition(b"\0")
        statement = self.statements.get(name, b"")
        if not self.in_transaction:
            return ""
        if statement.find(b"UPDATE fences") >= 0:
            self.fenced, self.fence = True, fence_move(rest)
            return "fence"
        writes = any(word in statement for word in WRITES)
        if writes and not self.effected:
            self.effected = True
            return "effect"
        return ""

    def from_server(self, data: bytes) -> None:
        if self.committing and b"COMMIT\0" in data:
            evidence = self._evidence()
            self.committing = self.in_transaction = False
            if self.connection.spring("commit_sent", committed=True, **evidence) == "cut":
                return
            self.connection.answer(data)
            self.connection.spring("after_commit", committed=True, **evidence)
            return
        if self.committing and b"ROLLBACK\0" in data:
            self.committing = self.in_transaction = False
        self.connection.answer(data)


class KafkaMind(Mind):
    """Frames: a length, then the request's kind, version and correlation id."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.buffer = b""
        self.back = b""
        self.skip = 0
        self.produces: dict[int, int] = {}

    def from_client(self, data: bytes) -> None:
        buffer = self.buffer + data
        sent = position = 0
        while len(buffer) - position >= 4:
            (length,) = struct.unpack_from("!i", buffer, position)
            end = position + 4 + length
            if len(buffer) < end:
                break
            kind, version, correlation = struct.unpack_from("!hhi", buffer, position + 4)
            if kind in (PRODUCE, JOIN, SYNC):
                if sent < position:
                    self.connection.forward(buffer[sent:position])
                    sent = position
                if kind == PRODUCE:
                    in_flight = len(self.produces) + 1
                    said = self.connection.spring("produce_before", in_flight=in_flight)
                    if said.startswith("refuse:"):
                        # Lost on the way, and the answer says a fatal error.
                        code = int(said.partition(":")[2])
                        self.connection.answer(refusal(buffer[position:end], code))
                        sent = position = end
                        continue
                    self.produces[correlation] = version
                    self.producing = in_flight
                    self.connection.forward(buffer[sent:end])
                    sent = end
                    self.connection.spring("produce_sent", in_flight=self.producing)
                else:
                    self.connection.spring("group", rebalancing=True)
            position = end
        if sent < position:
            self.connection.forward(buffer[sent:position])
        self.buffer = buffer[position:]

    def from_server(self, data: bytes) -> None:
        """Fetched records are large and pass as they come; an awaited answer is taken whole."""
        buffer = self.back + data if self.back else data
        position = 0
        out = bytearray()
        while position < len(buffer):
            if self.skip:
                taken = min(len(buffer), position + self.skip)
                out += buffer[position:taken]
                self.skip -= taken - position
                position = taken
                continue
            if len(buffer) - position < 8:
                break
            length, correlation = struct.unpack_from("!ii", buffer, position)
            if correlation not in self.produces:
                self.skip = 4 + length
                continue
            end = position + 4 + length
            if len(buffer) < end:
                break
            if out:
                self.connection.answer(bytes(out))
                out = bytearray()
            version = self.produces.pop(correlation)
            self.producing = len(self.produces)
            said = self.connection.spring("produce_acked", in_flight=self.producing + 1)
            if said == "cut":
                return
            out += buffer[position:end]
            if said.startswith("error:"):
                with_error(out, version, int(said.partition(":")[2]))
            position = end
        if out:
            self.connection.answer(bytes(out))
        self.back = buffer[position:]


def with_error(frame: bytearray, version: int, code: int) -> None:
    """Every partition of a produce response (versions 1 to 8) answers this error instead."""
    position = 8
    (topics,) = struct.unpack_from("!i", frame, position)
    position += 4
    for _ in range(topics):
        (length,) = struct.unpack_from("!h", frame, position)
        position += 2 + length
        (partitions,) = struct.unpack_from("!i", frame, position)
        position += 4
        for _ in range(partitions):
            struct.pack_into("!hq", frame, position + 4, code, -1)
            position += 4 + 2 + 8 + (8 if version >= 2 else 0) + (8 if version >= 5 else 0)
            position += 6 if version >= 8 else 0  # no single record's error, no message


def refusal(request: bytes, code: int) -> bytes:
    """The answer to a produce request (versions 3 to 8) that refuses every partition of it."""
    _, version, correlation, client = struct.unpack_from("!hhih", request, 4)
    position = 14 + max(0, client)
    (transaction,) = struct.unpack_from("!h", request, position)
    position += 2 + max(0, transaction) + 2 + 4
    (topics,) = struct.unpack_from("!i", request, position)
    position += 4
    answer = struct.pack("!ii", correlation, topics)
    for _ in range(topics):
        (length,) = struct.unpack_from("!h", request, position)
        answer += request[position : position + 2 + length]
        position += 2 + length
        (partitions,) = struct.unpack_from("!i", request, position)
        position += 4
        answer += struct.pack("!i", partitions)
        for _ in range(partitions):
            partition, size = struct.unpack_from("!ii", request, position)
            position += 8 + max(0, size)
            answer += struct.pack("!ihqq", partition, code, -1, -1)
            answer += struct.pack("!q", -1) if version >= 5 else b""
            answer += struct.pack("!ih", 0, -1) if version >= 8 else b""
    answer += struct.pack("!i", 0)
    return struct.pack("!i", len(answer)) + answer
