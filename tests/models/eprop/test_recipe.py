"""What a configuration may say, and the sentences with which it is refused; what a learner says of bad data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurobench.cli.main import main
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.events import Events
from neurobench.devices.learning_core.reckon import ReckOn
from neurobench.models.eprop.inputs import one_each, pooled
from neurobench.models.eprop.pixels import active_pixels
from neurobench.models.eprop.spec import EpropRSNN
from neurobench.models.learner import Divergence, Step
from tests.models.eprop.conftest import CPU, learner

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tau_m": 0.0}, "tau_m=0.0 is not above 0"),
    ({"tau_out": -1.0}, "tau_out=-1.0 is not above 0"),
    ({"c_reg": -1.0}, "c_reg=-1.0 is not at least 0"),
    ({"f_target": -1.0}, "f_target=-1.0"),
    ({"t_ref": -1}, "t_ref=-1"),
    ({"lr": -1.0}, "lr=-1.0"),
    ({"cutoff": -1}, "cutoff=-1"),
    ({"epsilon": -1.0}, "epsilon=-1.0"),
    ({"v_min": 1.0}, "v_th=0.6 is below v_min=1.0"),
    ({"kappa": 1.5}, "kappa=1.5"),
    ({"surrogate": "tanh"}, "surrogate='tanh' is not one of piecewise_linear"),
    ({"surrogate_width": 0.0}, "surrogate_width=0.0 is not above 0"),
    ({"batch": 0}, "batch=0 is not at least 1"),
    ({"w_min": 101.0}, "w_min=101.0 is above w_max=100.0"),
    ({"optimizer": "sgd"}, "optimizer='sgd' is not one of gradient_descent, adam"),
    ({"beta_1": 1.0}, "beta_1=1.0 is not in [0, 1)"),
    ({"delay": 2}, "delay=2 is not 1"),
    ({"window": 301}, "window=301 is more than steps=300"),
    ({"engine": "online", "optimizer": "gradient_descent", "kappa_reg": 0.9}, "no second trace"),
    ({"engine": "online"}, "gradient_descent"),
    ({"neuron": "psc_delta", "v_reset": 0.7}, "v_reset=0.7 is not below v_th=0.6"),
]


@pytest.mark.parametrize(("fields", "sentence"), REFUSED)
def test_refusals_name_key_value_and_bound(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        EpropRSNN(learning_core=None, **fields)  # type: ignore[arg-type]
    assert sentence in str(refusal.value)


def test_initial_weights_outside_the_range_are_refused() -> None:
    with pytest.raises(Divergence, match="outside w_min=-0.001, w_max=0.001"):
        learner(w_min=-0.001, w_max=0.001)


def recording(t: int = 1000, x: int = 15, y: int = 15) -> Events:
    fields = [torch.tensor([value], dtype=torch.uint8) for value in (x, y, 1)]
    return Events(torch.tensor([t], dtype=torch.int32), *fields, torch.tensor([0, 1]), (2, 34, 34))


def test_events_after_the_last_step_are_refused() -> None:
    with pytest.raises(UserError, match="336041 us, after the 336040 us"):
        one_each((2, 34, 34)).encode(recording(336041), 300)


@pytest.mark.parametrize(("t", "step"), [(0, 0), (560, 0), (561, 1), (336040, 300)])
def test_steps_are_rounded(t: int, step: int) -> None:
    """560 us are 0.49995 of a step of 1120.13 us."""
    start, _ = one_each((2, 34, 34)).encode(recording(t), 300)
    assert np.flatnonzero(np.diff(start)).tolist() == [step]


def test_active_pixels_are_those_of_nests_block_list() -> None:
    pixels = active_pixels()
    assert (len(pixels), int(pixels.sum())) == (1196, 1434283)
    assert (pixels < 1156).sum() == 577


def test_pooled_cells() -> None:
    """Polarities merged into 16x16; kept apart in 11x11x2. Repeats within a step count once."""
    square, split = pooled((2, 34, 34), "16x16"), pooled((2, 34, 34), "11x11x2")
    assert (square.inputs, split.inputs) == (256, 242)
    assert square.source_of[1156 + 34 * 15 + 15] == 16 * (16 * 15 // 34) + 16 * 15 // 34
    assert split.source_of[1156 + 34 * 33 + 33] == 241
    one = recording()
    parts = (torch.cat([part, part]) for part in (one.t, one.x, one.y, one.p))
    twice = Events(*parts, torch.tensor([0, 2]), (2, 34, 34))
    assert len(square.encode(twice, 300).source) == 1
    assert len(one_each((2, 34, 34)).encode(twice, 300).source) == 2


def test_a_chip_without_pooling_says_its_numbers() -> None:
    assert "1196 inputs do not fit 256" in str(ReckOn(pool="none").misfit(1196, 150, 10))
    assert "model.hidden=300 neurons do not fit 256" in str(ReckOn().misfit(1196, 300, 10))
    assert ReckOn().misfit(1196, 256, 16) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.engine=exact", "model.optimizer=gradient_descent"], "model.engine=exact is NEST's floating point"),
        (["model.neuron=psc_delta"], "model.neuron=psc_delta with t_ref=0 is not what the chip has: iaf, t_ref=0"),
        (["model.t_ref=2"], "model.neuron=iaf with t_ref=2 is not what the chip has"),
    ],
)
def test_what_a_chip_does_not_have_is_told_by_the_check(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "model=eprop_rsnn", "backend=mock", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert main(["validate", "model=eprop_rsnn", "backend=sim", *words]) == 0
    fields = {name.removeprefix("model."): value for name, value in (word.split("=") for word in words)}
    with pytest.raises(UserError, match="chip has"):
        learner(core=ReckOn().open(0, CPU), **{k: int(v) if v.isdigit() else v for k, v in fields.items()})


def test_a_device_that_an_engine_leaves_idle_is_told() -> None:
    with pytest.warns(UserWarning, match="engine=exact of this neuron and core computes on the CPU alone"):
        learner(device=torch.device("meta"), engine="exact", optimizer="gradient_descent")


def test_pooling_is_told() -> None:
    with pytest.warns(UserWarning, match="1196 pixels are pooled into 256 inputs"):
        learner(core=ReckOn().open(0, CPU))


def test_a_silent_network_is_told_once(recordings: Any) -> None:
    made = learner(v_th=1e6)
    with pytest.warns(UserWarning, match="no recurrent neuron fired"):
        sums = made.learn(recordings.train.batch(slice(0, 5)), Step(0, 2, 0))
    assert sums["loss"] / 5 == pytest.approx(0.5)  # as the specification says of a dead net


def test_a_learning_rate_without_bounds_diverges(recordings: Any) -> None:
    made = learner(optimizer="gradient_descent", lr=1e300, w_min=-1e300, w_max=1e300)
    batch = recordings.train.batch(slice(0, 5))
    with pytest.raises(Divergence, match="diverged at update 0"), np.errstate(all="ignore"):
        made.learn(batch, Step(0, 2, 0))  # in float32 the rate itself is infinite


ENGINES: list[dict[str, Any]] = [
    {"engine": "exact", "optimizer": "gradient_descent", "lr": 5e-3},
    {"engine": "online", "optimizer": "gradient_descent", "lr": 5e-3},
    {"engine": "minibatch", "shift": 2},
    {"engine": "minibatch", "neuron": "iaf_bsshslm_2020", "lr_out": 1.0},
    {"core": ReckOn().open(0, CPU)},
]


@pytest.mark.filterwarnings("ignore:1196 pixels")
@pytest.mark.parametrize("fields", ENGINES, ids=["exact", "online", "minibatch", "bsshslm", "chip"])
def test_a_resumed_training_repeats_an_undisturbed_one(fields: dict[str, Any], recordings: Any, tmp_path: Any) -> None:
    whole, broken, resumed = (learner(**fields) for _ in range(3))
    for k in range(4):
        whole.learn(recordings.train.batch(slice(5 * k, 5 * k + 5)), Step(k, 4, 0))
    for k in range(2):
        broken.learn(recordings.train.batch(slice(5 * k, 5 * k + 5)), Step(k, 4, 0))
    torch.save(broken.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for k in range(2, 4):
        resumed.measure(recordings.test.batch(slice(0, 3)))  # looking does not disturb
        resumed.learn(recordings.train.batch(slice(5 * k, 5 * k + 5)), Step(k, 4, 0))
    assert resumed.history.loss == whole.history.loss
    for ours, theirs in zip(resumed.engine.weights(), whole.engine.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any((w != w0).any() for w, w0 in zip(whole.engine.weights(), whole.initial[:3], strict=True))


def test_figures_show_what_is_recorded(recordings: Any) -> None:
    made = learner(record=("v", "spikes"), record_weights=3)
    made.learn(recordings.train.batch(slice(0, 5)), Step(0, 1, 0))
    found = made.figures(recordings.test)
    assert len(found["dynamic_variables_after_training"].axes) == 2  # type: ignore[union-attr]
    assert {"learning_performance", "weight_matrices", "weight_time_courses"} < set(found)
    assert [len(made.history.courses[kind][0]) for kind in ("in", "rec", "out")] == [3, 3, 3]
