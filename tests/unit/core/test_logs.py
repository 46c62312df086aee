"""Which lines of the log are said, and how often."""

from __future__ import annotations

import logging

from services.core.logs import OnceAMinute


def line(
    msg: str, *args: object, at: float, level: int = logging.WARNING, name: str = "loop"
) -> logging.LogRecord:
    record = logging.LogRecord(name, level, __file__, 1, msg, args, None)
    record.created = at
    return record


def test_a_warning_is_said_once_a_minute_and_counted() -> None:
    calm = OnceAMinute()
    lines = [line("no answer: %s", at, at=1000.0 + at) for at in range(70)]
    said = [one.getMessage() for one in lines if calm.filter(one)]
    assert said == ["no answer: 0", "no answer: 60 (59 more like it went unsaid)"]


def test_other_warnings_and_other_levels_are_not_held_back() -> None:
    calm = OnceAMinute()
    assert calm.filter(line("no answer", at=1000))
    assert calm.filter(line("no room", at=1000))
    assert calm.filter(line("no answer", at=1000, name="other"))
    for level in (logging.INFO, logging.ERROR):
        assert all(calm.filter(line("once", at=1000, level=level)) for _ in range(3))


def test_wordings_without_end_are_forgotten() -> None:
    calm = OnceAMinute()
    for number in range(3 * calm.MOST_WORDINGS):
        assert calm.filter(line(f"no answer from {number}", at=1000))
    assert len(calm._said) <= calm.MOST_WORDINGS
