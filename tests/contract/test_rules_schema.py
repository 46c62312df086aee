"""The editors' schema of rules agrees with the loader on the shipped rules and on mistakes."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from services.core import settings
from services.core.rules.document import stated_rules
from tests.contract.generated import SCHEMAS

SCHEMA = json.loads((SCHEMAS / "rules.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD: dict[str, Any] = {
    "id": "a",
    "title": {"ru": "а", "en": "a"},
    "reason": {"ru": "а", "en": "a"},
    "when": {"any": ["text.length > 5", {"not": {"words": ["a"]}}]},
    "then": {"action": "hold", "labels": ["x"]},
}


def test_shipped_rules_are_valid_for_editors() -> None:
    for stated in stated_rules(settings.rules_texts(settings.rules_dir({}))):
        VALIDATOR.validate(stated.value)


def test_a_rule_and_a_list_of_rules_are_valid() -> None:
    VALIDATOR.validate(GOOD)
    VALIDATOR.validate([GOOD])


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "A-B"},
        {"then": "ban"},
        {"when": {"wrods": ["a"]}},
        {"when": {"finds": ["fone"]}},
        {"status": "on"},
        {"extra": 1},
    ],
)
def test_mistakes_show_in_editors(changed: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(GOOD | changed)
