from __future__ import annotations

from services.core.rules.lookalikes_data import LOOKALIKES
from tests.unit.rules.lookalikes_source import lookalikes


def test_table_is_what_its_sources_give() -> None:
    # A newer Python knows more characters, so the committed table may lack some, never invent any.
    sources = lookalikes()
    assert {
        letter: set(others) - set(sources[letter]) for letter, others in LOOKALIKES.items()
    } == {letter: set() for letter in LOOKALIKES}
