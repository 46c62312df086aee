from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from services.core import reasons, settings
from services.core.events import FindingSeen, RefusalReason, VerdictGiven
from services.core.rules.ruleset import RESERVED
from services.reader.verdict import findings_shown, reason_shown, rule_reasons

CYRILLIC = set("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
SHIPPED = Path(__file__).parents[3] / "deploy" / "rules"


def test_every_refusal_has_a_text() -> None:
    assert set(reasons.REFUSED) == set(get_args(RefusalReason))


def test_every_name_of_the_machinery_has_a_text() -> None:
    assert set(reasons.JUDGED) >= RESERVED


@pytest.mark.parametrize("code", [*reasons.REFUSED, *reasons.JUDGED, *reasons.DELIVERY])
def test_texts_are_in_their_languages(code: str) -> None:
    text = reasons.text(code)
    assert CYRILLIC & set(text.ru.lower())
    assert not CYRILLIC & set(text.en.lower())
    assert text.ru.endswith(".")
    assert text.en.endswith(".")


def test_no_reason_shows_as_none_and_an_unknown_one_has_a_text_still() -> None:
    assert reason_shown("") is None
    unknown = reason_shown("of_a_later_version")
    assert unknown is not None
    assert unknown["ru"]


def test_rules_tell_their_own_reasons_and_notes_stay_with_moderators() -> None:
    by_rule = rule_reasons(settings.rules_texts(SHIPPED))
    verdict = VerdictGiven(
        action="hold",
        ruleset="r",
        findings=[
            FindingSeen(rule="insults", action="hold", spans=[(0, 3)]),
            FindingSeen(rule="policy", action="hold"),
            FindingSeen(rule="removed_since", action="reject"),
            FindingSeen(rule="shouting", action="note"),
        ],
    )
    shown = findings_shown(verdict, by_rule)
    assert [one["rule"] for one in shown] == ["insults", "policy", "removed_since"]
    assert shown[0]["reason"]["ru"] == by_rule["insults"].ru
    assert shown[1]["reason"]["ru"] == reasons.JUDGED["policy"].ru
    assert shown[2]["reason"]["ru"] == reasons.JUDGED["rule"].ru
