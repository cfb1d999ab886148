"""The model card: README.md in the format of the Hugging Face hub, made from the facts of a run.

Its front matter is what the hub reads (https://huggingface.co/docs/hub/model-cards); its text is for a person who
thinks of using the model. Paths of the machine that trained it are left out but for the command that repeats the run.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from maskwright.base.files import write_text
from maskwright.base.words import counted
from maskwright.runs import shapes
from maskwright.runs._words import bounds, calibration, clean, line, promise, short, spelt
from maskwright.runs.record import Record, listed, table
from maskwright.runs.shapes import Cell
from maskwright.stats.intervals import Interval

#: The pipeline of each kind of network, as the hub calls it; the kind is the end of its architecture's name.
PIPELINES = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
    "ForMaskedLM": "fill-mask",
}
#: Metrics that the hub calls otherwise; `f1_macro` and its like are its f1 with an average.
HUB = {"mcc": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr"}
BASES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}  #: the hub's id of what a name of ours stands for
#: what becomes of a text that is too long, by the way that reads it
LONG = {
    "head": "cut at its end",
    "native": "cut at its end",
    "tail": "cut at its start",
    "head-tail": "cut in its middle",
}
LABELS = 50
FINDINGS = 10


def card(folder: str | Path) -> str:
    """The card of a run as text. Raises UserError when the folder holds no run; what it lacks is left out."""
    record = Record.read(folder)
    parts = [
        ("", _what(record)),
        ("Verdict", "\n\n".join(md(s, 1000) for s in listed(record.metrics.get("verdict")))),
        ("Figures", _figures(record)),
        ("Data", _data(record)),
        ("Calibration", _bullets(f"{n}: {v}" for n, v in calibration(table(record.metrics.get("calibration"))))),
        ("How to use it", _use(record)),
        ("Limits", _bullets(_limits(record))),
        ("Repeat it", _fence(record.config.get("command"), "sh")),
    ]
    text = "\n\n".join(f"## {title}\n\n{body}" if title else body for title, body in parts if body)
    front = "\n".join(yaml(front_matter(record)))
    return f"---\n{front}\n---\n\n# {md(_name(record), 120)}\n\n{text}\n"


def write_card(folder: str | Path) -> list[Path]:
    """Write the card into a run's folder and, where there is one, into its model's, in the place of older ones."""
    text, path = card(folder), Path(folder)
    places = [path / "README.md", *([path / "model" / "README.md"] if (path / "model").is_dir() else [])]
    for place in places:
        write_text(place, text)
    return places


def front_matter(record: Record) -> dict[str, Any]:
    """What the hub reads. A language, a licence or a base that is not known is left out."""
    pipeline, base = _pipeline(record), None if _from_random(record) else BASES.get(record.base)
    metrics = [_hub_metric(name)[0] for name in record.figures]
    tags = ["maskwright", line(record.task, 60)]
    out = {
        "library_name": "transformers",  # what the folder's layout is; maskwright, which made it, is a tag
        "pipeline_tag": None if _otherwise(record) else pipeline,
        "base_model": base,
        "tags": tags,
        "metrics": list(dict.fromkeys(metrics)),
        "model-index": _model_index(record, pipeline),
    }
    return {name: value for name, value in out.items() if value}


def yaml(value: Mapping[str, Any] | Sequence[Any], indent: str = "") -> Iterator[str]:
    """Lines of block-style YAML. Scalars are written as JSON, which YAML reads; keys are our own plain words."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | list):
                yield f"{indent}{key}:"
                yield from yaml(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(inner)}"
    else:
        for inner in value:
            if isinstance(inner, Mapping):
                first, *rest = yaml(inner, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(inner)}"


