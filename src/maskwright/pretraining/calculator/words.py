"""A plan for a person, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maskwright.base.columns import aligned
from maskwright.pretraining.calculator.estimate import Estimate, Memory
from maskwright.pretraining.calculator.published import FACTOR, Compared

Rows = Sequence[tuple[str, ...]]


def lines(found: Estimate) -> Iterator[str]:
    """What is trained, on what, and what it takes."""
    rate = "" if found.rate == 1 else f" at {found.rate:.0%}"
    yield f"{found.model}: {found.layers} layers, {found.width} wide, {found.vocabulary:,} pieces"
    yield f"{found.parameters:,} weights trained by {found.objective}{rate}"
    yield ""
    over = "" if found.passes is None else f"; {found.passes:.3g} passes over {count(found.corpus_tokens or 0)}"
    yield f"  reads       {count(found.tokens)} pieces in {found.steps:,.0f} steps{over}"
    yield f"  scores      {count(found.scored)} of them"
    yield f"  computes    {found.flops:.3g} FLOPs; {found.every:.3g} if every piece were scored"
    yield (
        f"  on          {found.devices} x {found.machine}, {found.peak / 1e12:.3g} TFLOP/s each in {found.precision} "
        f"precision ({found.source}), of which {found.utilisation:.0%} is reached"
    )
    cost = "" if found.cost is None else f", {found.cost:,.2f} in all"
    yield f"  takes       {duration(found.hours)}; {found.device_hours:,.3g} device hours{cost}"
    yield ""
    yield from aligned(_phases(found))
    yield ""
    yield from aligned(_parts(found))
    yield ""
    yield f"What a pass over {count(found.corpus_tokens or found.tokens)} pieces gives to learn from:"
    yield from aligned(_signals(found))
    yield ""
    yield from aligned(_memory(found))
    yield f"  {_devices(found)}"
    yield ""
    yield from _traffic(found)
    for note in found.notes:
        yield f"note: {note}"


def published(found: Sequence[Compared]) -> Iterator[str]:
    """Published costs beside ours, and why some are not met."""
    rows: list[tuple[str, ...]] = [("", "", "published", "computed", "ratio", f"within {FACTOR:g}", "utilisation")]
    for one in found:
        reached = "" if one.utilisation is None else f"{one.utilisation:.0%}"
        figures = [f"{value:.2g}" if one.unit == "FLOPs" else f"{value:.3g}" for value in (one.published, one.computed)]
        rows.append((one.name, one.unit, *figures, f"{one.ratio:.2f}", "yes" if one.within else "no", reached))
    yield from aligned(rows, left=(0, 1))
    yield ""
    for source in dict.fromkeys(one.source for one in found):
        yield f"{source}: {'; '.join(one.name for one in found if one.source == source)}."
    for one in found:
        if not one.within:
            yield f"Not within {FACTOR:g}: {one.name}: {one.why}."


def count(number: float) -> str:
    """`137.0B`, `1.25M`, `300`."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return f"{number:.0f}"


def duration(hours: float) -> str:
    """`20.0 minutes`, `3.5 hours`, `4.1 days`."""
    if hours < 1 / 60:
        return f"{hours * 3600:.1f} seconds"
    if hours < 1:
        return f"{hours * 60:.1f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _phases(found: Estimate) -> Rows:
    rows: list[tuple[str, ...]] = [("length", "pieces", "scored", "FLOPs", "attention between tokens")]
    for one in found.phases:
        figures = count(one.tokens), count(one.scored), f"{one.flops:.3g}", f"{one.attention:.1%}"
        rows.append((str(one.length), *figures))
    return rows


def _parts(found: Estimate) -> Rows:
    parts = sorted(found.parts.items(), key=lambda part: -part[1])
    rows = [(name.replace("_", " "), f"{flops:.3g}", f"{flops / found.flops:.1%}") for name, flops in parts]
    return [("part", "FLOPs", "share"), *rows]


def _signals(found: Estimate) -> Rows:
    rows = [
        (one.objective, f"{one.scored_share:.1%}", count(one.scored), f"{one.flops:.3g}", f"{one.flops_per_scored:.3g}")
        for one in found.signals
    ]
    return [("objective", "scored", "pieces", "FLOPs", "FLOPs a scored piece"), *rows]


def _memory(found: Estimate) -> Rows:
    names = ("weights", "gradients", "optimizer", "copies", "activations", "scores", "total")

    def column(held: Memory) -> list[str]:
        return [f"{getattr(held, name) / 1e9:.2f}" for name in names]

    figures = zip(names, column(found.memory), column(found.checkpointed), strict=True)
    return [("GB on a device", "as asked", "with recompute"), *figures]


def _devices(found: Estimate) -> str:
    if found.devices_needed is None:
        return f"does not fit into {found.capacity / 1e9:.0f} GB"
    return f"fits on {found.devices_needed} of {found.capacity / 1e9:.0f} GB each, a tenth of it left free"


def _traffic(found: Estimate) -> Iterator[str]:
    sent = found.traffic
    passed = "" if sent.update is None else f"; its optimizer reads and writes memory for {sent.update * 1e3:.3g} ms"
    yield f"A step computes for {sent.compute * 1e3:.3g} ms{passed}"
    if found.devices == 1:
        return
    yield f"Each device sends in it: {sent.ddp / 1e9:.3g} GB under DDP, {sent.fsdp2 / 1e9:.3g} GB under FSDP2"
    if sent.seconds is None or sent.hidden is None or sent.exposed is None:
        yield "  the machine's link is not known here"
        return
    yield (
        f"  {sent.seconds * 1e3:.3g} ms over its link: it computes for {sent.exposed:.0%} of the time, or "
        f"{sent.hidden:.0%} if sending goes on behind it"
    )
