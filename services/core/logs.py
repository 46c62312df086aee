"""Logging: one line per record, text for people or JSON for machines.

Levels: DEBUG is off in production; INFO says what the process does at most once per second;
WARNING is a fault that heals by itself; ERROR is a bug or needs a person.
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


def set_up(level: str = "info", format: str = "text") -> None:
    """Configures the root logger; `format` is `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    if format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        )
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
