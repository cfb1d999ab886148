"""The site: what mkdocs is told, checked without mkdocs."""

from __future__ import annotations

import importlib.util
import posixpath
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml
from markup import CODE, FENCE, LINK, REPOSITORY

from maskwright.cli.main import verbs


@pytest.fixture(scope="session")
def site() -> ModuleType:
    """docs/_site.py, which is no package's."""
    spec = importlib.util.spec_from_file_location("site_of_docs", REPOSITORY / "docs/_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def texts(site: ModuleType) -> dict[str, str]:
    """Every page of the site, by its name there."""
    docs = REPOSITORY / "docs"
    own = {path.relative_to(docs).as_posix(): path.read_text(encoding="utf-8") for path in docs.rglob("*.md")}
    taken = {page: (REPOSITORY / source).read_text(encoding="utf-8") for page, source in site.ELSEWHERE.items()}
    return {**own, **taken, **{page: make() for page, make in site.MADE.items()}}


def leaves(nav: list[Any]) -> Iterator[str]:
    """The pages of a menu, in order."""
    for entry in nav:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from leaves(target) if isinstance(target, list) else [target]


def test_every_page_is_in_the_navigation_once(site: ModuleType, texts: dict[str, str]) -> None:
    nav = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert sorted(leaves(site.navigation(nav))) == sorted(texts)


def test_a_pattern_in_the_navigation_stands_for_files_in_order(site: ModuleType) -> None:
    found = site.navigation([{"Start": "index.md"}, {"Decisions": ["decisions/*.md"]}])
    assert found[0] == {"Start": "index.md"}
    assert found[1]["Decisions"][:2] == ["decisions/README.md", "decisions/0001-floors.md"]
    assert found[1]["Decisions"][1:] == sorted(found[1]["Decisions"][1:])


def test_every_relative_link_of_the_site_leads_to_a_page(site: ModuleType, texts: dict[str, str]) -> None:
    dead = []
    for page, text in texts.items():
        for target in LINK.findall(CODE.sub("", FENCE.sub("", site.moved(text, page)))):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))
            # pictures and source are copied as they are
            there = path in texts or (REPOSITORY / "docs" / path).is_file() or (REPOSITORY / path).is_file()
            if not re.match(r"[a-z][a-z0-9+.-]*:|#", target) and not there:
                dead.append(f"{page}: {target}")
    assert not dead, dead


def test_links_are_moved_with_their_pages_and_code_is_left_alone(site: ModuleType) -> None:
    text = "[a](docs/glossary.md#text) [b](ARCHITECTURE.md) [c](https://x.org/docs/y.md) [d](#e) `[f](docs/g.md)`\n"
    fence = "```text\n[h](docs/results.md)\n```\n[i\nj](bench/RESULTS.md) [k](src/x.py) [l](src/maskwright/y.py#L3)"
    assert site.moved(text + fence, "index.md") == (
        "[a](glossary.md#text) [b](architecture.md) [c](https://x.org/docs/y.md) [d](#e) `[f](docs/g.md)`\n"
        "```text\n[h](docs/results.md)\n```\n[i\nj](measurements.md) [k](src/x.py) [l](src/maskwright/y.py#L3)"
    )
    assert site.moved("[a](../../README.md) [b](../glossary.md)", "decisions/x.md") == (
        "[a](../index.md) [b](../glossary.md)"
    )


def test_the_references_hold_what_there_is(texts: dict[str, str]) -> None:
    import maskwright
    from maskwright.base.choice import names
    from maskwright.finetuning.settings import Finetune
    from maskwright.training.schedules import Schedule
    from maskwright.training.settings import Train

    headings = set(re.findall(r"^## maskwright (\S+)", texts["cli.md"], re.MULTILINE))
    assert headings == set(verbs())
    assert "## maskwright tokenizer train" in texts["cli.md"]
    assert "- `--max-length" in texts["cli.md"]
    settings = set(re.findall(r"^- `(\w+)`", texts["run_files.md"], re.MULTILINE))
    assert {*Finetune.model_fields, *Train.model_fields} - {"data", "train"} <= settings
    assert set(names(Schedule)) <= set(re.findall(r"^    - `([\w-]+)`", texts["run_files.md"], re.MULTILINE))
    public = {f"heading: maskwright.{name}" for name in maskwright.__all__ if name != "__version__"}
    assert {*public, "heading: Run", "heading: Model"} <= set(re.findall(r"heading: \S+", texts["python.md"]))
    assert "::: maskwright.finetuning.run.finetune\n" in texts["python.md"]


def test_a_bare_angle_is_no_html(site: ModuleType) -> None:
    assert site._plain("a <b> in `<code>`") == "a &lt;b> in `<code>`"
