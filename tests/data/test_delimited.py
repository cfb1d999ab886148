from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.read import read
from maskwright.data.settings import Data


def as_csv(rows, **options) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, **options).writerows(rows)
    return out.getvalue()


# Everything but what no text file holds: NUL, and halves of surrogate pairs.
cells = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_the_csv_module_writes_comes_back(tmp_path_factory, rows, end, delimiter):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    # All quoted: until 3.13 the module leaves a carriage return bare when lines end in a line feed.
    text = as_csv([("one", "two", "three"), *rows], lineterminator=end, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    path.write_bytes(text.encode())
    table = read(path, settings=Data(header=True, delimiter=delimiter))
    assert list(zip(*table.columns.values(), strict=True)) == rows
    lines = text.split("\n")
    assert all(lines[n - 1].startswith('"') for n in table.lines)
    assert table.lines[0] == 2
    assert table.lines == [2 + sum(t.count("\n") for r in rows[:i] for t in r) + i for i in range(len(rows))]


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8), end=st.sampled_from(["\n", "\r\n"]))
def test_tsv_without_quoting_keeps_every_character(tmp_path_factory, rows, end):
    rows = [tuple(c.translate({9: "t", 10: "n", 13: "r"}) for c in row) for row in rows]
    path = tmp_path_factory.mktemp("tsv") / "rows.tsv"
    path.write_bytes(("".join("\t".join(row) + end for row in rows)).encode())
    table = read(path, settings=Data(header=False, quoting=False))
    first = [(rows[0][0].removeprefix("\ufeff"), rows[0][1]), *rows[1:]]  # there it is a byte order mark
    assert list(zip(*table.columns.values(), strict=True)) == first


def test_header_and_lines(file):
    path = file("train.csv", 'sentence,label\n"good,\nvery",1\n\n bad ,0\n')
    table = read(path, needs=("sentence", "label"))
    assert table.columns == {"sentence": ["good,\nvery", " bad "], "label": ["1", "0"]}
    assert table.lines == [2, 5]
    assert table.where(1) == f"{path} line 5"
    assert table.notes == [
        f"{path}: comma-separated, header (sentence, label), quoting on.",
        f"{path}: 1 blank line was skipped.",
        f"{path}: 1 record runs over more than one line (the longest: lines 2 to 3).",
    ]


def test_byte_order_mark_crlf_and_no_last_line_end(file):
    table = read(file("a.csv", b"\xef\xbb\xbftext,label\r\na,1\r\nb,0"), needs=("text",))
    assert table.columns == {"text": ["a", "b"], "label": ["1", "0"]}


def test_other_encodings(file):
    path = file("b.csv", "text,label\ncafé,1\nthé,0\n".encode("latin-1"))
    assert read(path, settings=Data(encoding="latin-1")).column("text") == ["café", "thé"]


def test_carriage_returns_alone_end_lines(file):
    assert read(file("mac.csv", "text,label\ra,1\rb,0\r"), needs=("text",)).column("label") == ["1", "0"]


def test_a_cell_may_be_a_long_document_and_the_limit_of_the_process_stays(file):
    before = csv.field_size_limit()
    table = read(file("long.csv", f'text,label\n"{"word " * 60_000}",1\nb,0\n'), needs=("text",))
    assert len(table.column("text")[0]) == 300_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolon"), ("\t", "tab")])
def test_another_delimiter_under_csv_is_found_and_noted(file, delimiter, name):
    path = file("a.csv", as_csv([("text", "label"), ("well, good", "1"), ("bad; or not", "0")], delimiter=delimiter))
    table = read(path, needs=("text", "label"))
    assert table.column("text") == ["well, good", "bad; or not"]
    assert f"{path}: {name}-separated, header (text, label), quoting on." in table.notes
    assert f"{path}: the delimiter is the {name}, not the comma." in table.notes
    assert read(path).columns == table.columns  # also when nobody says which columns to expect


def test_a_single_column_with_other_delimiters_inside(file):
    table = read(file("a.csv", "text\none; two\nthree; four; five\n"), needs=("text",))
    assert table.column("text") == ["one; two", "three; four; five"]


def test_a_lost_quote_names_the_line_where_it_opened(file, fails):
    message = fails(file("a.csv", 'text,label\ngood,1\n"bad,0\nfine,1\nwell,0\n'))
    assert 'a.csv line 3: a quote (") opens a cell here and is not closed before the file ends.' in message
    assert 'write " as ""' in message
    assert "--set data.quoting=false" in message


def test_a_lost_quote_that_meets_another_names_both_lines(file, fails):
    message = fails(file("a.csv", 'text,label\n"ok ""so""\nfar","1"\n"bad,0\nfine,1\n"well",0\n'))
    assert "line 4: a quote" in message
    assert "and line 6 has more text after the quote that closes it" in message


