"""HTML of a page that opens offline, by day, by night, on a phone and on paper: its style and its smallest parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from maskwright.runs._words import bounds, number, short
from maskwright.runs.shapes import Cell
from maskwright.stats.intervals import Interval

#: Colours by day and by night. Pictures are drawn with those of the day, which are then replaced by their names.
THEME = {
    "ink": ("#1c1e21", "#e8e6e1"),
    "soft": ("#5a6169", "#a3a9b0"),
    "paper": ("#fffefb", "#16181b"),
    "line": ("#d9d6cf", "#3a3f45"),
    "c1": ("#2166a5", "#79b4e8"),
    "c2": ("#b5481f", "#f09a6f"),
    "c3": ("#2b7f62", "#6cc9a5"),
    "c4": ("#8a5aa8", "#c7a2e3"),
    "c5": ("#8f6800", "#dcb84d"),
    "c6": ("#a83267", "#f08cb5"),
}
COLOURS = [name for name in THEME if name[1:].isdigit()]
BREAK = "_\N{ZERO WIDTH SPACE}"  #: where a name may go on in the next line
STACKED = 3  #: columns up to which a table stands on a phone as it does elsewhere
DASHES = ("", "5 2", "1.5 1.5", "7 2 1.5 2")  #: in SVG's words; each tells as many lines apart as there are colours


def _colours(column: int) -> str:
    return " ".join(f"--{name}: {pair[column]};" for name, pair in THEME.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_colours(0)}
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", Cambria, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(1)} }} }}
@media print {{ :root {{ color-scheme: light; {_colours(0)} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }}
body {{ margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 var(--serif); }}
main {{ max-width: 66rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 4vw, 2.5rem) 5rem; }}
h1, h2, h3, h4, p, li, td, th, dt, dd, blockquote, figcaption {{ overflow-wrap: anywhere; unicode-bidi: plaintext; }}
h1 {{ margin: .25rem 0 .5rem; font-size: clamp(1.75rem, 5vw, 2.6rem); line-height: 1.15; font-weight: 600;
  letter-spacing: -.01em; text-wrap: balance; }}
h2 {{ margin: 3.5rem 0 1rem; padding-top: .9rem; border-top: 1px solid var(--line); font-size: 1.45rem;
  line-height: 1.25; font-weight: 600; }}
h3 {{ margin: 2.2rem 0 .6rem; font: 600 1rem/1.4 var(--sans); }}
h4 {{ margin: .8rem 0 .4rem; font: 600 .9rem/1.4 var(--sans); }}
h2 + h3, .columns > :first-child > h3, .columns > :first-child:not(.wide) + :not(.wide) > h3,
  .even > * > h3 {{ margin-top: .8rem; }}
p, ul, ol {{ max-width: 42rem; margin: .6rem 0; }}
ul, ol {{ padding-left: 1.2rem; }}
small, .soft, .note, .cut, figcaption {{ color: var(--soft); }}
.eyebrow, .facts-line, .note, .cut, small, nav, footer, table, dl, figcaption, .legend {{ font-family: var(--sans); }}
.eyebrow {{ margin: 0; color: var(--c1); font-size: .8rem; font-weight: 600; letter-spacing: .06em; }}
.facts-line, .note, .cut, figcaption, footer {{ font-size: .85rem; line-height: 1.5; }}
.cut {{ font-style: italic; }}
.verdict {{ margin: 2rem 0 1.5rem; padding-left: 1.2rem; border-left: 3px solid var(--c1); font-size: 1.2rem;
  line-height: 1.5; }}
.verdict p {{ margin: .35rem 0; }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; max-width: none; margin: 1.5rem 0 0; padding: 0;
  list-style: none; font-size: .85rem; }}
a {{ color: var(--c1); text-underline-offset: .2em; }}
:focus-visible {{ outline: 2px solid var(--c1); outline-offset: 2px; }}
.columns {{ display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 2.5rem; align-items: start; }}
.columns > .wide {{ grid-column: 1 / -1; }}
@media (max-width: 46rem) {{ .columns {{ grid-template-columns: minmax(0, 1fr); }} }}
.scroll {{ max-width: 100%; overflow-x: auto; margin: .8rem 0; background: /* a shadow where there is more */
  linear-gradient(90deg, var(--paper) 40%, transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(270deg, var(--paper) 40%, transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(90deg, var(--line), transparent) left / .7rem 100% no-repeat scroll,
  linear-gradient(270deg, var(--line), transparent) right / .7rem 100% no-repeat scroll; }}
table {{ border-collapse: separate; border-spacing: 0; font-size: .9rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }}
th, td {{ padding: .42rem .9rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }}
thead th {{ vertical-align: bottom; color: var(--soft); font-weight: 600; font-size: .82rem;
  overflow-wrap: break-word; }}
tbody th {{ min-width: 7rem; font-weight: 500; }}
:is(th, td):first-child {{ padding-left: 0; }}
:is(th, td).n {{ text-align: right; white-space: nowrap; }}
thead th.n {{ white-space: normal; }}
td:not(.n) {{ min-width: 8rem; max-width: 34rem; }}
td small {{ display: block; font-size: .78rem; }}
tr.first :is(th, td) {{ font-weight: 650; }}
tr.first small {{ font-weight: 400; }}
table.matrix :is(th, td) {{ padding: .42rem .5rem; min-width: 0; max-width: 11rem; }}
table.matrix :is(th, td):first-child {{ padding-left: 0; }}
table.matrix th {{ overflow-wrap: normal; hyphens: auto; }}
table.matrix th.n {{ max-width: 7rem; white-space: normal; }}
table.matrix td {{ min-width: 3rem; background: color-mix(in srgb, var(--c1) calc(var(--share) * 45%), transparent);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
table.matrix tbody th {{ min-width: 5rem; position: sticky; left: 0; background: var(--paper); }}
table.matrix td.same {{ font-weight: 650; }}
figure {{ max-width: 34rem; margin: .8rem 0 1.2rem; }}
figure.broad {{ max-width: none; }}
figure svg {{ display: block; width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt; }}
figure.broad svg {{ min-width: 37rem; max-width: 42rem; }}
.beside {{ display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }}
.beside > .scroll {{ flex: 1 1 37rem; }}
.beside > div:last-child {{ flex: 1 1 20rem; min-width: 0; }}
.beside td:not(.n) {{ min-width: 5rem; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; max-width: none; margin: .4rem 0 0; padding: 0;
  list-style: none; font-size: .82rem; }}
.legend svg {{ display: inline-block; width: 1.6rem; height: .5rem; margin-right: .4rem; }}
.legend path {{ stroke-width: 2.2; }}
.legend .points {{ stroke-width: 6; stroke-linecap: round; stroke-dasharray: 0 9; }}
.example {{ max-width: 46rem; margin: 1.1rem 0; padding-left: 1rem; border-left: 2px solid var(--line); }}
blockquote {{ margin: 0 0 .3rem; white-space: pre-wrap; }}
blockquote + blockquote {{ padding-top: .3rem; border-top: 1px dotted var(--line); }}
mark {{ background: none; color: inherit; }}
mark:is(.answer, .right) {{ background: color-mix(in srgb, var(--c1) 18%, transparent);
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
mark:is(.true, .right) {{ text-decoration: underline 2px var(--c2); text-underline-offset: .2em; }}
mark.right {{ text-decoration-color: var(--c3); }}
dl {{ margin: .6rem 0; font-size: .88rem; line-height: 1.45; }}
dt {{ color: var(--soft); }}
dd {{ margin: 0; }}
dl.inline {{ display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; }}
dl.inline div {{ display: flex; gap: .4rem; }}
dl.inline dt {{ flex: none; max-width: 14rem; }}
dl.terms {{ columns: 20rem 2; column-gap: 2.5rem; }}
dl.terms div {{ display: flex; justify-content: space-between; gap: 1rem; padding: .25rem 0;
  border-bottom: 1px solid var(--line); break-inside: avoid; }}
dl.terms dt {{ flex: none; max-width: 60%; }}
dl.terms dd {{ text-align: right; }}
ul.places {{ margin: .1rem 0 .5rem; color: var(--soft); font: .82rem/1.45 var(--sans); }}
.error b {{ color: var(--c2); }}
.warning b {{ color: var(--c5); }}
pre {{ max-width: 100%; margin: .8rem 0; padding: .9rem 1rem; border: 1px solid var(--line); border-radius: .3rem;
  overflow-x: auto; font: .85rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; }}
footer {{ margin-top: 4rem; padding-top: .9rem; border-top: 1px solid var(--line); color: var(--soft); }}
@media screen and (max-width: 34rem) {{ /* a phone: each row of a table is a block, each cell under its head */
  table.stack, table.stack tbody {{ display: block; }}
  table.stack thead {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}
  table.stack tr {{ display: grid; grid-template-columns: repeat(var(--abreast), minmax(0, 1fr)); gap: .25rem .8rem;
    padding: .6rem 0; border-bottom: 1px solid var(--line); }}
  table.stack :is(th, td) {{ min-width: 0; max-width: none; padding: 0; border: 0; text-align: left; }}
  table.stack :is(tbody th, td:not(.n)) {{ grid-column: 1 / -1; text-align: left; white-space: normal; }}
  table.stack tbody th {{ font-weight: 600; }}
  table.stack td::before {{ display: block; color: var(--soft); font-size: .76rem; font-weight: 400;
    white-space: normal; content: attr(data-head); }}
  table.stack th.n::before {{ color: var(--soft); font-weight: 400; content: attr(data-head) " "; }}
  table.stack td:empty {{ display: none; }}
  table.matrix {{ font-size: .8rem; }}
  table.matrix :is(th, td) {{ padding: .4rem .25rem; }}
  table.matrix td {{ min-width: 1.75rem; }}
  table.matrix tbody th {{ min-width: 4rem; max-width: 6.5rem; }}
  table.matrix thead th.n {{ max-width: none; max-height: 9rem; writing-mode: vertical-rl; text-align: left;
    vertical-align: bottom; line-height: 1.15; transform: rotate(180deg); }} }}
@page {{ margin: 18mm 16mm; }}
@media print {{ html {{ font-size: 78%; }} .columns {{ grid-template-columns: repeat(2, minmax(0, 1fr)); }}
  main {{ max-width: none; padding: 0; }} nav {{ display: none; }}
  h2, h3, h4 {{ break-after: avoid; }} figure, tr, .example, li, .verdict {{ break-inside: avoid; }}
  .scroll {{ overflow: visible; background: none; }} figure.broad svg {{ min-width: 0; }} }}
"""


