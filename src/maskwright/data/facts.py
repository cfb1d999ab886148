"""Facts on data, before anything is trained: repeats, leaks, contradictions, lengths, classes, strange rows.

Each is a `Finding`; `examine` collects them. All but the numbers of a vocabulary need no model. Looking never changes
or drops a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.base.words import counted
from maskwright.data import _texts
from maskwright.data._conflicts import conflicts
from maskwright.data._corpus import in_corpus
from maskwright.data._finding import SEVERITIES, Finding, Severity, Side
from maskwright.data._fragments import KIND as FRAGMENTS
from maskwright.data._fragments import fragments
from maskwright.data._near import near_duplicates
from maskwright.data._same import codes, duplicates
from maskwright.data._strange import strangest
from maskwright.data._targets import kind, labels
from maskwright.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Facts:
    """All findings, the most serious first."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Facts:
        return cls(tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))))

    def of_severity(self, *severities: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity in severities]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        counts = {f"{severity}s": len(self.of_severity(severity)) for severity in SEVERITIES}
        return {**counts, "findings": [finding.plain() for finding in self.findings]}

    def sentences(self) -> list[str]:
        """One text a finding for a terminal; the first rows it concerns stand under its sentence."""
        return ["\n    ".join([f"{finding.severity}: {finding.sentence}", *finding.where]) for finding in self.findings]

    def notes(self, most: int = 5, said: Sequence[str] = ()) -> list[str]:
        """Sentences for the notes of a run: how the vocabulary cuts the training texts; errors and warnings, the first
        `most`; and a count of the rest. said: kinds that the run notes itself."""
        always = [one for one in self.findings if one.kind == FRAGMENTS and one.values["split"] == "train"]
        grave = [one for one in self.of_severity("error", "warning") if one.kind not in said and one not in always]
        out = [finding.sentence for finding in [*always, *grave[:most]]]
        if len(grave) > most:
            out.append(f"data.json in the folder of the run holds {counted(len(grave) - most, 'more warning')}.")
        return out


def examine(
    sides: Sequence[Side],
    *,
    names: Sequence[str] = (),
    tokenizer: Tokenizer | None = None,
    max_length: int | None = None,
    corpus: Sequence[str | Path] = (),
    near: int | None = None,
) -> Facts:
    """All that is worth knowing of these splits.

    names: of the classes that whole-number targets count. tokenizer: what made the encodings of the sides, cut to
    `max_length`; without it nothing is said of pieces. corpus: files that the encoder was trained on. near: up to how
    many rows, all splits together, near repeats are looked for; without a limit by default.

    Raises UserError for a corpus file that cannot be read.
    """
    numbers, keys = codes(sides)
    rows = sum(map(len, sides))
    found = [*duplicates(sides, numbers), *conflicts(sides, numbers, names)]
    if near is None or rows <= near:
        found += near_duplicates(sides, numbers, keys)
    else:
        sentence = f"Near repeats were not looked for: there are {rows:,} rows, more than {near:,}."
        found.append(Finding("near duplicates", "fact", sentence, values={"rows": rows, "most": near}))
    found += _texts.wordless(sides) + labels(sides, names) + _texts.casing(sides, tokenizer)
    if tokenizer is not None:
        found += _texts.lengths(sides, max_length) + _texts.unknown(sides, tokenizer) + fragments(sides, tokenizer)
    if corpus:
        found += in_corpus(sides, corpus)
    return Facts.of(found + strangest(sides, numbers))


__all__ = ["Facts", "Finding", "Severity", "Side", "examine", "kind"]
