from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli.model import model
from services.core.errors import VecheError
from services.core.model import fit
from tests.unit.model.build import texts


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"r{n}", "text": text, "lang": "ru", "labels": {"spam": int(label)}}
        for n, (text, label) in enumerate(zip(*texts(count), strict=True))
    ]


def written(file: Path, given: list[Any]) -> Path:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given).encode()
    file.write_bytes(gzip.compress(lines) if file.suffix == ".gz" else lines)
    return file


def veche(*arguments: str | Path) -> Result:
    return CliRunner().invoke(model, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    out = folder / "spam.model"
    source = written(folder / "train.jsonl.gz", rows(120))
    result = veche("train", "--label", "spam", "--out", out, source)
    assert result.exit_code == 0, result.output
    return out


def test_training_again_gives_the_same_file(trained: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "train.jsonl", rows(120))
    again = tmp_path / "again.model"
    assert veche("train", "--label", "spam", "--out", again, source).exit_code == 0
    assert again.read_bytes() == trained.read_bytes()


def test_every_line_gets_its_id_and_a_score(trained: Path, tmp_path: Path) -> None:
    given = [{"id": "a", "text": "casino bonus click"}, {"text": "спасибо хорошая статья"}]
    result = veche("score", "--model", trained, written(tmp_path / "x.jsonl", given))
    assert result.exit_code == 0
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["id"] == "a"
    assert first["score"] > 0.9
    assert second["id"] == 2
    assert second["score"] < 0.1


def test_scores_are_explained_when_asked(trained: Path, tmp_path: Path) -> None:
    given = [{"id": "a", "text": "casino bonus click"}]
    result = veche("score", "--explain", "--model", trained, written(tmp_path / "x.jsonl", given))
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["telling"]


def test_evaluation_prints_one_json_object(trained: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "x.jsonl", [*rows(60), {"text": "без метки"}])
    result = veche("evaluate", "--label", "spam", "--model", trained, "--json", source)
    said = json.loads(result.stdout)
    assert said["auc"] == 1.0
    assert said["rows"] == 60
    assert said["lines_without_label"] == 1
    assert said["expected_calibration_error"] < 0.1
    assert sum(bucket["texts"] for bucket in said["reliability"]) == 60


def test_evaluation_prints_a_table(trained: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "x.jsonl", rows(60))
    result = veche("evaluate", "--label", "spam", "--model", trained, source)
    assert "precision at 90 % recall" in result.stdout


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", r"x\.jsonl:2: "),
        (b'{"text": 5, "labels": {"spam": 1}}', r"x\.jsonl:2: `text` must be a string"),
        (b'{"text": "a", "labels": {"spam": 2}}', r"x\.jsonl:2: the label spam must be 0 or 1"),
        (b'{"text": "a", "labels": []}', r"x\.jsonl:2: `labels` must be an object"),
        (b'"text"', r"x\.jsonl:2: this is no JSON object"),
        (b"\xff\xfe", r"x\.jsonl:2: byte 0 is not valid UTF-8"),
        (b'{"text": "a", "labels": {"spam": 1, "spam": 0}}', r"x\.jsonl:2: .*'spam' twice"),
        (b'{"text": "a", "labels": {"spam": "0"}}', r"x\.jsonl:2: the label spam must be 0 or 1"),
    ],
)
def test_a_bad_line_is_named_with_its_file(line: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b'{"text": "a", "labels": {"spam": 1}}\n' + line + b"\n")
    result = veche("train", "--label", "spam", "--out", tmp_path / "m", file)
    assert isinstance(result.exception, VecheError)
    assert result.exc_info is not None
    with pytest.raises(VecheError, match=says):
        raise result.exception


@pytest.mark.parametrize(
    ("label", "given", "says"),
    [
        ("toxic", rows(30), "no line carries the label toxic; labels there: spam"),
        ("spam", rows(9), "ten of each"),
    ],
)
def test_too_little_to_learn_from_is_refused(
    label: str, given: list[Any], says: str, tmp_path: Path
) -> None:
    source = written(tmp_path / "x.jsonl", given)
    result = veche("train", "--label", label, "--out", tmp_path / "m", source)
    assert isinstance(result.exception, VecheError)
    assert says in str(result.exception)
    assert not (tmp_path / "m").exists()


def test_byte_order_mark_begins_a_file(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "a", "text": "casino"}\n')
    result = veche("score", "--model", trained, file)
    assert json.loads(result.stdout)["id"] == "a"


def test_a_file_that_cannot_be_written_is_named_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "fit", lambda *_, **__: pytest.fail("it learns"))
    out = tmp_path / ("m" * 250 + ".model")
    source = written(tmp_path / "x.jsonl", rows(30))
    result = veche("train", "--label", "spam", "--out", out, source)
    assert isinstance(result.exception, VecheError)
    assert str(result.exception) == f"{out} cannot be written: File name too long"


def test_a_file_that_was_there_stays_where_nothing_is_learnt(tmp_path: Path) -> None:
    out = tmp_path / "m"
    out.write_bytes(b"a model")
    source = written(tmp_path / "x", rows(9))
    assert veche("train", "--label", "spam", "--out", out, source).exit_code == 1
    assert out.read_bytes() == b"a model"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m", "x"]


def test_a_file_cut_short_is_named(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"text": "a"}\n' * 50)[:-6])
    result = veche("score", "--model", trained, file)
    assert isinstance(result.exception, VecheError)
    assert "not a whole gzip file" in str(result.exception)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "x.jsonl", rows(3))
    result = veche("score", "--model", source, source)
    assert isinstance(result.exception, VecheError)
    assert "no model" in str(result.exception)
