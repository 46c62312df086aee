"""The planted bugs fit the tree: one that does not any more must be planted anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import planting
from tests.chaos.invariants import INVARIANTS
from tests.chaos.planting import Bug, bugs, plant
from tests.chaos.schedule import KINDS


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_fits_the_tree(bug: Bug, tmp_path: Path) -> None:
    root = plant(bug, tmp_path / "tree")
    for path, _, new in bug.replacements:
        assert new in (root / path).read_text()
        if path.endswith(".py"):
            compile((root / path).read_text(), path, "exec")


def test_planted_bugs_name_known_faults_and_invariants() -> None:
    for bug in bugs():
        assert {entry.partition(":")[0] for entry in bug.plan} <= set(KINDS), bug.name
        assert set(bug.expected) <= set(INVARIANTS), bug.name
        assert bug.expected or bug.name == planting.CONTROL


def test_twenty_bugs_and_five_of_a_fresh_mind() -> None:
    told = [bug.reference for bug in bugs()]
    assert sum(reference.isdecimal() for reference in told) >= 19
    assert told.count("fresh") >= 5


def test_bugs_are_chosen_by_name_and_a_wrong_name_is_no_success() -> None:
    assert planting.chosen("none") == []
    assert planting.chosen("all") == bugs()
    assert [bug.name[:2] for bug in planting.chosen("13,20")] == ["13", "20"]
    with pytest.raises(SystemExit, match="99"):
        planting.chosen("13,99")


def test_a_bug_that_does_not_fit_is_named(tmp_path: Path) -> None:
    [bug, *_] = [bug for bug in bugs() if bug.replacements]
    bug.replacements.append(("services/core/db.py", "no such text", ""))
    with pytest.raises(planting.NoLongerApplies, match=r"services/core/db\.py"):
        plant(bug, tmp_path / "tree")
