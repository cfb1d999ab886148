from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.read import read
from maskwright.data.settings import Data

# Everything but what no text file holds: NUL, and halves of surrogate pairs.
cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | cells
values = scalars | st.lists(scalars, max_size=3)


@given(
    st.lists(st.fixed_dictionaries({"text": values, "label": values}), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_jsonl_keeps_values_and_their_types(tmp_path_factory, rows, ascii_only, end):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    path.write_bytes("".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows).encode())
    table = read(path, needs=("text", "label"))
    assert table.columns == {"text": [r["text"] for r in rows], "label": [r["label"] for r in rows]}
    assert [list(map(type, c)) for c in table.columns.values()] == [[type(r[k]) for r in rows] for k in rows[0]]


def test_jsonl_keys_that_differ_and_blank_lines(file):
    path = file("a.jsonl", '\ufeff{"text": "a"}\n\n  \n{"label": 1, "text": "b"}\n{"text": "c"}')
    table = read(path)
    assert table.columns == {"text": ["a", "b", "c"], "label": [None, 1, None]}
    assert table.lines == [1, 4, 5]
    assert table.notes == [
        f"{path}: 'label' is missing in 2 of 3 rows (first at line 1) and is null there.",
        f"{path}: 2 blank lines were skipped.",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "a"', "line 2 is not JSON: Expecting ',' delimiter at character 13."),
        ("[1, 2", "The file looks like one JSON value over several lines; write one object a line."),
        ("[1, 2]", "line 2 is not an object but [1, 2]; write each row as {name: value} on one line."),
        ("{}", "line 2 is an object without keys"),
        ('{"a": 1, "b": 2, "a": 3}', "line 2 cannot be read: the key 'a' stands twice in one object."),
        ('{"a": "\\ud800"}', "line 2: an escape \\ud800 to \\udfff stands without its partner"),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "line 2 cannot be read: maximum recursion depth"),
        ('{"a": ' + "1" * 5000 + "}", "line 2 cannot be read: Exceeds the limit"),
    ],
)
def test_jsonl_mistakes_name_their_line(file, line, told, fails):
    message = fails(file("a.jsonl", '{"text": "x"}\n' + line + "\n"))
    assert "a.jsonl line 2" in message
    assert told in message


def test_jsonl_has_no_use_for_settings_of_cells(file, fails):
    path = file("a.jsonl", '{"text": "x"}\n')
    message = fails(path, settings=Data(header=False))
    assert f"data, for the jsonl file {path}: There is no setting 'header'." in message
    assert "Allowed: encoding." in message


def test_what_python_writes_for_a_missing_number_is_missing(file):
    table = read(file("a.jsonl", '{"text": "a", "score": NaN}\n{"text": "b", "score": -Infinity}\n'))
    assert table.column("score") == [None, float("-inf")]
