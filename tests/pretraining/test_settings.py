"""What a pre-training is told: recipes, options and --set in their order, and what does not go together."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from maskwright.base.config import pairs
from maskwright.base.errors import UserError
from maskwright.models import families, family
from maskwright.pretraining.budget import Budget
from maskwright.pretraining.course import Phase
from maskwright.pretraining.masking.whole_word import WholeWord
from maskwright.pretraining.objectives.causal import Causal
from maskwright.pretraining.objectives.next_sentence import NextSentence
from maskwright.pretraining.objectives.span_boundary import SpanBoundary
from maskwright.pretraining.settings import Pretrain, command, gather
from maskwright.pretraining.sizes import sized
from maskwright.text.tokenizer import Tokenizer


def told(sets: list[str] | None = None, **options: Any) -> Pretrain:
    return gather(None, {"text": "books", **options}, pairs(sets or []))


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("20m", 20, "minutes"),
        ("1h30m", 90, "minutes"),
        ("90s", 1.5, "minutes"),
        ("0.5h", 30, "minutes"),
        ("1000 steps", 1000, "steps"),
        ("1 step", 1, "steps"),
        ("5M tokens", 5_000_000, "tokens"),
        ("137B tokens", 137 * 10**9, "tokens"),
    ],
)
def test_a_budget_is_minutes_steps_or_tokens(text: str, amount: float, unit: str) -> None:
    assert Budget.read(text) == Budget(amount, unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0m", "nothing to train with"),
        ("0 steps", "nothing"),
        ("20", "no budget"),
        ("-5m", "no budget"),
        ("", "no bud"),
    ],
)
def test_what_is_no_budget_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=f"{said}.*20m, 2h"):
        told(budget=text)


def test_the_recipe_holds_where_nothing_is_said() -> None:
    modern, bert = told(), told(recipe="bert-2018")
    assert (modern.family, modern.dropout, modern.train.optimizer.name) == ("modernbert", 0.0, "muon")
    assert (bert.family, bert.dropout, bert.objective.name) == ("bert", None, "next-sentence")
    assert [phase.length for phase in bert.phases] == [128, 512]
    assert told(recipe="bert-2018", family="albert", lr="2e-4").train.lr == 2e-4
    assert told(["train.schedule.warmup=0.5"]).train.schedule.warmup == 0.5
    assert told(budget="5m").size != told(budget="3h").size


def test_a_domain_is_read_by_a_trained_encoder_in_steps_as_large_as_its_own() -> None:
    asked = told(recipe="domain", model="runs/books/model", budget="12m")
    assert asked.objective.masking == WholeWord(rate={"name": "constant", "start": 0.3}, masked=1.0, random=0.0)
    modern, here = told().train, asked.train
    assert (here.lr, here.optimizer) == (modern.lr, modern.optimizer)
    assert told(recipe="domain", model="minilm", lr="1e-4").train.lr == 1e-4
    with pytest.raises(UserError, match=r"domain.*--model"):
        told(recipe="domain")


def test_a_budget_in_pieces_or_steps_has_the_size_that_fits_it() -> None:
    like = {"5M tokens": "5m", "1000 steps": "5m", "20M tokens": "20m", "137B tokens": "99h", "1M steps": "99h"}
    for amount, minutes in like.items():
        assert told(budget=amount).size == told(budget=minutes).size, amount
        assert told(budget=amount).phases == told(budget=minutes).phases, amount


def test_a_tenth_of_berts_steps_is_long_whatever_the_budget_counts() -> None:
    by_steps, by_time = told(recipe="bert-2018", budget="1000 steps").phases, told(recipe="bert-2018").phases
    assert [phase.share for phase in by_steps] == [0.9, 0.1]
    assert [phase.batch_tokens // phase.length for phase in by_time] == [256, 256]
    steps = [phase.share / phase.batch_tokens for phase in by_time]
    assert steps[1] / sum(steps) == pytest.approx(0.1)


def masking(sets: list[str] | None = None, **options: Any) -> Any:
    return told(sets, **options).objective.masking  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sets", "options"),
    [
        ([], {"masking": "span"}),
        (["masking=span"], {}),
        (["masking.name=span"], {}),
        (["objective.masking=span"], {}),
        (["objective.masking.name=span"], {}),
        (["objective.masking.name=span"], {"objective": "mlm"}),
        ([], {"objective": {"masking": "span"}}),
        (["masking.longest=10"], {"objective": {"name": "mlm", "masking": {"name": "span"}}}),
        (["masking.name=token", "objective.masking.name=span"], {}),
        (["objective.masking.name=span"], {"masking": "whole-word"}),
    ],
)
def test_a_masking_named_alone_keeps_the_rates_of_the_recipe(sets: list[str], options: dict[str, Any]) -> None:
    """However it is spelt."""
    found = masking(sets, **options)
    assert (found.name, found.masked, found.rate.name) == ("span", 1.0, "linear")


def test_settings_of_a_masking_change_what_stays_else() -> None:
    kept = masking(["masking.rate=0.4"])
    assert (kept.name, kept.rate.start, kept.masked) == ("token", 0.4, 1.0)
    assert kept == masking(["objective.masking.rate=0.4"])
    with_model = masking(["masking.rate=0.4"], model="minilm")
    assert (with_model.name, with_model.rate.start, with_model.masked) == ("token", 0.4, 0.8)
    assert masking(["masking.copies=none"], recipe="bert-2018").copies is None
    assert masking(recipe="bert-2018", masking="span").copies == 10
    with pytest.raises(UserError, match="given: 5"):
        told(["masking=5"])


def test_a_rate_that_was_given_stays_with_another_masking() -> None:
    file: dict[str, Any] = {"objective": {"masking": {"name": "span", "rate": 0.4, "p": 0.5}}}
    for options, sets in (({"masking": "n-gram"}, {}), ({}, {"objective": {"masking": {"name": "n-gram"}}})):
        found: Any = gather({"text": "books", **file}, options, sets)
        assert (found.objective.masking.name, found.objective.masking.rate.start) == ("n-gram", 0.4)


def test_another_objectives_masking_starts_from_that_objectives_numbers() -> None:
    spans = masking(["masking.rate=0.2"], objective="span-boundary")
    assert (spans.name, spans.rate.start, spans.masked, spans.random) == ("span", 0.2, 0.8, 0.1)
    words = masking(["objective.masking.name=whole-word"], objective="replaced-tokens")
    assert (words.name, words.masked, words.random) == ("whole-word", 0.85, 0.0)


def test_the_way_that_corpus_phrases_names_keeps_the_recipes_rates() -> None:
    from maskwright.cli.corpus import phrases

    *_, option, name, _, setting = str(phrases.__doc__).partition("Use them by ")[2].partition(". ")[0].split()
    assert option == "--masking"
    found = masking([setting], masking=name)
    assert (found.name, found.file, found.masked, found.rate.name) == ("pmi", "OUT", 1.0, "linear")


def test_none_means_all_of_them() -> None:
    assert told(["pairs_limit=none", "judge_sequences=none"]).pairs_limit is None
    assert told(pairs_limit=5).pairs_limit == 5
    with pytest.raises(UserError, match="pairs_limit = 0"):
        told(pairs_limit=0)


def test_another_objective_has_its_own_papers_numbers() -> None:
    assert told(objective="span-boundary").objective == SpanBoundary()
    assert told(objective="causal").objective == Causal()
    assert told(["objective.z=1e-4"]).objective.masking.masked == 1.0  # type: ignore[attr-defined]
    for wrong in ({"masking": "span"}, {"sets": ["objective.masking.name=span"]}):
        with pytest.raises(UserError, match="'causal' masks nothing"):
            told(objective="causal", **wrong)  # type: ignore[arg-type]


def test_one_length_is_one_phase() -> None:
    (phase,) = told(recipe="bert-2018", length="256", batch_tokens="2048").phases
    assert (phase.length, phase.batch_tokens, phase.share) == (256, 2048, 1.0)
    growing = "phases=[{batch_tokens=2048, batch_from=512}]"
    assert told([growing]).phases[0].batch_from == 512
    assert told([growing], batch_tokens=512).phases[0].batch_from is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"siez": "4x256"}, "size"),
        ({"warmup": 0.1}, "train.schedule.warmup"),
        ({"model": "minilm", "size": "4x256"}, "size: a setting of a new network"),
        ({"extend_vocabulary": 100}, "give --model"),
        ({"size": 3, "recipe": "modrn"}, "modern"),
        ({"tokenizer": "tok", "vocabulary": 100}, "vocabulary: a setting of a tokenizer that is learnt"),
        ({"tokenizer": "tok", "cased": True}, "cased: a setting of a tokenizer that is learnt"),
    ],
)
def test_what_does_not_fit_names_what_does(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        told(**options)


@pytest.mark.parametrize("short", [{}, {"length": 64}, {"batch_tokens": 512}])
@pytest.mark.parametrize("phases", [64, [], {"length": 64}, [64], [[64]], "128"])
def test_phases_that_are_no_list_of_tables_are_refused(phases: Any, short: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="phases"):
        gather(None, {"text": "books", **short}, {"phases": phases})


def test_phases_of_ones_own_are_taken_and_half_a_training_is_refused() -> None:
    given = [Phase(length=64, share=0.5), Phase(length=128, share=0.5)]
    assert told(phases=given).phases == given
    assert [phase.length for phase in told(phases=given, length=32).phases] == [32]
    with pytest.raises(UserError, match=r"shares come to 0\.5 \(0\.5\); let them come to 1"):
        told(phases=given[:1])


def test_the_command_repeats_the_settings() -> None:
    given = [
        told(),
        told(budget="1000 steps", recipe="bert-2018", size="2x128", seed=3),
        told(["masking.rate=0.4", "network.heads=8", "train.lr=1e-3"], masking="whole-word", cased=True),
        told(["phases=[{length = 64, batch_tokens = 512}]", "train.clip=none", "dropout=none"]),
        told(model="minilm", extend_vocabulary=10),
        told(objective="mixture"),
        told(["pairs_limit=none", "objective.masking=n-gram"], pairs="blimp"),
        told(["masking.copies=none"], recipe="bert-2018"),
        told(recipe="domain", model="minilm", budget="2h"),
        told(objective=NextSentence(masking=WholeWord(masked=0.9)), recipe="bert-2018"),
        told(objective="replaced-tokens", masking="span", family="electra"),
    ]
    for asked in given:
        _, verb, text, *words = shlex.split(command(asked))
        assert (verb, text) == ("pretrain", "books")
        options = {w[2:].replace("-", "_"): v for w, v in zip(words[::2], words[1::2], strict=True) if w != "--set"}
        sets = [v for w, v in zip(words[::2], words[1::2], strict=True) if w == "--set"]
        assert told(sets, **options) == asked


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["a small text of few words"] * 2, size=60)


@pytest.mark.parametrize("name", families())
def test_every_family_has_sizes(name: str, tokenizer: Tokenizer) -> None:
    config: Any = sized(family(name), "2x128", tokenizer, {}, 0.0)
    assert (config.layers, config.width, config.heads) == (2, 128, 2)
    assert config.vocabulary == tokenizer.size
    assert not any(getattr(config, field) for field in type(config).model_fields if "dropout" in field)


def test_a_size_is_a_preset_or_a_product(tokenizer: Tokenizer) -> None:
    bert = family("bert")
    preset: Any = sized(bert, "minilm", tokenizer, {}, None)
    assert (preset.layers, preset.width, preset.vocabulary) == (6, 384, tokenizer.size)
    named: Any = sized(family("modernbert"), "mini", tokenizer, {"inner": 100}, None)
    assert (named.layers, named.width, named.inner) == (4, 256, 100)
    for wrong, said in (("4y256", "layers x width"), ("2x193", "193 cannot be cut"), ("0x64", "at least one layer")):
        with pytest.raises(UserError, match=said):
            sized(bert, wrong, tokenizer, {}, None)
    with pytest.raises(UserError, match="layrs"):
        sized(bert, "2x128", tokenizer, {"layrs": 3}, None)


@pytest.mark.parametrize("size", ["2x128", "base"])
def test_where_a_family_leaves_it_a_classifier_reads_all_pieces(size: str, tokenizer: Tokenizer) -> None:
    modern = family("modernbert")
    kept: Any = sized(modern, size, tokenizer, {}, None)
    asked: Any = sized(modern, size, tokenizer, {"classifier_pooling": "cls"}, None)
    assert (kept.classifier_pooling, asked.classifier_pooling) == ("mean", "cls")
