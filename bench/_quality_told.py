"""What came out of the measurement of quality per minute: when which loss was reached, targets, tables."""

from __future__ import annotations

from typing import Any

from bench import _measure as measure
from bench import _novels as novels

PLATEAU = 0.2  #: nats below the plateau of piece frequencies, from which on a network has left it
GRID_HEAD = ["shape", "rate", "warm-up", "batch", "dropout", "pieces read", "loss", "left the plateau"]


# ---------------------------------------------------------------- figures


def reached(curve: list[dict[str, float]], loss: float) -> float | None:
    """Seconds after which a curve was first down at a loss; None: never. Between two points it is taken as straight,
    which for a curve that flattens is later than it was. Before the first point nothing is known: then at it."""
    for i, point in enumerate(curve):
        if point["loss"] > loss:
            continue
        if i == 0:
            return point["seconds"]
        before = curve[i - 1]
        part = (before["loss"] - loss) / (before["loss"] - point["loss"])
        return before["seconds"] + part * (point["seconds"] - before["seconds"])
    return None


def of(arms: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [arm for arm in arms if arm["arm"] == name]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def shares(one: dict[str, Any]) -> list[float] | None:
    """Of each seed of ours the share of the minutes in which it reached the peer's last loss; None: one never did, or a
    side is missing."""
    peers = of(one["arms"], "peer")
    found = [reached(arm["curve"], peers[0]["final"]["loss"]) for arm in of(one["arms"], "ours")] if peers else []
    if not found or None in found:
        return None
    return [seconds / (60 * one["minutes"]) for seconds in found if seconds is not None]


def targets(one: dict[str, Any]) -> list[measure.Target]:
    """The issue's limits after so many minutes. An arm that did not run leaves its targets unmeasured."""
    ours, third, peer = ([a["final"]["loss"] for a in of(one["arms"], n)] for n in ("ours", "ours, a third", "peer"))
    reaching = shares(one)
    gain = peer[0] - mean(ours) if peer and ours else None
    left = [arm["unigram"] - arm["final"]["loss"] for arm in of(one["arms"], "peer")]
    behind = third[0] - peer[0] if peer and third else None
    minutes = f"{one['minutes']:g} minutes"
    return [
        measure.Target(
            f"share of {minutes} in which ours reaches the peer's last loss, median of seeds",
            measure.median(reaching) if reaching else None,
            "at most",
            round(1 / 3, 3),
        ),
        measure.Target(f"nats below the peer after {minutes}, mean of seeds", gain, "at least", 0.4),
        measure.Target(
            f"nats above the peer's last loss, ours planned for a third of {minutes}", behind, "at most", 0.0
        ),
        measure.Target(
            f"nats of the tuned peer below the plateau of frequencies after {minutes}",
            left[0] if left else None,
            "at least",
            PLATEAU,
        ),
    ]


def has_left(row: dict[str, Any]) -> bool:
    """Whether a network knows more than how often each piece comes."""
    return bool(row["unigram"] - row["final"]["loss"] > PLATEAU)


def figures(found: dict[str, Any]) -> str:
    """One arm in a line."""
    final = found["final"]
    blimp = f", BLiMP {100 * found['pairs']['overall']['value']:.1f}" if found.get("pairs") else ""
    bits, read = f"{final['bits_per_byte']:.3f} bits a byte", f"{found['tokens'] / 1e6:.2f}M pieces"
    return f"{final['loss']:.3f} nats, {bits}, {read}{blimp}"


def cell_words(cell: dict[str, Any]) -> str:
    return (
        f"{cell['size']}, rate {cell['lr']:g}, warm-up {cell['warmup']:g}, batch {cell['batch']}, "
        f"dropout {cell['dropout']:g}"
    )


# ---------------------------------------------------------------- the section


OURS = """\
{text} Each arm has {minutes:g} minutes on this machine, at {precision}. **Ours** is `maskwright pretrain CORPUS \
--budget {minutes:g}m` of its day, all of whose settings are the recipe's (runs with seed 0 chose them: see the other \
seeds too); its minutes hold reading, a probe of its speed, training, judging and saving, and its clock in the tables \
and pictures runs from the call, judging left out."""
PEER = """\
**Peer** is transformers' `BertForMaskedLM` with `DataCollatorForLanguageModeling` at the same precision in a bare \
loop on blocks of {length} pieces, with fused AdamW, linear decay over the minutes and the switches that \
`bench.pretrain` found fastest ({switches}); its minutes hold steps alone. Its shape, rate, warm-up, batch and \
dropout are the best of the grid below, searched with seed 0 for {tune:g} minutes a cell; the arm is that cell again \
with another seed."""
NO_PEER = "The peer was not measured for as long at this precision."
QUESTIONS = """\
Loss is nats a masked piece on {judged:,} held-out sequences of whole sentences, 15 % of whose pieces are [MASK]: the \
same questions ({asked:,} pieces, frozen) and the same judge for all. BLiMP is the share of minimal pairs of which \
the good sentence is the likelier one by the plain pseudo-log-likelihood, {pairs}. {minutes:g} minutes are \
{passes:.2f} passes over the text for ours, so that no figure here compares with rows of several passes over ten \
million words. An arm that was finished is kept with its curve, so that they may be of several sittings on this \
machine: {dates}."""


def name(one: dict[str, Any]) -> str:
    """A budget's name, which its picture has too: minutes and precision."""
    return f"{one['minutes']:g}m-{one['precision']}"


def budgets(result: dict[str, Any]) -> list[str]:
    """Every budget that was measured, the shortest first."""
    rows = sorted(result["budgets"], key=lambda one: (one["minutes"], one["precision"]))
    return [part for one in rows for part in budget(one)]


def section(result: dict[str, Any]) -> str:
    """This measurement's part of bench/RESULTS.md: every budget that was measured, and our shapes."""
    parts = ["## Quality per minute of pre-training", *budgets(result)]
    if result["shapes"]:
        parts += shapes(result["shapes"])
    return "\n\n".join(parts)


def page(result: dict[str, Any]) -> str:
    """The same for docs/results.md, without the search for our shapes."""
    parts = ["## Pre-training: quality per minute", *budgets(result)]
    return "\n\n".join(parts).replace("](../docs/", "](")


def budget(one: dict[str, Any]) -> list[str]:
    arms = one["arms"]
    parts = [
        f"### After {one['minutes']:g} minutes, {one['precision']}",
        f"`{one['command']}`. {measure.describe(one['machine'])} {measure.disturbance(one['busy'])}",
        about(one),
        measure.table(
            ["arm", "seed", "shape", "steps", "pieces a step", "pieces read", "loss", "bits a byte", "right",
             "peer's loss after, min", "BLiMP", "whole, min"],
            [arm_row(arm, one) for arm in arms],
        ),
        f"Knowing how often each piece comes: {arms[0]['unigram']:.3f} nats. {stuck(arms)}".strip(),
        measure.targets_table(one["targets"]),
        f"![Held-out loss by minutes and by pieces read](../docs/pretrain-{name(one)}.svg)",
    ]  # fmt: skip
    if any(arm.get("pairs") for arm in arms):
        parts += ["BLiMP by linguistic term, in percent (of ours the mean of the seeds):", terms(arms)]
    if one["grid"]:
        parts += ["The peer's grid, in the order tried:", measure.table(GRID_HEAD, [grid_row(r) for r in one["grid"]])]
    return parts


def stuck(arms: list[dict[str, Any]]) -> str:
    """What a person must know of a peer that has learnt hardly more than frequencies."""
    gains = [arm["unigram"] - arm["final"]["loss"] for arm in of(arms, "peer")]
    if not gains or gains[0] > PLATEAU:
        return ""
    return (
        f"The peer is {gains[0]:.2f} below that: no cell of its grid has left the plateau, so that the time in which "
        "ours reaches its loss says little more than when ours leaves the plateau itself."
    )


def about(one: dict[str, Any]) -> str:
    arms, cell = one["arms"], one["switches"]
    ours = of(arms, "ours") or arms
    dates = sorted(arm["date"] for arm in arms)
    limit = "all pairs" if one["pairs"] is None else f"the first {one['pairs']} of each of its 67 paradigms"
    whole = " ".join([OURS, PEER if of(arms, "peer") else NO_PEER, QUESTIONS])
    return whole.format(
        text=one["text"],
        minutes=one["minutes"],
        precision=one["precision"],
        length=novels.LENGTH,
        switches=f"{cell['attention']}, {cell['threads']} threads, {cell['workers']} workers"
        + ", compiled" * cell["compile"],
        tune=one["tune_minutes"],
        judged=one["judged"],
        asked=arms[0]["asked"],
        pairs=limit,
        dates=" to ".join(dict.fromkeys((dates[0], dates[-1]))),
        passes=mean([arm["tokens"] for arm in ours]) / arms[0]["text_pieces"],
    )


def arm_row(arm: dict[str, Any], one: dict[str, Any]) -> list[str]:
    final, peers = arm["final"], of(one["arms"], "peer")
    seconds = reached(arm["curve"], peers[0]["final"]["loss"]) if peers and arm["arm"] != "peer" else None
    blimp = arm["pairs"]["overall"] if arm.get("pairs") else None
    return [
        arm["arm"],
        str(arm["seed"]),
        arm["shape"],
        f"{arm['steps']:,}",
        f"{arm['tokens'] / arm['steps']:,.0f}",
        f"{arm['tokens'] / 1e6:.2f}M",
        f"{final['loss']:.3f}",
        f"{final['bits_per_byte']:.3f}",
        f"{100 * final['accuracy']:.1f} %",
        "-" if seconds is None else f"{seconds / 60:.1f}",
        "-" if blimp is None else f"{percent(blimp['value'])} ({percent(blimp['low'])} to {percent(blimp['high'])})",
        f"{arm['whole'] / 60:.1f}",
    ]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def terms(arms: list[dict[str, Any]]) -> str:
    """Accuracy by BLiMP's linguistic terms, a column for each kind of arm."""
    able = [arm for arm in arms if arm.get("pairs")]
    kinds = list(dict.fromkeys(arm["arm"] for arm in able))
    rows = []
    for term in able[0]["pairs"]["terms"]:
        cells = [mean([arm["pairs"]["terms"][term]["value"] for arm in of(able, kind)]) for kind in kinds]
        rows.append([term.replace("_", " "), *map(percent, cells)])
    rows.append(["all", *(percent(mean([a["pairs"]["overall"]["value"] for a in of(able, k)])) for k in kinds)])
    return measure.table(["term", *kinds], rows)


def grid_row(row: dict[str, Any]) -> list[str]:
    cell = row["cell"]
    names = ("size", "lr", "warmup", "batch", "dropout")
    values = [cell[name] if isinstance(cell[name], str) else f"{cell[name]:g}" for name in names]
    return [*values, f"{row['tokens'] / 1e6:.2f}M", f"{row['final']['loss']:.3f}", "yes" if has_left(row) else "no"]


def shapes(rows: list[dict[str, Any]]) -> list[str]:
    """Our sizes, batches and rates, the best of each budget first."""
    cells = [
        [
            f"{row['minutes']:g}",
            row["precision"],
            row["size"],
            f"{row['phases'][0]['batch_tokens']:,}",
            "the recipe's" if row["lr"] is None else f"{row['lr']:g}",
            ", ".join(row["sets"]) or "-",
            f"{row['parameters'] / 1e6:.2f}M",
            f"{row['tokens'] / 1e6:.2f}M",
            f"{row['final']['loss']:.3f}",
            f"{row['final']['bits_per_byte']:.3f}",
            row["date"],
        ]
        for row in sorted(rows, key=lambda row: (row["minutes"], row["final"]["loss"]))
    ]
    head = ["minutes", "precision", "shape", "pieces a step", "rate", "else", "parameters", "pieces read", "loss",
            "bits a byte", "when"]  # fmt: skip
    return [
        "### Shapes, batches and rates of ours",
        "`python -m bench.pretrain_quality --shapes ...`, one seed each, each with the code and on the machine "
        "of its day (`results/quality`); the recipe's sizes are chosen from this.",
        measure.table(head, cells),
    ]
