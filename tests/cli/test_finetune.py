"""`maskwright finetune`: its options are the fields, what it prints, and that it needs none of the oracles."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maskwright.cli.finetune import command
from maskwright.finetuning.settings import Finetune, task_options

Run = Callable[..., tuple[int, str, str]]
SRC = str(Path(__file__).parents[2] / "src")


@pytest.fixture
def tune(run: Run, tiny: Path, csv_file: str, sets: list[str], tmp_path: Path) -> Run:
    """The command with what it needs, into `run` under the test's folder."""

    def go(*more: Any) -> tuple[int, str, str]:
        base = [
            "--seeds",
            "1",
            "--train",
            csv_file,
            "--model",
            tiny,
            "--out",
            tmp_path / "run",
            "--set",
            "train.epochs=2",
        ]
        return run("finetune", *base, *sets, *more)

    return go


def test_it_prints_a_table_and_where_the_model_is(tune: Run, tmp_path: Path) -> None:
    code, out, err = tune("--task", "classification", "--text", "text", "--label", "label")
    assert code == 0
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    table = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:8]}
    assert table == {name: f"{figure['value']:.4f}" for name, figure in told["figures"].items()}
    assert list(table) == ["accuracy", "f1_macro", "mcc", "balanced_accuracy", "f1", "auc", "average_precision"]
    assert "8 rows" in out.splitlines()[0]
    assert "95 % over examples" in out.splitlines()[0]
    assert all(word in out for sentence in told["verdict"] for word in sentence.split())
    assert out.endswith(f"\nmodel: {tmp_path / 'run' / 'model'}\n")
    notes = err.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    assert any("was split by class with seed 0: 64 train, 8 eval, 8 test rows." in note for note in notes)
    assert any("holds no weights for: classifier." in note for note in notes)


def test_quiet_leaves_the_table_alone(tune: Run) -> None:
    code, out, err = tune("--quiet")
    assert (code, err) == (0, "")
    assert "accuracy" in out


