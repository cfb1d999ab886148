"""A network drawn as text, as it computes: its modules in the order in which they run, and what is added where.

No family writes this down: the network reads one short text while each call of a module, each weight and each sum is
recorded (`_trace`), and the record is drawn. A line reads the one above it unless it says what it reads.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_uppercase
from typing import Any

from torch import nn

from maskwright.models._trace import TOKENS, Apply, Call, Field, Join, Maker, Sum, Use, trace
from maskwright.models._words import (
    between,
    described,
    dimensions,
    drops,
    function,
    shape,
    short,
    size_of,
    without_biases,
)

Item = Call | Sum | Join | Use | Apply

WIDTH = 112  #: where a line is folded


@dataclass
class Line:
    name: str
    said: str = ""
    mark: str = " "  #: "+" where it is added to what stands above
    indent: str = ""  #: boxes, and the lines beside that lead to a sum
    holds: frozenset[str] = frozenset()  #: names of the parameters that it stands for

    @property
    def text(self) -> str:
        return f"{self.indent}{self.mark} {self.name}  {self.said}".rstrip()


@dataclass
class Step:
    """What one step of a computation is drawn as; `ends`: who made what the next step reads."""

    lines: list[Line]
    ends: Item
    keeps: Sequence[int] = ()  #: of a sum: the steps that run beside what it adds, from each of these on


def diagram(network: nn.Module) -> list[str]:
    """From ids to what the network gives, from top to bottom; equal blocks are drawn once. T: tokens of the text."""
    return [line.text for line in drawn(network)]


def drawn(network: nn.Module) -> list[Line]:
    """`diagram`, with what each line stands for: every parameter of the network stands in one."""
    call = trace(network)
    given = [f"{dimensions(size)}{'' if size[0] == TOKENS else ' for the whole text'}" for size in call.shapes]
    return [Line("ids", "(T)"), *_Painter(network).inside(call), Line("gives", " and ".join(given))]


class _Painter:
    def __init__(self, network: nn.Module) -> None:
        self.left = {name for name, _ in network.named_parameters()}  # not drawn yet
        self.modules = dict(network.named_modules())
        self.known: set[Any] = set()  # signatures of the blocks that are drawn
        self.names: dict[int, str] = {}  # of steps that go by another name

    def hold(self, *items: Item) -> frozenset[str]:
        """The parameters of modules, each handed out once."""
        names: set[str] = set()
        for item in items:
            if isinstance(item, Use):
                names.add(item.name)
            elif isinstance(item, Call):
                names |= {f"{item.name}.{name}" for name, _ in item.module.named_parameters()}
        names &= self.left
        self.left -= names
        return frozenset(names)

    def inside(self, frame: Call) -> list[Line]:
        """The lines of a module's steps."""
        steps: list[Step] = []
        for numbered, group in groupby(self._steps(frame), key=_is_layer):
            members: Any = list(group)
            if numbered:
                above = steps[-1].ends if steps else None
                steps.append(Step(self._layers(members, frame, above), members[-1]))
                continue
            for item in members:
                self._append(steps, item, frame)
        unused = [Use(name) for name in sorted(self.left) if name.startswith(f"{frame.name}.".lstrip("."))]
        steps += [Step([self._weight(use, ", not used here")], use) for use in unused]
        width = max((len(line.name) for step in steps for line in step.lines if not line.indent), default=0)
        for step in steps:
            step.lines[:] = [one for line in step.lines for one in ([line] if line.indent else _folded(line, width))]
        _rails(steps)
        return [line for step in steps for line in step.lines]

    def _steps(self, frame: Call) -> list[Item]:
        """What is drawn of a module's items; the network's encoder has no box of its own."""
        found: list[Item] = []
        used: set[str] = set()
        drawn: set[nn.Module] = set()
        for item in frame.items:
            if isinstance(item, Use):
                if item.name not in used:
                    found.append(item)
                used.add(item.name)
            elif isinstance(item, Call) and item.name == "encoder":
                inner = self._steps(item)
                last: Any = inner[-1]
                self.names[id(last)] = "encoder"
                for later in frame.items:  # who reads the encoder reads its last step
                    for makers in [getattr(later, "reads", []), getattr(later, "sources", [])]:
                        makers[:] = [last if maker is item else maker for maker in makers]
                found += inner
            elif not isinstance(item, Call) or item.reads or item.module not in drawn or _is_box(item):
                found.append(item)  # else the same of the batch once more
            if isinstance(item, Call):
                drawn.add(item.module)
        return found

    def _append(self, steps: list[Step], item: Item, frame: Call) -> None:
        above = steps[-1].ends if steps else None
        if isinstance(item, Use):
            steps.append(Step([self._weight(item)], above or item))
        elif isinstance(item, Apply):
            steps[-1].lines[-1].said += f", {item.name}"
        elif isinstance(item, Join):
            names = "; ".join(self._named(s, frame) for s in item.sources)
            steps.append(Step([Line(f"[{names}]", "joined")], item))
        elif isinstance(item, Sum):
            self._add(steps, item, frame)
        elif _is_box(item):
            steps.append(Step(self._box(item, frame, above), item))
        else:
            said = without_biases(item.module, ", ".join(described(item, self.modules)))
            if item.module is getattr(frame.module, "out", None):  # attention whose parts stand in the block itself
                said = ", ".join([*between(frame.module), said])
            told = self._reads(item, frame, above)
            steps.append(Step([Line(short(item.name), f"{said}{told}", holds=self.hold(item))], item))

    def _weight(self, use: Use, more: str = "") -> Line:
        """Of a weight that a module with a box uses itself, or that nobody uses."""
        owner, _, own = use.name.removeprefix("encoder.").rpartition(".")
        new = use.name in self.left
        name, said = (own, "") if own != "weight" and own != "bias" else (owner, f"{own} " if own == "bias" else "")
        again = more if new else ", once more"
        return Line(name, f"{said}{size_of(self.modules, use.name)}{again}", holds=self.hold(use))

    def _add(self, steps: list[Step], item: Sum, frame: Call) -> None:
        above, before = steps[-1].ends, steps[-2].ends if len(steps) > 1 else None
        sides = [s for s in item.sources if s is not above]
        if isinstance(above, Call) and not above.reads and sides == [before]:
            steps[-1].lines[0].mark = "+"  # it reads ids or places, and is added to what stands above
            steps[-1].ends = item
            return
        names = " and ".join(self._named(s, frame) for s in sides)
        keeps = [s for s in sides if not isinstance(s, Field)]
        line = Line(names, "" if keeps else "by a formula", mark="+")
        places = [max((i for i, step in enumerate(steps) if step.ends is s), default=-1) + 1 for s in keeps]
        steps.append(Step([line], item, places))

    def _box(self, call: Call, frame: Call, above: Item | None) -> list[Line]:
        """Its name, and its steps unless a box like it is drawn already."""
        signature, title = _signature(call.module), f"{short(call.name)}: {type(call.module).__name__}"
        if signature in self.known:
            title += ", as above" if self._is_new(call) else ", once more"
        line, inner = Line(title, self._about(call, frame, above)), []
        if signature not in self.known:
            inner = _boxed(self.inside(call))
        self.known.add(signature)
        line.holds = self.hold(call)
        return [line, *inner]

    def _is_new(self, call: Call) -> bool:
        return any(f"{call.name}.{name}" in self.left for name, _ in call.module.named_parameters())

    def _layers(self, calls: list[Call], frame: Call, above: Item | None) -> list[Line]:
        """Blocks one after the other: their order, and each kind of them once."""
        kinds: dict[Any, list[Call]] = {}
        for call in calls:
            kinds.setdefault(_signature(call.module), []).append(call)
        letters = {kind: ascii_uppercase[i % 26] + str(i // 26 or "") for i, kind in enumerate(kinds)}
        out = []
        about = self._about(calls[0], frame, above)
        if len(kinds) > 1:
            order = _order([letters[_signature(call.module)] for call in calls])
            out.append(Line(f"{len(calls)} layers: {order}", about))
        for signature, members in kinds.items():
            count, name = len(members), type(members[0].module).__name__
            different = len({id(call.module) for call in members})
            words = [f"{letters[signature]}: {name}" if len(kinds) > 1 else f"{count} x {name}"]
            if different < count:
                words.append("the same one each time" if different == 1 else f"{different} different ones")
            if signature in self.known:
                words.append("as above")
            title = Line(", ".join(words), about if len(kinds) == 1 else drops(members[0]).lstrip(", "))
            out.append(title)
            if signature not in self.known:
                self.known.add(signature)
                out += _boxed(self.inside(members[0]))
            title.holds = self.hold(*members)
        return out

    def _about(self, call: Call, frame: Call, above: Item | None) -> str:
        return f"-> {dimensions(call.shapes[0])}{drops(call)}{self._reads(call, frame, above)}"

    def _reads(self, call: Call, frame: Call, above: Item | None) -> str:
        """What it reads, where that is not only what stands above."""
        before = above if above is not None else frame.reads[0] if frame.reads else None
        if not call.reads or call.reads == [before]:
            return ""
        above_too = call.reads[0] is before
        names = ", ".join(self._named(maker, frame) for maker in call.reads[above_too:])
        return f"; {'with' if above_too else 'reads'} {names}"

    def _named(self, maker: Maker, frame: Call) -> str:
        if frame.reads and maker is frame.reads[0]:
            return "input"
        if id(maker) in self.names:
            return self.names[id(maker)]
        if isinstance(maker, Sum | Join):
            return "the sum above" if isinstance(maker, Sum) else "what is joined"
        return short(maker.name)


def _is_box(call: Call) -> bool:
    """Whether something is added in it: then its steps are drawn one by one."""
    return any(isinstance(item, Sum) or (isinstance(item, Call) and _is_box(item)) for item in call.items)


def _is_layer(item: Item) -> bool:
    return isinstance(item, Call) and item.name.rpartition(".")[2].isdigit() and _is_box(item)


def _signature(block: nn.Module) -> tuple[Any, ...]:
    """Equal for blocks that are drawn alike."""
    found = []
    for name, part in block.named_modules():
        act = function(getattr(part, "activation", None))
        found.append((name, type(part).__name__, shape(part), act, tuple(between(part))))
    return tuple(found)


def _order(letters: list[str]) -> str:
    """A B B C B B C -> "A, 2 x (2 x B, C)": the repetition that covers most, and the same before, in and behind it."""
    best = (0, 0, 0, 0)  # how many letters it covers, minus its period, where it begins, how often
    for period in range(1, len(letters) // 2 + 1):
        for start in range(len(letters) - 2 * period + 1):
            times, piece = 1, letters[start : start + period]
            while letters[start + times * period : start + (times + 1) * period] == piece:
                times += 1
            if times > 1:
                best = max(best, (times * period, -period, -start, times))
    covered, period, start, times = best[0], -best[1], -best[2], best[3]
    if not covered:
        return ", ".join(letters)
    inner = _order(letters[start : start + period])
    parts = [_order(letters[:start]), f"{times} x {inner if period == 1 else f'({inner})'}"]
    return ", ".join(filter(None, [*parts, _order(letters[start + covered :])]))


def _boxed(lines: list[Line]) -> list[Line]:
    for line in lines:
        line.indent = f"  {line.indent}"
    return lines


def _folded(line: Line, width: int) -> list[Line]:
    """Names are `width` wide; a line that is too long goes on below."""
    whole = re.sub(r"(?<![,;]) ", "\0", line.said)  # only between one thing and the next
    first, *more = [part.replace("\0", " ") for part in textwrap.wrap(whole, WIDTH - width)] or [""]
    line.name, line.said = line.name.ljust(width), first
    return [line, *(Line(" " * width, f"  {words}") for words in more)]


def _rails(steps: list[Step]) -> None:
    """A line beside the steps, from behind what is kept to the sum that it is added in; longer ones further out."""
    spans = [(start, end) for end, step in enumerate(steps) for start in step.keeps]
    columns: list[list[tuple[int, int]]] = []
    for span in sorted(spans, key=lambda s: s[0] - s[1]):
        column = next((c for c in columns if all(span[1] < a or b < span[0] for a, b in c)), None)
        if column is None:
            columns.append(column := [])
        column.append(span)
    for i, step in enumerate(steps):
        for k, line in enumerate(step.lines):
            line.indent = _beside(columns, i, first=k == 0) + line.indent


def _beside(columns: list[list[tuple[int, int]]], place: int, first: bool) -> str:
    text = ""
    for column in columns:
        start, end = next((span for span in column if span[0] <= place <= span[1]), (-1, -1))
        if start < 0:
            text += "--" if text.endswith(("--", "'-")) else "  "
        else:
            text += "'-" if place == end else ". " if place == start and first else "| "
    return text
