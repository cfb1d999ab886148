"""`Model` = tokenizer + network + task + labels: the one thing that trains, predicts, saves and reloads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from maskwright.base import runtime
from maskwright.base.choice import dump, resolve
from maskwright.base.errors import UserError
from maskwright.base.files import check_sums, write_folder, write_json
from maskwright.base.words import counted
from maskwright.data.labels import Labels
from maskwright.models import ANSWERING, Loaded, lengthen, load_network, locate, save_network, special_ids, write_length
from maskwright.nn.positions import Positions
from maskwright.tasks import _stream, _sureness
from maskwright.tasks._calibration import Calibration
from maskwright.tasks._checks import check_length, check_vocabulary, listed
from maskwright.tasks._given import Inputs
from maskwright.tasks._joined import check_long, join, keep_joined, load_joined, save_joined
from maskwright.tasks._saved import FORMAT, head_note, heads, saved_facts
from maskwright.tasks._scale import Scale
from maskwright.tasks._task import Example, Examples, Task
from maskwright.tasks.long import Long
from maskwright.tasks.long.head import Head
from maskwright.text.golden import check_golden, golden
from maskwright.text.tokenizer import Tokenizer

#: fields that `fingerprint` takes otherwise, or that no answer follows from
OUTSIDE = ("network", "tokenizer", "family", "provenance", "notes", "new", "new_head")
HEAD: Long = Head()


@dataclass
class Model:
    """A network for a task, and all that turns text into its input and its output into an answer."""

    network: nn.Module
    tokenizer: Tokenizer
    task: Task
    labels: Labels | None
    family: Any
    config: Any
    max_length: int
    long: Long = HEAD  #: what is done with a text that is too long
    precision: runtime.Precision = "auto"
    provenance: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None  #: fitted on held-out rows; predictions apply it
    notes: list[str] = field(default_factory=list)  #: what was assumed while building it, one sentence each
    new: tuple[str, ...] = ()  #: its parts that the folder held no weights for, which start from random ones
    new_head: bool = False  #: so does the classifier
    abstain_below: float | None = None  #: see `hedged`
    coverage: float | None = None  #: see `hedged`

    @classmethod
    def build(
        cls,
        model: str | Path,
        task: Task,
        labels: Labels | None,
        *,
        max_length: int | None = None,
        long: Long | str = HEAD,
        weights: str = "pretrained",
        precision: runtime.Precision = "auto",
        finished: bool = False,
        positions: Positions | None = None,
        normalise: bool | None = None,
        network: Mapping[str, Any] | None = None,
        dropout: float | None = None,
    ) -> Model:
        """A model for a task on the encoder `model`; its head starts from random weights unless the folder has one for
        this task and these labels in their order. finished: the folder was saved for them, which is not asked again.
        long: how texts of more pieces are read; positions: how to lengthen a table that is shorter than `max_length`;
        normalise: see `Tokenizer.from_folder`; network, dropout: fields of the network's config that are otherwise than
        the folder has them, and all its rates of dropout."""
        task = task.settled_on(labels)
        tokenizer = Tokenizer.from_folder(locate(model), normalise)
        was, now = heads(model, task, labels)
        other = not finished and was != now
        loaded = load_network(model, task.head, task.classes(labels), weights, other, network, dropout)
        notes = [check_vocabulary(tokenizer, loaded.config, str(model), task.pair is not None)]
        provenance = {"base": str(model), "weights": weights}
        if positions is not None:
            provenance["positions"] = _lengthened(loaded, positions, max_length)
            notes.append(provenance["positions"])
        long = resolve(Long, long)
        check_long(long, task)
        join(loaded, long, task, labels)
        if not finished:  # a saved length is what this way had asked for
            max_length = long.length(max_length, loaded.limit, loaded.usual)
        new = tuple(sorted({name.split(".")[0] for name in loaded.new}))
        began = any(part in new for part in ANSWERING)
        if loaded.replaced or not (began or finished or weights == "random"):
            notes.append(head_note(model, was, now))
        absent = [part for part in new if not (part in ANSWERING and loaded.replaced)]
        if absent:
            notes.append(_absent(str(model), absent))
        if finished:
            load_joined(loaded)
        elif weights != "random":
            notes += keep_joined(loaded, long, str(model), began)
        if loaded.unused:
            parts = sorted({name.split(".")[0] for name in loaded.unused})
            notes.append(f"{len(loaded.unused)} tensors of {model} are not needed here (under {', '.join(parts)}).")
        return cls(
            loaded.network, tokenizer, task, labels, loaded.family, loaded.config,
            check_length(max_length, loaded.limit, loaded.usual), long, precision,
            provenance, None, [n for n in notes if n],
            new, began or weights == "random",
        )  # fmt: skip

    def start(self, targets: np.ndarray) -> Scale:
        """Let a new head answer at first as often as the training targets do, where the task says how often that is.

        Returns the scale that the task learns these targets on. The head then gives what `Scale.learnt` makes of them:
        a new one as it is, one that was trained before by dividing it. `Scale.fold` is the way back.
        """
        prior, scale = self.task.prior(targets), self.task.scale(targets)
        if self.new_head and prior is not None:
            with torch.no_grad():
                self.last_layer.bias.copy_(torch.from_numpy(prior))
        if not self.new_head:
            scale.unfold(self.last_layer)
        return scale

    @property
    def last_layer(self) -> nn.Linear:
        """What the scores come out of."""
        out: nn.Linear = self.network.ends if hasattr(self.network, "ends") else self.network.classifier.out
        return out

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Inputs:
        """Texts as packed pieces, as `long` reads them; the result counts what was cut."""
        return self.long.inputs(self.tokenizer, texts, pairs, self.max_length)

    def inputs(self, examples: Examples) -> Inputs:
        """Examples as the network takes them: as `long` says, or in the windows of a task about words."""
        return self.task.inputs(self.tokenizer, examples, self.max_length, self.long)

    def outputs(self, encodings: Inputs) -> np.ndarray:
        """The head's outputs for encoded texts, in their order: (B, classes) fp32, or (B,) of one array a text."""
        return _stream.outputs(self, encodings)

    def scores(self, encodings: Inputs) -> np.ndarray:
        """What the task keeps of them, in their order; of most tasks the outputs themselves."""
        return _stream.scores(self, encodings)

    def decode(self, scores: np.ndarray, examples: Examples | None = None) -> list[dict[str, Any]]:
        """B answers as plain values. scores: as `scores` gives them; examples: the texts, for a task that answers with
        parts of them."""
        return _sureness.hedge(self, self.task.decode(scores, self.labels, self.calibration, examples), scores)

    def blank(self) -> dict[str, Any]:
        """An answer as others will look, for a file whose columns must be known before the first one."""
        nothing = np.zeros((1, self.task.width(self.labels)), np.float32)
        return _sureness.hedge(self, [self.task.blank(self.labels)], nothing)[0]

    def hedged(self, *, abstain_below: float | None = None, coverage: float | None = None) -> Model:
        """This model, answering only as surely as it can.

        abstain_below: an answer whose calibrated probability is lower has no label (None), and says `abstained`.
        coverage: each answer has a `set` of labels besides; of many rows like those that the model was calibrated on,
        so large a share has its true label in it. Raises UserError where the task or the calibration has none.
        """
        out = replace(self, abstain_below=abstain_below, coverage=coverage)
        _sureness.check(out)
        return out

    def predict(self, texts: Sequence[str] | str, pairs: Sequence[Any] | str | None = None) -> list[dict[str, Any]]:
        """One answer for each text (or pair): for a classification its label and the probabilities. Of questions with
        choices these are what stands beside the text, a list for each."""
        texts = listed(texts, "texts")
        if self.task.answers == "choice":
            pairs = _choices(texts, pairs)
        pairs = pairs if pairs is None else listed(pairs, "pairs")
        if self.task.pair and pairs is None:
            raise UserError(f"This model was trained on pairs ({self.task.text}, {self.task.pair}); give both texts.")
        if not self.task.pair and pairs is not None:
            raise UserError("This model was trained on single texts; give no second text.")
        if pairs is not None and len(pairs) != len(texts):
            raise UserError(f"{len(texts)} texts and {len(pairs)} second texts were given; give as many of each.")
        return list(self.stream(texts if pairs is None else zip(texts, pairs, strict=True)))

    def stream(self, examples: Iterable[Any], *, window: int | None = None) -> Iterator[dict[str, Any]]:
        """The answers of `predict` as a generator: in the order of the examples, in constant memory however many come.

        examples: texts; or (text, second text) for a model of pairs; or mappings that hold the model's columns.
        window: how many are taken before their answers come out, sorted by length together; 4096 by default, and one
        window is read ahead. A small one answers soon, a large one computes faster. Raises UserError at an example
        that is none, behind the answers of those before it.
        """
        if window is not None and window < 1:
            raise UserError(f"window = {window}: give at least 1.")
        for _, answer in _stream.stream(self, enumerate(examples, 1), self._example, window=window):
            if isinstance(answer, UserError):
                raise answer
            yield answer

    def _example(self, numbered: tuple[int, Any]) -> Example:
        number, given = numbered
        if isinstance(given, Mapping):
            try:
                return self.task.example(given)
            except UserError as problem:
                raise UserError(f"Row {number}: {problem}") from None
        if self.task.pair and not (isinstance(given, tuple | list) and len(given) == 2):
            raise UserError(
                f"Text {number} is {given!r}, a {type(given).__name__}; give a pair of texts, ({self.task.text}, "
                f"{self.task.pair})."
            )
        if not self.task.pair and isinstance(given, tuple) and given[1:] == (None,):
            given = given[0]
        if self.task.answers == "tags" and isinstance(given, list):
            return self.task.example({self.task.text: given})
        if self.task.answers == "choice":
            return self._question(number, *given)
        texts = tuple(given) if self.task.pair else (given,)
        for text in texts:
            if not isinstance(text, str):
                raise UserError(f"Text {number} is {text!r}, a {type(text).__name__}; give a text.")
        return Example(*texts)

    def _question(self, number: int, text: Any, choices: Any) -> Example:
        """A text and its choices, whatever their columns are called."""
        alone = self.task.model_copy(update={"text": "question", "pair": "choices"})
        try:
            return alone.example({"question": text, "choices": choices})
        except UserError as problem:
            raise UserError(f"Text {number}: {problem}") from None

    def fingerprint(self) -> str:
        """SHA-256 of all that an answer follows from, in hexadecimal: weights, tokenizer, task, labels and settings."""
        digest = hashlib.sha256(self.tokenizer.fingerprint().encode())
        settings = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in OUTSIDE}
        digest.update(repr(settings).encode())
        for name, tensor in self.network.state_dict().items():
            digest.update(repr((name, tensor.shape, tensor.dtype)).encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def save(self, folder: str | Path) -> None:
        """The Hugging Face layout plus maskwright.json, atomically, in the place of an older model.

        Raises UserError when the folder holds anything else.
        """

        folder = Path(folder).resolve()
        ours = folder.is_dir() and ((folder / "maskwright.json").exists() or not any(folder.iterdir()))
        if folder.exists() and not ours:
            raise UserError(f"{folder} holds something that is not a model of maskwright. Give a new or empty folder.")
        if folder == Path.cwd():  # it is replaced whole, and a process stays in the old one
            raise UserError(f"{folder} is the folder that this process works in. Give another, such as {folder}/model.")

        def fill(into: Path) -> None:
            ids = special_ids(self.family, self.tokenizer.role_ids)
            save_network(into, self.network, self.family, self.config, {**ids, **self.task.describe(self.labels)})
            self.tokenizer.save(into)
            save_joined(self.network, into)
            if "positions" in self.provenance:
                write_length(into, self.network.encoder.limit)
            described = {
                "format": FORMAT,
                "task": dump(self.task),
                "labels": None if self.labels is None else list(self.labels.names),
                "max_length": self.max_length,
                "long": dump(self.long),
                "windows": self.task.windows,
                "transformers": [said for said in (self.task.otherwise, self.long.otherwise) if said],
                "precision": self.precision,
                "calibration": None if self.calibration is None else self.calibration.plain(),
                "golden": golden(self.tokenizer),
                "provenance": {**self.provenance, "versions": runtime.versions()},
            }
            write_json(into / "maskwright.json", described)

        write_folder(folder, fill)


def load(path: str | Path, device: str = "auto") -> Model:
    """A model that was saved, or a Hugging Face folder with a sequence classification head. In evaluation mode.

    device: auto (an accelerator where there is one), cpu or cuda. Raises UserError when the folder's tokenizer no
    longer cuts the golden texts as it did when the model was saved, or the weights are not those that were saved.
    """
    runtime.settle_memory()
    where = runtime.device(device)
    folder, facts = locate(path), saved_facts(path)
    if (folder / "checksums.json").exists():
        check_sums(folder, ".safetensors")
    task: Task = resolve(Task, facts["task"])
    labels = None if facts["labels"] is None else Labels(tuple(facts["labels"]))
    model = Model.build(
        folder,
        task,
        labels,
        max_length=facts["max_length"],
        long=resolve(Long, facts["long"]),
        precision=facts["precision"],
        finished=True,
    )
    model.provenance = facts["provenance"]
    if facts.get("calibration"):
        model.calibration = Calibration.from_plain(facts["calibration"])
    if facts["golden"]:
        check_golden(model.tokenizer, facts["golden"])
    if model.new:
        raise UserError(f"{folder} is not a finished model: {_absent(str(folder), model.new)} Fine-tune it first.")
    model.network.to(where).eval()
    return model


def _absent(model: str, parts: Sequence[str]) -> str:
    return f"{model} holds no weights for: {', '.join(parts)}. They start from random ones."


def _choices(texts: Sequence[str], pairs: Sequence[Any] | str | None) -> Sequence[Any]:
    """The choices of each text: of a single one they may be given as they are. Raises UserError for others."""
    pairs = [pairs] if isinstance(pairs, str) else pairs
    plain = pairs is not None and all(isinstance(one, str) for one in pairs)
    if pairs and plain and len(pairs) == len(texts) and all(one.lstrip().startswith(("[", "{")) for one in pairs):
        return pairs  # cells of JSON
    if pairs and plain and len(texts) == 1:
        return [pairs]
    if pairs is None or plain:
        raise UserError(
            f"This model takes one of several choices, but those of {counted(len(texts), 'text')} are not told. Give a "
            "list of texts for each; on the command line one --text and a --pair for each of its choices, or a file."
        )
    return pairs


def _lengthened(loaded: Loaded, positions: Positions, max_length: int | None) -> str:
    if max_length is None:
        raise UserError("A longer table of positions needs both: how it is made (positions) and its max_length.")
    done = lengthen(loaded, positions, max_length)
    if not done:
        raise UserError(
            f"The encoder takes texts of {max_length:,} tokens as it is; there is nothing to lengthen. Leave positions "
            "away."
        )
    return done
