"""Who may approve a proposal that lets rules reject."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.console.rulesets import check_second_person
from services.core.problems import Problem
from services.core.store.rulesets import Proposal
from services.core.tokens import Identity


def proposal(*rejects: str) -> Proposal:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Proposal(1, "h", "p", "ann", "r", rejects, {}, "open", None, None, at)


def admin(subject: str, site: str) -> Identity:
    return Identity(subject, site, "admin", "", 0)


@pytest.mark.parametrize("site", ["gazette", "herald"])
def test_a_token_for_another_site_makes_no_second_person(site: str) -> None:
    with pytest.raises(Problem) as refused:
        check_second_person(admin("ann", site), proposal("strict"))
    assert (refused.value.status, refused.value.code) == (403, "second_person")


def test_somebody_else_approves_and_what_rejects_nothing_new_its_author() -> None:
    check_second_person(admin("bob", "gazette"), proposal("strict"))
    check_second_person(admin("ann", "gazette"), proposal())
