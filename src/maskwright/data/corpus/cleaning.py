"""A document's text as clean paragraphs: one Unicode form, no control characters, no lines that paper once ended."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from maskwright.text.sentences import BEHIND

# Line and page ends under other names; what is left of Cc, marks of width zero that say nothing of the text (byte order
# mark, zero width space, word joiner, soft hyphen), halves of surrogate pairs and non-characters. Joiners that change
# letters (U+200C, U+200D) are text.
_BREAKS = str.maketrans({"\x0b": "\n", "\x0c": "\n\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"})
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ud800-\udfff\ufffe\uffff]")

WIDTHS = range(40, 121)  #: characters of a line that may be one of wrapped prose
FULL = 0.8  #: of the width: a line this long ends where the next word had no room

LONGEST = 10_000  #: characters of a sentence; one that has more, such as data in a text, is cut
_RUN = re.compile(r"\S+")


def clean(text: str) -> tuple[str, int]:
    """Unicode NFC with line feeds alone as line ends, and how many control characters were taken out."""
    text, count = _CONTROL.subn("", text.replace("\r\n", "\n").replace("\r", "\n").translate(_BREAKS))
    return unicodedata.normalize("NFC", text), count  # last: what stood between a letter and its accent is gone


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a clean text, each one line, its white space squeezed.

    Blank lines part paragraphs. Where most lines are about as long as the longest, up to 120 characters, the text was
    wrapped at that width, as books of Project Gutenberg are: a line end is then a blank, unless the next line is
    indented, or the line is short and the next one does not begin in lower case (titles, lists, verse). In all other
    texts each line is a paragraph.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    width = wrapped_at(lines)
    out: list[str] = []
    held = ""
    for line, after in pairwise([*lines, ""]):
        held += line
        if line and after and _joined(line, after, width):
            held += " " if not _hyphened(line) else ""
            continue
        if squeezed := " ".join(held.split()):
            out.append(squeezed)
        held = ""
    return out


def wrapped_at(lines: Sequence[str]) -> int:
    """The width at which prose was wrapped, in characters; 0 for a text that was not. Lines have no blanks at the end.

    The width is one that 9 of 10 lines with another behind them keep within; in wrapped prose at least half of them
    are nearly that long. Lines that are a sentence or a verse each differ more.
    """
    lengths = sorted(len(line) for line, after in pairwise(lines) if line and after)
    if not lengths:
        return 0
    width = lengths[int(0.9 * len(lengths))]
    full = sum(length >= FULL * width for length in lengths)
    return width if width in WIDTHS and 2 * full >= len(lengths) else 0


def _joined(line: str, after: str, width: int) -> bool:
    """Whether a line of a text goes on in the next."""
    if not width or (after[0] in " \t" and line[0] not in " \t"):
        return False
    word = after.split(None, 1)[0]
    return word[0].islower() or len(line) + 1 + len(word) > FULL * width


def _hyphened(line: str) -> bool:
    """A hyphen or a dash that hangs on a word at a line's end: what follows belongs to it, without a blank."""
    return len(line) > 1 and line[-1] in "-—" and not line[-2].isspace()


def special_pattern(specials: Sequence[str]) -> re.Pattern[str]:
    """What finds special tokens as they stand; a longer one before one that begins it."""
    return re.compile("|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or r"(?!)")


def neutralise(text: str, pattern: re.Pattern[str]) -> tuple[str, int]:
    """The text with a blank behind the first character of each special token, `[ MASK]`, and how many there were.

    Tokenizers find special tokens by their exact letters before anything else is done to a text, so that one blank is
    enough; a person still sees what was written.
    """
    return pattern.subn(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def unbroken(paragraph: str) -> tuple[list[str], int]:
    """A paragraph in parts in which no run without white space has more than `LONGEST` characters, and how many cuts
    that took.

    A sentence is never longer, and the splitter looks from each stop in such a run on to its end: 100,000 characters
    of `?!` take it 13 s, and twice as many four times that. Text in a script without blanks is one run, but has stops
    that end a sentence wherever they stand: at those it is parted first, which is no cut.
    """
    if len(paragraph) <= LONGEST or max(map(len, paragraph.split(" "))) <= LONGEST:
        return [paragraph], 0
    sentences = BEHIND.split(paragraph)
    parts = [part for sentence in sentences for part in _RUN.sub(_in_lines, sentence).split("\n")]
    return parts, len(parts) - len(sentences)


def _in_lines(run: re.Match[str]) -> str:
    return "\n".join(run[0][at : at + LONGEST] for at in range(0, len(run[0]), LONGEST))


def limited(sentence: str) -> list[str]:
    """A sentence in parts of at most `LONGEST` characters, cut at the last blank of each, if there is one."""
    out, start = [], 0
    while len(sentence) - start > LONGEST:
        end = sentence.rfind(" ", start + 1, start + LONGEST + 1)
        end = end if end > 0 else start + LONGEST
        out.append(sentence[start:end])
        start = end + (sentence[end] == " ")  # there is one at most: white space is squeezed
    return [*out, sentence[start:]] if sentence else out
