"""The demo's corpus: the documentation that every CPython carries with it, labelled by the area it documents.

Docstrings are read from the source files of the standard library with `ast` (nothing is imported for that), those of
modules written in C by asking the module, and the chapters of the language reference from `pydoc_data.topics`. The
task is "which area of the library does this passage describe", and it is split by *module*: a model is judged on
modules of which it has read nothing.

Three guards keep the task honest. Files that document one module (`decimal`, `_decimal`, `_pydecimal`) are one unit
and stand on one side. A paragraph found in two units is kept in the first alone, so that no text is on two sides. And
typography that would give the source away (rules of asterisks, curly quotes) is made plain.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import re
import sysconfig
import types
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from maskwright.base.errors import UserError
from maskwright.data.table import Table

WORDS = 72  # words and signs; a passage ends at the paragraph border before this many
LEAST = 40  # words and signs; a shorter docstring is read on into the next one
SHORTEST = 12  # words; what is still shorter is left out
MOST = 10  # passages of one module; without it tkinter alone would be a tenth of the corpus, and the demo long
SHARES = {"train": 0.55, "eval": 0.15, "test": 0.30}
SPLIT = "maskwright demo"  # the fixed seed of the split: other training seeds see the same rows

REFERENCE = "language reference"  # its units are the topics of pydoc_data, not modules
# Chapters of the library manual, neighbours merged until each can stand on three sides. A name that this Python no
# longer has, or does not have yet, is simply not there.
AREAS = {
    "text and markup": "string re difflib textwrap unicodedata stringprep readline rlcompleter struct codecs locale "
    "gettext shlex email json mailbox mailcap mimetypes base64 binascii quopri uu html xml",
    "data types": "datetime calendar zoneinfo collections heapq bisect array weakref types copy pprint reprlib enum "
    "graphlib builtins functools itertools operator",
    "numbers and cryptography": "math cmath decimal fractions random statistics numbers hashlib hmac secrets",
    "files and persistence": "pathlib os.path fileinput stat filecmp tempfile glob fnmatch linecache shutil pickle "
    "copyreg shelve marshal dbm sqlite3 zlib gzip bz2 lzma compression zipfile tarfile csv configparser tomllib netrc "
    "plistlib xdrlib io",
    "system and concurrency": "os time argparse getopt optparse logging getpass platform errno ctypes pwd grp termios "
    "tty pty fcntl resource syslog crypt spwd pipes cmd threading multiprocessing concurrent subprocess sched queue "
    "contextvars asyncio select selectors signal mmap",
    "internet protocols": "socket ssl socketserver http urllib ftplib poplib imaplib smtplib smtpd nntplib telnetlib "
    "xmlrpc ipaddress wsgiref webbrowser cgi cgitb uuid asynchat asyncore",
    "graphics and sound": "tkinter idlelib turtle turtledemo curses wave aifc sunau chunk colorsys sndhdr imghdr "
    "audioop",
    "development and runtime": "typing pydoc doctest unittest bdb faulthandler pdb profile pstats timeit trace "
    "tracemalloc distutils ensurepip venv zipapp sys sysconfig warnings dataclasses contextlib abc atexit traceback "
    "__future__ gc inspect annotationlib site code codeop zipimport pkgutil modulefinder runpy importlib imp ast "
    "symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis opcode pickletools",
}
AREA_OF = {module: area for area, modules in AREAS.items() for module in modules.split()}

# Files whose module is not found by taking `_` or `_py` off the front of their name.
PART_OF = {
    "posixpath": "os.path", "ntpath": "os.path", "genericpath": "os.path", "posix": "os", "_collections_abc":
    "collections", "_strptime": "time", "_thread": "threading", "_threading_local": "threading", "_weakrefset":
    "weakref", "_sre": "re", "sre_compile": "re", "sre_parse": "re", "_elementtree": "xml", "pyexpat": "xml",
    "_markupbase": "html", "_sitebuiltins": "site", "_osx_support": "sysconfig", "_aix_support": "sysconfig",
    "_bootsubprocess": "subprocess", "nturl2path": "urllib", "cProfile": "profile", "_lsprof": "profile", "_pyrepl":
    "code", "_compression": "compression", "_colorize": "code", "_py_abc": "abc", "sre_constants": "re",
}  # fmt: skip
# Topics that are chapters of the library manual, not of the language reference.
TOPIC_OF = {
    "debugger": "pdb", "formatstrings": "string", "string-methods": "builtins", "typesseq": "builtins",
    "typesseq-mutable": "builtins", "typesmapping": "builtins", "typesmethods": "builtins", "typesmodules": "builtins",
    "typesfunctions": "builtins", "truth": "builtins",
}  # fmt: skip
IN_C = (
    "builtins sys math cmath itertools time posix unicodedata array select mmap zlib binascii pyexpat resource fcntl "
    "gc atexit faulthandler marshal grp pwd termios syslog readline _struct _socket _ssl _io _collections _functools "
    "_operator _thread _datetime _decimal _csv _sqlite3 _ctypes _elementtree _json _pickle _hashlib _bisect _heapq "
    "_random _codecs _weakref _contextvars _curses _asyncio _queue _lzma _bz2 _tracemalloc _signal _locale _imp"
).split()
NOT_PROSE = {"test", "tests", "idle_test", "__pycache__", "_bundled", "pydoc_data", "encodings", "lib2to3"}
PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\xa0": " "})


class Passage(NamedTuple):
    passage: str
    area: str
    module: str


def corpus() -> dict[str, Table]:
    """Tables `train`, `eval` and `test` with the columns passage, area and module; no module stands in two of them.

    The same for every call on one Python. Raises UserError where this Python carries no sources to read.
    """
    passages, notes = _passages()
    sides = split(passages)
    tables = {}
    for name in SHARES:
        rows = [p for p in passages if sides.get(p.module) == name]
        columns = {field: [getattr(p, field) for p in rows] for field in Passage._fields}
        lines = list(range(1, len(rows) + 1))
        source = f"the documentation of this Python ({name})"
        tables[name] = Table(columns, source, lines, notes if name == "train" else [], unit="row")
    return tables


def split(passages: list[Passage]) -> dict[str, str]:
    """The side of every module, each area on all sides in about the SHARES; areas of fewer than three have none.

    Modules come in an order drawn by SPLIT, the largest of an area first and always into train; each goes to the side
    that lacks most of its share, unless it would overfill it.
    """
    sizes = Counter((p.area, p.module) for p in passages)
    areas: dict[str, list[str]] = defaultdict(list)
    for area, module in sorted(sizes, key=lambda key: (-sizes[key], key)):
        areas[area].append(module)
    sides: dict[str, str] = {}
    for area, modules in areas.items():
        if len(modules) < len(SHARES):
            continue
        target = {side: share * sum(sizes[area, m] for m in modules) for side, share in SHARES.items()}
        have = dict.fromkeys(SHARES, 0)
        for module in [modules[0], *sorted(modules[1:], key=lambda m: drawn(SPLIT + m))]:
            size = sizes[area, module]
            wanting = sorted(SHARES, key=lambda side: have[side] / target[side])
            fits = [s for s in wanting if s == "train" or not have[s] or have[s] + size <= 1.3 * target[s]]
            side = "train" if module == modules[0] else fits[0]
            sides[module] = side
            have[side] += size
        assert all(have.values()), f"{area} is missing from a side: {have}"
    return sides


def _passages() -> tuple[list[Passage], list[str]]:
    """All passages in a fixed order, and what a reader must know of how they were chosen."""
    folder = Path(sysconfig.get_path("stdlib"))
    units: dict[tuple[str, str], list[str]] = defaultdict(list)
    left_out = set()
    for name, texts in _of_modules(folder):
        module = module_of(name)
        if module:
            units[AREA_OF[module], module].extend(texts)
        else:
            left_out.add(name)
    for topic, text in _topics():
        module = "builtins" if topic.startswith("bltin-") else TOPIC_OF.get(topic)
        units[(AREA_OF[module], module) if module else (REFERENCE, f"topic {topic}")].append(text)
    if len(units) < 50:
        raise UserError(
            f"The demo reads the sources of Python's standard library, and {str(folder)!r} holds hardly any. Use a "
            "Python that was installed with its library as .py files."
        )
    found, paragraphs, whole, capped = [], set[str](), set[str](), {}
    for area, module in sorted(units, key=lambda unit: (len("".join(units[unit])), unit)):  # the most specific first
        cut = _cut(units[area, module], paragraphs)
        mine = [text for text in cut if _is_prose(text) and _is_new(text, whole)]
        if len(mine) > MOST:
            capped[module] = len(mine)
            chosen = set(sorted(mine, key=drawn)[:MOST])
            mine = [text for text in mine if text in chosen]
        found += [Passage(text, area, module) for text in mine]
    notes = [
        f"At most {MOST} passages of one module are kept, drawn by their hash: {len(capped)} modules have more, which "
        f"leaves {sum(capped.values()) - MOST * len(capped):,} passages out."
    ]
    few = Counter(area for area, _ in {(p.area, p.module) for p in found})
    notes += [f"The area {a!r} is left out: it has {n} module(s) here." for a, n in few.items() if n < len(SHARES)]
    notes.append("Modules without an area, not read: " + (", ".join(sorted(left_out)) or "none") + ".")
    return sorted(found, key=lambda p: (p.area, p.module)), notes


def documentation(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, texts) of everything: source files of the library in `folder`, modules written in C, and topics."""
    yield from _of_modules(folder)
    yield from ((f"topic {name}", [text]) for name, text in _topics())


