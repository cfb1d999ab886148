"""Say whether one system is better than another on the same rows."""

from __future__ import annotations

import json
import math
import textwrap
from typing import Annotated

import typer


def command(
    a: Annotated[str, typer.Argument(help="a run folder, or a file with a column prediction, label(s) or score")],
    b: Annotated[str, typer.Argument(help="the other system: a run folder or a file, the same rows in the same order")],
    data: Annotated[
        str | None, typer.Option("--data", help="a file with the true labels, where a and b have none")
    ] = None,
    label: Annotated[str, typer.Option("--label", help="the column of --data that holds them")] = "label",
    separator: Annotated[
        str | None, typer.Option("--separator", help="what stands between several labels of a cell; the run's, else ,")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="what the sentence is about")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Say whether one system is better than another on the same rows: a paired verdict in one sentence.

    A difference in a share of rows, such as accuracy, has Bonett's and Price's interval, any other the bootstrap's
    (BCa); p is of approximate randomisation, and corrected (Holm) in the table, which looks at several metrics. A
    column `label` holds answers where `target` stands beside it or --data is given.
    """
    from maskwright.cli._table import print_notes
    from maskwright.evaluation.compare import compare

    found = compare(a, b, data, label, metric, separator)
    if as_json:
        print(json.dumps(found.plain()))
        return
    print_notes(found.notes)
    print(textwrap.fill(found.sentence[0].upper() + found.sentence[1:], 100) + "\n")
    width = max(map(len, found.verdicts))
    print(f"{'a - b':<{width}}  difference  95 % over examples        p  p (Holm)")
    for name, verdict in found.verdicts.items():
        d = verdict.difference
        bounds = f"{d.low:+.4f} to {d.high:+.4f}" if math.isfinite(d.low) else "none"
        p, corrected = verdict.p, found.corrected[name]
        lower = "  lower is better" if verdict.lower_is_better else ""
        print(f"{name:<{width}}  {d.value:+10.4f}  {bounds:<18}  {p:7.4f}  {corrected:8.4f}{lower}")
    if found.mcnemar is not None:
        print(f"McNemar, exact: p = {found.mcnemar:.4f}")
