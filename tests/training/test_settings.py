"""What `[train]` may say, and how "none" is said where TOML has no word for it."""

from __future__ import annotations

import pytest

from maskwright.base.config import pairs, parse
from maskwright.base.errors import UserError
from maskwright.training.settings import Train


@pytest.mark.parametrize("name", ["clip", "checkpoint_minutes", "batch_tokens", "threads"])
def test_what_may_be_nothing_is_switched_off_by_the_word_none(name: str) -> None:
    assert getattr(parse(Train, pairs([f"{name}=none"])), name) is None
    assert getattr(parse(Train, pairs([f"{name}=3"])), name) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("epochs=0", "epochs = 0: Input should be greater than 0"),
        ("batch_size=0", "batch_size = 0: Input should be greater than or equal to 1"),
        ("batch_size=2.5", "batch_size = 2.5"),
        ("batch_size=none", "batch_size = 'none'"),
        ("lr=-1", "lr = -1: Input should be greater than 0"),
        ("lr=nan", "lr = nan: Input should be a finite number"),
        ("clip=0", "clip = 0"),
        ("precision=fp16", "precision = 'fp16': Input should be 'auto', 'fp32' or 'bf16'"),
        ("learning_rate=1", "There is no setting 'learning_rate'."),
        ("batchsize=8", "Did you mean 'batch_size'?"),
    ],
)
def test_a_value_that_cannot_be_is_named(given: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(Train, pairs([given]))
    assert said in str(caught.value)


def test_settings_survive_json_whole() -> None:
    settings = parse(Train, pairs(["schedule.name=cosine", "schedule.warmup=0.3", "optimizer=adamw", "clip=none"]))
    assert Train.model_validate_json(settings.model_dump_json()) == settings
