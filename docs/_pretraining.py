r"""Writes the figures of docs/pretraining.md: every masking, rate and objective, trained on as many pieces.

    maskwright corpus build $MASKWRIGHT_DATA/english_novels --out novels --held-out-name Anon_Clara_1864 \
        --held-out-name Dickens_Oliver_1839 --held-out-name James_Roderick_1875 --held-out-name Trollope_Warden_1855
    python docs/_pretraining.py novels

Each arm is one call of `maskwright pretrain` with the same network, pieces and seed; only the switch in its row
differs. As many run at once as there are cores, on one thread each. The collocations and phrases are found in the
corpus. An arm that was run before, with the same switches, is not run again (docs/pretraining.json).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT, PAGE = HERE / "pretraining.json", HERE / "pretraining.md"
BEGIN, END = "<!-- figures: written by docs/_pretraining.py -->", "<!-- end of figures -->"
#: The same for all: the modern recipe's network, in its smallest size, and its steps.
COMMON = '--size 2x128 --budget "1500000 tokens" --batch-tokens 2048 --set train.precision=fp32 --set train.threads=1'
VOCABULARY = 8192  #: the recipe's for a budget of this size
COLLOCATIONS = 8000
NAMED = 20  #: times that a name must come to be a phrase
#: rows of the tables of objectives and maskings -> arms, where these have another name
ROWS = {
    "`mlm`": "token, 15 %, 80/10/10",
    "`token`": "token, 15 %, 80/10/10",
    "`mlm`, `objective.shift=true`": "mlm, answered from the piece before",
    "`mixture`": "mixture, mixed",
}
LONGER = '--budget "4M tokens"'  #: what networks whose norms stand behind need to leave the plateau
PAIRED = f"--family bert --dropout 0 {LONGER}"  #: a network that has a head for the order of two texts
#: what stands beside the loss: of an objective's figures the name, and how a number is written
BESIDE = {
    "order": "{:.1%} of the pairs",
    "boundary": "{:.3f} from the neighbours",
    "found": "{:.1%} of the pieces found",
}
BASE = "--set masking.rate=0.15 --set masking.masked=0.8 --set masking.random=0.1"
ARMS = {
    "token, 15 %, 80/10/10": BASE,
    "token, 15 %, all [MASK]": "--set masking.rate=0.15",
    "token, 5 %": "--set masking.rate=0.05",
    "token, 30 %": "--set masking.rate=0.3",
    "token, 50 %": "--set masking.rate=0.5",
    "token, 30 to 15 %, linear": "",
    "token, 30 to 15 %, cosine": "--set masking.rate=cosine",
    "whole-word": f"--masking whole-word {BASE}",
    "span": f"--masking span {BASE}",
    "n-gram": f"--masking n-gram {BASE}",
    "phrase": f"--masking phrase --set masking.file={{phrases}} {BASE}",
    "pmi": f"--masking pmi --set masking.file={{collocations}} {BASE}",
    "static, 1 copy": f"{BASE} --set masking.copies=1",
    "mlm, answered from the piece before": f"{BASE} --set objective.shift=true",
    "full-sentences": f"{BASE} --set objective.format=full-sentences",
    "span-boundary": "--objective span-boundary",
    "mixture, mixed": "--objective mixture",
    "mixture, causal then masked": "--objective mixture --set objective.order=then "
    '--set \'objective.parts=["causal", "mlm"]\'',
    "causal": "--objective causal",
    "mlm, BERT's network": f"{PAIRED} {BASE}",
    "next-sentence": f"--objective next-sentence {PAIRED}",
    "next-sentence, single sentences": f"--objective next-sentence --set objective.format=sentence-pair {PAIRED}",
    "sentence-order": f"--objective sentence-order {PAIRED}",
    "replaced-tokens": f"--objective replaced-tokens --family electra --dropout 0 {LONGER}",
}


def main(folder: str) -> None:
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    due = [name for name in ARMS if kept.get(name, {}).get("switch") != switch(name)]
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(os.cpu_count()) as pool:
        words = lists(folder, Path(work)) if due else {}
        running = {pool.submit(figures, folder, switch(name).format(**words)): name for name in due}
        for done in as_completed(running):
            name = running[done]
            kept[name] = {"switch": switch(name), **done.result()}
            print(f"{name}: {kept[name]['loss']['value']:.3f}", flush=True)
            KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    write(kept)


def switch(name: str) -> str:
    return f"{COMMON} {ARMS[name]}"


def lists(folder: str, work: Path) -> dict[str, Path]:
    """The files of the maskings that know runs of words: collocations, and names as ERNIE's entities are."""
    from maskwright.data.corpus import Corpus
    from maskwright.pretraining.phrases import phrases
    from maskwright.pretraining.reading import beside, learn

    corpus, found = Corpus.open(folder), {name: work / name for name in ("collocations.npz", "phrases.txt")}
    tokenizer = learn(corpus, VOCABULARY, False, beside(corpus, work))
    phrases(corpus, tokenizer, found["collocations.npz"], size=COLLOCATIONS, quiet=True)
    found["phrases.txt"].write_text("".join(f"{name}\n" for name in names(corpus)), encoding="utf-8")
    return {path.stem: path for path in found.values()}


