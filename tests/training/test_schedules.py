"""Every schedule of the folder, and the formulas of those that have a published one."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.base.choice import dump, find, names, resolve
from maskwright.base.config import parse
from maskwright.base.errors import UserError
from maskwright.training.schedules import Schedule
from maskwright.training.settings import Train

NAMES = names(Schedule)
shares = st.floats(0, 1, exclude_max=True)  # of a whole run nothing would be left behind the warm-up
totals = st.integers(1, 500)


def test_the_folder_holds_the_schedules_of_the_field() -> None:
    assert {"constant", "cosine", "linear", "stable-decay"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@given(warmup=shares, total=totals)
def test_every_factor_is_a_share_of_the_peak(name: str, warmup: float, total: int) -> None:
    schedule = resolve(Schedule, {"name": name, "warmup": warmup})
    factors = [schedule.factor(step, total) for step in range(total)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[0] > 0, "the first step must move"


@pytest.mark.parametrize("name", NAMES)
@given(warmup=shares, total=totals)
def test_the_warm_up_rises_evenly_to_the_peak(name: str, warmup: float, total: int) -> None:
    schedule = resolve(Schedule, {"name": name, "warmup": warmup})
    rise = round(warmup * total)
    factors = [schedule.factor(step, total) for step in range(rise)]
    assert factors == pytest.approx([(i + 1) / (rise + 1) for i in range(rise)])
    if rise < total:
        assert schedule.factor(rise, total) == 1, "the peak stands right after the warm-up"


@pytest.mark.parametrize("name", NAMES)
def test_a_factor_depends_on_nothing_but_the_step(name: str) -> None:
    forwards = [find(Schedule, name)().factor(step, 50) for step in range(50)]
    schedule = find(Schedule, name)()
    assert [schedule.factor(step, 50) for step in reversed(range(50))] == forwards[::-1]


FORMULAS = {
    "constant": lambda step, total: 1.0,
    "linear": lambda step, total: (total - step) / total,
    "cosine": lambda step, total: 0.5 * (1 + math.cos(math.pi * step / total)),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(warmup=st.floats(0, 0.9), total=st.integers(2, 300))
def test_after_the_warm_up_it_is_the_published_formula(name: str, warmup: float, total: int) -> None:
    schedule = resolve(Schedule, {"name": name, "warmup": warmup})
    rise = round(warmup * total)
    left = total - rise
    found = [schedule.factor(step, total) for step in range(rise, total)]
    assert found == pytest.approx([FORMULAS[name](step, left) for step in range(left)], abs=1e-12)


@pytest.mark.parametrize("name", ["linear", "cosine", "stable-decay"])
def test_the_last_step_is_small_and_still_moves(name: str) -> None:
    last = resolve(Schedule, name).factor(999, 1000)
    assert 0 < last < 0.006


@pytest.mark.parametrize("shape", ["linear", "1-sqrt"])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
@given(warmup=st.floats(0, 0.5), decay=shares, total=st.integers(2, 300))
def test_stable_decay_is_level_and_then_falls(
    shape: str, final: float, warmup: float, decay: float, total: int
) -> None:
    part = {"name": "stable-decay", "warmup": warmup, "decay": decay, "shape": shape, "final": final}
    rise = round(warmup * total)
    fall = round(decay * (total - rise))
    found = [resolve(Schedule, part).factor(step, total) for step in range(rise, total)]
    shares = [i / fall for i in range(fall)]
    falling = [final + (1 - final) * (1 - (x if shape == "linear" else math.sqrt(x))) for x in shares]
    assert found == pytest.approx([1.0] * (total - rise - fall) + falling, abs=1e-12)


def test_stable_decay_at_its_corners() -> None:
    def factors(**settings: object) -> list[float]:
        schedule = resolve(Schedule, {"name": "stable-decay", "warmup": 0.2, **settings})
        return [schedule.factor(step, 10) for step in range(10)]

    assert factors(decay=0.0) == factors(final=1.0) == pytest.approx([1 / 3, 2 / 3, *[1.0] * 8])
    linear = resolve(Schedule, {"name": "linear", "warmup": 0.2})
    assert factors(decay=1.0) == pytest.approx([linear.factor(step, 10) for step in range(10)])
    assert factors(decay=0.5)[-5:] == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.25])
    assert factors(decay=0.5, final=0.2)[-1] == pytest.approx(0.4)
    assert factors(decay=0.5, shape="1-sqrt")[-3:] == pytest.approx([0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)])
    with pytest.raises(UserError, match="decay"):
        factors(decay=1.2)


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_json_whole(name: str) -> None:
    schedule = resolve(Schedule, {"name": name, "warmup": 0.25})
    assert resolve(Schedule, json.loads(json.dumps(dump(schedule)))) == schedule
    settings = Train(schedule=schedule)
    again = parse(Train, json.loads(settings.model_dump_json()))
    assert again == settings
    assert again.schedule.name == name


@pytest.mark.parametrize("warmup", [-0.1, 1.1])
def test_a_warm_up_that_is_no_share_is_refused(warmup: float) -> None:
    with pytest.raises(UserError, match="warmup"):
        resolve(Schedule, {"name": "linear", "warmup": warmup})


def test_an_unknown_schedule_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"There is no schedule 'cosin'. Did you mean 'cosine'?"):
        parse(Train, {"schedule": "cosin"})
