"""How a process ends: its exit code, and one sentence in its log."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version

import pytest

from services.core import lifecycle, metrics
from services.core.errors import BadRuleset, Misconfigured, Retryable


async def in_groups(error: Exception) -> None:
    async def fails() -> None:
        raise error

    async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
        inner.create_task(fails())
        outer.create_task(asyncio.sleep(60))


async def alone(error: Exception) -> None:
    raise error


@pytest.fixture(autouse=True)
def as_it_was() -> object:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


@pytest.mark.parametrize("fails", [alone, in_groups])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("set VECHE_X"), 2),
        (BadRuleset("line 3"), 2),
        (Retryable("Kafka is away"), 1),
    ],
)
def test_what_fails_by_name_is_one_sentence_and_a_code(
    fails: object, error: Exception, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert lifecycle.start(lambda: fails(error)) == code  # type: ignore[operator]
    said = "".join(capfd.readouterr())
    assert str(error) in said
    assert "Traceback" not in said


def test_who_ends_well_ends_with_nought() -> None:
    async def nothing() -> None: ...

    assert lifecycle.start(nothing) == 0


def test_what_has_no_name_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        lifecycle.start(lambda: alone(ZeroDivisionError()))


def test_every_process_tells_its_version() -> None:
    async def nothing() -> None:
        pass

    assert lifecycle.start(nothing) == 0
    assert f'veche_build_info{{ruleset="",version="{version("veche")}"}} 1.0' in (
        metrics.exposition().decode()
    )
