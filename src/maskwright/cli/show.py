"""Show what a model is made of: its sizes, parameters per part, and memory by precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from maskwright.models import Shown

FIRST = ("layers", "width", "heads", "positions", "vocabulary")


def command(
    model: Annotated[str, typer.Argument(help="A folder, a model's name, or a published size such as bert-base.")],
    head: Annotated[str | None, typer.Option(help="Count this network, for example pretraining.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is made of: its sizes, parameters per part, and memory by precision.

    A folder is counted with the heads that it holds, a published size with its pooler; --head counts another network.
    Memory is in MB, 1,000,000 bytes. Training is fp32 weights, gradients and AdamW's two moments; activations, which
    grow with the batch, come on top.
    """
    import json
    from dataclasses import asdict

    from maskwright.models import show

    shown = show(model, head)
    if as_json:
        typer.echo(json.dumps(asdict(shown), indent=2))
        return
    for line in lines(shown):
        typer.echo(line)


def lines(shown: Shown) -> list[str]:
    """The report, one text for each line."""
    network = "with the heads that its folder holds" if shown.head is None else f"network {shown.head!r}"
    out = [f"{shown.model}: family {shown.family}, {network}", ""]
    names = [n for n in FIRST if n in shown.sizes] + [n for n in shown.sizes if n not in FIRST]
    out += [f"  {name.replace('_', ' '):<20}{_said(shown.sizes[name]):>12}" for name in names]

    rows = [("part", "parameters", "blocks", "sum", "share")]
    for row in shown.rows:
        name = row.part.removeprefix("encoder.").replace(".", " ").replace("_", " ") + (
            " (new: not in the folder)" if row.new else ""
        )
        each = " ".join(f"{n:,}" for n in sorted(set(row.each), reverse=True))
        rows.append((name, each, str(row.blocks) if row.blocks else "", f"{row.total:,}", _share(row.total, shown)))
    rows.append(("encoder", "", "", f"{shown.encoder:,}", _share(shown.encoder, shown)))
    rows.append(("all", "", "", f"{shown.total:,}", _share(shown.total, shown)))
    out += ["", *_aligned(rows), ""]
    return out + [f"  {what:<28}{size:>12,.1f} MB" for what, size in shown.megabytes.items()]


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        f"  {row[0]:<{widths[0]}}" + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _share(part: int, shown: Shown) -> str:
    return f"{part / shown.total:.1%}"


def _said(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
