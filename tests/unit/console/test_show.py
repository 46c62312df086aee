"""What moderators read, and the cursor of the queue."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console import show
from services.core import codec
from services.core.events import FindingSeen, VerdictGiven
from services.core.problems import Problem
from services.core.store.queue import Place

places = st.builds(
    Place,
    st.datetimes(timezones=st.just(UTC)),
    st.from_regex(r"[a-z0-9-]{1,32}/[A-Za-z0-9._~-]{1,100}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True),
)


@given(places)
def test_a_cursor_leads_back_to_its_place(place: Place) -> None:
    assert show.place(show.after(place)) == place


@given(st.text(max_size=200))
def test_what_is_not_a_cursor_is_a_problem(text: str) -> None:
    with pytest.raises(Problem) as raised:
        show.place("!" + text)
    assert raised.value.status == 400


def test_a_cursor_without_a_zone_is_a_problem() -> None:
    naive = show.after(Place(datetime(2026, 1, 1), "a/b", "c"))  # noqa: DTZ001
    with pytest.raises(Problem):
        show.place(naive)


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_beyond_the_years_of_utc_is_a_problem(instant: str) -> None:
    place = {"held_since": instant, "discussion": "a/b", "comment": "c"}
    with pytest.raises(Problem) as raised:
        show.place(urlsafe_b64encode(codec.encode(place)).decode())
    assert raised.value.status == 400


def test_a_rule_without_a_title_shows_its_id() -> None:
    verdict = VerdictGiven("hold", "h", [FindingSeen("gone_rule", "hold", [(0, 3)])])
    [finding] = show.findings(verdict, {})
    assert finding["title"] == {"ru": "gone_rule", "en": "gone_rule"}
