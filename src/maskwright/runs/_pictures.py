"""Pictures of facts as SVG inside the page, drawn by matplotlib.

Text stays text, so that it can be searched and read aloud. Colours and the font become names of the page's style, so
that a picture follows day, night and paper. Nothing outside the page is referred to: matplotlib's metadata, its style
for everything, and the names of groups, which would be there once a picture, are taken out.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.runs._page import THEME, style
from maskwright.runs._words import line as on_one_line
from maskwright.runs.shapes import Curve, Histogram, Line, Matrix
from maskwright.stats.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes"], None]

WIDTH = 400  #: units; on a phone one is nine tenths of a CSS pixel, in a column of the page about one
BROAD = 640  #: units of a picture that scrolls on a phone
INK, SOFT, LINE = (THEME[name][0] for name in ("ink", "soft", "line"))
HEAT = "#3d85c6"  #: seen on light and on dark paper; the cell's share is its opacity
DOT, LEAST = 36, 4  #: the areas of a line's largest and smallest dots, in square points, where they tell how many rows
NAMED = 40  #: rows and columns of a heat map that are named along its sides
RC = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a label "$x$" is a label
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, and is wider than what the page will take
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.xmargin": 0.02,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "lines.linewidth": 1.6,
}


def curve(shape: Curve) -> str:
    """Lines over two axes; with a diagonal both axes have one scale."""

    def draw(axes: Axes) -> None:
        for i, one in enumerate(shape.lines):
            _line(axes, one, one.kind or shape.kind, *style(i))
        if shape.diagonal:
            low, high = _ends(shape)
            axes.plot((low, high), (low, high), color=SOFT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            beyond = 0.04 * (high - low) or 0.5
            limits = (low - beyond, high + beyond)
            axes.set(xlim=limits, ylim=limits, aspect="equal")
        else:
            _whole_ticks(axes, shape)
        axes.set_xlabel(_label(shape.x, 60))
        axes.set_ylabel(_label(shape.y, 40))

    names = ", ".join(_label(one.name, 30) for one in shape.lines[:6])
    diagonal = ", and the diagonal where both are equal" if shape.diagonal else ""
    alt = f"{shape.title}: {shape.y} over {shape.x}; lines: {names}{diagonal}"
    return _svg(draw, 360 if shape.diagonal else 250, alt)


def _whole_ticks(axes: Axes, shape: Curve) -> None:
    """No ticks between whole numbers, such as steps, and room around a single one."""
    from matplotlib.ticker import MaxNLocator

    x = [value for one in shape.lines for value in one.x if value is not None]
    if x and all(isinstance(value, int) for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        if min(x) == max(x):
            axes.set_xlim(x[0] - 1, x[0] + 1)


def histogram(shape: Histogram) -> str:
    def draw(axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        edges = _floats(shape.edges)
        for i, one in enumerate(shape.series):
            colour, dashes = style(i)
            counts = np.nan_to_num(_floats(one.counts))
            paint = THEME[colour][0]
            axes.stairs(counts, edges, fill=True, color=paint, alpha=0.22, linewidth=0)
            axes.stairs(counts, edges, color=paint, linestyle=_dashed(dashes), linewidth=1.4)
        if shape.mark is not None:
            axes.axvline(shape.mark.x, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        axes.set_xlabel(_label(shape.x, 60))
        axes.set_ylabel("count")

    names = ", ".join(_label(one.name, 30) for one in shape.series[:6])
    mark = f"; a line marks {_label(shape.mark.name, 60)}" if shape.mark else ""
    return _svg(draw, 230, f"{shape.title}: histogram of {shape.x or 'values'} for {names}{mark}")


def heat(shape: Matrix) -> str:
    """Each cell's share of its row as colour, by its square root, so that what is rare is still seen."""

    def draw(axes: Axes) -> None:
        counts = np.nan_to_num(np.array([_floats(row) for row in shape.cells]))
        rows = counts.sum(1, keepdims=True)
        share = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
        painted = np.empty((*counts.shape, 4))
        painted[..., :3] = [int(HEAT[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        painted[..., 3] = np.sqrt(np.clip(share, 0, 1))
        axes.imshow(painted, interpolation="none", aspect="auto")
        axes.grid(False)
        _ticks(axes.set_xticks, shape.columns, rotation=90, rotation_mode="anchor", ha="right", va="center")
        _ticks(axes.set_yticks, shape.rows)
        axes.set_xlabel(_label(shape.column_name, 60))
        axes.set_ylabel(_label(shape.row_name, 60))

    alt = f"{shape.title}: heat map of {shape.row_name} in rows against {shape.column_name} in columns"
    return _svg(draw, 600, alt, BROAD)


def intervals(title: str, axis: str, found: Sequence[tuple[str, Interval]]) -> str:
    """A dot and its interval for each name, the first one, which is ours, in colour."""

    def draw(axes: Axes) -> None:
        for place, (_, one) in enumerate(found):
            paint = THEME["c1" if not place else "soft"][0]
            axes.plot([one.low, one.high], [place, place], color=paint, linewidth=2.4, solid_capstyle="round")
            axes.plot([one.value], [place], "o", color=paint, markersize=6.5)
        axes.set_yticks(range(len(found)), [_label(name, 30) for name, _ in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
        axes.set_xlabel(_label(axis, 60))

    return _svg(draw, 60 + 26 * len(found), f"{title}: {axis}, a dot and its interval for each row of the table")


def _line(axes: Axes, one: Line, kind: str, colour: str, dashes: str) -> None:
    x, y, paint = _floats(one.x), _floats(one.y), THEME[colour][0]
    steps = "steps-post" if kind == "steps" else "default"
    if one.low is not None and one.high is not None:
        low, high = _floats(one.low), _floats(one.high)
        if kind == "points":
            axes.vlines(x, low, high, color=paint, alpha=0.45, linewidth=1.4)
        else:
            axes.fill_between(
                x, low, high, color=paint, alpha=0.16, linewidth=0, step="post" if kind == "steps" else None
            )
    if one.sizes is not None:
        sizes = _floats(one.sizes)
        area = np.maximum(DOT * sizes / max(np.nanmax(sizes, initial=0), 1), LEAST)
        axes.scatter(x, y, s=area, color=paint, linewidths=0)
    elif kind == "points":
        axes.plot(x, y, "o", color=paint, markersize=5 if len(x) <= 60 else 2.5)
    if kind != "points":
        few = kind == "line" and len(x) <= 12 and one.sizes is None  # a line of one point would not be seen
        dots = "o" if few else None
        axes.plot(x, y, color=paint, linestyle=_dashed(dashes), drawstyle=steps, marker=dots, markersize=4.5)


def _ends(shape: Curve) -> tuple[float, float]:
    """The smallest and the largest number on either axis."""
    parts = [_floats(side) for one in shape.lines for side in (one.x, one.y)]
    every = np.concatenate(parts) if parts else np.zeros(0)
    every = every[np.isfinite(every)]
    return (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)


def _ticks(setter: Callable[..., Any], names: Sequence[str], **options: Any) -> None:
    """All names where there is room for them, else every tenth number."""
    if len(names) <= NAMED:
        setter(range(len(names)), [_label(name, 16) for name in names], fontsize=8.5, **options)
    else:
        places = range(9, len(names), 10)
        setter(places, [str(place + 1) for place in places], fontsize=8.5)


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array(values, dtype=np.float64)  # None becomes NaN, which leaves a gap


def _dashed(dashes: str) -> Any:
    """SVG's words for dashes as matplotlib's."""
    return (0, tuple(float(n) for n in dashes.split())) if dashes else "-"


def _label(text: str, most: int) -> str:
    """A name as a picture has room for it; the whole one stands in a table or a legend."""
    name = on_one_line(text, 10 * most)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _svg(draw: Draw, height: float, alt: str, width: float = WIDTH) -> str:
    """What `draw` puts on the axes, as SVG for the page. alt: what it shows, for whoever cannot see it."""
    import matplotlib.style
    from matplotlib.figure import Figure

    alt, file = on_one_line(alt), io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that this font lacks is found by the browser
        matplotlib.style.use(["default", RC | {"svg.hashsalt": alt}])  # a person's own style is for their pictures
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _themed(file.getvalue(), alt)


def _themed(svg: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    for part in ("metadata", "style"):
        svg = re.sub(rf"<{part}\b.*?</{part}>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<(?!!)[^>]+>", lambda tag: _themed_tag(tag[0]), svg)
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box, "matplotlib states the size of its picture"
    top = f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(alt)}">'
    return re.sub(r"^<svg[^>]*>", lambda _: top, svg).strip()


def _themed_tag(tag: str) -> str:
    """A tag with the page's colours and font; only clip paths, markers and images need a name of their own."""
    if tag.startswith("<g "):
        tag = re.sub(r' id="[^"]*"', "", tag)
    tag = tag.replace("xlink:href=", "href=").replace("'DejaVu Sans'", "var(--sans)")
    for name, (day, _) in THEME.items():
        tag = tag.replace(day, f"var(--{name})")
    return tag
