"""Who may change rules: only on sites that their token speaks for, and a reject by two people."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.core.problems import Problem
from services.core.rules.change import EVERYWHERE
from services.core.store.rulesets import Proposal
from services.core.tokens import ALL_SITES, Identity


def check_sites(identity: Identity, reach: Sequence[str], sites: Collection[str]) -> None:
    """Raises Problem where a change reaches sites that the token does not speak for.

    `reach` is as `change.reach` gives it; `sites` are all that the issuers file names, so on an
    installation of one site its administrators may change every rule.
    """
    reached = set(sites) if EVERYWHERE in reach else set(reach)
    beyond = sorted(reached - {identity.site})
    if identity.site == ALL_SITES or not beyond:
        return
    whose = "of all sites" if EVERYWHERE in reach else f"of {', '.join(beyond)}"
    raise Problem(
        403, "other_site",
        f"this changes rules {whose}, and your token is for {identity.site}: an administrator with "
        f"a token for the site {ALL_SITES!r} must do it, or state `scope: {{site: "
        f"[{identity.site}]}}` with each rule that it changes",
        sites=beyond,
    )  # fmt: skip


def check_second_person(identity: Identity, proposal: Proposal) -> None:
    """Raises Problem where the author alone would let a rule reject.

    By `sub` on whatever site: one issuer may speak for several, and a person with a token for each
    is still one. Two people of one name must ask a third; the other way one could pass for two.
    """
    if proposal.rejects and identity.subject == proposal.author:
        raise Problem(
            403, "second_person",
            f"{', '.join(proposal.rejects)} may newly reject comments: another administrator "
            f"than its author must approve it, with another `sub` whatever the site",
            rejects=list(proposal.rejects),
        )  # fmt: skip
