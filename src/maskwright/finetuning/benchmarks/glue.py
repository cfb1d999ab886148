"""GLUE (Wang et al. 2019): nine tasks of one or two sentences, each reported on its dev rows, which choose nothing.

A tenth of the training rows chooses the checkpoint and fits the calibration. Where only dev files are at hand (QQP,
MNLI, QNLI), train and test are cut from them, which is said and is no figure of GLUE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from maskwright.data.table import Table
from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

BERT = "Devlin et al. 2019, table 1"
ABLATION = "Devlin et al. 2019, table 5"
ROBERTA = "Liu et al. 2019, table 8"
HEADLESS = {"reader": "tsv", "header": False, "quoting": False}
TSV = {"reader": "tsv", "header": True, "quoting": False}
PAIR = {"name": "classification", "pair": "pair"}
CUT = (0.1, 0.3)  #: of a dev file: rows that choose, and rows that are reported on
ARCHIVE, PARQUET = "the official archive", "the files of datasets"
#: the labels of sets of pairs, as the files of datasets number them
FOLLOWS = ("entailment", "not_entailment")


def _archive(
    folder: str, columns: Mapping[str, str], test: Mapping[str, str], ragged: bool = False, **more: Any
) -> Way:
    """train.tsv, dev.tsv and test.tsv with a header. test: its columns beside `id`, which it calls index by default;
    ragged: see `Rows`; every row of test.tsv needs an answer, so that one is read strictly all the same."""
    submit = Rows((f"{folder}/test.tsv",), {"id": "index", **test}, TSV)
    rows = (Rows((f"{folder}/{side}.tsv",), columns, TSV, ragged) for side in ("train", "dev"))
    return Way(ARCHIVE, *rows, submit=submit, **more)


def _parquet(name: str, columns: Mapping[str, str], names: Sequence[str] = (), **more: Any) -> Way:
    """{name}/train-*.parquet and its like, where labels are numbers. names: what they stand for."""
    texts = {ours: theirs for ours, theirs in columns.items() if ours != "label"}
    train, test = (Rows((f"{name}/{side}-*.parquet",), columns) for side in ("train", "validation"))
    submit = Rows((f"{name}/test-*.parquet",), {"id": "idx", **texts})
    task = {"names": tuple(names)} if names else {}
    return Way(PARQUET, train, test, submit=submit, task=task, **more)


def _bert(
    metric: str, base: float, large: float, dev: float | None = None, roberta: float | None = None
) -> tuple[Published, ...]:
    """BERT's figures of the test server; and of dev rows (accuracy) that of its base size, and RoBERTa's."""
    pairs = (("BERT-base", base), ("BERT-large", large))
    found = [Published(name, metric, points, "test server", BERT) for name, points in pairs]
    for name, points, source in (("BERT-base", dev, ABLATION), ("RoBERTa-base", roberta, ROBERTA)):
        if points is not None:
            found.append(Published(name, "accuracy", points, "dev", source))
    return tuple(found)


def _connected(tables: dict[str, Table]) -> dict[str, Table]:
    """With a column that numbers what is connected: pairs that share a text, and those that share one with these.
    Elsewhere a question that stands in several pairs would be on several sides."""
    return {name: _numbered(table) for name, table in tables.items()}


def _numbered(table: Table) -> Table:
    above: dict[str, str] = {}  # of a question one that it is connected with; of the last of them itself

    def last(text: str) -> str:
        while above.setdefault(text, text) != text:
            above[text] = text = above[above[text]]
        return text

    pairs = list(zip(table.column("text"), table.column("pair"), strict=True))
    for one, two in pairs:
        above[last(one)] = last(two)
    numbers: dict[str, int] = {}
    cells = [numbers.setdefault(last(one), len(numbers)) for one, _ in pairs]
    return replace(table, columns={**table.columns, "connected": cells})


_SENTENCE = {"text": "sentence", "label": "label"}
_PAIRED = {"text": "sentence1", "pair": "sentence2", "label": "label"}
_COLA = {"text": "4", "label": "2"}
_MRPC = {"text": "#1 String", "pair": "#2 String", "label": "Quality"}
_PLAIN = {"text": "sentence1", "pair": "sentence2"}

COLA = Case(
    "cola", "CoLA", {"name": "classification"}, ("mcc",),
    (
        Way(
            ARCHIVE, Rows(("CoLA/train.tsv",), _COLA, HEADLESS), Rows(("CoLA/dev.tsv",), _COLA, HEADLESS),
            submit=Rows(("CoLA/test.tsv",), {"id": "index", "text": "sentence"}, TSV),
        ),
        _parquet("cola", _SENTENCE),
        Way(
            "cola_public", Rows(("cola_public/in_domain_train.tsv",), _COLA, HEADLESS),
            Rows(("cola_public/in_domain_dev.tsv", "cola_public/out_of_domain_dev.tsv"), _COLA, HEADLESS),
        ),
    ),
    published=_bert("mcc", 52.1, 60.5),
)  # fmt: skip
SST2 = Case(
    "sst2", "SST-2", {"name": "classification"}, ("accuracy",),
    (
        _archive("SST-2", _SENTENCE, {"text": "sentence"}),
        _parquet("sst2", _SENTENCE),
        Way(
            "sst2_glue_phrases",
            Rows(("sst2_glue_phrases/train.tsv", "sst2_glue_phrases/dev.tsv"), _SENTENCE, TSV),
            Rows(("sst2_glue_phrases/test.tsv",), _SENTENCE, TSV),  # GLUE's dev rows under that name
        ),
    ),
    options={"max_length": 128}, published=_bert("accuracy", 93.5, 94.9, 92.7, 94.8),
)  # fmt: skip
MRPC = Case(
    "mrpc", "MRPC", PAIR, ("f1", "accuracy"),
    (
        _archive("MRPC", _MRPC, {"text": "#1 String", "pair": "#2 String"}),
        _parquet("mrpc", _PAIRED),
        Way(
            "the files of Microsoft Research", Rows(("mrpc/msr_paraphrase_train.txt",), _MRPC, TSV),
            Rows(("mrpc/msr_paraphrase_test.txt",), _MRPC, TSV), reported="test server",
            note="reported are the test rows of these files, which are those of GLUE's test server, in the place of "
            "GLUE's dev rows, which are among the training rows here",
        ),
    ),
    published=_bert("f1", 88.9, 89.3, 86.7),
)  # fmt: skip
STSB = Case(
    "stsb", "STS-B", {"name": "regression", "pair": "pair", "label": "label"}, ("spearman", "pearson"),
    (
        _archive("STS-B", {**_PLAIN, "label": "score"}, _PLAIN),
        _parquet("stsb", _PAIRED),
        Way(
            "stsb", Rows(("stsb/stsb-en-train.csv",), {"text": "1", "pair": "2", "label": "3"}, {"header": False}),
            Rows(("stsb/stsb-en-dev.csv",), {"text": "1", "pair": "2", "label": "3"}, {"header": False}),
        ),
    ),
    published=_bert("spearman", 85.8, 86.5),
)  # fmt: skip
QQP = Case(
    "qqp", "QQP", PAIR, ("f1", "accuracy"),
    (
        _archive(
            "QQP", {"text": "question1", "pair": "question2", "label": "is_duplicate"},
            {"id": "id", "text": "question1", "pair": "question2"}, ragged=True,
        ),
        _parquet("qqp", {"text": "question1", "pair": "question2", "label": "label"}),
        Way(
            "quora_qqp_devtest, cut",
            Rows(("quora_qqp_devtest/dev.txt",), {"text": "1", "pair": "2", "label": "3"}, HEADLESS), shares=CUT,
            prepare=_connected, group="connected",
            note="questions that pairs connect with one another are on one side of the cut",
        ),
    ),
    options={"max_length": 128}, published=_bert("f1", 71.2, 72.1), seen=("minilm",),
)  # fmt: skip
_MNLI = {"text": "sentence1", "pair": "sentence2", "label": "gold_label"}
_UNLABELLED = {"id": "idx", "text": "premise", "pair": "hypothesis"}
MNLI = Case(
    "mnli", "MNLI, matched", PAIR, ("accuracy",),
    (
        Way(
            ARCHIVE, Rows(("MNLI/train.tsv",), _MNLI, TSV), Rows(("MNLI/dev_matched.tsv",), _MNLI, TSV),
            also={"mismatched": Rows(("MNLI/dev_mismatched.tsv",), _MNLI, TSV)},
            submit=Rows(("MNLI/test_matched.tsv",), {"id": "index", **_PLAIN}, TSV),
            submit_too={
                "MNLI-mm.tsv": Rows(("MNLI/test_mismatched.tsv",), {"id": "index", **_PLAIN}, TSV),
                "AX.tsv": Rows(("diagnostic/diagnostic.tsv",), {"id": "index", **_PLAIN}, TSV),
            },
        ),
        Way(
            PARQUET, *(
                Rows((f"mnli/{side}-*.parquet",), {"text": "premise", "pair": "hypothesis", "label": "label"})
                for side in ("train", "validation_matched")
            ),
            also={
                "mismatched": Rows(
                    ("mnli/validation_mismatched-*.parquet",),
                    {"text": "premise", "pair": "hypothesis", "label": "label"},
                )
            },
            submit=Rows(("mnli/test_matched-*.parquet",), _UNLABELLED),
            submit_too={
                "MNLI-mm.tsv": Rows(("mnli/test_mismatched-*.parquet",), _UNLABELLED),
                "AX.tsv": Rows(("ax/test-*.parquet",), _UNLABELLED),
            },
            task={"names": ("entailment", "neutral", "contradiction")},
        ),
        Way(
            "mnli_dev, cut",
            Rows(
                ("mnli_dev/mnli_development_set_number_of_correct_responses.txt",),
                {"text": "premise", "pair": "hypothesis", "label": "gold_label"}, TSV,
            ),
            shares=CUT, group="text",
        ),
    ),
    options={"max_length": 128}, seen=("minilm",),
    published=(
        *_bert("accuracy", 84.6, 86.7, 84.4, 87.6),
        *(replace(each, side="mismatched") for each in _bert("accuracy", 83.4, 85.9)),
    ),
)  # fmt: skip
QNLI = Case(
    "qnli", "QNLI", PAIR, ("accuracy",),
    (
        _archive(
            "QNLI", {"text": "question", "pair": "sentence", "label": "label"},
            {"text": "question", "pair": "sentence"},
        ),
        _parquet("qnli", {"text": "question", "pair": "sentence", "label": "label"}, FOLLOWS),
        Way(
            "qnli_dev, cut",
            Rows(("qnli_dev/dev.tsv",), {"text": "question", "pair": "sentence", "label": "label"}, TSV), shares=CUT,
            prepare=_connected, group="connected",
            note="questions and sentences that pairs connect with one another are on one side of the cut",
        ),
    ),
    options={"max_length": 256}, published=_bert("accuracy", 90.5, 92.7, 88.4, 92.8), seen=("minilm",),
)  # fmt: skip
RTE = Case(
    "rte", "RTE", PAIR, ("accuracy",),
    (
        _archive("RTE", _PAIRED, _PLAIN),
        _parquet("rte", _PAIRED, FOLLOWS),
        Way(
            "rte", Rows(("rte/train.tsv",), _PAIRED, TSV), Rows(("rte/dev.tsv",), _PAIRED, TSV),
            submit=Rows(("rte/test.tsv",), {"id": "index", **_PLAIN}, TSV),
        ),
    ),
    published=_bert("accuracy", 66.4, 70.1),
)  # fmt: skip
_WNLI = {"text": "premise", "pair": "hypothesis", "label": "label"}
WNLI = Case(
    "wnli", "WNLI", PAIR, ("accuracy",),
    (
        _archive("WNLI", _PAIRED, _PLAIN),
        _parquet("wnli", _PAIRED),
        Way(
            "wnli", Rows(("wnli/train.csv",), _WNLI), Rows(("wnli/dev.csv",), _WNLI),
            submit=Rows(("wnli/test.tsv",), {"id": "index", **_PLAIN}, TSV),
        ),
    ),
    note="its dev rows share their sentences with training rows of the other label: below the majority is usual",
)  # fmt: skip

#: case -> the file that GLUE's server takes, and what it calls the labels that files call otherwise
FILES = {
    "cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "stsb": "STS-B", "qqp": "QQP", "mnli": "MNLI-m", "qnli": "QNLI",
    "rte": "RTE", "wnli": "WNLI",
}  # fmt: skip
NUMBERED = {"entailment": "1", "not_entailment": "0"}


class Glue(Benchmark):
    """All nine, each with its official metric."""

    title: ClassVar[str] = "GLUE"
    about: ClassVar[str] = (
        "Reported are dev rows, which chose nothing, unless a set's own remark says otherwise. Figures of the test "
        "server are of other rows."
    )
    average: ClassVar[str] = (
        "This is no score of GLUE's own, nor of a paper's table: those are of test rows, and count both metrics of a "
        "set that has two, or leave WNLI out."
    )

    sends: ClassVar[Sequence[str]] = tuple(f"{name}.tsv" for name in (*FILES.values(), "MNLI-mm", "AX"))

    def cases(self) -> Sequence[Case]:
        return COLA, SST2, MRPC, STSB, QQP, MNLI, QNLI, RTE, WNLI

    def submission(
        self, case: Case, answers: Sequence[Mapping[str, Any]], ids: Sequence[Any]
    ) -> tuple[str, str] | None:
        """index and prediction; scores from 0 to 5 with three digits."""

        def said(answer: Mapping[str, Any]) -> str:
            if "score" in answer:
                return f"{min(5.0, max(0.0, answer['score'])):.3f}"
            label = str(answer["label"])
            return NUMBERED.get(label, label) if case.name == "wnli" else label

        lines = [f"{number}\t{said(answer)}\n" for number, answer in zip(ids, answers, strict=True)]
        return f"{FILES[case.name]}.tsv", "index\tprediction\n" + "".join(lines)
