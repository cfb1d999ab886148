"""Ways to read texts that are longer than the encoder: figure, time and memory of each, on three sets.

    python -m bench.long_texts [--seeds 3] [SET ...]

`late`: a sentence of SST-2 behind so many words of speeches, so that nothing but the end of a text tells its label.
`judgments`: sentences of Indian judgments behind the words that stand before them; the label is the sentence's role.
`reviews`: film reviews of NLTK's corpus, of some 950 pieces each, whose verdict stands anywhere, often at the end.
Each way is a process of its own that runs `maskwright.finetune`, and is kept in results/long_texts once it is finished.
Tables go into docs/results.md, and beside each way its difference from reading the beginning alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench._child import Child, serve
from bench._command import leaving, parser

NAME = "long_texts"
KEPT = measure.RESULTS / NAME
LENGTH = 128  #: pieces that are read at a time
WAYS = ("head", "tail", "head-tail", "chunk-mean", "chunk-max", "chunk-attention", "hierarchical", "native")
FIRST = WAYS[0]  #: what is read where nobody asks for anything else
SPEECH = 200  #: words in front of the sentence that tells
BEFORE = 200  #: words of a judgment in front of the sentence whose role is asked
#: rows that are drawn of each set
ROWS = {
    "late": {"train": 800, "eval": 200, "test": 800},
    "judgments": {"train": 960, "eval": 200, "test": 600},
    "reviews": {"train": 600, "eval": 200, "test": 600},
}
#: what decides a figure of ours
SOURCE = ("base", "nn", "text", "data", "models", "training", "tasks", "finetuning", "evaluation", "runs", "stats")
SETTINGS = {"train": {"epochs": 2, "lr": 2e-4, "batch_size": 16, "checkpoint_minutes": None}}

ABOUT = """\
`python -m bench.long_texts --seeds {seeds}`. {machines} {busy}

MiniLM, {length} pieces at a time, and 512, all that it takes, for `native`. Accuracy in points, the mean over {seeds} \
seeds with its 95 % interval over seeds and rows, on rows that chose nothing. Beside it the difference from `head`, \
paired, on the same rows and with the same seeds; the intervals are not widened for there being seven of them a set. \
Never seen is the share of the test rows' pieces that the network is not given. Time and peak memory are those of the \
whole command, all seeds."""
Rows = dict[str, list[dict[str, str]]]


def reviews() -> Rows:
    """Some of NLTK's 2,000 film reviews, cut by the number in their name, that of the review and not of its author."""
    sides: Rows = {"train": [], "eval": [], "test": []}
    with zipfile.ZipFile(measure.data_folder("nltk_zips") / "movie_reviews.zip") as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".txt") or "/cv" not in name:
                continue
            number, label = int(Path(name).name[2:5]), name.split("/")[1]
            text = archive.read(name).decode("latin-1")
            sides[_side(number)].append({"text": " ".join(text.split()), "label": label})
    return _drawn(sides, ROWS["reviews"])


