"""Models of each kind on the tiny encoder, their weights random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maskwright.base.choice import resolve
from maskwright.data.labels import Labels
from maskwright.tasks import Model, Task

KINDS = {
    "single": {"name": "classification"},
    "pair": {"name": "classification", "pair": "other"},
    "multi-label": {"name": "multi-label"},
    "regression": {"name": "regression", "label": "score"},
    "regression-pair": {"name": "regression", "label": "score", "pair": "other"},
}


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """Tiny matrices are slower on several threads."""


@pytest.fixture
def build(tiny: Path) -> Callable[..., Model]:
    """A model of a kind in evaluation mode, fp32 unless said otherwise."""

    def make(kind: str, labels: tuple[str, ...] = ("bad", "good"), **options: Any) -> Model:
        task: Task = resolve(Task, KINDS[kind])
        torch.manual_seed(3)
        names = None if kind.startswith("regression") else Labels(labels)
        model = Model.build(tiny, task, names, **{"precision": "fp32", **options})
        with torch.no_grad():  # far enough from zero that predictions differ
            model.network.classifier.out.weight.mul_(5)
        model.network.eval()
        return model

    return make


@pytest.fixture(scope="session")
def masked_bert(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a BERT with a head for masked words, whose probabilities are far from even, and WordPiece."""
    return make_tiny(tmp_path_factory.mktemp("masked") / "bert", "masked-lm", positions=64, initial_std=0.3)


@pytest.fixture(scope="session")
def masked_roberta(reviews: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of RoBERTa with byte-level BPE, whose mask takes the space before it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    from maskwright.models import family, random_network, save_network

    names = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "sep": "</s>", "eos": "</s>", "unk": "<unk>"}
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(reviews["text"], trainer)
    backend.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    folder = tmp_path_factory.mktemp("masked") / "roberta"
    roberta = family("roberta")
    config = roberta.Config(
        vocabulary=backend.get_vocab_size(), layers=2, width=32, heads=4, inner=64, positions=66, initial_std=0.3
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_network(folder, random_network(roberta, config, "masked-lm"), roberta, config, {})
    roles = {f"{role}_token": piece for role, piece in names.items()}
    mask = AddedToken("<mask>", lstrip=True)
    PreTrainedTokenizerFast(tokenizer_object=backend, mask_token=mask, **roles).save_pretrained(folder)
    return folder


@pytest.fixture(params=["bert", "roberta"])
def masked(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(f"masked_{request.param}"))


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)