def test_notes_are_said_before_the_first_step_and_once(tune: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskwright.finetuning import _seeds as module

    real = module.train_seed

    def train(*args: Any) -> Any:
        print("TRAINING", file=sys.stderr)
        return real(*args)

    monkeypatch.setattr(module, "train_seed", train)
    _, _, err = tune("--max-length", "6")
    before, _, after = err.partition("TRAINING\n")
    assert after == ""
    for part in ("comma-separated, header", "was split by class", "holds no weights for", "were cut at the end"):
        assert part in before
    assert len(set(before.splitlines())) == before.count("\n")


def test_a_head_for_other_labels_is_not_taken_over(
    run: Run, finished: dict[str, Path], sets: list[str], tmp_path: Path, write_csv: Callable[..., str]
) -> None:
    base = finished["single"] / "model"
    for labels, said in (
        (("bad", "good"), "bad, good too and was kept."),
        (("ham", "spam"), "bad, good; a new one was started for ham, spam."),
        (("a", "b", "c"), "bad, good; a new one was started for a, b, c."),
    ):
        rows = [(f"a {word} film", labels[i % len(labels)]) for i, word in enumerate(["dull", "lovely", "long"] * 20)]
        file = write_csv(
            tmp_path / f"{len(labels)}{labels[0]}.csv", {"text": [r[0] for r in rows], "label": [r[1] for r in rows]}
        )
        out = tmp_path / labels[0]
        code, _, err = run(
            "finetune", "--train", file, "--model", base, "--out", out, *sets, "--seeds", "1", "--no-baselines"
        )
        assert code == 0
        assert f"note: The head of {base} is for the labels {said}" in err
        config = json.loads((out / "model" / "config.json").read_text())
        assert tuple(config["id2label"].values()) == labels


def test_one_row_is_one_row(run: Run, finished: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\na film,good\n")
    _, out, _ = run("evaluate", finished["single"], "--data", tmp_path / "one.csv")
    assert out.startswith(f"{tmp_path / 'one.csv'}, 1 row ")


def test_what_was_cut_is_said(tune: Run) -> None:
    _, out, err = tune("--max-length", "6", "--long", "tail")
    assert re.search(r"note: \d+ of 64 train texts are longer than 6 pieces and were cut at the start", err)
    assert re.search(r"[1-9] texts were cut", out)


def test_every_option_reaches_its_setting(tune: Run, csv_file: str, tmp_path: Path) -> None:
    options = {
        "--task": "regression", "--label": "score", "--pair": "other", "--max-length": "20", "--long": "tail",
        "--weights": "random", "--seed": "5", "--eval": csv_file, "--test": csv_file,
    }  # fmt: skip
    code, out, _ = tune(*[word for option in options.items() for word in option], "--set", "train.schedule.warmup=0.3")
    assert code == 0
    assert "pearson" in out
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert settings["task"] == {"name": "regression", "text": "text", "pair": "other", "label": "score"}
    assert (settings["max_length"], settings["long"]["name"], settings["weights"], settings["seed"]) == (
        20,
        "tail",
        "random",
        5,
    )
    assert (settings["data"]["eval"], settings["data"]["test"]) == (csv_file, csv_file)
    assert settings["train"]["schedule"] == {"name": "linear", "warmup": 0.3}
    assert settings["train"]["epochs"] == 2


def test_a_run_file_and_what_wins_over_it(run: Run, tiny: Path, csv_file: str, sets: list[str], tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        f'model = "{tiny}"\nout = "{tmp_path / "run"}"\nseed = 1\nlong = "tail"\n'
        f'[data]\ntrain = "{csv_file}"\n[train]\nepochs = 9\nlr = 1.0\n'
    )
    code, _, _ = run("finetune", file, "--seed", "2", "--seeds", 1, *sets, "--set", "train.epochs=1")
    assert code == 0
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert (settings["seed"], settings["long"]["name"], settings["train"]["epochs"]) == (2, "tail", 1)
    assert settings["train"]["lr"] == 3e-3


def test_a_complete_run_is_said_to_be_so(tune: Run) -> None:
    _, first, _ = tune()
    code, again, err = tune("--resume")
    assert (code, again) == (0, first)
    assert err == "note: This run was already complete; nothing was done.\n"


def test_its_help_lists_every_field_with_its_default(run: Run) -> None:
    code, out, _ = run("finetune", "--help")
    assert code == 0
    words = " ".join(out.split())
    fields = {name: f for name, f in Finetune.model_fields.items() if name not in ("data", "train", "network")}
    for name, field in {**fields, **task_options()}.items():
        assert f"--{name.replace('_', '-')} " in words, name
        assert field.description
    for option in ("--train", "--eval", "--test", "--set", "--resume", "--overwrite", "--allow-drift", "--quiet"):
        assert f"{option} " in words
    assert "--set NAME=VALUE" in words
    assert "(default: minilm)" in words
    assert "--long <str> how a longer text is read" in words


def test_no_option_is_listed_twice() -> None:
    import inspect

    names = [p.name for p in inspect.signature(command).parameters.values()]
    assert len(names) == len(set(names))
    assert {"text", "pair", "label", "train", "eval", "test"} <= set(names)
    assert "data" not in names


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--long", "middle"), "There is no way to read long texts 'middle'. Allowed: chunk-attention, "),
        (("--seed", "many"), "Invalid value for '--seed'"),
        (("--lable", "x"), "--label"),
    ],
)
def test_a_wrong_option_is_said(tune: Run, more: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, _, err = tune(*more)
    assert code == 2
    assert said in err
    assert not (tmp_path / "run").exists()


BLOCKED = """
import sys
ORACLES = {"transformers", "sentence_transformers", "datasets", "peft", "captum", "seqeval", "minicons"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ORACLES:
            raise ImportError(f"an oracle was imported at run time: {name}")
sys.meta_path.insert(0, Blocked())
from maskwright.cli.main import main
for line in sys.argv[1].split("\\n"):
    print("$", line)
    try:
        code = main(line.split("\\t"))
    except SystemExit as left:
        code = left.code
    if code:
        sys.exit(f"{line}: exit code {code}")
print("loaded", *sorted(ORACLES & set(sys.modules)))
"""


def test_the_oracles_are_not_needed(tiny: Path, csv_file: str, sets: list[str], tmp_path: Path) -> None:
    model = str(tmp_path / "run" / "model")
    lines = [
        ["finetune", "--train", csv_file, "--model", str(tiny), "--out", str(tmp_path / "run"), "--seeds", "1", *sets],
        ["evaluate", model, "--data", csv_file],
        ["predict", model, "--text", "the film was dull"],
        ["show", model],
    ]
    script = "\n".join("\t".join(line) for line in lines)
    environment = {**os.environ, "PYTHONPATH": SRC}
    done = subprocess.run([sys.executable, "-c", BLOCKED, script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("loaded\n")
    assert '{"label": ' in done.stdout
    assert "accuracy" in done.stdout
    assert "parameters" in done.stdout


def test_the_block_blocks() -> None:
    code = BLOCKED.replace("from maskwright.cli.main import main", "import transformers")
    done = subprocess.run([sys.executable, "-c", code, ""], capture_output=True, text=True)
    assert done.returncode != 0
    assert "an oracle was imported at run time: transformers" in done.stderr


def test_several_seeds_stand_beside_each_other_and_baselines_below(tune: Run, tmp_path: Path) -> None:
    code, out, _ = tune("--seeds", "2", "--quiet")
    assert code == 0
    assert "each seed" in out.splitlines()[0]
    assert re.search(r"^TF-IDF \+ logistic regression: accuracy +[01]\.\d{4}  ", out, re.M)
    assert "Saved: the model of seed" in out
    assert {p.name for p in (tmp_path / "run/seeds").iterdir()} == {"0", "1"}
    code, out, _ = tune("--overwrite", "--no-baselines", "--quiet")
    assert code == 0
    assert "TF-IDF" not in out
