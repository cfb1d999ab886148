"""What a real vocabulary does to real prose, to code and to the rows of a table: told before anything is trained."""

from __future__ import annotations

import ast
import inspect
import json
import statistics
import textwrap
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from sklearn.datasets import load_breast_cancer

from maskwright.data._finding import Finding
from maskwright.data._fragments import fragments
from maskwright.data.facts import Side
from maskwright.data.read import read
from maskwright.tasks._worded import of_table, template
from maskwright.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(minilm: Path) -> Tokenizer:
    return Tokenizer.from_folder(minilm)


def found(texts: list[str], tokenizer: Tokenizer) -> Finding:
    (one,) = fragments([Side("train", read({"text": texts}), texts)], tokenizer)
    return one


def test_pythons_own_prose(tokenizer: Tokenizer) -> None:
    docs = [inspect.getdoc(each) or "" for each in vars(statistics).values() if inspect.isfunction(each)]
    paragraphs = [p for text in docs for p in text.split("\n\n") if ">>>" not in p and len(p.split()) > 8]
    chapters = [" ".join(p.split()) for p in topics["in"].split("\n\n") if len(p.split()) > 20]
    told = found([*paragraphs, *chapters], tokenizer)
    assert told.severity == "fact"
    assert 1.1 < told.values["pieces_between_spaces"] < 2
    assert told.sentence.endswith("0 % of the pieces are unknown to the vocabulary.")


def test_pythons_own_code(tokenizer: Tokenizer) -> None:
    sources = [inspect.getsource(module) for module in (json.decoder, json.encoder, statistics, textwrap)]
    defined = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    functions = [ast.unparse(node) for node in defined]
    assert len(functions) > 50
    told = found(functions, tokenizer)
    assert told.severity == "warning"
    assert "code, tables, formulas, or another language than the vocabulary's; cut most often:" in told.sentence


def test_the_rows_of_a_table_of_measures(tokenizer: Tokenizer) -> None:
    """As `--text "*"` makes texts of them."""
    cells = load_breast_cancer()
    names = [str(name) for name in cells.feature_names]
    table = read({name: [f"{x:g}" for x in column] for name, column in zip(names, cells.data.T, strict=True)})
    texts = of_table(table, template(names))
    assert texts[0].startswith("mean radius: 17.99; mean texture: 10.38; ")
    told = found(texts, tokenizer)
    assert told.severity == "warning"
    assert told.values["pieces_between_spaces"] > 2
    assert told.values["unknown_share"] == 0


def test_signs_that_a_vocabulary_lacks_are_told_beside_it(tokenizer: Tokenizer) -> None:
    """Formulas: MiniLM's vocabulary knows few of mathematics' signs."""
    formulas = ["\u2200x \u2203y (x \u227a y \u21d2 y \u2291 x)", "\u222e f dz = 2\u03c0i \u2211 Res"]
    told = found(formulas, tokenizer)
    assert told.values["unknown_share"] > 0.1
    share = told.sentence.rpartition("; ")[2]
    assert share.endswith("% of the pieces are unknown to the vocabulary.")
    assert not share.startswith("0 %")
