"""Benchmarks are run: all cases, what fails is told, one that was killed goes on, and what is sent is right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sets
import torch
from tiny import tiny as tiny_config
from vocabularies import ANGLES, BRACKETS, byte_level, deberta_v2, frame

from maskwright.base.errors import UserError
from maskwright.cli.main import main
from maskwright.finetuning import benchmark as runner
from maskwright.finetuning._benchmark_table import mean, rows
from maskwright.finetuning.benchmark import benchmark
from maskwright.finetuning.benchmarks.glue import Glue
from maskwright.models import family, random_network, save_network
from maskwright.stats.answers import overlap
from maskwright.text.tokenizer import Tokenizer

pytestmark = pytest.mark.usefixtures("undrawn")

Rows = dict[str, list[Any]]
QUICK = {"train": {"epochs": 1, "threads": 1, "batch_size": 16}}
SHORT = {**QUICK, "max_length": 24}  #: the tiny encoder has 24 positions
LEFT = "train: 2 of 26 records of train.tsv left out, since they lack cells or have too many (the first at line 26)."


@pytest.fixture(scope="module")
def archive(reviews: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GLUE's official archive, with a few rows each."""
    return sets.glue(tmp_path_factory.mktemp("glue"), reviews)


@pytest.fixture
def given(tiny: Path, tmp_path: Path) -> dict[str, Any]:
    return {"out": tmp_path / "out", "model": str(tiny), "seeds": 1, "settings": SHORT, "quiet": True}


def test_an_encoder_of_few_positions_reads_what_it_can(archive: Path, given: dict[str, Any]) -> None:
    found = benchmark("glue", archive, **{**given, "settings": QUICK, "only": ["qnli"]})
    note = "at most 24 pieces of a text are read at a time, all that the encoder takes; usual are 256"
    assert found.cases["qnli"]["notes"] == [note]
    config = json.loads((given["out"] / "qnli" / "config.json").read_text())
    assert config["settings"]["max_length"] == 24
    again = benchmark("glue", archive, **{**given, "settings": QUICK, "only": ["qnli"], "resume": True})
    assert again.cases["qnli"] == found.cases["qnli"]


def test_the_official_archive_of_glue(archive: Path, given: dict[str, Any], tmp_path: Path) -> None:
    found = benchmark("glue", archive, **given)
    assert list(found.cases) == [case.name for case in Glue().cases()]
    assert not found.notes
    assert not found.failed
    for case in Glue().cases():
        told = found.cases[case.name]
        assert (told["layout"], told["reported"], told["rows"]) == ("the official archive", "dev", sets.COUNT)
        assert list(told["figures"]) == list(case.metrics)
        assert set(told["baselines"]) == {"constant", "linear"}
        assert told["seen"] is None, "whoever was trained on these rows is not this encoder"
    assert found.cases["qqp"]["notes"] == [LEFT]
    (value,) = found.cases["mnli"]["also"]["mismatched"]["figures"]["accuracy"]["seeds"]
    assert value == found.cases["mnli"]["figures"]["accuracy"]["value"], "its rows are the same here"
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as sent:
        files = {name: sent.read(name).decode().splitlines() for name in sent.namelist()}
    assert set(files) == {
        "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv", "QNLI.tsv",
        "RTE.tsv", "WNLI.tsv",
    }  # fmt: skip
    assert all(content[0] == "index\tprediction" and len(content) == 1 + sets.COUNT for content in files.values())
    assert {line.split("\t")[1] for line in files["WNLI.tsv"][1:]} <= {"0", "1"}
    assert {line.split("\t")[1] for line in files["RTE.tsv"][1:]} <= {"entailment", "not_entailment"}
    assert all(0 <= float(line.split("\t")[1]) <= 5 for line in files["STS-B.tsv"][1:])
    page = (tmp_path / "out" / "README.md").read_text()
    assert "| CoLA | mcc |" in page
    assert "BERT-base 52.1 (test server) [1]" in page
    assert "BERT-base 83.4 (test server) [1], BERT-large 85.9 (test server) [1]" in page
    assert f"QQP: {LEFT}" in page
    assert "Mean of the first metrics:" in page
    assert "no score of GLUE's own" in page
    assert "submission.zip lacks" not in page
    cells = {(row[0] or "more", row[1]): row[6:] for row in rows(Glue(), found.told)}
    assert cells["MRPC", "f1"] == ("", "BERT-base 88.9 (test server) [1], BERT-large 89.3 (test server) [1]")
    assert cells["SST-2", "accuracy"] == (
        "BERT-base 92.7 (dev) [2], RoBERTa-base 94.8 (dev) [3]",
        "BERT-base 93.5 (test server) [1], BERT-large 94.9 (test server) [1]",
    )


