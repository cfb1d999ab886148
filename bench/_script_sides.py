"""The peer of `bench.scripts`, in a process of its own: transformers' classes, its Trainer, and what its example
scripts do with the rows of each kind of task.

    rows       {"train": [row], "test": [row]}, and what else stands in the file; a row has what its kind needs:
    classes    text, pair (or null), label (the index of a class, or a number where there are no classes)
    tagging    words, tags
    answer     question, context, answer (its text and first character, or null)
    choice     question, choices, label (from 0)
"""

from __future__ import annotations

import json
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import _measure as measure
from bench._trainer import watcher

Row = dict[str, Any]
JUDGED = 32  #: rows of a batch where nothing is learnt
PROBED = 24  #: batches of rows of like lengths that are timed
IGNORED = -100


class Kind(ABC):
    """What a script does with one kind of task: its model class, its rows as features, its answers."""

    model: str  #: of transformers' Auto classes
    by_piece = False  #: whether there are logits of each piece, and so of the padding

    def __init__(self, tokenizer: Any, names: Sequence[str], recipe: Row) -> None:
        self.tokenizer, self.names, self.recipe = tokenizer, names, recipe

    @property
    def config(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def features(self, rows: Sequence[Row], learn: bool) -> list[Row]: ...

    def collate(self, features: Sequence[Row]) -> Any:
        from transformers import DataCollatorWithPadding

        return DataCollatorWithPadding(self.tokenizer)(list(features))

    @abstractmethod
    def answers(self, rows: Sequence[Row], features: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        """outputs: of each feature, its logits as arrays without padding."""

    def length(self, feature: Row) -> int:
        """The pieces that a row is padded from."""
        return len(feature["input_ids"])


class Classes(Kind):
    """run_glue.py: one class or one number."""

    model = "AutoModelForSequenceClassification"

    @property
    def config(self) -> dict[str, Any]:
        return {"num_labels": len(self.names)} if self.names else {"num_labels": 1, "problem_type": "regression"}

    def features(self, rows: Sequence[Row], learn: bool) -> list[Row]:
        paired = rows[0]["pair"] is not None
        texts = [[row["text"] for row in rows]] + [[row["pair"] for row in rows]] * paired
        encoded = self.tokenizer(*texts, truncation=True, max_length=self.recipe["max_length"])
        return [
            {**{name: values[i] for name, values in encoded.items()}, **({"labels": row["label"]} if learn else {})}
            for i, row in enumerate(rows)
        ]

    def answers(self, rows: Sequence[Row], features: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        logits = [each[0] for each in outputs]
        return [self.names[int(one.argmax())] if self.names else float(one[0]) for one in logits]


class Tagging(Kind):
    """run_ner.py: the tag of a word at its first piece; words that are cut off have none."""

    model = "AutoModelForTokenClassification"
    by_piece = True

    @property
    def config(self) -> dict[str, Any]:
        return {"num_labels": len(self.names)}

    def features(self, rows: Sequence[Row], learn: bool) -> list[Row]:
        index = {name: i for i, name in enumerate(self.names)}
        encoded = self.tokenizer(
            [row["words"] for row in rows], is_split_into_words=True, truncation=True,
            max_length=self.recipe["max_length"],
        )  # fmt: skip
        out: list[Row] = []
        self.places: list[tuple[Any, list[bool]]] = []
        for i, row in enumerate(rows):
            words = encoded.word_ids(i)
            first = [word is not None and word != before for word, before in zip(words, [None, *words], strict=False)]
            own = {name: values[i] for name, values in encoded.items()}
            if learn:
                own["labels"] = [
                    index[row["tags"][word]] if is_first else IGNORED
                    for word, is_first in zip(words, first, strict=True)
                ]
            else:
                self.places.append((words, first))
            out.append(own)
        return out

    def collate(self, features: Sequence[Row]) -> Any:
        from transformers import DataCollatorForTokenClassification

        return DataCollatorForTokenClassification(self.tokenizer)(list(features))

    def answers(self, rows: Sequence[Row], features: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        out = []
        for i, row in enumerate(rows):
            words, first = self.places[i]
            tags = ["O"] * len(row["words"])
            for place in np.flatnonzero(first):
                tags[words[place]] = self.names[int(outputs[i][0][place].argmax())]
            out.append(tags)
        return out


class Answer(Kind):
    """run_qa.py: windows of the context behind the question; the best pair of ends, or none where that scores more."""

    model = "AutoModelForQuestionAnswering"
    by_piece = True
    best, longest = 20, 30

    def features(self, rows: Sequence[Row], learn: bool) -> list[Row]:
        encoded = self.tokenizer(
            [row["question"].lstrip() for row in rows], [row["context"] for row in rows], truncation="only_second",
            max_length=self.recipe["max_length"], stride=self.recipe["stride"], return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )  # fmt: skip
        of, offsets = encoded.pop("overflow_to_sample_mapping"), encoded.pop("offset_mapping")
        out: list[Row] = []
        self.windows: list[tuple[int, np.ndarray, np.ndarray]] = []
        for i, row in enumerate(of):
            own = {name: values[i] for name, values in encoded.items()}
            inside = np.array([part == 1 for part in encoded.sequence_ids(i)])
            places = np.array(offsets[i])
            if learn:
                start, end = _ends(rows[row]["answer"], places, inside)
                own |= {"start_positions": start, "end_positions": end}
            else:
                self.windows.append((row, places, inside))
            out.append(own)
        return out

    def answers(self, rows: Sequence[Row], features: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        found: list[list[tuple[float, int, int]]] = [[] for _ in rows]
        none = [np.inf] * len(rows)
        for (row, places, inside), (starts, ends) in zip(self.windows, outputs, strict=True):
            none[row] = min(none[row], float(starts[0] + ends[0]))
            for a in np.argsort(-starts)[: self.best]:
                for b in np.argsort(-ends)[: self.best]:
                    if inside[a] and inside[b] and a <= b < a + self.longest:
                        found[row].append((float(starts[a] + ends[b]), int(places[a][0]), int(places[b][1])))
        out = []
        for row, spans, empty in zip(rows, found, none, strict=True):
            score, start, end = max(spans, default=(-np.inf, 0, 0))
            given = row["context"][start:end]
            out.append("" if self.recipe["none"] and empty > score else given)
        return out


class Choice(Kind):
    """run_swag.py: each choice behind the question, one score each."""

    model = "AutoModelForMultipleChoice"

    def features(self, rows: Sequence[Row], learn: bool) -> list[Row]:
        out = []
        for row in rows:
            firsts = [row["question"]] * len(row["choices"])
            own = dict(self.tokenizer(firsts, row["choices"], truncation=True, max_length=self.recipe["max_length"]))
            out.append({**own, **({"labels": row["label"]} if learn else {})})
        return out

    def collate(self, features: Sequence[Row]) -> Any:
        import torch

        count = len(features[0]["input_ids"])
        each = [
            {name: values[i] for name, values in feature.items() if name != "labels"}
            for feature in features
            for i in range(count)
        ]
        padded = {n: t.view(len(features), count, -1) for n, t in self.tokenizer.pad(each, return_tensors="pt").items()}
        if "labels" in features[0]:
            padded["labels"] = torch.tensor([feature["labels"] for feature in features])
        return padded

    def answers(self, rows: Sequence[Row], features: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        return [int(each[0].argmax()) + 1 for each in outputs]

    def length(self, feature: Row) -> int:
        return max(len(choice) for choice in feature["input_ids"])


KINDS: dict[str, type[Kind]] = {"classes": Classes, "tagging": Tagging, "answer": Answer, "choice": Choice}


def _ends(answer: Row | None, places: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    """The pieces that an answer begins and ends with; the first piece of all where it does not lie in this window."""
    context = np.flatnonzero(inside)
    if answer is None or not len(context):
        return 0, 0
    start, end = answer["start"], answer["start"] + len(answer["text"])
    if places[context[0]][0] > start or places[context[-1]][1] < end:
        return 0, 0
    first = max(int(i) for i in context if places[i][0] <= start)
    last = min(int(i) for i in context if places[i][1] >= end)
    return first, last


def answer(request: Row) -> Row:
    """One training with one seed: from rows in memory to answers on the test rows. Imports are not in the seconds.

    With `grouped` in the request also what they would be with rows of like lengths in a batch, which is timed behind
    the answers.
    """
    import transformers

    rows = json.loads(measure.Path(request["rows"]).read_text(encoding="utf-8"))
    assert transformers.Trainer is not None  # transformers is lazy: the name above has imported it
    start = time.perf_counter()
    transformers.set_seed(request["seed"])
    folder = measure.minilm_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = KINDS[request["kind"]](tokenizer, request["names"], request["recipe"])
    model = getattr(transformers, kind.model).from_pretrained(folder, **kind.config)
    learnt = kind.features(rows["train"], True)
    steps = trained(model, kind, learnt, request)
    before = time.perf_counter() - start
    features = kind.features(rows["test"], False)
    model.eval()
    said = kind.answers(rows["test"], features, outputs(model, kind, features, request["precision"] == "bf16"))
    found = {
        "answers": said, "seconds": time.perf_counter() - start, "train": before, "memory": measure.peak_memory(),
    }  # fmt: skip
    if request.get("grouped"):
        alike = trained(model, kind, probe(kind, learnt), request, epochs=1, order="sequential")[1:]
        found["grouped"] = found["seconds"] - sum(steps) + len(steps) * sum(alike) / len(alike)
    return found


def trained(
    model: Any, kind: Kind, features: Sequence[Row], request: Row, epochs: float | None = None, order: str = "random"
) -> list[float]:
    """The model trained by the recipe, or for other epochs. Returns the seconds of each step."""
    import transformers

    recipe, watch = request["recipe"], watcher(None)
    with tempfile.TemporaryDirectory() as out:
        arguments = transformers.TrainingArguments(
            output_dir=out, num_train_epochs=epochs or recipe["epochs"], per_device_train_batch_size=recipe["batch"],
            learning_rate=recipe["lr"], seed=request["seed"], bf16=request["precision"] == "bf16", use_cpu=True,
            train_sampling_strategy=order, save_strategy="no", report_to="none", disable_tqdm=True,
            logging_strategy="no", dataloader_pin_memory=False,
        )  # fmt: skip
        transformers.Trainer(
            model=model, args=arguments, train_dataset=features, data_collator=kind.collate, callbacks=[watch]
        ).train()
    seconds: list[float] = watch.seconds
    return seconds


def probe(kind: Kind, features: Sequence[Row]) -> list[Row]:
    """Rows whose batches have the lengths of those of an epoch that the Trainer groups by length: every so manieth of
    them in the order of their lengths, behind one that is not counted."""
    from transformers.trainer_pt_utils import get_length_grouped_indices

    batch, lengths = kind.recipe["batch"], [kind.length(feature) for feature in features]
    order = get_length_grouped_indices(lengths, batch)
    batches = [order[i : i + batch] for i in range(0, len(order) - batch + 1, batch)] or [order]
    batches.sort(key=lambda some: max(lengths[i] for i in some))
    count = min(PROBED, len(batches))
    chosen = [batches[int((k + 0.5) * len(batches) / count)] for k in range(count)]
    return [features[i] for some in (chosen[count // 2], *chosen) for i in some]


def outputs(model: Any, kind: Kind, features: Sequence[Row], bf16: bool) -> list[list[np.ndarray]]:
    """Of each feature its logits, of each piece without those of the padding of its batch."""
    import torch

    out: list[list[np.ndarray]] = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for i in range(0, len(features), JUDGED):
            some = features[i : i + JUDGED]
            told = model(**kind.collate(some))
            logits = [told[name].float().numpy() for name in ("logits", "start_logits", "end_logits") if name in told]
            for j, feature in enumerate(some):
                end = kind.length(feature) if kind.by_piece else None
                out.append([side[j][:end] for side in logits])
    return out
