"""Show what a model is made of: its sizes, parameters per part, and memory by precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.base.columns import aligned

if TYPE_CHECKING:
    from maskwright.models import Listed, Shown

FIRST = ("layers", "width", "heads", "positions", "vocabulary")
CHANGED = ("date", "embedding", "attention", "block", "objective", "sharing")


def command(
    models: Annotated[
        list[str] | None, typer.Argument(help="A folder, a model's name or id, or a published size such as bert-base.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="Count this network, for example pretraining.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Count operations for one text of so many tokens.")] = 128,
    compare: Annotated[bool, typer.Option("--compare", help="Set several models side by side.")] = False,
    diagram: Annotated[bool, typer.Option("--diagram", help="Draw the network with its shapes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is made of: its sizes, parameters and operations per part, and memory by precision.

    Without a model it lists every published size with its parameters. A folder is counted as the network that it says
    it is, a published size with its pooler; --head counts another network. Operations are those of matrix products.
    Memory is in MB, 1,000,000 bytes. Training is fp32 weights, gradients and AdamW's two moments; activations, which
    grow with the batch, come on top. In a diagram each line reads the one above it, unless it says what it reads; what
    has a + is added to the one above it.
    """
    import json
    from dataclasses import asdict

    from maskwright.base.errors import UserError
    from maskwright.models import listing, show

    models = models or []
    if compare and diagram:
        raise UserError("--compare and --diagram are both given. Draw one model after the other, or only compare.")
    if compare and len(models) < 2:
        raise UserError(f"--compare sets models side by side: name at least two, not {len(models)}.")
    if diagram and not models:
        raise UserError("--diagram draws a model, and none is named. Name one, for example bert-base.")
    if len(models) > 1 and not compare:
        raise UserError(f"{len(models)} models are given; --compare sets them side by side.")
    found = [show(model, head, tokens, draw=diagram) for model in models] if models else listing()
    if as_json:
        plain = [asdict(row) for row in found]
        said = [json.dumps(plain[0] if len(models) == 1 else plain, indent=2)]
    elif not models:
        said = listed(found)
    elif compare:
        said = compared(found)
    else:
        said = found[0].diagram if diagram else lines(found[0])
    for line in said:
        typer.echo(line)


def listed(found: list[Listed]) -> list[str]:
    """Every published size, one line each: counted parameters beside what its source prints, in millions."""
    rows = [("model", "layers", "width", "parameters", "published", "where")]
    notes = []
    for row in found:
        mark = ""
        if row.note:
            notes.append(row)
            mark = f" [{len(notes)}]"
        given = f"{row.published} M" if row.published else "-"
        rows.append((row.model, str(row.layers), str(row.width), f"{row.parameters:,}", given, row.source + mark))
    return [*aligned(rows, left=(0, 5)), "", *(f"  [{i}] {n.model}: {n.note}" for i, n in enumerate(notes, 1))]


def compared(shown: list[Shown]) -> list[str]:
    """One column each: what a model has otherwise than BERT, its sizes, parameters and operations by part."""
    rows = [("", *(s.model for s in shown)), ("family", *(s.family for s in shown))]
    rows += [
        (name, *(s.changes.get(name) or "-" for s in shown))
        for name in CHANGED
        if any(name in s.changes for s in shown)
    ]
    sizes = list(dict.fromkeys(name for s in shown for name in s.sizes))
    for name in sorted(sizes, key=lambda n: FIRST.index(n) if n in FIRST else len(FIRST)):
        rows.append((name.replace("_", " "), *(_said(s.sizes[name]) if name in s.sizes else "-" for s in shown)))
    parts = list(dict.fromkeys(row.part for s in shown for row in s.rows))
    for what, of in (("parameters", lambda row: f"{row.total:,}"), ("MFLOP", lambda row: _mega(row.flops) or "-")):
        for part in parts:
            cells = [next((of(row) for row in s.rows if row.part == part), "-") for s in shown]
            if set(cells) != {"-"}:
                rows.append((f"{what}: {_named(part)}", *cells))
    rows.append(("parameters: all", *(f"{s.total:,}" for s in shown)))
    rows.append((f"MFLOP: all, {shown[0].tokens} tokens", *(_mega(sum(r.flops for r in s.rows)) for s in shown)))
    return _folded(rows)


def lines(shown: Shown) -> list[str]:
    """The report, one text for each line."""
    network = "with the heads that its folder holds" if shown.head is None else f"network {shown.head!r}"
    out = [f"{shown.model}: family {shown.family}, {network}", ""]
    names = [n for n in FIRST if n in shown.sizes] + [n for n in shown.sizes if n not in FIRST]
    out += [f"  {name.replace('_', ' '):<20}{_said(shown.sizes[name]):>12}" for name in names]

    rows = [("part", "parameters", "blocks", "sum", "share", f"MFLOP, {shown.tokens} tokens")]
    for row in shown.rows:
        name = _named(row.part) + (" (new: not in the folder)" if row.new else "")
        each = " ".join(f"{n:,}" for n in sorted(set(row.each), reverse=True))
        blocks = str(row.blocks) if row.blocks else ""
        rows.append((name, each, blocks, f"{row.total:,}", _share(row.total, shown), _mega(row.flops)))
    inside = sum(row.flops for row in shown.rows if row.part.startswith("encoder."))
    rows.append(("encoder", "", "", f"{shown.encoder:,}", _share(shown.encoder, shown), _mega(inside)))
    whole = _mega(sum(row.flops for row in shown.rows))
    rows.append(("all", "", "", f"{shown.total:,}", _share(shown.total, shown), whole))
    out += ["", *aligned(rows), ""]
    return out + [f"  {what:<28}{size:>12,.1f} MB" for what, size in shown.megabytes.items()]


def _folded(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns of words, each cell folded to a column's width."""
    import shutil
    import textwrap

    first = max(len(row[0]) for row in rows)
    room = max(16, (shutil.get_terminal_size((120, 24)).columns - first - 4) // (len(rows[0]) - 1) - 2)
    out = []
    for row in rows:
        cells = [textwrap.wrap(cell, room) or [""] for cell in row[1:]]
        for i in range(max(map(len, cells))):
            words = [cell[i] if i < len(cell) else "" for cell in cells]
            name = row[0] if i == 0 else ""
            out.append(f"  {name:<{first}}  {'  '.join(word.ljust(room) for word in words)}".rstrip())
    return out


def _named(part: str) -> str:
    return part.removeprefix("encoder.").replace(".", " ").replace("_", " ")


def _mega(count: int) -> str:
    return f"{count / 1e6:,.1f}" if count else ""


def _share(part: int, shown: Shown) -> str:
    return f"{part / shown.total:.1%}"


def _said(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
