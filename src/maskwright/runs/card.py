"""The model card: README.md in the format of the Hugging Face hub, made from the facts of a run.

Its front matter is what the hub reads (https://huggingface.co/docs/hub/model-cards); its text is for a person who
thinks of using the model. Paths of the machine that trained it are left out but for the command that repeats the run.
What it is, how it is used and where its limits are is told by the kind of model: `_card_finetuned`, `_card_pretrained`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from maskwright.base.files import write_text
from maskwright.base.words import counted
from maskwright.runs import _card_facts as facts
from maskwright.runs import _card_finetuned, _card_pretrained, shapes
from maskwright.runs._markdown import bullets, fence, grid, md, yaml
from maskwright.runs._words import bounds, calibration, line, promise
from maskwright.runs.record import Record, listed, table
from maskwright.runs.shapes import Cell
from maskwright.stats.intervals import Interval

#: Metrics that the hub calls otherwise; `f1_macro` and its like are its f1 with an average.
HUB = {"mcc": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr"}
BASES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}  #: the hub's id of what a name of ours stands for


def card(folder: str | Path) -> str:
    """The card of a run as text. Raises UserError when the folder holds no run; what it lacks is left out."""
    record = Record.read(folder)
    kind = _kind(record)
    parts = [
        ("", kind.what(record)),
        ("Verdict", "\n\n".join(md(s, 1000) for s in listed(record.metrics.get("verdict")))),
        ("Figures", _figures(record)),
        ("Data", kind.data(record)),
        ("Calibration", bullets(f"{n}: {v}" for n, v in calibration(table(record.metrics.get("calibration"))))),
        ("How to use it", kind.use(record)),
        ("Limits", bullets(kind.limits(record))),
        ("Repeat it", fence(record.config.get("command"), "sh")),
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
    kind = _kind(record)
    pipeline = kind.pipeline(record)
    out = {
        # what the folder's layout is; where that is transformers', maskwright, which made it, is a tag
        "library_name": "maskwright" if facts.is_arm(record) else "transformers",
        "pipeline_tag": pipeline if kind.same_there(record) else None,
        "base_model": BASES.get(kind.base(record)),
        "tags": ["maskwright", line(record.task, 60)],
        "metrics": list(dict.fromkeys(_hub_metric(name)[0] for name in record.figures)),
        "model-index": _model_index(record, pipeline),
    }
    return {name: value for name, value in out.items() if value}


def _kind(record: Record) -> Any:
    """The file that tells of models of this kind."""
    return _card_pretrained if facts.pretrained(record) else _card_finetuned


def _model_index(record: Record, pipeline: str | None) -> list[dict[str, Any]]:
    """The reported figures as the hub lists them: one result, of the rows that were reported on."""
    figures = {name: shapes.interval(figure) for name, figure in record.figures.items()}
    figures = {name: figure for name, figure in figures.items() if math.isfinite(figure.value)}
    if not figures or pipeline is None:
        return []
    reported = table(record.metrics.get("reported"))
    split, (_, source) = str(reported.get("split", "eval")), facts.reported(record)
    known = {
        f"{line(reported.get('of', 'row'), 60)}s": reported.get("rows"),
        "sha256": record.sources.get(split, {}).get("sha256"),
    }
    args = {name: value for name, value in known.items() if value is not None}
    kind = "local-corpus" if facts.pretrained(record) else "local-file"
    dataset = {"name": source, "type": kind, "split": line(split, 60), "args": args}
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


def _name(record: Record) -> str:
    return line(record.path.resolve().name, 120) or "model"


def _figures(record: Record) -> str:
    """A table of this run and its baselines, the intervals in brackets."""
    metrics = list(record.figures)
    if not metrics:
        return ""
    baselines = [b for b in map(table, listed(record.metrics.get("baselines"))) if b]
    reported = table(record.metrics.get("reported"))
    seeds = f", mean of {counted(len(record.seeds), 'seed')}" if len(record.seeds) > 1 else ""
    systems = [(f"{who or 'this model'}{seeds}", figures) for who, figures in record.answered]
    systems += [(str(b.get("name")), table(b.get("figures"))) for b in baselines]
    rows: list[list[Cell]] = [
        [name, *(shapes.cell(figures.get(metric, "")) for metric in metrics)] for name, figures in systems
    ]
    count, source = facts.reported(record)
    of = f" of {md(source)} ({md(reported.get('split', ''), 60)})" if reported else ""
    kinds = dict.fromkeys(promise(c) for row in rows for c in row if isinstance(c, Interval) and bounds(c))
    note = f"; in brackets the {' or the '.join(map(md, kinds))}" if kinds else ""
    told = listed(record.metrics.get("verdict"))
    sentences = bullets(b["sentence"] for b in baselines if b.get("sentence") and b["sentence"] not in told)
    on = f"On {md(count) or 'the reported rows'}{of}{note}"
    return f"{on}.\n\n{grid(['', *metrics], rows)}" + (f"\n\n{sentences}" if sentences else "")