def test_the_line_is_that_of_the_quote_not_of_its_record(file, fails):
    message = fails(file("a.csv", 'text,label\n"two\nlines","one\nand "more"\n'))
    assert "line 3: a quote" in message


def test_text_after_a_closing_quote_is_not_glued_on(file, fails):
    assert "line 2: a quote" in fails(file("a.csv", 'text,label\n"so" he said,1\n'))
    table = read(file("a.csv", 'text,label\n"so" he said,1\n'), settings=Data(quoting=False), needs=("text",))
    assert table.column("text") == ['"so" he said']


def test_a_row_with_too_many_or_too_few_cells(file, fails):
    message = fails(file("a.csv", "text,label\ngood,1\nwell, bad,0\n"))
    assert "a.csv line 3: 3 cells, but line 1 has 2. The delimiter in use is the comma" in message
    assert "--set data.delimiter" in message
    assert "--set data.quoting=false" in message
    assert "a.tsv line 2: 1 cells, but line 1 has 2." in fails(file("a.tsv", "text\tlabel\ngood\n"))
    assert "--set data.quoting=true" in fails(file("b.tsv", "text\tlabel\ngood\n"))


def test_a_row_that_runs_over_lines_says_so(file, fails):
    message = fails(file("a.csv", 'text,label\ngood,1\nx,"bad,0\nfine",1\n'))
    assert "line 3: 3 cells, but line 1 has 2." in message
    assert "The record runs to line 4" in message


def test_a_carriage_return_inside_an_unquoted_cell(file, fails):
    assert "line 2: a carriage return stands inside a cell" in fails(file("a.csv", "text,label\na\rb,1\n"))


# TSV quoting


@pytest.mark.parametrize(
    ("lines", "quoting", "first"),
    [
        (['"The film, he said.\t1', "so\t0"], False, '"The film, he said.'),  # bare
        (['"The" film\t1', '"all"\t0'], False, '"The" film'),  # one of them goes on after the quote
        (['"The ""film"""\t1', '"so"\t0'], True, 'The "film"'),
        (['"tab\there"\t1', "so\t0"], True, "tab\there"),
        (['"two', 'lines"\t1', "so\t0"], True, "two\nlines"),
        (['a 12" pipe\t1', "so\t0"], False, 'a 12" pipe'),  # no cell begins with a quote
        (['"a\t1', 'b"\t0'], False, '"a'),  # the lines are a table as they stand
    ],
)
def test_tsv_quoting_is_detected(file, lines, quoting, first):
    path = file("a.tsv", "\n".join(lines) + "\n")
    table = read(path, needs=("1", "2"))
    assert table.column("1")[0] == first
    assert table.notes[0].endswith(f"quoting {'on' if quoting else 'off'}.")


def test_tsv_quoting_as_stated_wins(file):
    path = file("a.tsv", '"all"\t1\n"so"\t0\n')
    assert read(path, settings=Data(quoting=False), needs=("1",)).column("1") == ['"all"', '"so"']
    assert read(path, needs=("1",)).column("1") == ["all", "so"]


def test_tsv_blank_lines_are_skipped_and_counted(file):
    path = file("a.tsv", "a\t1\n\n\nb\t0\n\n")
    table = read(path, needs=("1",))
    assert table.lines == [1, 4]
    assert f"{path}: 3 blank lines were skipped." in table.notes


def test_unusual_line_separators_stay_in_their_cell(file):
    table = read(file("a.tsv", "a\u2028b\x0b\x85c\td\re\n"), needs=("1", "2"))
    assert table.columns == {"1": ["a\u2028b\x0b\x85c"], "2": ["d\re"]}


# Cells as they are


def test_empty_cells_are_empty_texts(file):
    table = read(file("a.csv", 'text,label\n,1\n"",0\na,\n,\n'), needs=("text", "label"))
    assert table.columns == {"text": ["", "", "a", ""], "label": ["1", "0", "", ""]}
    table = read(file("b.csv", 'text\n""\na\n'), needs=("text",))
    assert table.column("text") == ["", "a"]  # a blank line would be none


def test_spaces_around_a_name_are_kept_and_the_error_shows_them(file, fails):
    path = file("a.csv", "text, label\ngood,1\nbad,0\n")
    assert "There is no column 'label'. Did you mean ' label'?" in fails(path, needs=("text", "label"))
    assert read(path, needs=("text", " label")).column(" label") == ["1", "0"]


def test_a_header_that_reads_like_data_and_data_that_reads_like_a_header(file):
    rows = "good,1\nbad,0\n" * 4
    path = file("a.csv", "2019,2020\n" + rows)  # years as names
    assert len(read(path)) == 9
    assert list(read(path, settings=Data(header=True)).columns) == ["2019", "2020"]
    path = file("b.csv", "fine,pos\ndull,neg\n")  # no column repeats enough to tell
    assert any("line 1 is a header was guessed" in note for note in read(path).notes)
    assert read(path, settings=Data(header=False)).column("1") == ["fine", "dull"]
