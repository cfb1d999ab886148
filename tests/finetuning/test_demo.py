"""The demo: an honest corpus, the four systems on it, and a page that is safe and whole."""

from __future__ import annotations

import json
import re
import sysconfig
from collections import Counter, defaultdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.errors import UserError
from maskwright.data.table import Table
from maskwright.finetuning import demo, demo_corpus
from maskwright.finetuning._demo_page import chosen, page
from maskwright.finetuning.demo import Answer, DemoResult, System, text_table
from maskwright.finetuning.demo_corpus import (
    AREA_OF,
    AREAS,
    MOST,
    REFERENCE,
    SHARES,
    SHORTEST,
    WORDS,
    Passage,
    corpus,
    split,
)


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return corpus()


def rows(tables: dict[str, Table]) -> list[tuple[str, Passage]]:
    return [
        (side, Passage(*cells))
        for side, t in tables.items()
        for cells in zip(*map(t.column, Passage._fields), strict=True)
    ]


# The corpus


def test_no_module_and_no_text_is_on_two_sides(tables: dict[str, Table]) -> None:
    modules, texts, paragraphs = defaultdict(set), Counter(), defaultdict(set)
    for side, p in rows(tables):
        modules[p.module].add(side)
        texts[" ".join(p.passage.lower().split())] += 1
        for paragraph in p.passage.split("\n\n"):
            if len(paragraph.split()) > 20:
                paragraphs[" ".join(paragraph.lower().split())].add(side)
    assert not {m for m, sides in modules.items() if len(sides) > 1}
    assert not {t for t, n in texts.items() if n > 1}
    assert not {t for t, sides in paragraphs.items() if len(sides) > 1}


def test_every_area_is_on_every_side(tables: dict[str, Table]) -> None:
    areas = {side: set(t.column("area")) for side, t in tables.items()}
    assert set(areas) == {"train", "eval", "test"}
    assert areas["train"] == areas["eval"] == areas["test"]
    assert 8 <= len(areas["train"]) <= 12
    assert areas["train"] <= {*AREAS, REFERENCE}


def test_sizes_and_balance(tables: dict[str, Table]) -> None:
    sizes = {side: len(t) for side, t in tables.items()}
    total = sum(sizes.values())
    assert total > 1800
    for side, share in SHARES.items():
        assert sizes[side] / total == pytest.approx(share, abs=0.06), sizes
    counts = Counter(p.area for _, p in rows(tables))
    assert max(counts.values()) < 0.3 * total, counts
    assert min(counts.values()) > 0.02 * total, counts
    assert max(Counter(p.module for _, p in rows(tables)).values()) <= MOST
    assert any(f"At most {MOST} passages of one module" in note for note in tables["train"].notes)


def test_passages_are_prose_of_the_right_length_with_plain_typography(tables: dict[str, Table]) -> None:
    for _, p in rows(tables):
        assert len(re.findall(r"[A-Za-z]{2,}", p.passage)) >= SHORTEST, p
        assert not set("“”‘’—") & set(p.passage), p
        assert not any(re.fullmatch(r"\s*[*=~]{3,}\s*", line) for line in p.passage.splitlines()), p
    lengths = [demo_corpus._length(p.passage) for _, p in rows(tables)]
    over = [n for n in lengths if n > WORDS]  # a single line that cannot be cut may be longer
    assert len(over) < 0.01 * len(lengths)
    assert sum(lengths) / len(lengths) > WORDS / 2, "short docstrings are read on"


def test_a_table_is_the_same_each_time(tables: dict[str, Table]) -> None:
    assert {side: t.columns for side, t in corpus().items()} == {side: t.columns for side, t in tables.items()}


def test_no_module_has_two_areas() -> None:
    named = [module for modules in AREAS.values() for module in modules.split()]
    assert len(named) == len(set(named)) == len(AREA_OF)
    assert {*demo_corpus.PART_OF.values(), *demo_corpus.TOPIC_OF.values()} <= set(AREA_OF)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("decimal", "decimal"),
        ("_decimal", "decimal"),
        ("_pydecimal", "decimal"),
        ("posixpath", "os.path"),
        ("_thread", "threading"),
        ("__hello__", None),
        ("site-packages", None),
    ],
)
def test_the_files_of_a_module_are_one_unit(name: str, module: str | None) -> None:
    assert demo_corpus.module_of(name) == module


def test_a_python_without_sources_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(demo_corpus, "_topics", lambda: iter(()))
    monkeypatch.setattr(demo_corpus, "IN_C", [])
    with pytest.raises(UserError, match=r"reads the sources of Python's standard library, and .* holds hardly any"):
        corpus()


def test_docstrings_are_read_without_importing(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text(
        '"""Top."""\nraise SystemExit\nclass A:\n    """Of A."""\n    def f(self):\n        "Of f."'
    )
    pack = tmp_path / "pack"
    (pack / "test").mkdir(parents=True)
    (pack / "__init__.py").write_text('"""Pack."""')
    (pack / "test" / "__init__.py").write_text('"""Not this."""')
    assert dict(demo_corpus._from_files(tmp_path)) == {"mod": ["Top.", "Of A.", "Of f."], "pack": ["Pack."]}


def test_cutting_keeps_each_long_paragraph_once() -> None:
    one, two = ("".join(f"{w}{i} " for i in range(25)) for w in ("one", "two"))
    three = "\n".join(f"three is on line {i}" for i in range(40))
    seen: set[str] = set()
    first = list(demo_corpus._cut([f"{one}\n\n{two}\n\n{two}", three], seen))
    assert "".join(first).count("two24") == 1
    assert "".join(first).count("three") == 40
    assert max(demo_corpus._length(p) for p in first) <= WORDS
    assert list(demo_corpus._cut([one, two], seen)) == [""], "another module says it again: dropped"


areas_of_modules = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.tuples(st.sampled_from(["x", "y"]), st.integers(1, 30)),
    min_size=1,
    max_size=30,
)


