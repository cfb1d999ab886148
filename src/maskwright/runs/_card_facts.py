"""What the cards of all kinds of models take from a run."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from maskwright.base.words import counted
from maskwright.runs._markdown import code, md
from maskwright.runs._words import line, short
from maskwright.runs.record import Record, listed, table

UNEXAMINED = "Fairness between groups of people, and resistance to texts made to mislead it, were not examined."
TEXT = "A text of your own."


def pretrained(record: Record) -> bool:
    """Whether it is a run of pre-training, whose settings name what is learnt and no task."""
    return "objective" in record.settings


def described(record: Record) -> dict[str, Any]:
    """The model's maskwright.json."""
    return table(record.model.get("maskwright"))


def architecture(record: Record) -> str:
    """The network that was saved, as its config.json calls it; "" where there is no model yet."""
    return str((listed(record.model.get("architectures")) or [""])[0])


def is_arm(record: Record) -> bool:
    """Whether the network is one of ours that no other library has: its config.json then carries our names."""
    return "vocabulary" in record.model


def outside(record: Record) -> list[str]:
    """What the transformers library does otherwise with the model, or cannot do."""
    return [str(said) for said in listed(described(record).get("transformers"))]


def source(given: Any) -> str:
    """A file, or a folder, without the folders of the machine that it lay on."""
    name = PurePath(str(given or "").replace("\\", "/")).name
    return line(name or given or "", 120) or "rows of one's own"


def model_name(name: str) -> str:
    """A model as code; of an absolute folder the last name, with that of its run where it is only "model"."""
    path = PurePath(name)
    if not path.is_absolute():
        return code(name)
    return code("/".join(path.parts[-2:]) if path.name == "model" else path.name)


def place(record: Record) -> str:
    """The folder of the model as commands name it."""
    out = PurePath(str(record.settings.get("out") or record.path.name))
    return short(f"{out.name if out.is_absolute() else out}/model", 200)


def made_by(record: Record) -> str:
    version = table(record.config.get("versions")).get("maskwright")
    return f"maskwright {md(version)}" if version else "maskwright"


def reported(record: Record) -> tuple[str, str]:
    """How much the figures were measured on ("1,821 rows"; "" where that is not known), and of what."""
    found = table(record.metrics.get("reported"))
    rows = found.get("rows")
    count = counted(rows, str(found.get("of", "row"))) if isinstance(rows, int) else ""
    given = record.sources.get("train", {}) if pretrained(record) else found  # the text; its corpus may lie in the run
    return count, source(given.get("source"))


def measured(record: Record) -> str:
    """What figures hold for."""
    count, of = reported(record)
    return (
        f"The figures hold for texts like those they were measured on ({count}{' of ' if count else ''}{of}). "
        "Other sources, topics, times or languages were not measured."
    )