def test_a_case_that_cannot_be_run_does_not_end_the_others(
    archive: Path, given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(archive, tmp_path / "data")
    whole = (data / "CoLA/train.tsv").read_text()
    (data / "CoLA/train.tsv").write_text(whole + "x\t1\n")
    sets_ = [word for name, value in QUICK["train"].items() for word in ("--set", f"train.{name}={value}")]
    asked = ["benchmark", "glue", "--data", str(data), "--only", "cola,sst2", "--model", given["model"], "--seeds", "1"]
    asked += ["--out", str(tmp_path / "out"), "--quiet", *sets_, "--set", "max_length=24"]
    assert left(asked) == 2
    stdout, err = capsys.readouterr()
    assert "SST-2" in stdout
    assert "error: Not run: CoLA. " in err
    assert "train.tsv line 25: 2 cells, but line 1 has 4." in " ".join(err.split())
    told = json.loads((tmp_path / "out/results.json").read_text())
    assert (list(told["cases"]), list(told["failed"])) == (["sst2"], ["CoLA"])
    assert "CoLA has no figures here: " in (tmp_path / "out/README.md").read_text()
    (data / "CoLA/train.tsv").write_text(whole)
    assert left([*asked, "--resume"]) == 0
    assert list(json.loads((tmp_path / "out/results.json").read_text())["cases"]) == ["cola", "sst2"]
    assert "CoLA has no figures" not in (tmp_path / "out/README.md").read_text()
    with pytest.raises(UserError, match="no setting") as caught:  # the same for all is said once
        benchmark("glue", data, **{**given, "out": tmp_path / "new", "settings": {"train": {"epoch": 1}}})
    assert str(caught.value).count("epoch") < 9
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need signals of POSIX")
def test_a_benchmark_that_was_killed_inside_a_case_goes_on(
    archive: Path, given: dict[str, Any], spawn: Callable[[list[str]], Any], tmp_path: Path
) -> None:
    train = {"epochs": 15, "threads": 1, "batch_size": 4, "log_steps": 1, "checkpoint_minutes": 0.0005}
    more = [word for name, value in train.items() for word in ("--set", f"train.{name}={value}")]
    more += ["--set", "max_length=24", "--set", "baselines=false", "--seeds", "1", "--resume", "--quiet"]

    def asked(out: str, only: str = "cola,sst2") -> list[str]:
        start = ["benchmark", "glue", "--data", str(archive), "--only", only, "--out", str(tmp_path / out)]
        return [*start, "--model", given["model"], *more]

    assert left(asked("killed", "cola")) == 0  # here, where no picture is drawn
    process, log = spawn(asked("killed")), tmp_path / "killed/sst2/seeds/0/log.jsonl"
    while process.exitcode is None and not (log.exists() and log.read_bytes().count(b"\n") >= 20):
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was over before it could be killed"
    assert not (tmp_path / "killed/sst2/metrics.json").exists()
    assert list(json.loads((tmp_path / "killed/results.json").read_text())["cases"]) == ["cola"]
    before = (tmp_path / "killed/cola/metrics.json").stat().st_mtime_ns
    assert left(asked("killed")) == left(asked("straight")) == 0
    assert (tmp_path / "killed/cola/metrics.json").stat().st_mtime_ns == before
    for name in ("results.json", "README.md", "submission.zip", "sst2/model/model.safetensors", "sst2/metrics.json"):
        one, two = ((tmp_path / out / name).read_bytes() for out in ("killed", "straight"))
        assert one == two, name
    clocks = (tmp_path / "killed/sst2/seeds/0/timings.jsonl").read_text().splitlines()
    begun = [line["step"] for line in map(json.loads, clocks) if "event" in line]
    assert begun[0] == 0 < begun[1], "it went on inside the case"


def left(args: list[str]) -> int | None:
    """The exit code of the command, run here."""
    try:
        return main(args)
    except SystemExit as leaving:
        return leaving.code or 0  # type: ignore[return-value]


def test_what_is_finished_is_not_done_again(
    archive: Path, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given["only"] = ["cola", "sst2"]
    first = benchmark("glue", archive, **given)
    with pytest.raises(UserError, match=r"already holds a run\. Go on by --resume"):
        benchmark("glue", archive, **given)
    tune, seen = runner.finetune, []

    def counted(*args: Any, **options: Any) -> Any:
        seen.append(options["out"].name)
        return tune(*args, **options)

    monkeypatch.setattr(runner, "finetune", counted)
    assert benchmark("glue", archive, resume=True, **given).told == first.told
    assert seen == []
    (tmp_path / "out/submission/CoLA.tsv").unlink()
    assert benchmark("glue", archive, resume=True, **given).told == first.told
    assert seen == ["cola"], "its file was gone"
    again = benchmark("glue", archive, resume=True, **{**given, "only": ["sst2"]})
    assert list(again.cases) == ["cola", "sst2"]  # what was found before stays
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as sent:
        assert sent.namelist() == ["CoLA.tsv", "SST-2.tsv"]
        assert {entry.compress_type for entry in sent.infolist()} == {zipfile.ZIP_DEFLATED}
    assert "submission.zip lacks 9 of the 11 files that the server takes" in (tmp_path / "out/README.md").read_text()
    with pytest.raises(UserError, match="whose seeds was 1 and is 2"):
        benchmark("glue", archive, resume=True, **{**given, "seeds": 2})
    for name, value in (("seeds", 2), ("model", "minilm"), ("out", "elsewhere")):
        with pytest.raises(UserError, match=f"give --{name} in the place of --set {name}="):
            benchmark("glue", archive, resume=True, **{**given, "settings": {**SHORT, name: value}})


def test_other_weights_under_the_same_name_are_another_benchmark(
    archive: Path, given: dict[str, Any], tiny: Path, make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    given |= {"model": str(shutil.copytree(tiny, tmp_path / "model")), "only": ["cola"]}
    given["settings"] = {**SHORT, "data": {"corpus": (str(archive / "CoLA/train.tsv"),)}}  # JSON has no tuples
    first = benchmark("glue", archive, **given)
    assert benchmark("glue", archive, resume=True, **given).told == first.told
    make_tiny(tmp_path / "model", seed=1)
    with pytest.raises(UserError, match=r"whose encoder was .* and is "):
        benchmark("glue", archive, resume=True, **given)


def test_rows_that_are_to_be_sent_are_read_before_anything_is_trained(
    archive: Path, given: dict[str, Any], tmp_path: Path
) -> None:
    data = shutil.copytree(archive, tmp_path / "data")
    with (data / "RTE/test.tsv").open("a") as file:
        file.write("99\n")
    with pytest.raises(UserError, match=r"RTE/test\.tsv line 26: 1 cell"):
        benchmark("glue", data, **given, only=["rte"])
    assert not (tmp_path / "out/rte").exists()


def test_an_encoder_reads_as_far_as_it_can(archive: Path, given: dict[str, Any]) -> None:
    """Which is not as far as the case usually asks for."""
    found = benchmark("glue", archive, **{**given, "settings": {**QUICK, "long": "native"}, "only": ["qnli"]})
    assert found.cases["qnli"]["notes"] == []
    assert json.loads((given["out"] / "qnli" / "config.json").read_text())["settings"]["max_length"] is None


def test_there_is_no_mean_of_unlike_rows() -> None:
    """MRPC's files of Microsoft have the test server's rows, in the place of dev rows."""
    cases = {
        case.name: {"reported": "dev", "metrics": case.metrics, "figures": {case.metrics[0]: {"value": 0.5}}}
        for case in Glue().cases()
    }
    assert mean(Glue(), {"cases": cases}) == pytest.approx(0.5)
    cases["mrpc"]["reported"] = "test server"
    assert mean(Glue(), {"cases": cases}) is None


def test_rows_of_several_places_are_told_apart(archive: Path, given: dict[str, Any], tmp_path: Path) -> None:
    benchmark("glue", archive, **given, only=["cola"])
    other = shutil.copytree(archive, tmp_path / "other")
    benchmark("glue", other, **given, only=["cola"], resume=True)  # the same rows elsewhere
    assert "not all found in one place" not in (tmp_path / "out/README.md").read_text()
    benchmark("glue", archive, **given, only=["sst2"], resume=True)
    told = f"The rows were not all found in one place: CoLA in {other}; SST-2 in {archive}."
    assert told in (tmp_path / "out/README.md").read_text()
    (other / "CoLA/dev.tsv").write_text((other / "CoLA/dev.tsv").read_text().replace("film", "play"))
    with pytest.raises(UserError, match=r"out/cola was made of rows in .* are others. Give another --out"):
        benchmark("glue", other, **given, only=["cola"], resume=True)


def test_what_is_not_there(given: dict[str, Any], archive: Path, tmp_path: Path) -> None:
    shutil.copytree(archive / "RTE", tmp_path / "data/RTE")
    found = benchmark("glue", tmp_path / "data", **given)
    assert list(found.cases) == ["rte"]
    assert len(found.notes) == 8
    assert found.notes[0].startswith("CoLA was not found. Looked for: the official archive (CoLA/train.tsv);")
    assert "Mean of" not in (tmp_path / "out" / "README.md").read_text()
    for changes, message in (
        ({"only": ["cola"]}, "CoLA was not found"),
        ({"only": ["colla"]}, "Did you mean"),
        ({"data": tmp_path / "nowhere/at/all"}, "There is no folder"),
    ):
        asked = {"data": tmp_path / "data", **given, **changes}
        with pytest.raises(UserError, match=message):
            benchmark("glue", asked.pop("data"), **asked)


def test_official_metrics_have_all_seeds(reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    """MultiRC's exact match and both of ReCoRD's, which the task does not tell."""
    data = sets.superglue(tmp_path / "data", reviews)
    only = ["multirc", "record"]
    found = benchmark("superglue", data, **{**given, "seeds": 2}, only=only)
    multirc, record = (found.cases[name] for name in only)
    assert multirc["rows"] == 2 * sets.COUNT
    assert [len(figure["seeds"]) for figure in multirc["further"].values()] == [2]
    assert multirc["further"]["exact_match"]["over"] == "examples and seeds"
    assert record["rows"] == sets.COUNT
    assert any(note.startswith("test: 1 of 25 questions left out") for note in record["notes"])
    for metric in ("f1", "exact_match"):  # each entity has one word, and the question that was left out is 0
        counted = [value * sets.COUNT / (sets.COUNT + 1) for value in record["figures"]["accuracy"]["seeds"]]
        assert record["further"][metric]["seeds"] == pytest.approx(counted)
    page = (tmp_path / "out/README.md").read_text()
    assert "saved seed" not in page
    assert "human 89.8 (test server) [1]" in page
    assert "[1] Wang et al. 2019b" in page


def test_the_answers_that_squads_program_judges(reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    for side in ("train", "dev"):
        sets.squad(tmp_path / f"data/{side}-v2.0.json", sets.questions(reviews))
    found = benchmark("squad", tmp_path / "data", **given)
    assert list(found.cases) == ["squad2"]
    said = json.loads((tmp_path / "out/predictions/squad2.json").read_text())
    asked = {row["id"]: [answer["text"] for answer in row["answers"]] for row in sets.questions(reviews)}
    assert said.keys() == asked.keys()
    f1 = sum(overlap(said[name], golds) for name, golds in asked.items()) / len(asked)
    assert f1 == pytest.approx(found.cases["squad2"]["figures"]["f1"]["value"])
    assert set(found.cases["squad2"]["baselines"]) == {"constant"}
    cells = rows(found.benchmark, found.told)[0]
    assert cells[4] != "-"
    assert cells[5] == "-", "there is no linear model of answers"
    assert not (tmp_path / "out/submission.zip").exists()


TOKENIZERS = {
    "roberta": lambda: Tokenizer(frame(byte_level(ANGLES), ANGLES, "CLS $A SEP SEP $B SEP"), ANGLES),
    "deberta-v2": lambda: Tokenizer(deberta_v2(), BRACKETS),
    "modernbert": lambda: Tokenizer(frame(byte_level(BRACKETS), BRACKETS, "CLS $A SEP $B SEP"), BRACKETS),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_families_with_other_tokenizers(name: str, reviews: Rows, given: dict[str, Any], tmp_path: Path) -> None:
    """A pair, tags and answers."""
    kind, tokenizer = family(name), TOKENIZERS[name]()
    config = tiny_config(kind)
    config = kind.Config(**{**config.model_dump(), "vocabulary": tokenizer.size})
    torch.manual_seed(0)
    save_network(tmp_path / "model", random_network(kind, config, "bare"), kind, config, {})
    tokenizer.save(tmp_path / "model")
    data, few = tmp_path / "data", {key: cells[: sets.COUNT] for key, cells in reviews.items()}
    sets.glue(data, few)
    for file in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"):
        sets.tagged(data / "wnut17" / file, few)
    for side in ("train", "dev"):
        sets.squad(data / f"{side}-v2.0.json", sets.questions(few))
    given |= {"model": str(tmp_path / "model"), "settings": {**QUICK, "max_length": 40, "baselines": False}}
    for of, case in (("glue", "rte"), ("tagging", "wnut17"), ("squad", "squad2")):
        found = benchmark(of, data, **{**given, "out": tmp_path / of}, only=[case])
        assert list(found.cases) == [case]
        assert all(figure["value"] is not None for figure in found.cases[case]["figures"].values())
    assert (tmp_path / "glue/submission/RTE.tsv").exists()
