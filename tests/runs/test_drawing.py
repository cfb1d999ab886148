"""Each shape of a page, drawn."""

from __future__ import annotations

import re

import pytest

from maskwright.runs._drawing import draw
from maskwright.runs.shapes import (
    Curve,
    Histogram,
    Line,
    Mark,
    Matrix,
    Place,
    Series,
    Shape,
    Table,
    Text,
    Texts,
)


def test_every_shape_can_be_drawn() -> None:
    for kind in Shape.__subclasses__():
        assert draw.dispatch(kind) is not draw.dispatch(Shape), f"no drawing for {kind.__name__}"


def test_a_table_is_cut_and_says_so() -> None:
    html = draw(Table("T", ["name", "n"], [[f"row {i}", i] for i in range(1000)]))
    assert "row 199" in html
    assert "row 200" not in html
    assert "Shown: the first 200 of 1,000 rows; all are in metrics.json." in html


def test_a_table_without_rows_is_its_note() -> None:
    assert draw(Table("T", ["a", "b"], [], "Nothing to see.")) == '<p class="note">Nothing to see.</p>\n'


def test_a_long_name_of_a_metric_may_go_on_in_the_next_line() -> None:
    html = draw(Table("T", ["", "mean_average_precision"], [["a", 1]]))
    assert ">mean_<wbr>average_<wbr>precision</th>" in html


def test_counts_have_no_halves() -> None:
    html = draw(Histogram("T", [0, 10], [Series("a", [2])], x="pieces"))
    after = html[html.index(">pieces</text>") :]
    assert set(re.findall(r">([\d.]+)</text>", after)) == {"0", "1", "2"}


def test_a_table_has_heads_for_rows_and_columns() -> None:
    html = draw(Table("T", ["name", "n"], [["a", 1], ["b", None]]))
    assert html.count('scope="col"') == html.count('scope="row"') == 2
    assert '<td class="n">undefined</td>' in html


def test_a_small_matrix_is_a_table_of_counts() -> None:
    html = draw(Matrix("T", ["a", "b"], ["a", "b"], [[1200, 400], [0, 0]]))
    assert '<td class="n same" style="--share: 0.750">1,200</td>' in html
    assert '<td class="n same" style="--share: 0.000">0</td>' in html
    assert "<svg" not in html


def test_a_matrix_of_150_classes_is_a_picture_and_its_worst_pairs() -> None:
    names = [f"class {i}" for i in range(150)]
    cells = [[90 if i == j else (i + j) % 7 for j in range(150)] for i in range(150)]
    cells[3][141] = 77
    html = draw(Matrix("T", names, names, cells))
    assert len(html) < 60_000
    assert "data:image/png;base64," in html
    first = html[html.index("<tbody>") :].partition("</tr>")[0]
    assert re.findall(r">([\w ,]+)</t[hd]>", first) == ["class 3", "class 141", "77"]
    assert html.count("<tr") == 21
    assert re.search(r"Shown: the first 20 of [\d,]+ pairs; all are in metrics.json.", html)


def test_a_matrix_of_30_classes_names_them() -> None:
    names = [f"class {i}" for i in range(30)]
    html = draw(Matrix("T", names, names, [[int(i == j) for j in names] for i in names]))
    assert len(re.findall(r">class 29<", html)) == 2
    assert "Most confused" not in html, "nothing was confused"


@pytest.mark.parametrize("matrix", [Matrix("T", [], [], []), Matrix("T", ["a"], ["a"], [[0]])])
def test_a_matrix_of_nothing_is_drawn(matrix: Matrix) -> None:
    assert "NaN" not in draw(matrix)


def test_a_curve_of_many_points_and_lines_is_thinned_and_says_so() -> None:
    lines = [Line(f"line {i}", list(range(5000)), [n % 17 for n in range(5000)]) for i in range(30)]
    html = draw(Curve("T", "x", "y", lines))
    assert "line 23" in html
    assert "line 24" not in html
    assert "Shown: the first 24 of 30 lines; all are in metrics.json." in html
    assert "Shown: 400 of 5,000 points of a line, evenly spread; all are in metrics.json." in html
    assert len(html) < 400_000


@pytest.mark.parametrize("kind", ["line", "steps", "points"])
@pytest.mark.parametrize("band", [False, True])
def test_a_curve_shows_its_axes_its_lines_and_where_it_has_gaps(kind: str, band: bool) -> None:
    low, high = ([0, None, 1], [2, None, 3]) if band else (None, None)
    curve = Curve("T", "how sure", "how often", [Line("a", [0, 1, 2], [1, None, 2], low, high)], "So.", True, kind)
    html = draw(curve)
    assert ">how sure</text>" in html
    assert ">how often</text>" in html
    assert "var(--c1)" in html
    assert "nan" not in html.lower()
    assert '<p class="note">So.</p>' in html


