"""The documentation is true: its links lead somewhere, its file paths exist, its commands parse."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import novel
import pyarrow as arrow
import pytest
import sets
from markup import CODE, FENCE, LINK, REPOSITORY
from pyarrow import parquet

from maskwright.base.errors import UserError
from maskwright.cli.main import main, tree, verbs

PACKAGE = "src/maskwright"


def pages(root: Path) -> list[Path]:
    """Every page that promises something about the present; CHANGELOG.md speaks of the past and is left out."""
    top = [root / name for name in ("README.md", "ARCHITECTURE.md")]
    return [page for page in [*top, *sorted((root / "docs").rglob("*.md"))] if page.exists()]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def dead_links(page: Path, root: Path) -> Iterator[str]:
    """Each relative link that leads to no file, or to a heading that its page does not have."""
    for target in LINK.findall(CODE.sub("", prose(page))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):  # another site
            continue
        path, _, anchor = target.partition("#")
        file = (root / path[1:] if path.startswith("/") else page.parent / path) if path else page
        if not file.exists():
            yield f"{page}: the link {target!r} leads to no file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{page}: the link {target!r} names no heading of {file.name}"


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ +(.+?) *#*$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_paths(page: Path, root: Path) -> Iterator[str]:
    """Each `path` in code type that starts with a folder of the repository, or of the package, and does not exist.

    Patterns and placeholders (`models/<type>.py`, `docs/*.md`) are not paths. Inside the package only paths of files
    count: `runs/reviews` is somebody's folder of runs, `runs/report.py` is ours.
    """
    tops = {path.name for path in root.iterdir() if path.is_dir()} | {"src", "tests", "docs", "bench", ".ci"}
    packages = (
        {path.name for path in (root / PACKAGE).iterdir() if path.is_dir()} if (root / PACKAGE).exists() else set()
    )
    for span in CODE.findall(prose(page)):
        first, slash, _ = span.partition("/")
        if not slash or not re.fullmatch(r"[\w./-]+", span):
            continue
        ours = first in tops - {"runs", ".venv"}
        inside = first in packages and span.endswith(".py")
        if (ours or inside) and not any((root / base / span).exists() for base in ("", PACKAGE)):
            yield f"{page}: there is no {span}"


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each `maskwright ...` line in a fenced block, up to a comment, pipe or redirection."""
    for _, _, block in FENCE.findall(page.read_text(encoding="utf-8")):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            match = re.match(r"\s*(?:\$ )?(?:\S*/bin/)?maskwright(?= |$)(.*)", line)
            if match:
                words = shlex.shlex(match[1], posix=True, punctuation_chars=True)
                words.whitespace_split = True
                words = list(words)
                end = next((i for i, word in enumerate(words) if set(word) <= set("|&;<>()")), len(words))
                yield words[:end]


def idle(command: Any) -> Any:
    """The same command, which parses its arguments and then does nothing."""
    command.callback = lambda *_, **__: None
    for inner in getattr(command, "commands", {}).values():
        idle(inner)
    return command


def complaint(args: list[str]) -> str | None:
    """Why the command line would refuse these arguments; None when it takes them."""
    if not args or args[0] in ("--help", "-h", "--version", "--install-completion", "--show-completion"):
        return None
    if args[0] not in verbs():
        return f"there is no verb {args[0]!r}"
    try:
        idle(tree([args[0]])).main(args, prog_name="maskwright", standalone_mode=False)
    except UserError as mistake:
        return str(mistake)
    except Exception as refusal:
        if not hasattr(refusal, "format_message"):  # typer's refusals have one; anything else is a bug
            raise
        return refusal.format_message()
    return None


