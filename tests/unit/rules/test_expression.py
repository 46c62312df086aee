"""Comparisons with texts: `text.language in ru, uk`."""

from __future__ import annotations

import pytest

from services.core.errors import BadRuleset
from services.core.rules.expression import parse


@pytest.mark.parametrize("sign", ["==", "!="])
@pytest.mark.parametrize("bound", ["ru, uk", "[ru, uk]", "'ru', 'uk'"])
def test_one_text_is_compared_with_one(sign: str, bound: str) -> None:
    with pytest.raises(BadRuleset, match=rf"^text\.language {sign} takes one text: .* in "):
        parse(f"text.language {sign} {bound}")


@pytest.mark.parametrize("stated", ["in ru,", "in ru,, uk", "in , ru", "in []", "== ru,", "!= ,"])
def test_text_that_is_left_out_is_no_empty_one(stated: str) -> None:
    with pytest.raises(BadRuleset, match=r'a text is missing before or after a comma; .* ""$'):
        parse(f"text.language {stated}")


@pytest.mark.parametrize(
    ("stated", "holds", "not_"),
    [
        ("in ru, uk", ["ru", "uk"], ["", "en"]),
        ('in [ru, ""]', ["ru", ""], ["uk"]),
        ('== ""', [""], ["ru"]),
        ("!= 'ru'", ["", "uk"], ["ru"]),
    ],
)
def test_texts_in_quotes_may_be_empty(stated: str, holds: list[str], not_: list[str]) -> None:
    test = parse(f"text.language {stated}").test()
    assert [value for value in (*holds, *not_) if test(value)] == holds
