"""A file through a model: rows keep their place, formats hold the same answers, a job goes on where it stopped."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from maskwright.base.errors import UserError
from maskwright.data.settings import Data
from maskwright.tasks import Bulk, Model, _bulk, _stream
from maskwright.tasks.long.tail import Tail

Build = Callable[..., Model]
Reviews = dict[str, list[Any]]
ReadBack = Callable[[Path], list[dict[str, Any]]]
LABELS = ("bad", "fair", "good")
FORMATS = ["a.jsonl", "a.csv", "a.tsv", "a.parquet"]


@pytest.fixture
def rows(tmp_path: Path, reviews: Reviews) -> Path:
    """80 rows as JSON lines; lines 4 and 9 are no JSON, and the text of line 6 is a list."""
    lines = [
        json.dumps({"text": text, "other": other, "n": i, "label": label})
        for i, (text, other, label) in enumerate(zip(reviews["text"], reviews["other"], reviews["label"], strict=True))
    ]
    lines[3], lines[8] = "{broken", "[]"
    lines[5] = json.dumps({"text": ["a", "list"], "n": 5})
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_row_has_its_place(build: Build, rows: Path, reviews: Reviews) -> None:
    model = build("single", LABELS)
    answers = list(Bulk(model, rows).answers())
    assert [answer["row"] for answer in answers] == list(range(1, 81))
    bad = [answer for answer in answers if "error" in answer]
    assert [(a["row"], a["line"]) for a in bad] == [(4, 4), (6, 6), (9, 9)]
    assert bad[0]["error"].startswith("this line is not JSON")
    assert bad[1]["error"] == ("the column 'text' holds ['a', 'list'] where a text is needed. Mend or remove the row.")
    assert all(set(a) == {"row", "line", "error"} for a in bad)
    good = [i for i in range(80) if i not in (3, 5, 8)]
    expected = model.predict([reviews["text"][i] for i in good])
    assert [{"row": i + 1, **a} for i, a in zip(good, expected, strict=True)] == [answers[i] for i in good]


def test_lines_count_from_the_file_and_rows_from_the_first(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"two\nlines",1\n\nragged\nfilm,2\n')
    one, bad, two = Bulk(build("single"), path).answers()
    assert (one["row"], two["row"]) == (1, 3)
    assert (bad["row"], bad["line"]) == (2, 5)
    assert "line" not in one


def test_id_and_columns_are_carried_along(build: Build, rows: Path) -> None:
    answers = list(Bulk(build("single"), rows, id="n", columns=("label", "other")).answers())
    assert answers[0]["id"] == 0
    assert list(answers[0]) == ["row", "id", "input", "label", "probability", "probabilities"]
    assert answers[1]["input"] == {"label": "good", "other": json.loads(rows.read_text().splitlines()[1])["other"]}
    assert answers[3]["id"] is None, "the line was not read"
    assert (answers[5]["id"], answers[5]["input"]) == (5, {"label": None, "other": None})
    with pytest.raises(UserError, match=r"There is no column 'm'\."):
        Bulk(build("single"), rows, id="m")
    with pytest.raises(UserError, match=r"There is no column 'lable'. Did you mean 'label'"):
        Bulk(build("single"), rows, columns=("n", "lable"))


def test_the_likeliest_classes(build: Build, rows: Path) -> None:
    model = build("single", LABELS)
    plain, top = (list(Bulk(model, rows, top=k).answers()) for k in (None, 2))
    for all_, some in zip(plain, top, strict=True):
        if "error" in all_:
            assert some == all_
            continue
        ranked = sorted(all_["probabilities"].items(), key=lambda entry: -entry[1])
        assert [(t["label"], t["probability"]) for t in some["top"]] == ranked[:2]
        assert (some["label"], some["probability"]) == (all_["label"], all_["probability"])
        assert "probabilities" not in some
    for wrong in (0, 4, -1):
        with pytest.raises(UserError, match=rf"top = {wrong}: give a number from 1 to 3, the classes of this model"):
            Bulk(model, rows, top=wrong)
    with pytest.raises(UserError, match="gives a score and no classes"):
        Bulk(build("regression"), rows, top=1)


@pytest.mark.parametrize("kind", ["single", "pair", "regression"])
@pytest.mark.parametrize("top", [None, 2])
def test_every_format_holds_the_same(
    build: Build, rows: Path, tmp_path: Path, kind: str, top: int | None, read_back: ReadBack
) -> None:
    if kind == "regression" and top:
        pytest.skip("no classes")
    model = build(kind, LABELS, max_length=8)
    options: dict[str, Any] = {"id": "n", "columns": ("label",), "top": top}
    plain = list(Bulk(model, rows, **options).answers())
    assert any("pieces_cut" in a for a in plain)
    for name in FORMATS:
        bulk = Bulk(model, rows, **options)
        counts = bulk.write(tmp_path / name)
        assert counts == {"rows": 80, "errors": 3, "cut": sum("pieces_cut" in a for a in plain)}
        found = read_back(tmp_path / name)
        if name == "a.jsonl":
            assert found == plain
            continue
        columns = list(found[0])
        assert columns[:3] == ["row", "id", "input.label"]
        assert columns[-3:] == ["pieces_cut", "line", "error"]
        for row, answer in zip(found, plain, strict=True):
            cells = _bulk.flat(answer)
            if name == "a.parquet":
                cells = {k: v if k != "id" or v is None else str(v) for k, v in cells.items()}
                assert row == {column: cells.get(column) for column in columns}
            else:
                assert row == {c: "" if cells.get(c) is None else str(cells[c]) for c in columns}


def test_parquet_in_and_out_keeps_the_type_of_the_id(build: Build, tmp_path: Path, reviews: Reviews) -> None:
    columns = {"text": [*reviews["text"][:9], None], "key": pa.array(range(10), pa.int32())}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    Bulk(build("single"), tmp_path / "in.parquet", id="key").write(tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("id").type == pa.int32()
    assert table.column("id").to_pylist() == list(range(10))
    assert table.column("error").to_pylist()[9].startswith("the column 'text' holds None")
    assert table.column("label").null_count == 1


def test_a_nan_that_is_carried_along_is_no_value(build: Build, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "x": [1.5, float("nan")]}), tmp_path / "in.parquet")
    assert [a["id"] for a in Bulk(build("single"), tmp_path / "in.parquet", id="x").answers()] == [1.5, None]


def test_it_prints_lines_and_counts(build: Build, rows: Path) -> None:
    out = io.StringIO()
    bulk = Bulk(build("single", max_length=6), rows)
    counts = bulk.print(out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == list(
        Bulk(build("single", max_length=6), rows).answers()
    )
    assert (counts["rows"], counts["errors"]) == (80, 3)
    cut, errors = bulk.summary(counts)
    assert cut.endswith("of 80 texts are longer than 6 pieces and were cut at the end; `pieces_cut` says by how much.")
    assert errors == "3 of 80 rows could not be answered; `error` says why in their places."
    assert bulk.summary(bulk.print(io.StringIO())) == [], "they can be taken once"


# A job that stops


class Kill(BaseException):
    """Nothing that catches Exception sees it."""


def stop_after(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """The job dies when it has written so many blocks of answers, the head not counted."""
    real, seen = _bulk.GrowingFile.append, [0]

    def append(self: Any, block: bytes, **counts: int) -> None:
        if counts:
            seen[0] += 1
            if seen[0] > blocks:
                raise Kill
        real(self, block, **counts)

    monkeypatch.setattr(_bulk.GrowingFile, "append", append)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows and blocks of a size that 80 rows fill several times, and not evenly."""
    monkeypatch.setattr(_stream, "WINDOW", 11)
    monkeypatch.setattr(_bulk, "BLOCK", 7)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", FORMATS)
