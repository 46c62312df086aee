"""Logging: one line per record, text for people or JSON for machines.

Levels: DEBUG is off in production; INFO says what the process does at most once per second;
WARNING is a fault that heals by itself, said once a minute while it lasts; ERROR is a bug or needs
a person.
No line carries a comment's text, a token or a secret.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from services.core import codec


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's `extra` fields."""

    _STANDARD = frozenset(vars(logging.makeLogRecord({})))

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in self._STANDARD and name not in ("message", "asctime", "taskName"):
                line[name] = str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return codec.encode(line).decode()


class OnceAMinute(logging.Filter):
    """Lets the same warning through once a minute, then with how many were left out.

    The same are those of one logger with one wording, whatever is filled in: twenty loops that wait
    for one database say so a few times, not twenty times a second.
    """

    MOST_WORDINGS = 1_000

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        wording = (record.name, str(record.msg))
        at, left_out = self._said.get(wording, (float("-inf"), 0))
        if record.created - at < 60:
            self._said[wording] = (at, left_out + 1)
            return False
        if len(self._said) >= self.MOST_WORDINGS:
            self._said.clear()
        self._said[wording] = (record.created, 0)
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it went unsaid)"
        return True


def set_up(level: str = "info", format: str = "text") -> None:
    """Configures the root logger; `format` is `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    if format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        )
    handler.addFilter(OnceAMinute())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # aiokafka repeats itself many times a second while a broker is away; consume and produce say it
    # once. Its own words are there at level debug.
    logging.getLogger("aiokafka").setLevel(
        logging.WARNING if level.lower() == "debug" else logging.CRITICAL
    )
    for chatty in ("asyncio", "uvicorn.access", "uvicorn.error", "httpx", "httpcore", "pymorphy3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