def test_axes_with_a_diagonal_are_alike_and_dots_tell_their_rows() -> None:
    html = draw(Curve("T", "x", "y", [Line("a", [0.5, 0.9], [0.4, 0.8], sizes=[90, 10])], diagonal=True))
    tick = r'x="([\d.]+)" y="([\d.]+)"[^>]*>(0\.\d)</text>'
    across, up = (
        {name: (float(x), float(y)) for x, y, name in re.findall(tick, part)} for part in html.split(">x</text>")
    )
    assert across.keys() == up.keys() > {"0.5", "0.8"}
    assert across["0.8"][0] - across["0.5"][0] == pytest.approx(up["0.5"][1] - up["0.8"][1], abs=0.01), "one scale"
    curves = re.findall(r'd="M ([^"]*C [^"]*)"', html)
    wide, narrow = (
        max(xs) - min(xs) for xs in ([float(x) for x in re.findall(r" ([\d.]+) [\d.]+ \n", f" {c}")] for c in curves)
    )
    assert wide / narrow == pytest.approx(3, rel=0.01), "nine times the rows, three times as wide"


def test_a_single_step_has_room_around_it() -> None:
    html = draw(Curve("T", "step", "y", [Line("a", [7], [0.5])]))
    assert re.findall(r">(\d)</text>", html[: html.index(">step<")]) == ["6", "7", "8"]


def test_a_wide_table_can_be_read_cell_by_cell_on_a_phone() -> None:
    html = draw(Table("T", ["class", "rows", "precision", "F1"], [["a", 3, 0.5, 0.25]]))
    assert '<td data-head="precision" class="n">0.500</td>' in html
    assert 'class="stack"' in html
    assert "stack" not in draw(Table("T", ["", "eval", "test"], [["a", 3, 0.5]]))


def test_pictures_follow_the_page() -> None:
    """No colour or font of their own, no name twice, and words for those who cannot see them."""
    html = draw(Curve("Loss", "step", "loss", [Line(f"seed {i}", [0, 1], [i, 1]) for i in range(7)]))
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert "DejaVu" not in svg
    assert "var(--sans)" in svg
    assert not set(re.findall(r"#[0-9a-f]{6}\b", svg)), "colours by name only"
    assert 'role="img" aria-label="Loss: loss over step; lines: seed 0, seed 1' in svg
    names = re.findall(r' id="([^"]+)"', svg)
    assert len(names) == len(set(names))
    assert 'stroke-dasharray="5 2"' in html[html.index("</svg>") :], "the seventh line is told apart by its dashes"


def test_a_histogram_marks_a_place() -> None:
    marked = Histogram("Lengths", [0, 64, 128], [Series("train", [3, None])], "So.", "pieces", Mark(128, "cut here"))
    html = draw(marked)
    assert "cut here: 128" in html
    assert "a line marks cut here" in html


def test_texts_show_both_of_a_pair_and_their_values() -> None:
    html = draw(Texts("T", [Text("one", "two", {"answer": "<b>", "probability": 0.98765})] * 101))
    assert html.count("<blockquote>one</blockquote><blockquote>two</blockquote>") == 100
    assert "<dt>answer</dt><dd>&lt;b&gt;</dd>" in html
    assert "<dt>probability</dt><dd>0.988</dd>" in html
    assert "Shown: the first 100 of 101 texts; all are in metrics.json." in html


def test_places_of_a_text_are_marked_where_they_are_and_may_overlap() -> None:
    places = [Place(0, 5, "right", "PER"), Place(9, 14, "true", "ORG"), Place(12, 20, "answer", "L<C")]
    html = draw(Texts("T", [Text("Maria in Acme & York", None, {}, places), Text("none")]))
    assert '<mark class="right">Maria</mark> <small>right: PER</small>' in html
    assert '<mark class="true">Acm</mark><mark class="true answer">e </mark> <small>true: ORG</small>' in html
    assert '<mark class="answer">&amp; York</mark> <small>answer: L&lt;C</small>' in html
    assert "Underlined and shaded: true, and answered; underlined: true; shaded: answered." in html
    assert "Underlined" not in draw(Texts("T", [Text("none")]))


def test_a_long_text_with_places_is_cut_as_one_without() -> None:
    long = "word " * 1000
    plain, some = (draw(Texts("T", [Text(long, None, {}, places)])) for places in ([], [Place(1995, 2005, "true")]))
    cleaned = re.sub(r"<mark[^>]*>|</mark>| <small>.*?</small> |<p class=.note.>.*", "", some, flags=re.S)
    assert cleaned.split("</blockquote>")[0] == plain.split("</blockquote>")[0]
    assert draw(Texts("T", [Text(long, None, {}, [Place(3000, 3005, "true")])])).count("<mark") == 0