def test_a_resumed_job_is_the_same_to_the_byte(
    build: Build, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model = build("pair", LABELS, precision="bf16")
    straight, killed = tmp_path / "straight" / name, tmp_path / "killed" / name
    whole = Bulk(model, rows, id="n").write(straight)
    for blocks in (0, 1, 4, 3):  # 0, then 1, 5 and 8 of 12 blocks are there
        with monkeypatch.context() as patch:
            stop_after(patch, blocks)
            with pytest.raises(Kill):
                Bulk(model, rows, id="n").write(killed, resume=True)
        assert not killed.exists()
        torn = killed.with_name(f"{name}.part")
        with open(torn, "ab") as file:
            file.write(b"half of a block")
    bulk = Bulk(model, rows, id="n")
    assert bulk.write(killed, resume=True) == whole == {"rows": 80, "errors": 3, "cut": whole["cut"]}
    assert killed.read_bytes() == straight.read_bytes()
    assert [p.name for p in killed.parent.iterdir()] == [name]
    assert f"Goes on behind row 56 of {torn}." in bulk.rows.notes


@pytest.mark.usefixtures("small")
def test_what_a_job_begins_with_is_said_before_its_rows(
    build: Build, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = build("single", LABELS), tmp_path / "a.jsonl"

    def said(resume: bool) -> list[str]:
        """What is told by the time of the first block."""
        told: list[str] = []
        with monkeypatch.context() as patch:
            stop_after(patch, 0)
            with pytest.raises(Kill):
                Bulk(model, rows).write(out, resume, told.append)
        return told

    assert said(False) == []
    assert said(True) == [f"{out}.part holds no whole row: all rows are computed."], "the kill came early"
    Bulk(model, rows).write(out)
    there = f"{out} is there already; it is replaced when all rows have their answers."
    assert said(False) == [there]
    out.with_name("a.jsonl.part").unlink()
    assert said(True) == [f"There is no {out}.part to go on with: all rows are computed.", there]


@pytest.mark.usefixtures("small")
def test_another_job_is_refused(
    build: Build, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reviews: Reviews
) -> None:
    model, out = build("single", LABELS), tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(Kill):
            Bulk(model, rows).write(out)
    other = build("single", LABELS)
    with torch.no_grad():
        other.network.classifier.out.bias[0] += 1e-3
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(rows.read_bytes())
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(rows.read_bytes() + b'{"text": "one more"}\n')
    for bulk, told in (
        (Bulk(other, rows), "model was "),
        (Bulk(build("single", LABELS, max_length=9), rows), "model was "),
        (Bulk(build("single", ("a", "b", "c")), rows), "model was "),
        (Bulk(build("single", LABELS, precision="bf16"), rows), "precision was 'fp32' and is 'bf16'"),
        (Bulk(model, changed), "data was "),
        (Bulk(model, rows, id="n"), "id was None and is 'n'"),
        (Bulk(model, rows, columns=("n",)), "columns was [] and is ['n']"),
        (Bulk(model, rows, top=1), "top was None and is 1"),
        (Bulk(model, rows, Data(encoding="latin-1")), "data.encoding was None and is 'latin-1'"),
    ):
        with pytest.raises(UserError) as caught:
            bulk.write(out, resume=True)
        assert f"{out}.part was begun otherwise: " in str(caught.value)
        assert told in str(caught.value)
    with pytest.raises(UserError, match=r"holds 21 rows, 3 errors.* of a job that did not finish\. Go on .* --resume"):
        Bulk(model, rows).write(out)
    assert Bulk(model, moved).write(out, resume=True)["rows"] == 80, "the same rows under another name"


def test_what_comes_once_is_not_resumed(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"a film\na play\n")))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", given)
    bulk = Bulk(build("single"), "-")
    with pytest.raises(UserError, match="A job on stdin cannot be resumed"):
        bulk.write(tmp_path / "a.jsonl", resume=True)
    assert bulk.write(tmp_path / "a.jsonl")["rows"] == 2


def test_the_input_is_not_overwritten(build: Build, rows: Path) -> None:
    before = rows.read_bytes()
    with pytest.raises(UserError, match=r"rows\.jsonl is the file that is read\. Give another name"):
        Bulk(build("single"), rows).write(rows)
    assert rows.read_bytes() == before


def test_a_fingerprint_is_that_of_what_answers_follow_from(build: Build, tmp_path: Path) -> None:
    from maskwright.tasks import load

    model = build("single", LABELS)
    first = model.fingerprint()
    model.provenance["note"] = "another run"
    assert model.fingerprint() == first == build("single", LABELS).fingerprint()
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").fingerprint() == first
    for changes in ({"max_length": 9}, {"long": Tail()}, {"precision": "bf16"}):
        assert build("single", LABELS, **changes).fingerprint() != first
    with torch.no_grad():
        next(model.network.parameters()).view(-1)[0] += 1e-6
    assert model.fingerprint() != first