class Section(NamedTuple):
    """A part of the page under a heading; one without a body is left out."""

    name: str  #: its address within the page
    title: str
    body: str


def page(title: str, top: str, sections: Iterable[Section], foot: str) -> str:
    """The whole page. No script may run and nothing may be fetched, whatever a text would bring in."""
    shown = [s for s in sections if s.body]
    links = "".join(f'<li><a href="#{s.name}">{e(s.title)}</a></li>' for s in shown)
    bodies = "".join(f'<section id="{s.name}">\n<h2>{e(s.title)}</h2>\n{s.body}</section>\n' for s in shown)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{e(title, 120)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{top}
<nav aria-label="Sections"><ul>{links}</ul></nav>
{bodies}<footer>{foot}</footer>
</main>
</body>
</html>
"""


def e(text: object, most: int = 300) -> str:
    """Text for the page: cut with a mark, what is hidden made visible, escaped."""
    return escape(short(text, most))


def paragraphs(sentences: Iterable[object], kind: str = "", most: int = 1000) -> str:
    name = f' class="{kind}"' if kind else ""
    return "".join(f"<p{name}>{e(sentence, most)}</p>\n" for sentence in sentences if sentence)


def items(sentences: Iterable[object], kind: str = "", most: int = 1000) -> str:
    name = f' class="{kind}"' if kind else ""
    return f"<ul{name}>" + "".join(f"<li>{e(sentence, most)}</li>\n" for sentence in sentences) + "</ul>\n"


def terms(values: Iterable[tuple[str, str]], kind: str = "terms") -> str:
    """Names and what they stand for."""
    pairs = "".join(f"<div><dt>{e(name)}</dt><dd>{e(value)}</dd></div>\n" for name, value in values)
    return f'<dl class="{kind}">{pairs}</dl>\n' if pairs else ""


def scroll(label: str, inner: str) -> str:
    """A box that scrolls sideways by touch, wheel or key, so that the page does not."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{e(label, 120)}">{inner}</div>\n'


def table(label: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], first: bool = False) -> str:
    """Rows under a head; columns of numbers to the right, bounds of intervals beneath. first: the top row is ours."""
    wordy = [any(isinstance(row[i], str) and row[i] for row in rows) for i in range(len(head))]

    def tag(name: str, i: int, inner: str, more: str = "") -> str:
        numeric = "" if wordy[i] else ' class="n"'
        return f"<{name}{more}{numeric}>{inner}</{name}>"

    stacked = len(head) > STACKED
    figures = sum(not wordy[i] and any(row[i] != "" for row in rows) for i in range(1, len(head)))
    shown = [e(name, 60) for name in head]
    heads = "".join(tag("th", i, name.replace("_", "_<wbr>"), ' scope="col"') for i, name in enumerate(shown))
    body = ""
    for place, row in enumerate(rows):
        named = [f' data-head="{name.replace("_", BREAK)}"' if stacked and name else "" for name in shown]
        named[:1] = [f' scope="row"{name}' for name in named[:1]]
        cells = [tag("td" if i else "th", i, _cell(value), named[i]) for i, value in enumerate(row)]
        body += f"<tr{' class=first' if first and not place else ''}>{''.join(cells)}</tr>\n"
    kind = f' class="stack" style="--abreast: {2 if figures in (2, 4) else 3}"' if stacked else ""
    return scroll(label, f"<table{kind}><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table>")


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return e(value)
    if isinstance(value, Interval):
        inside = bounds(value)
        return number(value.value) + (f"<small>{inside}</small>" if inside else "")
    return number(value)


def style(i: int) -> tuple[str, str]:
    """The i-th line's colour and dashes: first all colours, then all of them dashed."""
    return COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]


def legend(keys: Iterable[tuple[str, tuple[str, str]]]) -> str:
    """Names and styles, beneath a picture: as text they wrap, and can be searched and copied. For points, which have
    no dashes, the second word of a style is "points"."""
    shown = ""
    for name, (colour, dashes) in keys:
        kind = ' class="points"' if dashes == "points" else f' stroke-dasharray="{dashes}"' if dashes else ""
        path = f'<path d="M2 4h22"{kind} style="stroke: var(--{colour})"/>'
        shown += f'<li><svg viewBox="0 0 26 8" aria-hidden="true">{path}</svg>{e(name, 60)}</li>'
    return f'<ul class="legend">{shown}</ul>' if shown else ""
