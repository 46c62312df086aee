"""docs/metrics.md names every metric that is declared, and none that is not."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import REGISTRY

from services.core import metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
SUFFIXES = r"(_total|_info|_bucket)?$"


def declared() -> set[str]:
    assert metrics.exposition()
    return {
        re.sub(SUFFIXES, "", metric.name)
        for metric in REGISTRY.collect()
        if metric.name.startswith("veche_")
    }


def test_documented_metrics_are_the_declared_ones() -> None:
    named = re.findall(r"`(veche_[a-z_]+)", PAGE.read_text("utf-8"))
    assert {re.sub(SUFFIXES, "", name) for name in named} == declared()
