from __future__ import annotations

from pathlib import Path

import pytest

from services.core import settings
from services.core.errors import BadRuleset
from services.core.rules import Facts, judge, load
from tests.unit.rules.build import a_submission

GOOD = """\
rules:
  - id: long_text
    family: length
    action: hold
    title: {ru: Длинный, en: Long}
    reason: {ru: Длинный, en: no}
    longer_than: 10
"""
SHIPPED = Path(__file__).parents[3] / "deploy" / "rules"


def test_shipped_ruleset_loads_and_has_every_family() -> None:
    ruleset = load(settings.rules_texts(SHIPPED))
    families = {rule.__struct_config__.tag for rule in ruleset.rules}
    assert families == {
        "words", "links", "repeats", "floods", "shouting", "new_authors", "length"
    }  # fmt: skip
    verdict = judge(a_submission("Ну ты и дурак"), Facts(), ruleset)
    assert verdict.action == "hold"
    assert verdict.ruleset == ruleset.hash


def test_plain_no_is_a_word() -> None:
    rule = load({"a.yml": GOOD}).rules[0]
    assert rule.reason.en == "no"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "longer_than: 10",
            "longer_then: 10",
            r"a\.yml:7: 'longer_then' is not known here; did you mean 'longer_than'",
        ),
        (
            "longer_than: 10",
            "longer_than: ten",
            r"a\.yml:7: Expected `int \| null`, got `str`",
        ),
        (
            "longer_than: 10",
            "longer_than: '10'",
            r"a\.yml:7: Expected",
        ),
        (
            "longer_than: 10",
            "longer_than: 0",
            r"a\.yml:7: Expected `int` >= 1",
        ),
        (
            "family: length",
            "family: lenght",
            r"a\.yml:3: there is no family 'lenght'; did you mean 'length'",
        ),
        (
            "action: hold",
            "action: hold\n    action: reject",
            r"a\.yml:5: the key 'action' stands here twice",
        ),
        (
            "action: hold",
            "action: ban",
            r"a\.yml:4: Invalid enum value 'ban'",
        ),
        (
            "en: Long",
            "de: Lang",
            r"a\.yml:5: 'de' is not known here",
        ),
        (
            "longer_than: 10",
            "longer_than: &a 10",
            r"a\.yml:7: anchors and aliases",
        ),
        (
            "longer_than: 10",
            "longer_than: !!int 10",
            r"a\.yml:7",
        ),
        (
            "longer_than: 10",
            "longer_than: [",
            r"a\.yml:8: ",
        ),
        (
            "id: long_text",
            "id: Long-Text",
            r"a\.yml:2: Expected `str` matching regex",
        ),
        (
            "id: long_text",
            "id: policy",
            r"a\.yml:2: the id 'policy' is taken",
        ),
        (
            "    title: {ru: Длинный, en: Long}\n",
            "",
            r"a\.yml:2: Object missing required field `title`",
        ),
        (
            "rules:",
            "rule:",
            r"a list named `rules`",
        ),
    ],
)
def test_mistake_names_file_line_and_the_nearest_name(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(BadRuleset, match=message):
        load({"a.yml": GOOD.replace(old, new, 1)})


def test_same_id_in_two_files_is_refused() -> None:
    with pytest.raises(BadRuleset, match=r"b\.yml:2: the id 'long_text' is taken"):
        load({"a.yml": GOOD, "b.yml": GOOD})


def test_hash_names_the_content_not_the_spelling() -> None:
    spelled = GOOD.replace("longer_than: 10", "longer_than:   10   # ten")
    assert load({"a.yml": GOOD}).hash == load({"b.yml": spelled}).hash
    assert load({"a.yml": GOOD}).hash != load({"a.yml": GOOD.replace("10", "11")}).hash
    assert len(load({"a.yml": GOOD}).hash) == 64