@given(areas_of_modules)
def test_a_split_puts_each_area_on_all_sides_or_on_none(modules: dict[str, tuple[str, int]]) -> None:
    passages = [Passage(f"{m} {i}", area, m) for m, (area, n) in modules.items() for i in range(n)]
    sides = split(passages)
    for area in {area for area, _ in modules.values()}:
        mine = [m for m, (a, _) in modules.items() if a == area]
        assert {sides.get(m) for m in mine} == (set(SHARES) if len(mine) >= 3 else {None})
        largest = max(modules[m][1] for m in mine)
        assert len(mine) < 3 or any(sides[m] == "train" for m in mine if modules[m][1] == largest)


# The page and the table


def result_of(systems: list[System], answers: list[Answer], command: str = "maskwright demo") -> DemoResult:
    table = Table({"passage": ["p", "q"], "area": ["a", "<b>"], "module": ["m", "n"]}, "here", [1, 2], unit="row")
    return DemoResult(
        Path("x"),
        Path("x/report.html"),
        systems,
        answers,
        dict.fromkeys(SHARES, table),
        ["a <note>"],
        command,
        3,
        ["It <works>."],
    )


OPTIONAL = {"html", "th", "meta"}  # tags that HTML lets stand open


class Tags(HTMLParser):
    """Checks that what was opened is closed, and gathers tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in OPTIONAL:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPTIONAL:
            assert self.open.pop() == tag, (tag, self.open)


def test_the_page_is_whole_offline_and_escaped() -> None:
    evil = "<script>alert('x')</script> & more"
    answers = [Answer(evil, "<m>", "a", "a", 0.9), Answer("plain", "n", "<b>", "a", 0.8)]
    html = page(
        result_of([System("<img src=x>", 0.5, 0.4, 0.6, 0.25, 1.0, "<how>")], answers, "maskwright demo --out '<x>'")
    )
    tags = Tags()
    tags.feed(html)
    assert not tags.open
    assert not tags.links
    assert {"script", "img", "link"}.isdisjoint(tags.seen)
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; more" in html
    assert "maskwright demo --out &#x27;&lt;x&gt;&#x27;" in html
    assert "<b>a</b> (80% sure), in truth &lt;b&gt;" in html
    assert "a &lt;note&gt;" in html
    assert "It &lt;works&gt;." in html
    assert "40.0% to 60.0%" in html


def test_the_most_confident_answers_are_chosen_one_an_area() -> None:
    sure = [("a", "a", 0.9), ("a", "a", 0.95), ("b", "b", 0.5), ("c", "a", 0.7), ("c", "b", 0.99), ("a", "b", 0.2)]
    answers = [Answer(str(i), "m", area, said, p) for i, (area, said, p) in enumerate(sure)]
    right, wrong = chosen(answers)
    assert [(a.area, a.probability) for a in right] == [("a", 0.95), ("b", 0.5)]
    assert [(a.area, a.probability) for a in wrong] == [("c", 0.99), ("a", 0.2)]


def test_the_table_lines_up() -> None:
    systems = [
        System("short", 0.1234, 0.1, 0.2, 0.5, 1.0, ""),
        System("a much longer name", 1.0, 1.0, 1.0, 1.0, 123.4, "", 3),
    ]
    lines = text_table(result_of(systems, [])).splitlines()
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[3].split()[4] == "3"
    assert lines[2].split() == ["short", "-", "12.3%", "10.0%", "to", "20.0%", "0.500", "1.0"]
    assert lines[-2].startswith("2 test passages of 2 modules")


# The whole


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"holds something that is not a demo \(thesis\.txt\); nothing was written"):
        demo.demo(tmp_path)
    with pytest.raises(UserError, match=r"thesis\.txt is a file; the demo needs a folder"):
        demo.demo(tmp_path / "thesis.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_quick_demo_ends_with_the_table_and_the_page(
    minilm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from maskwright.cli.main import main

    out = tmp_path / "demo"
    with pytest.raises(SystemExit, match="0"):
        main(["demo", "--quick", "--out", str(out), "--seed", "3"])
    printed = capsys.readouterr().out
    facts = json.loads((out / "demo.json").read_text())
    names = [s["name"] for s in facts["systems"]]
    assert names == [
        "majority class",
        "TF-IDF + logistic regression",
        "the same network, random weights",
        "MiniLM, fine-tuned",
    ]
    table = printed.partition("on the test rows")[2]
    assert all(name in table for name in names)
    assert printed.endswith(f"page: {out / 'report.html'}\n")
    assert f"maskwright demo --out {out} --seed 3 --quick" in (out / "report.html").read_text()
    tested = json.loads((out / "pretrained" / "metrics.json").read_text())["metrics"]["test"]
    assert facts["systems"][-1]["accuracy"] == pytest.approx(tested["accuracy"])
    assert [s["seeds"] for s in facts["systems"]] == [None, None, 1, 1]
    assert tested["rows"] == facts["rows"]["test"]
    assert json.loads((out / "random" / "config.json").read_text())["settings"]["weights"] == "random"