@cache
def _of_modules(folder: Path) -> list[tuple[str, list[str]]]:
    """Those of modules; read once, which takes seconds."""
    return [*_from_files(folder), *_from_c()]


def drawn(text: str) -> str:
    """A place in an order that is arbitrary and the same everywhere."""
    return hashlib.sha256(text.encode()).hexdigest()


def module_of(name: str) -> str | None:
    """The module of the table that a file or C module called `name` is part of."""
    candidates = (PART_OF.get(name, name), name.removeprefix("_py"), name.removeprefix("_"))
    return next((c for c in candidates if c in AREA_OF), None)


def _from_files(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(top-level name, docstrings) of every source file in the standard library."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            yield path.stem, _docstrings(path)
        elif path.name.isidentifier() and path.name not in NOT_PROSE:
            inside = sorted(p for p in path.rglob("*.py") if not NOT_PROSE & set(p.relative_to(path).parts[:-1]))
            if inside:
                yield path.name, [text for file in inside for text in _docstrings(file)]


def _docstrings(path: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old files hold escapes that newer Pythons frown at
        tree = ast.parse(path.read_bytes())
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [text for node in ast.walk(tree) if isinstance(node, documented) and (text := ast.get_docstring(node))]


def _from_c() -> Iterator[tuple[str, list[str]]]:
    """(name, docstrings) of modules written in C: they have no source file here, so they are asked."""
    for name in IN_C:
        try:
            module = importlib.import_module(name)
        except ImportError:  # not built on this system
            continue
        yield name, [inspect.getdoc(module) or "", *_documented(vars(module), name)]


def _documented(members: dict[str, object], module: str) -> Iterator[str]:
    for name, member in sorted(members.items()):
        if name.startswith("_") or isinstance(member, types.ModuleType):
            continue
        text = getattr(member, "__doc__", None)
        if isinstance(text, str) and (callable(member) or inspect.isdatadescriptor(member)):
            yield inspect.cleandoc(text)
        if isinstance(member, type) and member.__module__ in (module, module.removeprefix("_")):
            yield from _documented(dict(vars(member)), module)


def _topics() -> Iterator[tuple[str, str]]:
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:  # some systems ship Python without it
        return
    yield from sorted(topics.items())


def _cut(texts: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Passages of at most WORDS words and signs, of paragraphs that are not in `seen` yet (they are added to it).

    A text of fewer than LEAST ("Return the number of items.") says little of its area and is read on into the next of
    its module, as a page of documentation is.
    """
    passage = ""
    for text in texts:
        for piece in _pieces(text):
            if _is_prose(piece) and not _is_new(piece, seen):
                continue
            if passage and _length(passage) + _length(piece) > WORDS:
                yield passage
                passage = ""
            passage = f"{passage}\n\n{piece}" if passage else piece
        if _length(passage) >= LEAST:
            yield passage
            passage = ""
    yield passage


def _length(text: str) -> int:
    """Words and signs: closer to a model's word pieces than words alone where a text holds code."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def _is_prose(text: str) -> bool:
    return len(re.findall(r"[A-Za-z]{2,}", text)) >= SHORTEST


def _is_new(text: str, seen: set[str]) -> bool:
    key = " ".join(text.lower().split())
    new = key not in seen
    seen.add(key)
    return new


def _pieces(text: str) -> Iterator[str]:
    """The paragraphs of a text, those of more than WORDS words and signs cut further at line ends."""
    text = re.sub(r"^\s*([*=~#^\-])\1{2,}\s*$", "", text.translate(PLAIN).expandtabs(), flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        lines: list[str] = []
        for line in paragraph.strip("\n").splitlines():
            if lines and _length("\n".join([*lines, line])) > WORDS:
                yield "\n".join(lines)
                lines = []
            lines.append(line.rstrip())
        if any(lines):
            yield "\n".join(lines)
