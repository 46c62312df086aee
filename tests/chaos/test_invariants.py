"""Every invariant is silent on a clean run and speaks of a doctored one, by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos import doctored, doctored_shown
from tests.chaos.build import a_clean_run, a_log
from tests.chaos.evidence import Evidence
from tests.chaos.invariants import INVARIANTS, check
from tests.chaos.model import Record

DOCTORED = [*doctored.DOCTORED, *doctored_shown.DOCTORED]


def test_a_clean_run_breaks_nothing() -> None:
    assert {name: f.witness for name, f in check(a_clean_run()).items() if f.count} == {}


@pytest.mark.parametrize(
    ("name", "doctor"), DOCTORED, ids=lambda value: getattr(value, "__name__", value)
)
def test_what_is_doctored_is_named(name: str, doctor: Callable[[Evidence], None]) -> None:
    evidence = a_clean_run()
    doctor(evidence)
    finding = check(evidence)[name]
    assert finding.count > 0
    assert finding.witness


def test_every_invariant_is_tried() -> None:
    assert {name for name, _ in DOCTORED} == set(INVARIANTS)


def test_a_repeat_in_the_log_changes_nothing() -> None:
    log = a_log()
    again = [r for r in log.records if r.topic == "comments.v1"]
    log.records += [
        Record(r.topic, r.partition, 100 + n, r.at, r.event) for n, r in enumerate(again)
    ]
    before, after = a_clean_run(), a_clean_run(log)
    assert after.rows("comments") == before.rows("comments")
    assert after.rows("outcomes") == before.rows("outcomes")
