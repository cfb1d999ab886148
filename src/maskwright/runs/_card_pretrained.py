"""What the card of a pre-trained model says of itself: what it learnt from which text, how it is used, and its limits.

Most name masked pieces, where these stand or from the piece before. Those trained to name the next piece, and the
discriminators, which tell the pieces that a generator replaced, name none: they are encoders to fine-tune.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from maskwright.base.words import counted
from maskwright.runs import _card_facts as facts
from maskwright.runs import shapes
from maskwright.runs._card_facts import TEXT, architecture, described, is_arm, outside
from maskwright.runs._markdown import code, fence, grid, md
from maskwright.runs.record import Record, listed, table

READ = "What was read"  #: the table of a pre-training's facts
MASKED = "A [MASK] of your own."


def pipeline(record: Record) -> str | None:
    return "fill-mask" if _names_masked(record) else None


def same_there(record: Record) -> bool:
    """Whether a pipeline of transformers gives the model's own answers."""
    return _names_masked(record) and described(record)["answers"] == "at" and not (outside(record) or is_arm(record))


def base(record: Record) -> str:
    """The trained model that it started from; "" where there was none."""
    return str(record.settings.get("model") or "")


def _names_masked(record: Record) -> bool:
    """Whether `maskwright fill` and `score` take it."""
    return described(record).get("answers") in ("at", "before")


def what(record: Record) -> str:
    asked, by = record.settings, facts.made_by(record)
    text = code(facts.reported(record)[1])
    if base(record):
        said = f"The encoder {facts.model_name(base(record))}, pre-trained further on the text {text} by {by}."
    else:
        network = f"{code(asked.get('family'))}, {code(asked.get('size'))}"
        said = f"An encoder ({network}), pre-trained from random weights on the text {text} by {by}."
    if learnt := record.metrics.get("learnt"):
        said += f" What it learnt: {md(learnt, 1000)}."
    read = table(record.metrics.get("read"))
    if read:
        said += (
            f" It read {read['tokens']:,} pieces in {counted(read['steps'], 'step')}, which is the text "
            f"{read['passes']:.2f} times."
        )
    return said


def data(record: Record) -> str:
    """How much text there was, and digests by which it, and what was asked of it, are known again."""
    found = [table(fact) for fact in listed(record.metrics.get("facts"))]
    rows = [list(row) for fact in found if fact.get("title") == READ for row in fact["rows"]]
    digests = {
        "SHA-256 of the corpus begins": table(record.config.get("start")).get("corpus"),
        "SHA-256 of the held-out questions begins": table(record.metrics.get("questions")).get("sha256"),
    }
    rows += [[name, str(digest)[:16]] for name, digest in digests.items() if digest]
    return grid([READ, ""], [list(map(shapes.cell, row)) for row in rows]) if rows else ""


def use(record: Record) -> str:
    """Masked pieces, where it names them; and what it is for, an encoder to fine-tune."""
    folder = facts.place(record)
    quoted, where = shlex.quote(folder), json.dumps(folder, ensure_ascii=False)
    parts = []
    if _names_masked(record):
        lines = f"maskwright fill {quoted} {shlex.quote(MASKED)}\nmaskwright score {quoted} {shlex.quote(TEXT)}"
        python = (
            f"import maskwright as mw\n\nmodel = mw.MaskedLM.load({where})\n"
            f"print(model.fill({json.dumps([MASKED])}))\nprint(model.score({json.dumps([TEXT])})[0].log_prob)"
        )
        parts += ["To name masked pieces, and to score texts:", fence(lines, "sh"), fence(python, "python")]
    parts += [
        "To make a model of a task of it, with labelled rows (columns `text` and `label`):",
        fence(f"maskwright finetune --model {quoted} --train rows.csv --out runs/mine", "sh"),
        fence(
            f'import maskwright as mw\n\nrun = mw.finetune(model={where}, train="rows.csv", out="runs/mine")', "python"
        ),
    ]
    return "\n\n".join([*parts, *_use_there(record, where)])


def _use_there(record: Record, where: str) -> list[str]:
    """With transformers, which has a class for each but the networks that are ours alone. where: the folder, quoted."""
    if is_arm(record) or not architecture(record):
        return []
    kind = "AutoModelForMaskedLM" if same_there(record) else "AutoModel"
    text = 'f"A {tokenizer.mask_token} of your own."' if same_there(record) else json.dumps(TEXT)
    last = "scores = model(**batch).logits" if same_there(record) else "states = model(**batch).last_hidden_state"
    lines = (
        f"from transformers import {kind}, AutoTokenizer\n\n"
        f"tokenizer = AutoTokenizer.from_pretrained({where})\n"
        f"model = {kind}.from_pretrained({where})\n"
        f'batch = tokenizer({text}, return_tensors="pt")\n'
        f"{last}"
    )
    title = "With transformers:" if same_there(record) else "With transformers, the encoder alone:"
    return [title, fence(lines, "python")]


def limits(record: Record) -> Iterator[str]:
    """What the figures do not say, and what the model does not do."""
    if record.figures:
        yield facts.measured(record)
        yield "They are of single pieces; what the encoder is worth for a task shows once it is fine-tuned for one."
    yield from _lengths(record)
    learnt_here = not record.settings.get("tokenizer") and not base(record)
    if learnt_here and not record.settings.get("cased"):
        yield "Its vocabulary has no capitals and no accents: words that differ in these alone are one to it."
    if architecture(record) and not _names_masked(record):
        yield "It names no masked pieces: maskwright fill and maskwright score refuse it."
    yield from outside(record)
    yield "It has no labels, and no answers of a task before it is fine-tuned."
    yield facts.UNEXAMINED
    of = "those of the base model and of the text hold" if base(record) else "that of the text holds"
    yield f"No licence is stated here; {of}."


def _lengths(record: Record) -> Iterator[str]:
    """What becomes of long texts."""
    most = described(record).get("max_length")
    if not isinstance(most, int):
        return
    if _names_masked(record):
        yield f"A text of more than {most:,} pieces, special ones counted, is refused and not cut: give it in parts."
    phases = map(table, listed(record.settings.get("phases")))
    trained = max((phase["length"] for phase in phases), default=most)
    if trained < most:
        how = "trained further" if base(record) else "trained"
        yield f"It was {how} on sequences of up to {trained:,} pieces; how it reads longer ones was not measured."
