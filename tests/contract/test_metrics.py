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


DEPLOYED = sorted(
    path for path in (PAGE.parents[1] / "deploy").rglob("*") if path.suffix in (".yml", ".json")
)


def test_alerts_and_dashboards_ask_for_metrics_that_exist() -> None:
    samples = {
        sample
        for metric in REGISTRY.collect()
        if metric.name.startswith("veche_")
        for sample in (
            metric.name,
            *(metric.name + end for end in ("_total", "_bucket", "_count", "_sum", "_info")),
        )
    }
    asked = {
        (path.name, name)
        for path in DEPLOYED
        for name in re.findall(r"\bveche_[a-z_]+\b", path.read_text("utf-8"))
    }
    assert asked
    assert {(file, name) for file, name in asked if name not in samples} == set()