@pytest.mark.parametrize("page", pages(REPOSITORY), ids=lambda page: str(page.relative_to(REPOSITORY)))
class TestPage:
    def test_links(self, page: Path) -> None:
        found = list(dead_links(page, REPOSITORY))
        assert not found, "\n".join(found)

    def test_file_paths(self, page: Path) -> None:
        found = list(dead_paths(page, REPOSITORY))
        assert not found, "\n".join(found)

    def test_commands(self, page: Path) -> None:
        found = [f"maskwright {shlex.join(args)}: {why}" for args in commands(page) if (why := complaint(args))]
        assert not found, f"{page}:\n" + "\n".join(found)


@pytest.mark.usefixtures("minilm")
def test_the_readmes_python_runs(
    reviews: dict[str, list[Any]], write_csv: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block of Python, as it stands there, in a folder with a small reviews.csv."""
    write_csv(tmp_path / "reviews.csv", {"sentence": reviews["text"], "label": reviews["label"]})
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["model"].predict("a stirring, funny film")[0]["label"] in reviews["label"]


def test_the_readmes_commands_run_one_after_another(
    reviews: dict[str, list[Any]],
    make_tiny: Callable[..., Path],
    write_csv: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they stand there, in a folder with small files of those names, and a tiny encoder that is called minilm."""
    monkeypatch.chdir(tmp_path)
    make_tiny(tmp_path / "minilm")
    single = {"sentence": reviews["text"] * 2, "label": reviews["label"] * 2}  # sets of 90 % take 9 eval rows
    pairs = {"sentence1": reviews["text"], "sentence2": reviews["other"], "label": reviews["label"]}
    for name in ("reviews.csv", "test.csv"):
        write_csv(tmp_path / name, single)
    for name in ("pairs.tsv", "dev.tsv"):
        lines = ["\t".join(map(str, row)) for row in (pairs, *zip(*pairs.values(), strict=True))]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    shutil.copy("dev.tsv", "test.tsv")
    tags = "\n\n".join(f"the\tO\n{text.split()[1]}\tB-thing\nwas\tO" for text in reviews["text"])
    (tmp_path / "names.conll").write_text(tags + "\n")
    emotions = ["joy;love" if label == "good" else "anger" for label in reviews["label"]]
    write_csv(tmp_path / "emotions.csv", {"text": reviews["text"], "emotions": emotions})
    parquet.write_table(arrow.table(single), "million.parquet")
    (tmp_path / "wiki.txt").write_text("\n".join(reviews["text"][:3]))
    for folder in ("books", "biomed"):
        Path(folder).mkdir()
        for number, text in enumerate(novel.texts(12)):
            Path(folder, f"{number}.txt").write_text(text)
    Path("blimp").mkdir()
    pair = {"sentence_good": "The baker bakes bread.", "sentence_bad": "The baker bakes a roof.", "UID": "bread"}
    Path("blimp/bread.jsonl").write_text(json.dumps(pair) + "\n")
    page = REPOSITORY / "README.md"
    (toml,) = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "run.toml").write_text(toml)
    lines = list(commands(page))
    assert len([args for args in lines if args[0] == "finetune"]) == 6
    for args in lines:
        if args[0] == "compare":
            answers = json.loads(Path(args[1], "metrics.json").read_text())["reported"]["rows"]
            write_csv(tmp_path / args[2], {"prediction": ["good"] * answers})
        if args[0] == "finetune":
            args = [*args, "--seeds", "1", "--quiet", "--set", "train.threads=1"]
        if args[0] == "pretrain":  # the last of an option holds
            args = [*args, "--budget", "20 steps", "--batch-tokens", "300", "--quiet", "--set", "train.threads=1"]
            args += ["--head-steps", "5"] if "--model" in args else ["--size", "1x32", "--vocabulary", "120"]
            args += ["--length", "24"]
        try:
            code = main(args)
        except SystemExit as left:  # how typer ends a command
            code = left.code
        assert not code, shlex.join(args)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        *("reviews", "pairs", "emotions", "names", "tuned"),
        *("books", "bert", "biomed", "from-books"),
    }


