from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from services.core.model import BadModel, Learner, Settings
from services.core.model.fit import fit
from services.core.model.stored import pack_learner, pack_model, unpack_learner, unpack_model
from tests.unit.model.build import texts

SMALL = Settings("spam", bits=14, needed=50)


def learned(count: int = 300) -> Learner:
    learner = Learner(SMALL)
    for text, label in zip(*texts(count), strict=True):
        learner.learn(text, label)
    return learner


def test_one_pass_tells_the_kinds_apart() -> None:
    model = learned().model()
    assert model.score("casino bonus click").value > 0.9
    assert model.score("спасибо хорошая статья").value < 0.1


def test_a_learner_has_seen_enough_when_both_kinds_have_come() -> None:
    assert not learned(147).enough
    assert learned(150).enough


def test_equal_decisions_in_equal_order_give_equal_models() -> None:
    assert learned().model().version == learned().model().version
    assert pack_learner(learned()) == pack_learner(learned())


def test_learning_goes_on_from_the_stored_state_as_if_never_stopped() -> None:
    straight = learned(300)
    stopped = unpack_learner(SMALL, pack_learner(learned(120)))
    for text, label in list(zip(*texts(300), strict=True))[120:]:
        stopped.learn(text, label)
    assert stopped.model().version == straight.model().version


def test_each_decision_is_judged_before_it_is_learned() -> None:
    learner = Learner(SMALL)
    assert learner.learn("casino bonus", True) == 0.5
    assert learner.learn("casino bonus", True) > 0.5


def test_recent_decisions_measure_the_model() -> None:
    measured = learned().measured()
    assert measured is not None
    assert measured.auc > 0.95


def test_one_kind_alone_measures_nothing() -> None:
    learner = Learner(SMALL)
    learner.learn("casino", True)
    assert learner.measured() is None
    assert 0 < learner.model().score("casino").value < 1


def test_telling_ngrams_are_spans_of_the_text_as_written() -> None:
    text = "Хорошая статья, но CASINO Bonus лучше"
    found = learned().model().score(text, telling=3).telling
    assert found
    for ngram, weight, (start, end) in found:
        assert text[start:end] == ngram
        assert weight > 0
    spans = sorted(t.span for t in found)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert any(t.ngram.lower() in "casino bonus" for t in found)


def test_an_empty_text_has_a_score() -> None:
    assert 0 <= learned().model().score("").value <= 1
    assert learned().model().score("", telling=3).telling == []


def test_a_batch_fit_is_deterministic_and_calibrated() -> None:
    given, labels = texts(300)
    model = fit("spam", given, labels, seed=3, bits=14)
    again = fit("spam", given, labels, seed=3, bits=14)
    assert model.version == again.version
    assert pack_model(model) == pack_model(again)
    assert model.score("casino bonus click").value > 0.9
    assert model.score("спасибо хорошая статья").value < 0.1


def test_a_batch_fit_refuses_too_few() -> None:
    given, labels = texts(12)
    with pytest.raises(ValueError, match="ten of each"):
        fit("spam", given, labels)


def test_a_batch_fit_refuses_copies_of_one_text() -> None:
    given = [f"{text} {n}" for n in range(20) for text in ("buy now", "hello friend")]
    with pytest.raises(ValueError, match="begin all alike"):
        fit("spam", given, [True, False] * 20, bits=14)


def test_a_stored_model_scores_as_before() -> None:
    model = learned().model()
    stored = unpack_model(pack_model(model))
    assert stored.version == model.version
    assert stored.score("casino day") == model.score("casino day")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no model"),
        (b"PK\x03\x04 something", "no model"),
        (b"veche-model 99 00\nx", "format is 99"),
        (b"veche-model 1 00\nx", "damaged"),
        (
            b"veche-model 1 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\nx",
            "does not open",
        ),
    ],
)
def test_what_is_no_model_is_refused_by_reason(raw: bytes, says: str) -> None:
    with pytest.raises(BadModel, match=says):
        unpack_model(raw)


def test_a_damaged_model_is_refused() -> None:
    raw = bytearray(pack_model(learned().model()))
    raw[-40] ^= 1
    with pytest.raises(BadModel, match="damaged"):
        unpack_model(bytes(raw))


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(BadModel, match="2\\^14 bins, not 2\\^15"):
        unpack_learner(Settings("spam", bits=15), pack_learner(learned(10)))


def test_recent_decisions_are_bounded() -> None:
    learner = Learner(Settings("spam", bits=10))
    for text, label in zip(*texts(1_100), strict=True):
        learner.learn(text, label)
    assert learner.recent.shape == (1_000, 3)
    assert np.isfinite(learner.recent).all()
