"""What is known of a corpus: how much there is, what was left out and why, and what a person should hear of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskwright.base.words import counted
from maskwright.data.corpus.shards import SPLITS

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
REPEATED = 0.25  #: of the sentences: from here on repeats are named as what keeps a loss from falling
SINGLE = 0.5  #: of the documents, likewise for those of one sentence


def words_of_sentences(histogram: np.ndarray) -> dict[str, float]:
    """Mean, quantiles and the greatest number of words of a sentence, from how many sentences have 0, 1, ... words."""
    total = int(histogram.sum())
    behind = np.cumsum(histogram)
    found = {f"{q:g}": int(np.searchsorted(behind, q * total)) for q in QUANTILES}
    mean = float(histogram @ np.arange(len(histogram))) / max(total, 1)
    return {"mean": round(mean, 3), **found, "most": len(histogram) - 1}


def repeated_share(hashes: np.ndarray) -> float:
    """The share of sentences that say what an earlier one said. Sorts `hashes` (uint64, one a sentence) in place."""
    if not len(hashes):
        return 0.0
    hashes.sort()
    return float(np.count_nonzero(hashes[1:] == hashes[:-1])) / len(hashes)


def warnings(facts: Mapping[str, Any]) -> list[str]:
    """What a person should hear of before a model is trained on this."""
    out = []
    share = facts["repeated_sentences"]
    if share >= REPEATED:
        out.append(
            f"{share:.0%} of the sentences repeat an earlier one. A model learns those by heart, and its loss then "
            "stalls, or falls for a wrong reason: look here first when it does. Repeated lines are removed by "
            "--documents lines --duplicates exact; repeated headers and footers need a look at the source."
        )
    total = facts["total"]
    if total["single"] > SINGLE * total["documents"]:
        out.append(
            f"{total['single']:,} of {counted(total['documents'], 'document')} are one sentence: objectives that need "
            "a next sentence find none in them."
        )
    if facts["cut"]["documents"]:
        out.append(f"Documents that were too long and stand in several parts: {facts['cut']['documents']:,}.")
    if facts["cut"]["sentences"]:
        out.append(
            f"Cuts in sentences that were too long: {facts['cut']['sentences']:,}. Is it data, or text without stops?"
        )
    if facts["duplicates"]["crowded"]:
        out.append(
            f"{counted(facts['duplicates']['crowded'], 'document')} stood among so many others that may be like them "
            "that each was compared with two of those only: near duplicates may be left."
        )
    return out


def lines(facts: Mapping[str, Any]) -> list[str]:
    """The facts of a corpus for a person, a line each."""
    table = [("", "documents", "sentences", "words", "bytes")]
    for split in (*SPLITS, "total"):
        row = facts["total"] if split == "total" else facts["splits"][split]
        table.append((split, *(f"{row[name]:,}" for name in table[0][1:])))
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    out = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table]
    words, removed = facts["words_per_sentence"], facts["duplicates"]
    quantiles = ", ".join(f"{float(q):.0%} at most {words[q]:,}" for q in map("{:g}".format, QUANTILES))
    out.append(f"words a sentence: mean {words['mean']:.1f}; {quantiles}; the longest {words['most']:,}")
    verb = "kept" if facts["settings"]["duplicates"] == "keep" else "removed"
    near = f", {removed['near']:,} nearly equal" if facts["settings"]["duplicates"] == "near" else ""
    out.append(f"duplicates {verb}: {removed['exact']:,} equal{near}")
    out.append(f"left out: {_counts(facts['filtered'])}")
    out.append(f"sentences that repeat an earlier one: {facts['repeated_sentences']:.1%}")
    out.append(f"special tokens neutralised: {facts['specials']:,}; control characters taken out: {facts['control']:,}")
    out.append(f"read: {counted(facts['inputs']['files'], 'file')}, {facts['inputs']['bytes']:,} bytes")
    out.append(f"fingerprint: {facts['fingerprint'][:16]}")
    return [*out, *(f"note: {note}" for note in facts["notes"])]


def _counts(counts: Mapping[str, int]) -> str:
    found: Sequence[str] = [f"{count:,} {name}" for name, count in counts.items() if count]
    return ", ".join(found) or "none"