def late() -> Rows:
    """Sentences of SST-2 behind parts of speeches; no speech stands on two sides."""
    with zipfile.ZipFile(measure.data_folder("nltk_zips") / "state_union.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
        speeches = [archive.read(name).decode("latin-1").split() for name in names]
    generator, out = np.random.default_rng(0), {}
    own = {"train": speeches[0::2], "eval": speeches[1::4], "test": speeches[3::4]}
    for side, count in ROWS["late"].items():
        file = "dev" if side == "eval" else side
        path = measure.data_folder("sst2_sentences") / f"{file}.tsv"
        lines = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").split("\n") if line]
        rows = []
        for i in generator.permutation(len(lines))[:count]:
            speech = own[side][int(generator.integers(len(own[side])))]
            start = int(generator.integers(max(1, len(speech) - SPEECH)))
            rows.append({"text": " ".join([*speech[start : start + SPEECH], lines[i][0]]), "label": lines[i][1]})
        out[side] = rows
    return out


def judgments() -> Rows:
    """Sentences of 50 judgments with what stands before them; no judgment stands on two sides."""
    sides: Rows = {side: [] for side in ROWS["judgments"]}
    for number, path in enumerate(sorted((measure.data_folder("legal_rhetorical_roles") / "docs").glob("*.txt"))):
        sides[_side(number)] += _sentences(path.read_text(encoding="utf-8"))
    return _drawn(sides, ROWS["judgments"])


def _sentences(judgment: str) -> Iterator[dict[str, str]]:
    """Those that have enough words before them. judgment: a line for each sentence, its role behind a tab."""
    before: list[str] = []
    for line in judgment.splitlines():
        sentence, _, role = line.rpartition("\t")
        if len(before) >= BEFORE:
            yield {"text": " ".join([*before[-BEFORE:], *sentence.split()]), "label": role}
        before += sentence.split()


def _drawn(sides: Rows, counts: dict[str, int]) -> Rows:
    generator = np.random.default_rng(0)
    return {side: [rows[i] for i in generator.permutation(len(rows))[: counts[side]]] for side, rows in sides.items()}


def _side(number: int) -> str:
    """Three in ten are reported on, one in ten chooses."""
    return "test" if number % 10 >= 7 else "eval" if number % 10 == 6 else "train"


#: name -> (title, what its texts are, its rows)
SETS: dict[str, tuple[str, str, Callable[[], Rows]]] = {
    "late": (
        "Late",
        f"Made of real texts: a sentence of SST-2 behind {SPEECH} words of State of the Union speeches, so that what "
        "tells the label stands at the end alone.",
        late,
    ),
    "judgments": (
        "Judgments",
        "Sentences of judgments of the Supreme Court of India, of seven roles (facts, precedent, ruling ...), behind "
        f"the {BEFORE} words that stand before them. The evidence stands at the end, and what is before it tells "
        "something too. Rows of one judgment are alike, which the intervals over rows do not know.",
        judgments,
    ),
    "reviews": ("Film reviews", "Whole reviews, whose verdict stands anywhere, often at the end.", reviews),
}


def main(sets: list[str], seeds: int) -> dict[str, Any]:
    """Each way on each set; the page is written anew after each, with those that were measured before with as many
    seeds."""
    saved = measure.load(NAME)
    found: dict[str, Any] = saved["sets"] if saved.get("seeds") == seeds else {}
    for name in sets:
        rows = SETS[name][2]()
        path = measure.cache_folder(NAME) / f"{name}.json"
        path.write_text(json.dumps(rows))
        ways: dict[str, Any] = {}
        for way in WAYS:
            ways[way] = one(name, way, seeds, path)
            print(f"{name}, {way}: {measure.with_interval(ways[way]['figure'])}", flush=True)
        hits = {way: told.pop("hits") for way, told in ways.items()}
        for way in WAYS[1:]:
            ways[way]["difference"] = difference(hits[way], hits[FIRST])
        found[name] = {"rows": {side: len(some) for side, some in rows.items()}, "ways": ways}
        found = {name: found[name] for name in SETS if name in found}
        result = {"seeds": seeds, "sets": found}
        measure.save(NAME, result)
        measure.fill("docs/results.md", "long texts", section(result))
    return result


def one(name: str, way: str, seeds: int, path: Path) -> dict[str, Any]:
    """One way of reading, kept once it is finished, with its machine and its day."""
    asked = {"way": way, "seeds": seeds, "settings": SETTINGS, "length": LENGTH}
    key = {**asked, "rows": measure.config_hash([path.read_text()]), "source": source()}

    def ask() -> dict[str, Any]:
        quiet = measure.Quiet()
        quiet.check(f"{name}, {way}")
        with Child(f"bench.{NAME}", f"{name} {way}") as child:
            answered = child.ask({**asked, "rows": str(path)})
        quiet.check(f"the end of {name}, {way}")
        return {**answered, "busy": quiet.worst, "machine": measure.machine()}

    found: dict[str, Any] = measure.cached(f"{name}-{way}", key, ask, f"{name}, {way}", KEPT)["found"]
    return found


def source() -> str:
    """Of what decides a way's figure: all of ours but what is said of benchmarks, which are none of these sets."""
    return measure.source(*SOURCE, without=measure.BENCHMARKS, comments=False)


def difference(one: list[str], other: list[str]) -> dict[str, Any]:
    """Of two ways' accuracies, over seeds and rows. one, other: of each seed its `hits`."""
    from maskwright.stats import measures
    from maskwright.stats.intervals import bootstrap, combined, over_seeds

    a, b = (np.array([[int(hit) for hit in seed] for seed in side]) for side in (one, other))
    both = measures.difference(*(measures.share(side.mean(0)) for side in (a, b)))
    return combined(bootstrap(both, a.shape[1]), over_seeds(a.mean(1) - b.mean(1))).plain()


# ---------------------------------------------------------------- one way, in a process of its own


def answer(request: dict[str, Any]) -> dict[str, Any]:
    from maskwright.finetuning.run import finetune

    rows, native = json.loads(Path(request["rows"]).read_text()), request["way"] == "native"
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        run = finetune(
            **rows, model="minilm", out=f"{out}/run", long=request["way"], seeds=request["seeds"], quiet=True,
            max_length=None if native else request["length"], baselines=False, settings=request["settings"],
        )  # fmt: skip
        seconds = time.perf_counter() - start
        return {
            "figure": run.summary["figures"]["accuracy"], "seconds": seconds, "memory": measure.peak_memory(),
            "unseen": unseen(run), "hits": hits(run, [row["label"] for row in rows["test"]]),
        }  # fmt: skip


def unseen(run: Any) -> float:
    """The share of the pieces of the test rows that the network is not given."""
    with (run.folder / "seeds" / "0" / "log.jsonl").open(encoding="utf-8") as log:
        counts = json.loads(log.readline())["data"]["test"]
    return float(counts["pieces_cut"] / (counts["pieces"] + counts["pieces_cut"]))


def hits(run: Any, labels: list[str]) -> list[str]:
    """Of each seed a 1 for every test row that it has right, and a 0 for the others."""
    from safetensors.numpy import load_file

    true, found = np.array([run.summary["labels"].index(label) for label in labels]), []
    for seed, figure in zip(run.summary["seeds"], run.summary["figures"]["accuracy"]["seeds"], strict=True):
        right = load_file(run.folder / "seeds" / str(seed) / "scores.safetensors")["test"].argmax(1) == true
        assert abs(right.mean() - figure) < 1e-9, "these are not the rows of the figure"
        found.append("".join("01"[int(hit)] for hit in right))
    return found


# ---------------------------------------------------------------- the page


def section(result: dict[str, Any]) -> str:
    """A table and what it says for each set, for docs/results.md."""
    ways = [told for found in result["sets"].values() for told in found["ways"].values()]
    machines = measure.describe_all(told["machine"] for told in ways)
    busy = measure.disturbance(max(told["busy"] for told in ways))
    about = ABOUT.format(seeds=result["seeds"], machines=machines, busy=busy, length=LENGTH)
    parts = ["## Texts longer than the encoder reads", about]
    for name, found in result["sets"].items():
        title, texts, _ = SETS[name]
        rows = found["rows"]
        said = f"**{title}** ({rows['train']:,} training rows, {rows['test']:,} test rows). {texts}"
        parts += [said, table(found["ways"]), verdict(found["ways"])]
    return "\n\n".join(parts)


def table(ways: dict[str, Any]) -> str:
    head = ["way", "accuracy (95 %)", f"minus {FIRST} (95 %)", "never seen", "s", "peak, MiB"]
    rows = []
    for way, told in ways.items():
        gap = measure.with_interval(told["difference"]) if "difference" in told else "-"
        share = f"{100 * told['unseen']:.1f} %" if told["unseen"] else "none"
        clocks = measure.number(told["seconds"]), measure.number(told["memory"]["vm_hwm"])
        rows.append([f"`{way}`", measure.with_interval(told["figure"]), gap, share, *clocks])
    return measure.table(head, rows)


def verdict(ways: dict[str, Any]) -> str:
    """Which ways are better than reading the beginning, which are worse, and of which these rows do not tell."""
    kinds: dict[str, list[str]] = {"better": [], "worse": [], "open": []}
    for way, told in ways.items():
        if way != FIRST:
            low, high = (told["difference"][bound] for bound in ("low", "high"))
            kind = "open" if low is None or low <= 0 <= high else "better" if low > 0 else "worse"
            kinds[kind].append(f"`{way}`")
    said = {
        "better": f"Better than `{FIRST}`: {{}}.",
        "worse": f"Worse than `{FIRST}`: {{}}.",
        "open": f"Did not show to help or to harm beside `{FIRST}`: {{}}.",
    }
    return " ".join(said[kind].format(", ".join(some)) for kind, some in kinds.items() if some)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        given = parser(NAME, __doc__, SETS).parse_args()
        with leaving():
            main(given.names or list(SETS), given.seeds)
