"""Write a run's report page and model card anew."""

from __future__ import annotations

from typing import Annotated

import typer


def command(run: Annotated[str, typer.Argument(help="a run folder: what --out named")]) -> None:
    """Write a run's report page and model card anew, from what its folder holds.

    report.html opens offline, in one file. README.md is a model card in the format of the Hugging Face hub, beside the
    page and in model/. Older ones are replaced, also where somebody has changed them by hand.
    """
    from maskwright.runs.card import write_card
    from maskwright.runs.report import write_report

    print(f"report: {write_report(run)}")
    for card in write_card(run):
        print(f"card: {card}")
