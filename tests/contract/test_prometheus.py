"""What Prometheus is told: valid by promtool, and asking for labels that the metrics have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from services.core import metrics

HERE = Path(__file__).parent
DEPLOYED = HERE.parents[1] / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOYED / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
FROM_THE_SCRAPE = {"job", "instance", "service", "le"}

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian: apt install prometheus)",
)


@promtool
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", DEPLOYED / "prometheus.yml"],
        ["check", "rules", DEPLOYED / "alerts.yml"],
        ["test", "rules", HERE / "alerts_test.yml"],
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_promtool_finds_no_fault(command: list[str | Path]) -> None:
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def labels_of(name: str) -> set[str]:
    assert metrics.exposition()
    plain = re.sub(r"_(total|bucket|sum|count)$", "", name)
    collector: Any = (
        REGISTRY._names_to_collectors.get(name) or (REGISTRY._names_to_collectors[plain])
    )
    return set(collector._labelnames)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_labels_that_its_metrics_have(rule: dict[str, Any]) -> None:
    stated = {
        label
        for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        for label in re.split(r",\s*", group)
    }
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    for name in re.findall(r"\bveche_[a-z_]+", rule["expr"]):
        assert stated - FROM_THE_SCRAPE <= labels_of(name), name
    assert shown <= stated | ({"service"} if "by (" not in rule["expr"] else set())


def test_every_alert_has_its_line_in_the_runbook() -> None:
    page = (DEPLOYED.parents[1] / "docs" / "runbook.md").read_text("utf-8")
    assert [rule["alert"] for rule in RULES if rule["alert"] not in page] == []
