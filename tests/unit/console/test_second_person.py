"""Who may change rules: of which sites, and which with a second person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.console.rights import check_second_person, check_sites
from services.core.problems import Problem
from services.core.store.rulesets import Proposal
from services.core.tokens import Identity


def proposal(*rejects: str) -> Proposal:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Proposal(1, "h", "p", "ann", "r", rejects, ["*"], {}, "open", None, None, at)


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


TWO = ("gazette", "herald")


@pytest.mark.parametrize(
    ("site", "reach", "sites"),
    [
        ("gazette", ["gazette"], TWO),
        ("gazette", [], TWO),  # tests and spelling
        ("*", ["*"], TWO),
        ("*", ["gazette", "herald"], TWO),
        ("gazette", ["*"], ("gazette",)),  # an installation of one site
    ],
)
def test_a_person_changes_the_rules_of_sites_that_the_token_is_for(
    site: str, reach: list[str], sites: tuple[str, ...]
) -> None:
    check_sites(admin("ann", site), reach, sites)


@pytest.mark.parametrize("reach", [["*"], ["herald"], ["gazette", "herald"], ["*", "gazette"]])
def test_nobody_changes_the_rules_of_another_site(reach: list[str]) -> None:
    with pytest.raises(Problem) as refused:
        check_sites(admin("ann", "gazette"), reach, TWO)
    assert (refused.value.status, refused.value.code) == (403, "other_site")
    assert refused.value.members["sites"] == ["herald"]