def test_the_commands_and_the_python_of_tasks_run(
    reviews: dict[str, list[Any]],
    make_tiny: Callable[..., Path],
    write_csv: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they stand there, in a folder with small files of those names, and a tiny encoder that is called minilm."""
    monkeypatch.chdir(tmp_path)
    make_tiny(tmp_path / "minilm")
    texts, labels = reviews["text"], reviews["label"]
    things = [text.split()[1] for text in texts]
    Path("names.conll").write_text("\n\n".join(f"the\tO\n{thing}\tB-thing\nwas\tO" for thing in things) + "\n")
    asked = [
        {"id": str(i), "question": "what was it", "answers": [{"text": thing, "answer_start": texts[i].index(thing)}]}
        for i, thing in enumerate(things)
    ]
    paragraphs = [{"context": text, "qas": [one]} for text, one in zip(texts, asked, strict=True)]
    Path("questions.json").write_text(
        json.dumps({"version": "1.1", "data": [{"title": "x", "paragraphs": paragraphs}]})
    )
    riddles = [{"question": t, "choices": ["a film", "a play"], "label": "AB"[i % 2]} for i, t in enumerate(texts)]
    pairs = [
        {"premise": t, "hypothesis": o, "label": ("entailment", "neutral", "contradiction")[i % 3]}
        for i, (t, o) in enumerate(zip(texts, reviews["other"], strict=True))
    ]
    for name, rows in (("riddles", riddles), ("pairs", pairs)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [f"{text},a film,a play,a book,{'a song' if i % 3 else ''},{'ABC'[i % 3]}" for i, text in enumerate(texts)]
    Path("exam.csv").write_text("\n".join(lines) + "\n")
    write_csv(tmp_path / "reviews.csv", {"sentence": texts, "label": labels})
    write_csv(tmp_path / "stars.csv", {"text": texts, "stars": [i % 5 for i in range(len(texts))]})
    write_csv(
        tmp_path / "moods.csv", {"text": texts, "mood": [("bad", "fair", "good")[i % 3] for i in range(len(texts))]}
    )
    kinds = [{"name": thing, "price": 3 + i % 7, "kind": "ab"[i % 2]} for i, thing in enumerate(things)]
    write_csv(tmp_path / "prices.csv", {name: [row[name] for row in kinds] for name in kinds[0]})
    write_csv(
        tmp_path / "news.csv", {"text": texts, "topic": [("sports", "politics")[i % 2] for i in range(len(texts))]}
    )
    words = [{"tokens": text.split(), "ner_tags": [0, 1, *[0] * (len(text.split()) - 2)]} for text in texts]
    Path("words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in words))
    Path("tags.txt").write_text("O\nB-thing\n")
    shutil.copy("questions.json", "dev.json")
    for name, wrong in (("ours", 0), ("theirs", 5)):
        said = {one["id"]: "" if int(one["id"]) < wrong else things[int(one["id"])] for one in asked}
        Path(f"{name}.json").write_text(json.dumps(said))
    sets.swag(sets.superglue(sets.glue(Path("sets"), reviews), reviews), reviews)
    for side in ("train", "dev"):
        for version in ("1.1", "2.0"):
            sets.squad(Path(f"sets/{side}-v{version}.json"), sets.questions(reviews, version == "2.0"))
    spans = [{"text": t, "spans": [{"start": 4, "end": 4 + len(t.split()[1]), "label": "thing"}]} for t in texts]
    topics = [{"text": t, "topics": ["film"] * (i % 2) + ["news"] * (i % 3 > 0)} for i, t in enumerate(texts)]
    for name, rows in (("spans", spans), ("topics", topics)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    marked = ["/".join(["joy"] * (i % 2) + ["fear"] * (i % 3 > 0)) for i in range(len(texts))]
    write_csv(tmp_path / "emotions.csv", {"text": texts, "label": marked})
    Path("sets/wnut17").mkdir(parents=True)
    for name in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        Path("sets/wnut17", name).write_text(Path("names.conll").read_text())
    page = REPOSITORY / "docs/tasks.md"
    for args in commands(page):
        if args[0] in ("finetune", "benchmark"):
            args = [*args, "--seeds", "1", "--quiet", "--set", "train.threads=1", "--set", "train.epochs=1"]
        try:
            code = main(args)
        except SystemExit as left:  # how typer ends a command
            code = left.code
        assert not code, shlex.join(args)
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    exec(block, {})


def test_the_readmes_runs_do_not_collide() -> None:
    """Each command, the run file and the Python block have a folder of their own."""
    page = REPOSITORY / "README.md"
    outs = [
        args[args.index("--out") + 1]
        for args in commands(page)
        if args[0] in ("finetune", "pretrain") and "--out" in args
    ]
    outs += re.findall(r'out ?= ?"([^"]+)"', page.read_text())
    assert len(outs) == len(set(outs)) == 10


def test_the_pages_are_found() -> None:
    names = {str(page.relative_to(REPOSITORY)) for page in pages(REPOSITORY)}
    assert {"README.md", "ARCHITECTURE.md", "docs/glossary.md", "docs/decisions/README.md"} <= names


# The checker itself: it must find what it is there to find.

PAGE = """# A page, and its heading

See [the other](other.md), [its part](other.md#second-part), [here](#a-page-and-its-heading),
[a site](https://example.org/x.md), [gone](gone.md), [no such part](other.md#third).
`docs/page.md` and `nn/block.py` exist, `docs/gone.md` and `nn/gone.py` do not; `runs/reviews/model` and
`tests/<name>.py` are not ours to check, and in code `[no](link.md)` is no link.

```bash
maskwright show minilm  # a comment
$ maskwright finetune \\
    --train "my file.csv" > log.txt
.venv/bin/maskwright --help | head -3
echo maskwright nothing [not](a-link.md) `docs/not.md`
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    for name in ("docs/page.md", "docs/other.md", "src/maskwright/nn/block.py", "src/maskwright/runs/card.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "docs/page.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "docs/other.md").write_text("## Second part\n", encoding="utf-8")
    return tmp_path / "docs/page.md"


def test_dead_links_are_found(page: Path, tmp_path: Path) -> None:
    assert list(dead_links(page, tmp_path)) == [
        f"{page}: the link 'gone.md' leads to no file",
        f"{page}: the link 'other.md#third' names no heading of other.md",
    ]


def test_dead_paths_are_found(page: Path, tmp_path: Path) -> None:
    assert list(dead_paths(page, tmp_path)) == [
        f"{page}: there is no docs/gone.md",
        f"{page}: there is no nn/gone.py",
    ]


def test_commands_are_found(page: Path) -> None:
    assert list(commands(page)) == [["show", "minilm"], ["finetune", "--train", "my file.csv"], ["--help"]]


def test_a_command_that_does_not_parse_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import maskwright.cli

    (tmp_path / "planted.py").write_text(
        '"""Planted."""\ndef command(model: str, count: int = 1) -> None:\n    raise AssertionError("it ran")\n'
    )
    monkeypatch.setattr(maskwright.cli, "__path__", [str(tmp_path)])
    assert complaint(["planted", "minilm", "--count", "3"]) is None
    assert complaint(["--version"]) is None
    assert complaint(["finetune"]) == "there is no verb 'finetune'"
    assert "--cuont" in complaint(["planted", "minilm", "--cuont", "3"])
    assert "MODEL" in complaint(["planted"]).upper()
    assert "--count" in complaint(["planted", "minilm", "--count", "three"])


@pytest.mark.parametrize("name", ["families", "transformers"])
def test_pages_that_are_written_by_the_source_are_what_it_says_today(name: str) -> None:
    """Links to lines move with every edit: `python docs/_families.py` writes the page anew, and so do its like."""
    spec = importlib.util.spec_from_file_location(f"page_of_{name}", REPOSITORY / "docs" / f"_{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.page() == (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
