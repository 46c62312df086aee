"""What an invariant finds: how often it was broken, and the smallest witnesses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.chaos.evidence import Evidence

WITNESSES = 3


@dataclass
class Finding:
    count: int = 0
    witness: list[str] = field(default_factory=list)


Invariant = Callable[[Evidence], Iterable[str]]
INVARIANTS: dict[str, Invariant] = {}


def invariant(function: Invariant) -> Invariant:
    INVARIANTS[function.__name__] = function  # type: ignore[attr-defined]
    return function


def check(evidence: Evidence) -> dict[str, Finding]:
    """Every invariant, by name."""
    findings: dict[str, Finding] = {}
    for name, function in INVARIANTS.items():
        finding = findings[name] = Finding()
        for witness in function(evidence):
            finding.count += 1
            finding.witness.append(witness[:400])
        finding.witness = sorted(finding.witness, key=len)[:WITNESSES]
    return findings
