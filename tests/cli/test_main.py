"""The root command: its list is the folder, it stays light, and mistakes are said in one paragraph."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import maskwright.cli
from maskwright import __version__
from maskwright.cli import main as cli

SRC = Path(__file__).parents[2] / "src"
VERBS = {
    "greet.py": '''"""Greet a person by name.

More about it.
"""
from typing import Annotated
import typer
def command(name: str = "you", times: Annotated[int, typer.Option(help="How often, [loud] or not.")] = 1) -> None:
    """Greet a person by name, as often as asked."""
    print(f"hello {name} " * times)
''',
    "say_no.py": '''"""Refuse, in one paragraph."""
from maskwright.base.errors import UserError
def command() -> None:
    raise UserError("File 'a.csv', line 3, holds no label.\\n\\n  Allowed: pos, neg.   Mend it. " + "More. " * 30)
''',
    "words.py": '''"""Look at words."""
import typer
app = typer.Typer()
@app.command()
def explain(text: str) -> None:
    """Explain one text."""
    print(f"explained {text}")
''',
    "broken.py": '"""Broken on import."""\nraise RuntimeError("this file must not be imported")\n',
    "stop.py": '"""Stop as by Ctrl-C."""\ndef command() -> None:\n    raise KeyboardInterrupt\n',
    "stop_early.py": '"""Stop while importing."""\nraise KeyboardInterrupt\n',
    "bug.py": '"""Hold a bug."""\ndef command() -> None:\n    raise ZeroDivisionError("ours")\n',
    "_shared.py": '"""Not a verb."""\n',
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of verbs, replaced by VERBS."""
    for name, code in VERBS.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    before = set(sys.modules)
    monkeypatch.setattr(maskwright.cli, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("maskwright.cli."):
            del sys.modules[name]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs one command line here; gives the exit code, what went to stdout and what to stderr."""

    def go(*args: str) -> tuple[int, str, str]:
        try:
            code = cli.main(args)
        except SystemExit as left:
            code = left.code
        return code, *capsys.readouterr()

    return go


Run = Callable[..., tuple[int, str, str]]


def test_help_lists_every_verb_file_with_its_first_line(run: Run) -> None:
    folder = SRC / "maskwright" / "cli"
    files = [f for f in folder.glob("*.py") if not f.name.startswith("_") and f.name != "main.py"]
    assert set(cli.verbs().values()) == set(files)
    code, out, _ = run("--help")
    words = " ".join(out.split())
    assert code == 0
    for file in files:
        assert cli.summary(file), f"{file} needs a docstring: its first line is the verb's help"
        assert f"{file.stem.replace('_', '-')} {cli.summary(file)}" in words


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_needs_no_second_list(run: Run, args: tuple[str, ...]) -> None:
    code, out, err = run(*args)
    assert (code, err) == (0, "")
    listed = [line.split()[0] for line in out.partition("Verbs:\n")[2].partition("\n\n")[0].splitlines()]
    assert listed == ["broken", "bug", "greet", "say-no", "stop", "stop-early", "words"]
    assert "greet                 Greet a person by name.\n" in out


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["finetun"]])
def test_the_root_answers_without_the_heavy_imports(args: list[str]) -> None:
    code = (
        f"import sys; from maskwright.cli.main import main; main({args!r});"
        "print('loaded', *{m.partition('.')[0] for m in sys.modules})"
    )
    here = {**os.environ, "PYTHONPATH": str(SRC)}
    out = subprocess.check_output([sys.executable, "-c", code], text=True, env=here, stderr=subprocess.DEVNULL)
    loaded = set(out.rpartition("loaded ")[2].split())
    assert "maskwright" in loaded
    assert not loaded & {"torch", "numpy", "pydantic", "typer", "click", "rich", "tokenizers", "matplotlib"}


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"maskwright {__version__}\n", "")


@pytest.mark.usefixtures("planted")
def test_a_plain_verb_runs_with_typed_options(run: Run) -> None:
    assert run("greet", "--name", "Ada", "--times", "2") == (0, "hello Ada hello Ada \n", "")


@pytest.mark.usefixtures("planted")
def test_a_verbs_help_names_the_whole_command_and_keeps_brackets(run: Run) -> None:
    code, out, _ = run("greet", "--help")
    assert code == 0
    assert out.startswith("Usage: maskwright greet [OPTIONS]")
    assert "Greet a person by name, as often as asked." in out
    assert "[loud] or not" in out
    assert run("greet", "-h")[1] == out


@pytest.mark.usefixtures("planted")
def test_a_group_of_one_verb_is_still_a_group(run: Run) -> None:
    assert run("words", "explain", "masks") == (0, "explained masks\n", "")
    assert "Explain one text." in run("words", "--help")[1]


@pytest.mark.usefixtures("planted")
def test_an_unknown_verb_names_the_nearest(run: Run) -> None:
    code, out, err = run("grete", "--name", "Ada")
    assert (code, out) == (2, "")
    assert err == (
        "error: There is no command 'grete'. Did you mean 'greet'? "
        "Allowed: broken, bug, greet, say-no, stop, stop-early, words. See maskwright --help.\n"
    )


@pytest.mark.usefixtures("planted")
def test_an_unknown_option_names_the_nearest(run: Run) -> None:
    code, _, err = run("--versoin")
    assert code == 2
    assert "There is no option '--versoin'. Did you mean '--version'?" in err
    code, _, err = run("greet", "--tims", "2")
    assert code == 2
    assert "--tims" in err
    assert "--times" in err
    code, _, err = run("greet", "--times", "two")
    assert code == 2
    assert "Invalid value for '--times'" in err


@pytest.mark.usefixtures("planted")
def test_a_mistake_is_one_paragraph_and_exit_code_2(run: Run) -> None:
    code, out, err = run("say-no")
    assert (code, out) == (2, "")
    assert err.startswith("error: File 'a.csv', line 3, holds no label. Allowed: pos, neg. Mend it. More.")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.usefixtures("planted")
def test_a_mistake_is_wrapped_at_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    code, _, err = run("say-no")
    lines = err.splitlines()
    assert code == 2
    assert len(lines) > 2
    assert all(0 < len(line) <= 60 for line in lines)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("verb", ["stop", "stop-early"])
def test_ctrl_c_leaves_with_130(run: Run, verb: str) -> None:
    code, _, err = run(verb)
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.usefixtures("planted")
def test_a_bug_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError, match="ours"):
        cli.main(["bug"])


def test_completion_offers_verbs_and_their_options(planted: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("broken.py", "stop_early.py"):  # completion imports every verb
        (planted / file).unlink()
    monkeypatch.setenv("_MASKWRIGHT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "maskwright gr")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run()[:2] == (0, "greet\n")
    monkeypatch.setenv("COMP_WORDS", "maskwright greet --t")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run()[:2] == (0, "--times\n")
    monkeypatch.delenv("_MASKWRIGHT_COMPLETE")
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))  # whoever started the tests
    code, out, _ = run("--show-completion", "bash")
    assert code == 0
    assert "_MASKWRIGHT_COMPLETE=complete_bash" in out


@pytest.mark.parametrize(
    "words",
    [
        ("finetune", "--train", "{rows}", "--model", "{tiny}", "--quiet", "--set", "train.threads=1"),
        ("predict", "{model}", "--data", "{rows}"),
        ("predict", "{model}", "--text", "a film"),
        ("demo", "--quick"),
        ("tokenizer", "train", "{rows}"),
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_said(
    run: Run, finished: dict[str, Path], tiny: Path, csv_file: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    filled = [word.format(rows=csv_file, tiny=tiny, model=finished["single"]) for word in words]
    code, _, err = run(*filled, "--out", out)
    assert code == 2
    *notes, error = err.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    assert error.startswith(f"error: {out}"), "what is named is what was given, or a file in it"
    assert "cannot be written: " in error