def md(text: object, most: int = 300) -> str:
    """Text for Markdown on one line: cut with a mark, and nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", line(text, most))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(clean(value), ensure_ascii=False)
    text = json.dumps(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text and text not in ("true", "false") else text


def _model_index(record: Record, pipeline: str | None) -> list[dict[str, Any]]:
    """The reported figures as the hub lists them: one result, of the rows that were reported on."""
    figures = {name: shapes.interval(figure) for name, figure in record.figures.items()}
    figures = {name: figure for name, figure in figures.items() if math.isfinite(figure.value)}
    if not figures or pipeline is None:
        return []
    reported = table(record.metrics.get("reported"))
    split, source = str(reported.get("split", "eval")), _source(reported.get("source"))
    known = {"rows": reported.get("rows"), "sha256": record.sources.get(split, {}).get("sha256")}
    args = {name: value for name, value in known.items() if value is not None}
    dataset = {"name": source, "type": "local-file", "split": line(split, 60), "args": args}
    result = {
        "task": {"type": pipeline, "name": line(record.task, 60)},
        "dataset": {name: value for name, value in dataset.items() if value},
        "metrics": [_metric(name, figure) for name, figure in figures.items()],
    }
    return [{"name": _name(record), "results": [result]}]


def _metric(name: str, figure: Interval) -> dict[str, Any]:
    kind, args = _hub_metric(name)
    inside = f" ({promise(figure)}: {bounds(figure)})" if bounds(figure) else ""
    out = {"type": kind, "value": figure.value, "name": f"{line(name, 60)}{inside}", "args": args}
    return {key: value for key, value in out.items() if value != {}}


def _hub_metric(name: str) -> tuple[str, dict[str, str]]:
    kind, _, average = name.partition("_")
    known = average in ("macro", "micro", "weighted", "samples")
    return ("f1", {"average": average}) if kind == "f1" and known else (HUB.get(name, line(name, 60)), {})


def _pipeline(record: Record) -> str | None:
    architecture = str((listed(record.model.get("architectures")) or [""])[0])
    return next((pipeline for end, pipeline in PIPELINES.items() if architecture.endswith(end)), None)


def _otherwise(record: Record) -> list[Any]:
    """What transformers does otherwise with the model, so that its pipeline would give other answers."""
    return listed(table(record.model.get("maskwright")).get("transformers"))


def _name(record: Record) -> str:
    return line(record.path.resolve().name, 120) or "model"


def _source(source: Any) -> str:
    """A file without the folders of the machine that it lay on."""
    given = str(source) if source else "rows of one's own"
    return line(PurePath(given.replace("\\", "/")).name or given, 120)


def _what(record: Record) -> str:
    train, version = record.sources.get("train", {}), table(record.config.get("versions")).get("maskwright")
    rows = f" on {counted(train['rows'], 'row')} of {md(_source(train.get('source')))}" if "rows" in train else ""
    made = f"maskwright {md(version)}" if version else "maskwright"
    base = f"`{_code(_source(record.base) if PurePath(record.base).is_absolute() else record.base)}`"
    start = f"The network of {base}, trained from random weights" if _from_random(record) else f"{base}, fine-tuned"
    said = f"{start} for the task {md(record.task, 60)}{rows} by {made}."
    labels = listed(record.metrics.get("labels")) or listed(table(record.model.get("maskwright")).get("labels"))
    if labels:
        names = ", ".join(f"`{_code(name)}`" for name in labels[:LABELS])
        more = f" and {len(labels) - LABELS:,} more (all in model/maskwright.json)" if len(labels) > LABELS else ""
        said += f" It knows {counted(len(labels), 'label')}: {names}{more}."
    return said


def _from_random(record: Record) -> bool:
    return record.settings.get("weights") == "random"


def _figures(record: Record) -> str:
    """A table of this run and its baselines, the intervals in brackets."""
    metrics = list(record.figures)
    if not metrics:
        return ""
    baselines = [b for b in map(table, listed(record.metrics.get("baselines"))) if b]
    reported = table(record.metrics.get("reported"))
    seeds = counted(len(record.seeds), "seed")
    ours = f"this model, mean of {seeds}" if len(record.seeds) > 1 else "this model"
    systems = [(ours, record.figures), *((str(b.get("name")), table(b.get("figures"))) for b in baselines)]
    rows = [[name, *(shapes.cell(figures.get(metric, "")) for metric in metrics)] for name, figures in systems]
    on = f"On {counted(reported['rows'], 'row')}" if isinstance(reported.get("rows"), int) else "On the reported rows"
    of = f" of {md(_source(reported.get('source')))} ({md(reported.get('split', ''), 60)})" if reported else ""
    kinds = dict.fromkeys(promise(c) for row in rows for c in row if isinstance(c, Interval) and bounds(c))
    note = f"; in brackets the {' or the '.join(map(md, kinds))}" if kinds else ""
    sentences = _bullets(b["sentence"] for b in baselines if b.get("sentence"))
    return f"{on}{of}{note}.\n\n{_table(['', *metrics], rows)}" + (f"\n\n{sentences}" if sentences else "")


def _data(record: Record) -> str:
    """The files by name, size and digest, and what was found in them that is more than a fact."""
    rows: list[list[Cell]] = [
        [name, _source(of.get("source")), shapes.cell(of.get("rows")), str(of.get("sha256", ""))[:16]]
        for name, of in record.sources.items()
    ]
    serious = [f for f in record.findings if f.get("severity") in ("error", "warning") and f.get("sentence")]
    found = [f"{f['severity']}: {f['sentence']}" for f in serious[:FINDINGS]]
    if len(serious) > FINDINGS:
        found.append(f"and {len(serious) - FINDINGS:,} more, in data.json of the run")
    parts = [_table(["split", "source", "rows", "SHA-256 begins"], rows) if rows else "", _bullets(found)]
    return "\n\n".join(filter(None, parts))


def _use(record: Record) -> str:
    """The same question asked three ways."""
    out = PurePath(str(record.settings.get("out") or record.path.name))
    folder = short(f"{out.name if out.is_absolute() else out}/model", 200)
    length = table(record.model.get("maskwright")).get("max_length")
    text, seconds = "A text of your own.", _seconds(record)
    options = " ".join([f"--text {shlex.quote(text)}", *(f"--pair {shlex.quote(second)}" for second in seconds)])
    rows = [seconds] if _chooses(record) else seconds
    lists = ", ".join([json.dumps([text]), *([json.dumps(rows)] if rows else [])])
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
    parts = [_fence(f"maskwright predict {shlex.quote(folder)} {options}", "sh"), _fence(python, "python")]
    if _pipeline(record) == "text-classification" and not _otherwise(record):
        parts += ["With transformers, which gives scores before calibration:", _fence(theirs, "python")]
    return "\n\n".join(parts)


def _chooses(record: Record) -> bool:
    """Whether what stands beside a text are its choices."""
    return _pipeline(record) == PIPELINES["ForMultipleChoice"]


def _seconds(record: Record) -> list[str]:
    """What an example has beside its text."""
    if _chooses(record):
        return ["The first choice.", "The second choice."]
    return ["The second text of the pair."] if table(record.settings.get("task")).get("pair") else []


def _limits(record: Record) -> Iterator[str]:
    """What the figures do not say."""
    reported = table(record.metrics.get("reported"))
    if record.figures:
        size = f"{counted(reported['rows'], 'row')} of " if isinstance(reported.get("rows"), int) else ""
        yield (
            f"The figures hold for texts like those they were measured on ({size}{_source(reported.get('source'))}). "
            "Other sources, topics, times or languages were not measured."
        )
    saved, seeds = table(record.metrics.get("saved")).get("seed"), len(record.seeds)
    if seeds > 1 and saved is not None:
        yield f"The figures are means over {counted(seeds, 'seed')}; the weights here are those of seed {saved}."
    length = table(record.model.get("maskwright")).get("max_length")
    if isinstance(length, int):
        yield _too_long(record, length, table(record.splits.get(str(reported.get("split")))))
    if record.metrics.get("labels"):
        yield "It knows its labels and no others; what else a text may be about, it cannot say."
    for said in _otherwise(record):
        yield f"In transformers {said}."
    yield "Fairness between groups of people, and resistance to texts made to mislead it, were not examined."
    yield "No licence is stated here; those of the base model and of the data hold."


def _too_long(record: Record, length: int, here: Mapping[str, Any]) -> str:
    """What becomes of a text of more pieces; here: the counts of the reported rows."""
    cut, rows = here.get("texts_cut"), here.get("rows")
    known = isinstance(cut, int | float) and isinstance(rows, int | float)
    said = f"; of the {rows:,.0f} reported ones {cut:,.0f} were" if known else ""
    long = str(table(record.settings.get("long")).get("name"))
    if _chooses(record):
        return f"A question that is longer than {length:,} pieces with a choice is {LONG.get(long, 'cut')}{said}."
    windows = bool(table(record.model.get("maskwright")).get("windows"))
    if not windows and long in LONG:
        return f"A text longer than {length:,} pieces is {LONG[long]}{said}."
    parts = "windows that overlap" if windows else f"chunks ({long})"
    if not _seconds(record):
        return f"A text longer than {length:,} pieces is read in {parts}; nothing of it is cut off."
    return (
        f"A pair of texts longer than {length:,} pieces is read in {parts}, each behind the first text; one of more "
        f"than half as many is cut at its end{said}."
    )


def _table(head: Iterable[str], rows: Iterable[Sequence[Cell]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([md(spelt(c)) for c in row] for row in rows)]
    lines[0] = [md(name, 60) for name in names]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {md(sentence, 1000)}" for sentence in sentences)


def _code(text: object) -> str:
    """Text for a code span, in which no backslash would help against a backtick."""
    return line(text, 60).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")


def _fence(code: Any, language: str) -> str:
    """A block of code whose fence is longer than any run of backticks in it."""
    if not code:
        return ""
    text = short(code, 10_000)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"