def names(corpus: Any) -> list[str]:
    """Runs of two or more capitalised words inside a sentence ("Lady Maria", "New York") that come often enough."""
    run = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+(?: [A-Z][a-z]+)+")
    sentences = (sentence for document in corpus.documents("train") for sentence in document.sentences)
    counts = Counter(name for sentence in sentences for name in run.findall(sentence))
    return sorted(name for name, times in counts.items() if times >= NAMED)


def figures(corpus: str, words: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        run = [sys.executable, "-m", "maskwright", "pretrain", corpus, "--out", f"{out}/run", "--quiet"]
        subprocess.run([*run, *shlex.split(words)], check=True, stdout=subprocess.DEVNULL)
        told = json.loads(Path(out, "run", "metrics.json").read_text())
        config = json.loads(Path(out, "run", "config.json").read_text())
    found = {name: told["figures"][name] for name in ("loss", *BESIDE) if name in told["figures"]}
    return {**found, "parameters": told["parameters"], "corpus": config["start"]["corpus"][:16]}


def write(kept: dict[str, Any]) -> None:
    """Put the table between its marks."""
    rows = ["| arm | nats a masked piece | beside | switch |", "|---|---|---|---|"]
    for name in ARMS:
        if name in kept:
            loss, own = kept[name]["loss"], kept[name]["switch"].removeprefix(COMMON).strip()
            said = f"{loss['value']:.3f} ({loss['low']:.3f} to {loss['high']:.3f})"
            beside = ", ".join(_said(how, kept[name][of]) for of, how in BESIDE.items() if of in kept[name])
            rows.append(f"| {name} | {said} | {beside} | {f'`{own}`' if own else ''} |")
    page = re.sub(r"(?m)^\| (`.*?) \| (.*) \| [^|]*\|$", lambda row: _told(row, kept), PAGE.read_text())
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n{END}{rest.partition(END)[2]}")


def _told(row: re.Match[str], kept: dict[str, Any]) -> str:
    """A row of an objective or a masking with its figure in the last cell."""
    name = ROWS.get(row[1], row[1].strip("`"))
    return f"| {row[1]} | {row[2]} | {kept[name]['loss']['value']:.3f} |" if name in kept else row[0]


def _said(how: str, figure: dict[str, float]) -> str:
    low, high = (how.partition(" ")[0].format(figure[side]) for side in ("low", "high"))
    return f"{how.format(figure['value'])} ({low} to {high})"


if __name__ == "__main__":
    main(*sys.argv[1:])
