"""The demo's page: one HTML file that opens offline, on a phone, by day and by night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskwright.finetuning.demo import Answer, DemoResult

SHOWN = 3  # passages of each kind

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #fdfdfb; --line: #d9dcdf; --mark: #2f6f9f;
  --good: #2e7d4f; --bad: #b3452c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --soft: #9aa4ae; --paper: #14171a; --line: #333a41;
  --mark: #6fb1de; --good: #74c796; --bad: #ee8d75; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p.soft, small, figcaption { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: 600; color: var(--soft); font-size: .85rem; }
td:not(:first-child) { white-space: nowrap; }
td small { display: block; }
@media (max-width: 34rem) { :is(th, td):nth-child(5) { display: none; } th, td { padding-inline: .3rem; }
  td:not(:first-child):has(small) { white-space: normal; } }
table.fills :is(th, td) { white-space: normal; text-align: left; }
tr.best td { font-weight: 600; }
tr.best small { font-weight: 400; }
meter { width: 100%; min-width: 6rem; height: .7rem; }
figure { margin: 1rem 0; padding: .1rem 0 .1rem 1rem; border-left: 3px solid var(--good); }
figure.wrong { border-color: var(--bad); }
blockquote { margin: .25rem 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .85rem/1.5 ui-monospace, monospace; }
pre { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; color: var(--mark); }
"""


def page(result: DemoResult) -> str:
    """The whole page as text; everything that comes from the corpus or from a person is escaped."""
    test = result.tables["test"]
    right, wrong = chosen(result.answers)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>maskwright demo</title>
<style>{STYLE}</style>
<main>
<h1>Which area of Python's library does this passage describe?</h1>
<p>Four systems learnt it from the documentation of some modules and were judged on that of others:
{len(test):,} passages of {len(set(test.column("module")))} modules, none of which any of them was trained on or
chosen by.</p>
{_systems(result)}
<ul>{"".join(f"<li>{escape(sentence)}</li>" for sentence in result.verdict)}</ul>
<p class="soft">Below each accuracy its 95 % interval: over passages, and over seeds where there are several. Passages
of one module are alike, so it is a little too narrow. The whole report of the
fine-tuned model is in <code>pretrained/report.html</code>. Seconds are training for the first two; for
the networks, from rows to a model that was saved, reloaded and found equal. In all: {result.seconds:.0f} seconds.</p>
<h2>The passages</h2>
{_corpus(result)}
<p class="soft">Cells are passages / modules. A module stands on one side only, so eval (which chose the best epoch) and
test ask about modules that were never read in training. For the language reference, a topic stands for a module.</p>
<h2>Right</h2>
<p class="soft">The fine-tuned model's most confident right answers, one for each area.</p>
{"".join(map(_figure, right))}
<h2>Confidently wrong</h2>
<p class="soft">Its most confident mistakes, one for each true area.</p>
{"".join(map(_figure, wrong))}
{_pretraining(result)}
<h2>Repeat it</h2>
<pre>{escape(result.command)}</pre>
<details><summary>Notes</summary><ul>{"".join(f"<li>{escape(note)}</li>" for note in result.notes)}</ul></details>
</main>
</html>
"""


def chosen(answers: Iterable[Answer]) -> tuple[list[Answer], list[Answer]]:
    """The most confident right and wrong answers, each true area at most once in either."""
    right: dict[str, Answer] = {}
    wrong: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda a: (-a.probability, a.passage)):
        (right if answer.predicted == answer.area else wrong).setdefault(answer.area, answer)
    return list(right.values())[:SHOWN], list(wrong.values())[:SHOWN]


def _systems(result: DemoResult) -> str:
    best = max(s.accuracy for s in result.systems)
    rows = "".join(
        f"<tr{' class=best' if s.accuracy == best else ''}><td>{escape(s.name)}<small>{escape(s.how)}</small></td>"
        f"<td>{s.accuracy:.1%}<small>{s.low:.1%} to {s.high:.1%}</small></td>"
        f"<td>{s.f1_macro:.3f}</td><td>{s.seconds:.1f}</td>"
        f'<td><meter min="0" max="1" value="{s.accuracy:.4f}">{s.accuracy:.1%}</meter></td></tr>'
        for s in result.systems
    )
    head = "<tr><th>system<th>accuracy<th>macro F1<th>seconds<th>accuracy, 0 to 100 %</tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _corpus(result: DemoResult) -> str:
    """Rows and modules by area and side."""
    counts = {side: Counter(t.column("area")) for side, t in result.tables.items()}
    pairs = {side: {*zip(t.column("area"), t.column("module"), strict=True)} for side, t in result.tables.items()}
    modules = {side: Counter(area for area, _ in found) for side, found in pairs.items()}
    head = "".join(f"<th>{side}" for side in counts)
    rows = [
        [area, *(f"{counts[side][area]:,} / {modules[side][area]}" for side in counts)]
        for area in sorted({area for found in counts.values() for area in found})
    ]
    rows.append(["all", *(f"{counts[side].total():,} / {modules[side].total()}" for side in counts)])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr><th>area{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(answer: Answer) -> str:
    correct = answer.predicted == answer.area
    verdict = "" if correct else f", in truth {escape(answer.area)}"
    return (
        f'<figure class="{"right" if correct else "wrong"}"><blockquote>{escape(answer.passage)}</blockquote>'
        f"<figcaption><b>{escape(answer.predicted)}</b> ({answer.probability:.0%} sure){verdict}; from "
        f"<code>{escape(answer.module)}</code></figcaption></figure>\n"
    )


def _pretraining(result: DemoResult) -> str:
    """The encoder that was made on the way, if one was."""
    if result.pretrained is None:
        return ""
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.pretrained.summary["verdict"])
    rows = "".join(
        f"<tr><td>{escape(f.text)}</td><td>"
        + ", ".join(f"{escape(word)} {p:.0%}" for word, p in f.words)
        + "</td></tr>"
        for f in result.fills
    )
    return f"""<h2>From text to an encoder in two minutes</h2>
<p>Before all that, an encoder was made of the docstrings of this Python alone: tokenizer, pre-training, judging. The
whole report is in <code>pretraining/run/report.html</code>.</p>
<ul>{said}</ul>
<div class="scroll"><table class="fills"><thead><tr><th>it is asked</th><th>it answers</th></tr></thead>
<tbody>{rows}</tbody></table></div>
"""
