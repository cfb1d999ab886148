"""Writers: what is written comes back, whatever the blocks; every registered one keeps the contract."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.errors import UserError
from maskwright.base.growing import GrowingFile
from maskwright.data.read import read
from maskwright.data.writers._writer import Writer, as_text, flat, writer_for

ReadBack = Callable[[Path], list[dict[str, Any]]]
FIELDS = {"row": int, "id": str, "probabilities.good": float, "probabilities.bad": float, "line": int, "error": str}
ANSWERS = [
    {"row": 1, "id": "a", "probabilities": {"good": 0.25, "bad": 0.75}},
    {"row": 2, "id": None, "line": 3, "error": 'a quote ("), a comma\nand a line'},
    {"row": 3, "id": "schön\r", "probabilities": {"good": 1e-300, "bad": 1.0}},
]
ASKED = [{"row": i, "id": name, "answer": text} for i, (name, text) in enumerate([("a", "x"), (2, ""), ('"ü', "é\n")])]
#: what each writer is given to write; one that takes answers to questions alone is given those
GIVEN = {"json": (ASKED, {"row": int, "id": str, "answer": str})}
FLAT = [{name: flat(answer).get(name) for name in FIELDS} for answer in ANSWERS]


def write(name: str, path: Path, answers: list[Any], fields: dict[str, Any], block: int = 2) -> Path:
    writer = find(Writer, name)()
    with GrowingFile(path, {}) as file:
        file.append(writer.head(fields))
        for start in range(0, len(answers), block):
            file.append(writer.block(answers[start : start + block], fields))
        writer.finish(file)
    return path


@pytest.mark.parametrize("name", names(Writer))
def test_every_writer_round_trips_and_owns_its_suffixes(name: str) -> None:
    part = resolve(Writer, name)
    assert resolve(Writer, json.loads(json.dumps(dump(part)))) == part
    assert all(s.startswith(".") and s == s.lower() for s in part.suffixes)
    for suffix in part.suffixes:
        assert writer_for(f"A{suffix.upper()}") == part


@pytest.mark.parametrize("name", names(Writer))
def test_every_writer_writes_the_same_in_any_blocks(name: str, tmp_path: Path) -> None:
    answers, fields = GIVEN.get(name, (ANSWERS, FIELDS))
    files = [write(name, tmp_path / str(block), answers, fields, block) for block in (1, 2, 3)]
    contents = [pq.read_table(f) if name == "parquet" else f.read_bytes() for f in files]
    assert contents[0] == contents[1] == contents[2]


def test_any_other_suffix_is_json_lines() -> None:
    assert {writer_for(path).name for path in ("a.txt", "a", "-")} == {"jsonl"}


def test_jsonl_holds_answers_as_they_are(tmp_path: Path, read_back: ReadBack) -> None:
    path = write("jsonl", tmp_path / "a.jsonl", ANSWERS, FIELDS)
    assert read_back(path) == ANSWERS
    assert "schön" in path.read_text(encoding="utf-8")


def test_json_is_answers_by_their_ids(tmp_path: Path) -> None:
    answers, fields = GIVEN["json"]
    written = write("json", tmp_path / "a.json", answers, fields)
    assert json.loads(written.read_text(encoding="utf-8")) == {"a": "x", "2": "", '"ü': "é\n"}
    assert json.loads(write("json", tmp_path / "b.json", [], fields).read_text(encoding="utf-8")) == {}
    with pytest.raises(UserError, match=r"row 2 has no id, by which"):
        find(Writer, "json")().block([{"row": 2, "line": 3, "id": None, "answer": "x"}], fields)
    twice = [{"row": i, "line": i, "id": name, "answer": "x"} for i, name in enumerate("aba", 1)]
    with pytest.raises(UserError, match=r"rows 1 and 3 have the id 'a'"):
        write("json", tmp_path / "c.json", twice, fields)
    assert not (tmp_path / "c.json").exists()
    with pytest.raises(UserError, match=r"these have no answer. Give another suffix, such as .jsonl"):
        find(Writer, "json")().head(FIELDS)
    with pytest.raises(UserError, match=r"these have no id. Give --id COLUMN"):
        find(Writer, "json")().head({"row": int, "answer": str})
    with pytest.raises(UserError, match=r"row 2 \(line 3\) has no answer: (?s:.*) write .jsonl"):
        find(Writer, "json")().block(ANSWERS[1:2], fields)


def test_tables_hold_one_column_for_each_part(tmp_path: Path, read_back: ReadBack) -> None:
    assert read_back(write("parquet", tmp_path / "a.parquet", ANSWERS, FIELDS)) == FLAT
    shown = [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in FLAT]
    for name in ("csv", "tsv"):
        path = write(name, tmp_path / f"a.{name}", ANSWERS, FIELDS)
        assert read_back(path) == shown
        assert read(path, needs=("row",)).column("id") == ["a", "", "schön\r"]  # by our own reader too


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), min_size=1))
def test_every_text_comes_back(tmp_path_factory: pytest.TempPathFactory, read_back: ReadBack, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("texts")
    answers = [{"row": i, "id": text} for i, text in enumerate(texts)]
    fields = {"row": int, "id": str}
    for name in sorted({*names(Writer)} - {*GIVEN}):
        path = write(name, folder / f"a.{name}", answers, fields)
        assert [row["id"] for row in read_back(path)] == texts


def test_nested_parts_become_names() -> None:
    answer = {"top": [{"label": "a", "p": 1}, {"label": "b", "p": 0}], "labels": ["x"], "none": [], "input": {"id": {}}}
    assert flat(answer) == {
        "top.1.label": "a", "top.1.p": 1, "top.2.label": "b", "top.2.p": 0, "labels": ["x"], "none": [], "input.id": {},
    }  # fmt: skip
    assert flat({"id": {"a": 1}}, whole=("id",)) == {"id": {"a": 1}}


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a", "a"),
        (True, "true"),
        (["ä", 1], '["ä", 1]'),
        ({"a": None}, '{"a": null}'),
        (date(2024, 2, 29), "2024-02-29"),
    ],
)
def test_cells_as_text(cell: Any, shown: str) -> None:
    assert as_text(cell) == shown


def test_parquet_keeps_types_that_are_known_and_writes_the_rest_as_text(tmp_path: Path, read_back: ReadBack) -> None:
    moment = datetime(2024, 2, 29, 12, tzinfo=UTC)
    kinds = {
        "id": (pa.int32(), 7),
        "input.when": (pa.timestamp("us", "UTC"), moment),
        "input.price": (pa.decimal128(5, 2), Decimal("1.50")),
        "input.kind": (pa.dictionary(pa.int8(), pa.string()), "red"),
        "input.list": (pa.list_(pa.int64()), [1, 2]),
        "input.any": (str, {"a": 1}),
        "sure": (bool, True),
    }
    fields = {name: kind for name, (kind, _) in kinds.items()}
    answer: dict[str, Any] = {"id": 7, "sure": True, "input": {}}
    answer["input"] = {n.removeprefix("input."): cell for n, (_, cell) in kinds.items() if n.startswith("input.")}
    path = write("parquet", tmp_path / "a.parquet", [answer], fields)
    (row,) = read_back(path)
    assert row == {
        "id": 7, "input.when": moment, "input.price": Decimal("1.50"), "input.kind": "red", "input.list": "[1, 2]",
        "input.any": '{"a": 1}', "sure": True,
    }  # fmt: skip
    schema = pq.read_schema(path)
    assert [str(schema.field(name).type) for name in ("id", "input.when", "input.kind")] == [
        "int32", "timestamp[us, tz=UTC]", "string",
    ]  # fmt: skip


def test_a_part_without_a_column_is_never_dropped(tmp_path: Path) -> None:
    for name in ("csv", "tsv", "parquet"):
        with pytest.raises(AssertionError, match=r"no column for .'more'"):
            find(Writer, name)().block([{"row": 1, "more": 2}], {"row": int})


def test_large_parquet_has_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_back: ReadBack
) -> None:
    from maskwright.data.writers import parquet

    monkeypatch.setattr(parquet, "ROW_GROUP", 1000)
    answers = [{"row": i, "id": str(i)} for i in range(500)]
    path = write("parquet", tmp_path / "a.parquet", answers, {"row": int, "id": str}, 20)
    assert pq.ParquetFile(path).num_row_groups > 5
    assert [row["row"] for row in read_back(path)] == list(range(500))


def test_csv_ends_lines_as_the_standard_says() -> None:
    assert find(Writer, "csv")().head({"a": int, "b,c": str}) == b'a,"b,c"\r\n'
    assert list(csv.reader(io.StringIO('"a\rb"\r\n', newline=""))) == [["a\rb"]]
