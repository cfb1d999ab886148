"""Ways to read texts that are longer than the encoder: figure, time and memory of each, on two sets.

    python -m bench.long_texts [--seeds 3] [--sets late,reviews]

`reviews`: film reviews of NLTK's corpus, 2,000 of some 950 pieces each, whose verdict stands anywhere, often at the
end. `late`: a sentence of SST-2 behind so many words of speeches, so that nothing but the end of a text tells its
label. Each way is a process of its own that runs `maskwright.finetune`; a table goes into docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import _measure as measure
from bench._child import Child, serve

NAME = "long_texts"
KEPT = measure.RESULTS / NAME
LENGTH = 128  #: pieces that are read at a time
WAYS = ("head", "tail", "head-tail", "chunk-mean", "chunk-max", "chunk-attention", "hierarchical", "native")
SPEECH = 320  #: words in front of the sentence that tells
COUNT = {"train": 1600, "eval": 300, "test": 900}  #: rows of `late`
#: what decides a figure of ours
SOURCE = ("base", "nn", "text", "data", "models", "training", "tasks", "finetuning")
SETTINGS = {"train": {"epochs": 4, "lr": 1e-4, "checkpoint_minutes": None}}

ABOUT = """\
`python -m bench.long_texts --seeds {seeds}` ({machine}). MiniLM, {length} pieces at a time, and 512, all that it \
takes, for `native`. Accuracy in points, the mean over {seeds} seeds with its 95 % interval over seeds and rows, on \
rows that chose nothing; time and peak memory are those of the whole command, all seeds. **Film reviews**: {reviews:,} \
test rows. **Late**: made of real texts, a sentence of SST-2 behind {speech} words of State of the Union speeches \
({late:,} test rows): what tells the label stands at the end alone."""


def reviews() -> dict[str, list[dict[str, str]]]:
    """NLTK's 2,000 film reviews, cut by the number in their name, which is that of the review and not of its author."""
    sides: dict[str, list[dict[str, str]]] = {"train": [], "eval": [], "test": []}
    with zipfile.ZipFile(measure.data_folder("nltk_zips") / "movie_reviews.zip") as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".txt") or "/cv" not in name:
                continue
            number, label = int(Path(name).name[2:5]), name.split("/")[1]
            side = "test" if number % 10 >= 7 else "eval" if number % 10 == 6 else "train"
            text = archive.read(name).decode("latin-1")
            sides[side].append({"text": " ".join(text.split()), "label": label})
    return sides


def late() -> dict[str, list[dict[str, str]]]:
    """Sentences of SST-2 behind parts of speeches; no speech stands on two sides."""
    with zipfile.ZipFile(measure.data_folder("nltk_zips") / "state_union.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".txt"))
        speeches = [archive.read(name).decode("latin-1").split() for name in names]
    generator, out = np.random.default_rng(0), {}
    own = {"train": speeches[0::2], "eval": speeches[1::4], "test": speeches[3::4]}
    for side, count in COUNT.items():
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


SETS: dict[str, tuple[str, Callable[[], dict[str, list[dict[str, str]]]]]] = {
    "late": ("Late", late),
    "reviews": ("Film reviews", reviews),
}


def main(sets: list[str], seeds: int) -> dict[str, Any]:
    quiet, found = measure.Quiet(), dict[str, Any]()
    for name in sets:
        rows = SETS[name][1]()
        path = measure.cache_folder(NAME) / f"{name}.json"
        path.write_text(json.dumps(rows))
        found[name] = {"rows": {side: len(some) for side, some in rows.items()}, "ways": {}}
        for way in WAYS:
            quiet.check(f"{name}, {way}")
            told = one(name, way, seeds, path)
            found[name]["ways"][way] = told
            print(f"{name}, {way}: {points(told['figure'])}, {told['seconds']:.0f} s", flush=True)
    result = {"machine": measure.machine(), "seeds": seeds, "sets": found, "busy": quiet.worst}
    if set(sets) == set(SETS):
        measure.save(NAME, result)
        measure.fill("docs/results.md", "long texts", section(result))
    return result


def one(name: str, way: str, seeds: int, path: Path) -> dict[str, Any]:
    """One way of reading, kept once it is finished."""
    asked = {"way": way, "seeds": seeds, "settings": SETTINGS, "length": LENGTH}
    key = {**asked, "rows": measure.config_hash([path.read_text()]), "source": measure.source(*SOURCE)}

    def ask() -> dict[str, Any]:
        with Child(f"bench.{NAME}", f"{name} {way}") as child:
            return child.ask({**asked, "rows": str(path)})

    found: dict[str, Any] = measure.cached(f"{name}-{way}", key, ask, f"{name}, {way}", KEPT)["found"]
    return found


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
    unseen = [note for note in run.notes if "never seen" in note]
    return {
        "figure": run.summary["figures"]["accuracy"], "seconds": seconds, "memory": measure.peak_memory(),
        "unseen": unseen,
    }  # fmt: skip


def points(figure: dict[str, Any]) -> str:
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def section(result: dict[str, Any]) -> str:
    """The table, for docs/results.md."""
    sets = result["sets"]
    head = ["way"]
    for name in sets:
        head += [SETS[name][0], "never seen", "s", "peak, MiB"]
    rows = []
    for way in WAYS:
        cells = [f"`{way}`"]
        for found in sets.values():
            told = found["ways"][way]
            share = told["unseen"][0].partition(" pieces, ")[2].partition(" of all")[0] if told["unseen"] else "none"
            peak = measure.number(told["memory"]["vm_hwm"])
            cells += [points(told["figure"]), share, measure.number(told["seconds"]), peak]
        rows.append(cells)
    about = ABOUT.format(
        seeds=result["seeds"], machine=measure.describe(result["machine"]), length=LENGTH, speech=SPEECH,
        reviews=sets["reviews"]["rows"]["test"], late=sets["late"]["rows"]["test"],
    )  # fmt: skip
    return "\n\n".join(["## Texts longer than the encoder reads", about, measure.table(head, rows)])


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        serve(answer)
    else:
        parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
        parser.add_argument("--seeds", type=int, default=3)
        parser.add_argument("--sets", default=",".join(SETS), help="by comma; saved only when all take part")
        given = parser.parse_args()
        try:
            main(given.sets.split(","), given.seeds)
        except measure.Stop as reason:
            print(f"error: {reason}", file=sys.stderr)
            raise SystemExit(2) from None
