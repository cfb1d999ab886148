"""What the card of a fine-tuned model says of itself: its task, its rows, how it is asked, and its limits."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from maskwright.base.words import counted
from maskwright.runs import _card_facts as facts
from maskwright.runs import shapes
from maskwright.runs._card_facts import TEXT, architecture, described, outside, source
from maskwright.runs._markdown import bullets, code, fence, grid, md
from maskwright.runs.record import Record, listed, table
from maskwright.runs.shapes import Cell

#: The pipeline of each kind of network, as the hub calls it; the kind is the end of its architecture's name.
PIPELINES = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
}
#: what becomes of a text that is too long, by the way that reads it
LONG = {
    "head": "cut at its end",
    "native": "cut at its end",
    "tail": "cut at its start",
    "head-tail": "cut in its middle",
}
LABELS = 50
FINDINGS = 10


def pipeline(record: Record) -> str | None:
    return next((name for end, name in PIPELINES.items() if architecture(record).endswith(end)), None)


def same_there(record: Record) -> bool:
    """Whether a pipeline of transformers gives the model's own answers."""
    return not outside(record)


def base(record: Record) -> str:
    """The trained model that it started from; "" where there was none."""
    return "" if _from_random(record) else record.base


def what(record: Record) -> str:
    train = record.sources.get("train", {})
    rows = f" on {counted(train['rows'], 'row')} of {md(source(train.get('source')))}" if "rows" in train else ""
    of = facts.model_name(record.base)
    start = f"The network of {of}, trained from random weights" if _from_random(record) else f"{of}, fine-tuned"
    said = f"{start} for the task {md(record.task, 60)}{rows} by {facts.made_by(record)}."
    labels = listed(record.metrics.get("labels")) or listed(described(record).get("labels"))
    if labels:
        names = ", ".join(code(name) for name in labels[:LABELS])
        more = f" and {len(labels) - LABELS:,} more (all in model/maskwright.json)" if len(labels) > LABELS else ""
        said += f" It knows {counted(len(labels), 'label')}: {names}{more}."
    return said


def _from_random(record: Record) -> bool:
    return record.settings.get("weights") == "random"


def data(record: Record) -> str:
    """The files by name, size and digest, and what was found in them that is more than a fact."""
    rows: list[list[Cell]] = [
        [name, source(of.get("source")), shapes.cell(of.get("rows")), str(of.get("sha256", ""))[:16]]
        for name, of in record.sources.items()
    ]
    serious = [f for f in record.findings if f.get("severity") in ("error", "warning") and f.get("sentence")]
    found = [f"{f['severity']}: {f['sentence']}" for f in serious[:FINDINGS]]
    if len(serious) > FINDINGS:
        found.append(f"and {len(serious) - FINDINGS:,} more, in data.json of the run")
    parts = [grid(["split", "source", "rows", "SHA-256 begins"], rows) if rows else "", bullets(found)]
    return "\n\n".join(filter(None, parts))


def use(record: Record) -> str:
    """The same question asked three ways."""
    folder, seconds = facts.place(record), _seconds(record)
    length = described(record).get("max_length")
    options = " ".join([f"--text {shlex.quote(TEXT)}", *(f"--pair {shlex.quote(second)}" for second in seconds)])
    rows = [seconds] if _chooses(record) else seconds
    lists = ", ".join([json.dumps([TEXT]), *([json.dumps(rows)] if rows else [])])
    where = json.dumps(folder, ensure_ascii=False)
    python = f"import maskwright as mw\n\nmodel = mw.load({where})\nprint(model.predict({lists}))"
    cut = f"truncation=True, max_length={length}, " if isinstance(length, int) else "truncation=True, "
    theirs = (
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained({where})\n"
        f"model = AutoModelForSequenceClassification.from_pretrained({where})\n"
        f'batch = tokenizer({lists}, {cut}return_tensors="pt")\n'
        "scores = model(**batch).logits"
    )
    parts = [fence(f"maskwright predict {shlex.quote(folder)} {options}", "sh"), fence(python, "python")]
    if pipeline(record) == "text-classification" and same_there(record):
        parts += ["With transformers, which gives scores before calibration:", fence(theirs, "python")]
    return "\n\n".join(parts)


def _chooses(record: Record) -> bool:
    """Whether what stands beside a text are its choices."""
    return pipeline(record) == PIPELINES["ForMultipleChoice"]


def _seconds(record: Record) -> list[str]:
    """What an example has beside its text."""
    if _chooses(record):
        return ["The first choice.", "The second choice."]
    return ["The second text of the pair."] if table(record.settings.get("task")).get("pair") else []


def limits(record: Record) -> Iterator[str]:
    """What the figures do not say."""
    if record.figures:
        yield facts.measured(record)
    saved, seeds = table(record.metrics.get("saved")).get("seed"), len(record.seeds)
    if seeds > 1 and saved is not None:
        yield f"The figures are means over {counted(seeds, 'seed')}; the weights here are those of seed {saved}."
    length = described(record).get("max_length")
    if isinstance(length, int):
        split = str(table(record.metrics.get("reported")).get("split"))
        yield _too_long(record, length, table(record.splits.get(split)))
    if record.metrics.get("labels"):
        yield "It knows its labels and no others; what else a text may be about, it cannot say."
    for said in outside(record):
        yield f"In transformers {said}."
    yield facts.UNEXAMINED
    yield "No licence is stated here; those of the base model and of the data hold."


def _too_long(record: Record, length: int, here: Mapping[str, Any]) -> str:
    """What becomes of a text of more pieces; here: the counts of the reported rows."""
    cut, rows = here.get("texts_cut"), here.get("rows")
    known = isinstance(cut, int | float) and isinstance(rows, int | float)
    said = f"; of the {rows:,.0f} reported ones {cut:,.0f} were" if known else ""
    long = str(table(record.settings.get("long")).get("name"))
    if _chooses(record):
        return f"A question that is longer than {length:,} pieces with a choice is {LONG.get(long, 'cut')}{said}."
    windows = bool(described(record).get("windows"))
    if not windows and long in LONG:
        return f"A text longer than {length:,} pieces is {LONG[long]}{said}."
    parts = "windows that overlap" if windows else f"chunks ({long})"
    if not _seconds(record):
        return f"A text longer than {length:,} pieces is read in {parts}; nothing of it is cut off."
    return (
        f"A pair of texts longer than {length:,} pieces is read in {parts}, each behind the first text; one of more "
        f"than half as many is cut at its end{said}."
    )
