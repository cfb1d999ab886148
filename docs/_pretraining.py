"""Writes the figures of docs/pretraining.md: every masking, rate and objective, trained on as many pieces.

    maskwright corpus build $MASKWRIGHT_DATA/english_novels --out novels --held-out-name ...
    python docs/_pretraining.py novels

Each arm is one call of `maskwright pretrain` with the same network, pieces and seed; only the switch in its row
differs.
An arm that was run before, with the same corpus and words, is not run again (docs/pretraining.json).
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT, PAGE = HERE / "pretraining.json", HERE / "pretraining.md"
BEGIN, END = "<!-- figures: written by docs/_pretraining.py -->", "<!-- end of figures -->"
#: The same for all: BERT's network without dropout, whose heads serve every objective, and the modern recipe's steps.
COMMON = '--family bert --size 3x192 --dropout 0 --budget "1M tokens" --batch-tokens 4096 --set train.precision=fp32'
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
    "next-sentence": "--objective next-sentence",
    "next-sentence, single sentences": "--objective next-sentence --set objective.format=sentence-pair",
    "sentence-order": "--objective sentence-order",
    "span-boundary": "--objective span-boundary",
    "replaced-tokens": "--objective replaced-tokens --family electra",
    "mixture, mixed": "--objective mixture",
    "mixture, causal then masked": "--objective mixture --set objective.order=then "
    '--set \'objective.parts=["causal", "mlm"]\'',
    "causal": "--objective causal",
}


def main(corpus: str, *files: str) -> None:
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    given = dict(zip(("collocations", "phrases"), files, strict=False))
    for name, switch in ARMS.items():
        if "{" in switch and not all(file in given for file in ("collocations", "phrases")):
            continue
        words = f"{COMMON} {switch.format(**given)}"
        shown = f"{COMMON} {switch}"
        if kept.get(name, {}).get("switch") == shown:
            continue
        print(name, flush=True)
        kept[name] = {"switch": shown, **figures(corpus, words)}
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if PAGE.exists():
        write(kept)


def figures(corpus: str, words: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as out:
        run = [sys.executable, "-m", "maskwright", "pretrain", corpus, "--out", f"{out}/run", "--quiet"]
        subprocess.run([*run, *shlex.split(words)], check=True, stdout=subprocess.DEVNULL)
        told = json.loads(Path(out, "run", "metrics.json").read_text())
        config = json.loads(Path(out, "run", "config.json").read_text())
    return {"loss": told["figures"]["loss"], "parameters": told["parameters"], "corpus": config["start"]["corpus"][:16]}


def write(kept: dict[str, Any]) -> None:
    """Put the table between its marks."""
    rows = ["| arm | nats a masked piece | switch |", "|---|---|---|"]
    for name in ARMS:
        if name in kept:
            loss, switch = kept[name]["loss"], kept[name]["switch"].removeprefix(COMMON).strip()
            said = f"{loss['value']:.3f} ({loss['low']:.3f} to {loss['high']:.3f})"
            rows.append(f"| {name} | {said} | {f'`{switch}`' if switch else ''} |")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
