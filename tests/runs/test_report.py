"""The page: whole, offline, safe, bounded, readable by everybody, and true to the files of its run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from html_pages import Reader, headings, offline

from maskwright.base.errors import UserError
from maskwright.runs._page import THEME
from maskwright.runs.curves import elsewhere
from maskwright.runs.report import LIMIT, report, write_report
from maskwright.runs.shapes import (
    Curve,
    Histogram,
    Line,
    Mark,
    Matrix,
    Sentences,
    Series,
    Shape,
    Table,
    Text,
    Texts,
)

Make = Callable[..., Path]

# The whole page


def test_a_whole_run_makes_a_whole_page_that_is_offline(make_run: Make) -> None:
    html = report(make_run())
    offline(html)
    assert len(html.encode()) < 400_000
    assert html.count("<svg viewBox") >= 6


def test_the_parts_come_in_their_order(make_run: Make) -> None:
    html = report(make_run())
    wanted = [
        "<h1>Classification with minilm</h1>",
        "22 November 2026",
        "3 seeds",
        "judged on 1,821 rows (test) of test.tsv",
        "On 1,821 test rows this model is right in 88.4 % of all cases",
        "<h2>Figures</h2>",
        "this run, mean of 3 seeds",
        "TF-IDF + logistic regression",
        "<h3>Each seed</h3>",
        "seed 1 (saved)",
        "<h3>Calibration</h3>",
        "<h3>Every split, mean over seeds</h3>",
        "<h2>Training</h2>",
        "<h3>Training loss</h3>",
        "<h3>Evaluations</h3>",
        "<h2>In detail</h2>",
        *(f"<h3>{title}</h3>" for title in ("In short", "Each class", "Confusion", "Reliability", "Risk and coverage")),
        "<h3>Lengths</h3>",
        "<h3>Confidently wrong</h3>",
        "<h2>Data</h2>",
        "<h3>Errors</h3>",
        "12 test rows stand in the training rows too.",
        "<li>test.tsv:17</li>\n<li>test.tsv:203</li>",
        "<h3>Warnings</h3>",
        "<h3>Facts</h3>",
        "<h2>Notes</h2>",
        "train.tsv: tab-separated, quoting off.",
        "<h2>Settings</h2>",
        "train.schedule.warmup",
        "<h2>Versions and machine</h2>",
        "avx512_bf16",
        "<h2>Repeat it</h2>",
        "maskwright finetune --train train.tsv",
    ]
    at = 0
    for part in wanted:
        assert html.find(part, at) >= 0, f"{part!r} is missing or too early"
        at = html.find(part, at)


def test_every_figure_stands_in_metrics_json(make_run: Make, strange_figures: Callable[[Path], set[str]]) -> None:
    folder = finished(make_run())
    assert "Every figure here stands in metrics.json too" in report(folder)
    assert not strange_figures(folder)


def test_a_figure_of_another_file_would_be_noticed(make_run: Make, strange_figures: Callable[[Path], set[str]]) -> None:
    assert strange_figures(make_run(data={"findings": [{"severity": "fact", "sentence": "777 rows."}]})) >= {"777"}


def finished(folder: Path) -> Path:
    """The folder with all in metrics.json that a run repeats there in the end."""
    file = folder / "metrics.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | elsewhere(folder, told)))
    return folder


def test_the_seed_that_is_saved_is_a_sentence(make_run: Make) -> None:
    why = "Saved: seed 1, the best accuracy on the eval rows, which no reported figure uses."
    assert f"<p>{why}</p>" in report(make_run())
    html = report(make_run("one", metrics={"seeds": [4], "saved": {"seed": 4, "why": "the only seed"}}))
    assert "<p>Saved: seed 4, the only seed.</p>" in html


def test_calibration_is_told_in_words_and_few_digits(make_run: Make) -> None:
    conformal = {"0.9": 0.9583452844332344, "0.99": None}
    given = {"split": "eval", "rows": 416, "temperature": 0.4327267633478247, "conformal": conformal}
    html = report(make_run(metrics={"calibration": {**given, "thresholds": [0.1] * 30}}))
    for name, value in [
        ("fitted on the split", "eval"),
        ("rows of it", "416"),
        ("temperature", "0.433"),
        ("sets that hold 90 %", "labels of a probability of 0.042 or more"),
        ("sets that hold 99 %", "all labels: too few rows to leave any out"),
        ("thresholds", "one for each of 30 labels"),
    ]:
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html


def test_counts_stand_apart_from_metrics_and_in_words(make_run: Make) -> None:
    html = report(make_run())
    metrics, _, counts = html.partition("<h3>Rows and pieces of every split</h3>")
    assert "texts that were cut" in counts
    assert "pieces not in the vocabulary" in counts
    assert "<h3>Every split, mean over seeds</h3>" in metrics
    assert not re.search("texts_cut|pieces_cut|unknown_pieces", html)


def test_a_short_run_has_a_table_where_a_line_would_be_one_dot(make_run: Make) -> None:
    def logs(seed: int) -> list[dict[str, Any]]:
        lines = [{"step": step, "loss": 1 / step} for step in range(1, 8)]
        return [*lines, {"step": 7, "evaluation": {"accuracy": 0.75}}]

    html = report(make_run(logs=logs))
    section = html[html.index("<h3>Evaluations</h3>") :].partition("</section>")[0]
    assert "<svg" not in section
    assert re.search(r"seed 0</th><td[^>]*>7</td><td[^>]*>0.750</td>", section)
    loss = html[html.index("<h3>Training loss</h3>") :].partition("</section>")[0]
    ticks = re.findall(r">(\d[\d.]*)</text>", loss[: loss.index(">step<")])
    assert ticks
    assert all("." not in tick for tick in ticks), "there is no step 2.5"


def test_the_same_folder_gives_the_same_page(make_run: Make) -> None:
    folder = make_run()
    assert report(folder) == report(folder)


def test_it_is_written_beside_the_facts_and_changes_none(make_run: Make) -> None:
    folder = make_run()
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert write_report(folder) == folder / "report.html"
    assert (folder / "report.html").read_text(encoding="utf-8") == report(folder)
    assert {file: file.read_bytes() for file in before} == before


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run of maskwright"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


# What is missing


@pytest.mark.parametrize("missing", ["metrics.json", "data.json", "seeds", "model"])
def test_a_file_that_is_not_there_leaves_no_trace(make_run: Make, missing: str) -> None:
    html = report(make_run(without=(missing,)))
    offline(html)
    titles = {text for _, text in headings(html)}
    gone = {"metrics.json": {"Figures", "In detail"}, "data.json": {"Errors"}, "seeds": {"Training"}, "model": set()}
    assert not gone[missing] & titles
    assert "undefined" not in html
    assert ("This run is not finished" in html) == (missing == "metrics.json")


METRICS = ["task", "main", "reported", "seeds", "saved", "labels", "metrics", "figures", "baselines", "calibration"]


@pytest.mark.parametrize(
    ("part", "key"),
    [
        *(("metrics", key) for key in [*METRICS, "verdict", "facts"]),
        *(("config", key) for key in ("versions", "machine", "notes", "command")),
        ("data", "findings"),
    ],
)
def test_a_key_that_is_not_there_is_left_out(make_run: Make, part: str, key: str) -> None:
    changes = {"metrics": {"facts": [Sentences("In short", ["So."]).plain()]}}  # one that takes no time to draw
    changes[part] = {**changes.get(part, {}), key: None}
    html = report(make_run(without=("seeds",), **changes))
    offline(html)
    assert "None" not in Reader(html).text.split()
    assert not re.search(r"<(h\d|table|ul|dl|p)[^>]*></\1>", html), "no empty parts"


def test_a_run_of_before_the_summary_is_shown(make_run: Make) -> None:
    """Its metrics.json is the metrics by split alone."""
    folder = make_run()
    (folder / "metrics.json").write_text('{"eval": {"accuracy": 0.8796, "rows": 872, "mcc": null}}')
    html = report(folder)
    assert '<td class="n">0.880</td>' in html
    assert "872" in html
    assert '<td class="n">undefined</td>' in html


def test_one_seed_is_not_called_a_mean(make_run: Make) -> None:
    html = report(make_run(metrics={"seeds": [0]}, without=("seeds",)))
    assert "this run, mean" not in html
    assert "<h3>Every split</h3>" in html
    assert "Each seed" not in html


def test_an_interval_without_bounds_is_a_figure_alone(make_run: Make) -> None:
    figures = {"accuracy": {"value": 0.75, "low": None, "high": None, "level": 0.95, "over": "seeds"}}
    html = report(make_run(metrics={"figures": figures, "baselines": None, "seeds": [0]}))
    assert '<td class="n">0.750</td>' in html
    assert "Beneath" not in html


def test_the_intervals_are_named_for_each_system_where_they_differ(make_run: Make) -> None:
    text = Reader(report(make_run())).text
    assert (
        "Beneath each figure: the 95 % interval over examples and seeds (this run, mean of 3 seeds); the 95 % interval "
        "over examples (TF-IDF + logistic regression, majority class)."
    ) in text
    alone = Reader(report(make_run("alone", metrics={"baselines": []}))).text
    assert "Beneath each figure: the 95 % interval over examples and seeds." in alone


def test_a_fact_of_a_kind_that_is_not_known_is_said(make_run: Make) -> None:
    html = report(make_run(metrics={"facts": [{"shape": "globe", "title": "T"}, 3]}))
    assert "Fact 1 in metrics.json cannot be shown: There is no shape &#x27;globe&#x27;." in html
    assert "Fact 2 in metrics.json cannot be shown: A fact is a table that names its shape" in html


# What anybody may have written


def hostile_facts(hostile: list[str]) -> list[Shape]:
    numbers = list(range(len(hostile)))
    return [
        Sentences(hostile[0], hostile),
        Table(hostile[1], hostile, [hostile], hostile[2]),
        Curve(hostile[7], hostile[0], hostile[11], [Line(name, [0, 1], [n, 1]) for n, name in enumerate(hostile)]),
        Matrix(hostile[3], hostile, hostile, [numbers for _ in numbers], row_name=hostile[0], column_name=hostile[5]),
        Matrix("40", [*hostile, *map(str, range(28))], hostile, [numbers for _ in range(40)]),
        Histogram(hostile[5], [0, 1], [Series(name, [1]) for name in hostile], "", hostile[6], Mark(0.5, hostile[7])),
        Texts(hostile[6], [Text(text, text, {text: text}) for text in hostile]),
    ]


def test_hostile_texts_stay_texts(make_run: Make, hostile: list[str]) -> None:
    folder = make_run(
        metrics={
            "task": hostile[0],
            "main": hostile[1],
            "labels": hostile,
            "verdict": hostile,
            "reported": {"split": hostile[0], "source": hostile[11], "rows": 3},
            "saved": {"seed": 1, "why": hostile[1]},
            "metrics": {text: {text: 0.5} for text in hostile},
            "figures": {text: {"value": 0.5, "low": 0.4, "high": 0.6, "over": text} for text in hostile},
            "baselines": [{"name": text, "figures": {hostile[1]: 0.5}, "sentence": text} for text in hostile],
            "calibration": {text: text for text in hostile},
            "facts": [fact.plain() for fact in hostile_facts(hostile)],
        },
        config={
            "settings": {"model": hostile[11], "task": {text: text for text in hostile}},
            "data": {text: {"source": text, "rows": 3, "sha256": text} for text in hostile},
            "versions": {text: text for text in hostile},
            "notes": hostile,
            "command": hostile[0],
        },
        data={"findings": [{"severity": t, "sentence": t, "kind": t, "where": [t, {t: t}]} for t in hostile]},
    )
    path = write_report(folder)
    html = path.read_text(encoding="utf-8")
    offline(html)
    assert path.stat().st_size < LIMIT
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in html
    assert "m" * 10_000 not in html
    assert "m… [1,000,000 characters]" in html
    hidden = [c for c in html if (ord(c) < 32 and c != "\n") or ord(c) in (*range(0x202A, 0x202F), 0xFEFF)]
    assert not hidden
    for seen in ("⟨U+0000⟩", "⟨U+202E⟩", "⟨U+D83D⟩", "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"):
        assert seen in html
    assert "$\\frac{1}{$ and $x$" in html
    assert "_hidden from legends" in html


def test_a_page_that_would_be_too_large_names_what_it_leaves_out(make_run: Make) -> None:
    wide = [[f"\N{GRINNING FACE}&<>{i} {j}" * 60 for j in range(12)] for i in range(200)]
    tables = [Table(f"Table {i}", [str(j) for j in range(12)], wide).plain() for i in range(12)]
    small = Sentences("The last one", ["It is short enough."]).plain()
    path = write_report(make_run(metrics={"facts": [*tables, small]}))
    html = path.read_text(encoding="utf-8")
    offline(html)
    assert LIMIT / 3 < path.stat().st_size < LIMIT
    assert "<h3>Table 0</h3>" in html
    assert "<h3>Table 11</h3>" not in html
    assert re.search(r"Left out, as this page would be too large: fact .*12 \(Table 11\).*; all are in\s+metrics", html)
    assert "<h2>Repeat it</h2>" in html


def test_a_section_that_would_crowd_out_the_page_is_left_to_its_file(make_run: Make) -> None:
    long = {f"\N{GRINNING FACE}&{i}" * 60: "&<>" * 200 for i in range(200)}
    html = report(make_run(config={"versions": long}))
    assert "Left out, as this page would be too large; it is in config.json." in html
    assert len(html.encode()) < LIMIT


def test_what_is_cut_is_counted(make_run: Make) -> None:
    html = report(
        make_run(
            metrics={"labels": [f"label {i}" for i in range(51)], "verdict": ["So."] * 11},
            config={"notes": [f"note {i}" for i in range(101)], "settings": {f"s{i}": i for i in range(201)}},
            data={"findings": [{"severity": "fact", "sentence": "So.", "where": list(range(12))}] * 101},
        )
    )
    for said in (
        "Shown: the first 50 of 51 labels; all are in metrics.json.",
        "Shown: the first 10 of 11 sentences; all are in metrics.json.",
        "Shown: the first 100 of 101 notes; all are in config.json.",
        "Shown: the first 200 of 201 settings; all are in config.json.",
        "Shown: the first 100 of 101 findings; all are in data.json.",
        "<li>9</li>\n<li>and 2 more in data.json</li>",
    ):
        assert said in html


def test_a_long_log_is_drawn_by_its_means(make_run: Make) -> None:
    def logs(seed: int) -> list[dict[str, Any]]:
        return [{"step": step, "loss": 1 / step} for step in range(1, 5002)]

    html = report(make_run(logs=logs))
    assert "Each point is the mean of up to 26 logged ones; all are in seeds/&lt;n&gt;/log.jsonl." in html
    assert len(html) < 400_000


# For everybody


def test_headings_go_down_by_one(make_run: Make) -> None:
    levels = [level for level, _ in headings(report(make_run()))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_pictures_and_boxes_have_names_and_tables_heads(make_run: Make) -> None:
    page = Reader(report(make_run()))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.named("svg"))
    assert all(box.get("aria-label") for _, box in page.tags if box.get("class") == "scroll")
    assert page.named("html")[0]["lang"] == "en"
    assert len([th for th in page.named("th") if th.get("scope")]) == len(page.named("th"))
    targets = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {link["href"][1:] for link in page.named("a")} <= targets


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("name", sorted(set(THEME) - {"paper", "line"}))
@pytest.mark.parametrize("column", [0, 1], ids=["day", "night"])
def test_colours_stand_out_from_the_paper(name: str, column: int) -> None:
    a, b = sorted((luminance(THEME[name][column]), luminance(THEME["paper"][column])))
    assert (b + 0.05) / (a + 0.05) >= 4.5


def test_matplotlib_is_loaded_only_to_draw() -> None:
    code = "import sys, maskwright.runs.report, maskwright.runs.card; print('matplotlib' in sys.modules)"
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=here).strip() == "False"
