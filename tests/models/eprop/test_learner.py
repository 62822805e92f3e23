"""E-prop's configurations and their refusals, inputs, warnings, resuming, and figures of the learner."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.cli.main import main
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.data.events import Events
from neurobench.models.eprop.evaluation import tutorial_metrics
from neurobench.models.eprop.figures import figures
from neurobench.models.eprop.inputs import Spikes, active_pixels, one_each, pooled
from neurobench.models.eprop.learner import sums
from neurobench.models.learner import Divergence, Step, Task, TrainingRecord
from tests.figures.readable import assert_readable, in_style
from tests.models.eprop.conftest import learner, reckon
from tests.specs import spec

ONLINE = {"engine": "online", "optimizer": "gradient_descent"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tau_m": 0.0}, "tau_m=0.0 is not above 0"),
    ({"tau_out": -1.0}, "tau_out=-1.0 is not above 0"),
    ({"c_reg": -1.0}, "c_reg=-1.0 is not at least 0"),
    ({"f_target": -1.0}, "f_target=-1.0"),
    ({"t_ref": -1}, "t_ref=-1"),
    ({"lr": -1.0}, "lr=-1.0"),
    ({"cutoff": -1}, "cutoff=-1"),
    ({"epsilon": -1.0}, "epsilon=-1.0"),
    ({"epsilon": 0.0}, "epsilon=0.0 is below 1e-30: Adam would divide 0 by 0"),
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
    ({"cutoff": 50}, "cutoff=50 does not apply to engine=minibatch"),
    ({"refractory_input": True}, "refractory_input=True is for neuron=psc_delta"),
    ({"kappa": 0.0, "kappa_reg": 0.0}, "kappa=0.0 is below 0.001; engine=minibatch divides by its powers"),
    ({**ONLINE, "kappa": 0.0, "kappa_reg": 0.0}, "kappa=0.0 is below 0.001; engine=online divides by its powers"),
    ({**ONLINE, "tau_m": 0.001}, "tau_m=0.001 is below 0.1 ms; engine=online divides by its decays"),
]


@pytest.mark.parametrize(("fields", "sentence"), REFUSED)
def test_refusals_name_key_value_and_bound(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        spec("model/eprop_rsnn", **fields)
    assert sentence in str(refusal.value)


def test_initial_weights_outside_the_range_are_refused() -> None:
    with pytest.raises(Divergence, match="outside w_min=-0.001, w_max=0.001"):
        learner(w_min=-0.001, w_max=0.001)


def recording(t: int = 1000, x: int = 15, y: int = 15) -> Events:
    fields = [torch.tensor([value], dtype=torch.uint8) for value in (x, y, 1)]
    return Events(torch.tensor([t], dtype=torch.int32), *fields, torch.tensor([0, 1]), (2, 34, 34))


def test_events_after_the_last_step_are_refused() -> None:
    with pytest.raises(UserError, match="336041 us, after the 336040 us .* dataset.window=336"):
        one_each((2, 34, 34)).encode(recording(336041), 300)


@pytest.mark.parametrize(("t", "step"), [(0, 0), (560, 0), (561, 1), (336040, 300)])
def test_event_times_are_rounded_to_steps(t: int, step: int) -> None:
    """560 us are 0.49995 of a step of 1120.13 us."""
    start, _ = one_each((2, 34, 34)).encode(recording(t), 300)
    assert np.flatnonzero(np.diff(start)).tolist() == [step]


def test_input_sources_of_a_step_are_sorted_with_their_repeats() -> None:
    """Compared with numpy's sort of each step: steps without spikes, crowded ones, sources at ends of 64-bit words."""
    draw = np.random.default_rng(0)
    sources = 193
    source = draw.choice([0, 63, 64, 127, 128, 191, 192, *range(sources)], size=2000)
    start = np.concatenate([[0, 0, 500], np.sort(draw.integers(500, 2000, size=300)), [2000]])
    expected = [np.sort(source[begin:end]) for begin, end in pairwise(start)]
    found = Spikes(start, source).ascending(sources)
    np.testing.assert_array_equal(found.source, np.concatenate(expected))
    np.testing.assert_array_equal(found.start, start)


def test_active_pixels_are_those_of_nests_block_list() -> None:
    pixels = active_pixels()
    assert (len(pixels), int(pixels.sum())) == (1196, 1434283)
    assert (pixels < 1156).sum() == 577


def test_pooling_merges_or_separates_polarities_and_counts_repeats_once() -> None:
    """Polarities are merged in 16x16 and separate in 11x11x2. Repeats within a step count once."""
    square, split = pooled((2, 34, 34), "16x16"), pooled((2, 34, 34), "11x11x2")
    assert (square.size, split.size) == (256, 242)
    assert square.source_of[1156 + 34 * 15 + 15] == 16 * (16 * 15 // 34) + 16 * 15 // 34
    assert split.source_of[1156 + 34 * 33 + 33] == 241
    one = recording()
    parts = (torch.cat([part, part]) for part in (one.t, one.x, one.y, one.p))
    twice = Events(*parts, torch.tensor([0, 2]), (2, 34, 34))
    assert len(square.encode(twice, 300).source) == 1
    assert len(one_each((2, 34, 34)).encode(twice, 300).source) == 2


@pytest.mark.parametrize(
    ("core", "model", "classes", "sentence"),
    [
        ({"pool": "none"}, {}, 10, "1196 inputs do not fit 256"),
        ({}, {"hidden": 300}, 10, "model.hidden=300 neurons do not fit 256"),
        ({}, {}, 40, "the chip is too small: 40 readouts, one per class, do not fit 16. Use a smaller network or"),
        ({}, {"hidden": 300}, 17, "300 neurons do not fit 256; 17 readouts, one per class, do not fit 16"),
    ],
)
def test_a_network_that_does_not_fit_a_chip_is_refused_with_its_numbers(
    core: dict[str, Any], model: dict[str, Any], classes: int, sentence: str
) -> None:
    demand = spec("model/eprop_rsnn", **model).demand(Task("events", (2, 34, 34), classes))
    assert sentence in str(spec("backend/mock", "learning_core", **core).refuse(demand))
    assert spec("backend/sim", "learning_core").refuse(demand) is None


def test_a_network_of_256_neurons_and_16_readouts_fits_a_chip() -> None:
    demand = spec("model/eprop_rsnn", hidden=256).demand(Task("events", (2, 34, 34), 16))
    assert spec("backend/mock", "learning_core").refuse(demand) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["model.engine=exact", "model.optimizer=gradient_descent"],
            "model.engine=exact computes in floating point like NEST",
        ),
        (
            ["model.neuron=psc_delta"],
            "model.neuron=psc_delta with t_ref=0 is not supported by the chip: set iaf, t_ref=0",
        ),
        (["model.t_ref=2"], "model.neuron=iaf with t_ref=2 is not supported by the chip"),
        (["model.error=softmax"], "model.error=softmax is not supported by the chip, which learns from readout minus"),
        (["model.v_min=-0.5"], "model.v_min=-0.5 is not supported by the chip, whose membranes are bounded"),
        (["model.surrogate=arctan"], "model.surrogate=arctan is not supported by the chip, which approximates"),
    ],
)
def test_validate_names_settings_that_a_chip_does_not_support(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "model=eprop_rsnn", "backend=mock", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert main(["validate", "model=eprop_rsnn", "backend=sim", *words]) == 0


def test_an_engine_that_does_not_use_the_chosen_device_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="engine=exact of this neuron and core computes on the CPU only"):
        learner(device=torch.device("meta"), engine="exact", optimizer="gradient_descent")


def test_the_preset_of_nest_runs_with_engine_minibatch_and_warns_that_there_is_no_test_phase_of_nest() -> None:
    """A sweep over the engines has one value of `test_iterations`."""
    assert main(["validate", "experiment=nest_eprop_nmnist", "model.engine=minibatch"]) == 0
    with pytest.warns(UserWarning, match="model.test_iterations=10 has no effect with engine=minibatch"):
        learner(test_iterations=10)


def test_pooling_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="1196 pixels are pooled into 256 inputs"):
        learner(core=reckon())


@pytest.mark.parametrize(
    ("core", "fields", "sentence"),
    [
        ({"membrane_bits": 8}, {}, "=0.6 is 147 LSB of the weights, more than the 127.* Set .*membrane_bits=9, or"),
        ({"weight_bits": 16}, {}, "more than the 32767 of a membrane of 16 bits: .* Set .*membrane_bits=17, or"),
        ({}, {"v_th": 0.001}, "v_th=0.001 is less than one LSB of the weights"),
    ],
)
def test_a_threshold_that_a_chips_membrane_cannot_hold_is_refused(
    core: dict[str, Any], fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        learner(core=reckon(**core), **fields)
    if "Set" in sentence:
        remedy = int(sentence.partition("bits=")[2].partition(",")[0])
        assert learner(core=reckon(**core | {"membrane_bits": remedy})).engine.chip.v_limit >= 147


def test_keys_without_effect_on_a_chip_are_warned_of_and_have_none(recordings: Any) -> None:
    others = {"lr": 0.5, "lr_out": 1.0, "lr_decay": "cosine", "optimizer": "gradient_descent", "beta_1": 0.5}
    others |= {"beta_2": 0.5, "epsilon": 0.1, "w_min": -50.0, "w_max": 50.0}
    others |= {"surrogate_height": 1.0, "surrogate_width": 1.0}
    trained = []
    for fields in ({}, others):
        with pytest.warns(UserWarning, match="lr, lr_out, lr_decay, optimizer and Adam's constants, .* have no effect"):
            made = learner(core=reckon(), **fields)
        made.learn(recordings.train.batch(slice(0, 5)), Step(0, 2, 0))
        trained.append(made.engine.weights())
    before = learner(core=reckon()).engine.weights()
    assert all(np.array_equal(one, other) for one, other in zip(*trained, strict=True))
    assert not any(np.array_equal(one, other) for one, other in zip(trained[0], before, strict=True))


@pytest.mark.parametrize(("window", "expected"), [(10, 0.5), (7, 0.35)])
def test_a_silent_network_is_warned_of_with_its_loss(recordings: Any, window: int, expected: float) -> None:
    made = learner(v_th=1e6, window=window)
    with pytest.warns(UserWarning, match=f"no recurrent neuron fired .*its loss is {expected}"):
        loss = made.learn(recordings.train.batch(slice(0, 5)), Step(0, 2, 0)).loss
    assert loss is not None
    assert loss / 5 == pytest.approx(expected)  # the specification's value for a silent network is 0.5


def test_a_huge_learning_rate_without_weight_bounds_is_reported_as_divergence(recordings: Any) -> None:
    made = learner(optimizer="gradient_descent", lr=1e300, w_min=-1e300, w_max=1e300)
    batch = recordings.train.batch(slice(0, 5))
    with pytest.raises(Divergence, match="diverged at update 0"), np.errstate(all="ignore"):
        made.learn(batch, Step(0, 2, 0))  # in float32 the rate itself is infinite


ENGINES: list[dict[str, Any]] = [
    {"engine": "exact", "optimizer": "gradient_descent", "lr": 5e-3},
    {"engine": "online", "optimizer": "gradient_descent", "lr": 5e-3},
    {"engine": "minibatch", "shift": 2},
    {"engine": "minibatch", "neuron": "iaf_bsshslm_2020", "lr_out": 1.0},
    {"core": reckon()},
]


@pytest.mark.filterwarnings("ignore:1196 pixels")
@pytest.mark.parametrize("fields", ENGINES, ids=["exact", "online", "minibatch", "bsshslm", "chip"])
def test_a_resumed_training_repeats_an_uninterrupted_one(
    fields: dict[str, Any], recordings: Any, tmp_path: Any
) -> None:
    whole, broken, resumed = (learner(**fields) for _ in range(3))
    wanted = [whole.learn(recordings.train.batch(slice(2 * k, 2 * k + 2)), Step(k, 4, 0)) for k in range(4)]
    for k in range(2):
        broken.learn(recordings.train.batch(slice(2 * k, 2 * k + 2)), Step(k, 4, 0))
    torch.save(broken.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for k in range(2, 4):
        resumed.measure(recordings.test.batch(slice(0, 2)))  # measuring does not affect training
        assert resumed.learn(recordings.train.batch(slice(2 * k, 2 * k + 2)), Step(k, 4, 0)) == wanted[k]
    for ours, theirs in zip(resumed.engine.weights(), whole.engine.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any((w != w0).any() for w, w0 in zip(whole.engine.weights(), whole.initial[:3], strict=True))


def test_the_state_of_another_network_is_refused() -> None:
    small = learner(hidden=20)
    for other in (learner(hidden=30), learner(hidden=20, engine="exact")):
        with pytest.raises(UserError, match="the checkpoint does not fit"):
            small.load_state_dict(other.state_dict())


def recorded(made: Any, recordings: Any, updates: int) -> TrainingRecord:
    """Record of updates, as the training loop stores it."""
    record = TrainingRecord()
    for k in range(updates):
        at = Step(k, updates, 0)
        loss, correct, extra = made.learn(recordings.train.batch(slice(5 * k, 5 * k + 5)), at)
        means = {"loss": loss / 5, "accuracy": correct / 5, "hidden_spikes": extra["hidden_spikes"] / 5}
        for name, value in means.items():
            record.updates.setdefault(name, []).append(value)
        record.snapshots |= {label: made.snapshot(label) for label in made.spec.snapshots(at)}
    return record


def test_figures_show_the_recorded_variables_and_weights(recordings: Any) -> None:
    made = learner(record=("v", "spikes"), record_weights=3)
    record = recorded(made, recordings, 2)
    drawn = in_style(figures, made, recordings.test, record)
    assert_readable(drawn)
    assert len(drawn["dynamic_variables_after_training"].axes) == 2  # type: ignore[union-attr]
    assert "architecture" in drawn
    assert {"learning_performance", "weight_matrices", "weight_time_courses"} < set(drawn)
    assert list(record.snapshots) == ["weights/1", "weights/2"]
    assert {kind: len(weights) for kind, weights in record.snapshots["weights/2"].items()} == dict.fromkeys(
        ("in", "rec", "out"), 3
    )


def test_weights_are_recorded_about_500_times_per_training_or_never() -> None:
    model = spec("model/eprop_rsnn")
    for n, wanted in ((1, 1), (499, 499), (1200, 600), (10_000, 500)):
        assert sum(len(model.snapshots(Step(k, n, 0))) for k in range(n)) == wanted
    assert not spec("model/eprop_rsnn", record_weights=0).snapshots(Step(0, 10, 0))


def test_the_tutorials_figures_are_those_of_its_iterations_and_its_test_phase(recordings: Any) -> None:
    made = learner(engine="exact", optimizer="gradient_descent", lr=5e-3)
    record = recorded(made, recordings, 6)
    figures_of_run = made.finalize(recordings.train, recordings.validation, record)
    assert figures_of_run["hidden_rate"] == record.updates["hidden_spikes"][-1] / 300 * 1000.0 > 0
    metrics = tutorial_metrics(made, recordings, record)
    iterations = {f"{name}_iteration_{k}" for name in ("loss", "error") for k in (1, 2, 3, 4, 5)}
    assert set(metrics) == {*iterations, "nest_test_loss", "nest_test_error"}
    assert metrics["loss_iteration_5"] == record.updates["loss"][4]
    assert metrics["error_iteration_2"] == 1.0 - record.updates["accuracy"][1]


def test_the_test_phase_cycles_through_the_test_set_and_is_drawn_after_training(
    recordings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten iterations of 100 samples in the published preset; here two of 15, against one stream of both."""
    monkeypatch.setattr("neurobench.models.eprop.evaluation.GROUP", 15)
    fields: dict[str, Any] = {"engine": "exact", "optimizer": "gradient_descent", "lr": 5e-3, "test_iterations": 2}
    made, record = learner(**fields), TrainingRecord()
    record = recorded(made, recordings, 2)
    made.finalize(recordings.train, recordings.validation, record)
    test = recordings.test.head(10)  # the second iteration begins with its sixth sample
    metrics = tutorial_metrics(made, replace(recordings, test=test), record)
    x, y = test.batch(torch.arange(30) % 10)
    assert made.before_pending is not None
    response, _ = made.before_pending.copy().learn(made.encode(x), y.numpy(), 0.0)
    stream = sums(response, y.numpy())
    assert stream.loss is not None
    assert metrics["nest_test_loss"] == pytest.approx(stream.loss / 30, rel=1e-12)
    first = np.mean(response.window[:15].mean(1).argmax(1) != y[:15].numpy())
    assert metrics["nest_first_test_error"] == pytest.approx(first)
    drawn = in_style(figures, made, test, record)
    assert_readable({name: drawn[name] for name in ("learning_performance", "dynamic_variables_before_training")})
    titles = [axes.get_ylabel() for axes in drawn["dynamic_variables_before_training"].axes]  # type: ignore[union-attr]
    assert len(titles) == 9
    points = drawn["learning_performance"].axes[1].get_legend_handles_labels()  # type: ignore[union-attr]
    (tested,) = [line for line, label in zip(*points, strict=True) if label == "test"]
    assert tested.get_xdata().tolist() == [3, 4]  # type: ignore[attr-defined]
    assert tested.get_ydata().mean() == pytest.approx(metrics["nest_test_error"])  # type: ignore[attr-defined]


def test_events_of_pixels_without_an_input_are_reported_if_they_are_a_tenth_of_all_or_more(recordings: Any) -> None:
    """Those of N-MNIST are fewer; of recordings from all over a sensor of its size they are 1 - 1196 / 2312."""
    with warnings.catch_warnings(action="error"):
        learner(hidden=5).start(recordings.train, None)
    pixels = torch.arange(2312)
    places = ((pixels % 34).byte(), (pixels // 34 % 34).byte(), (pixels // 1156).byte())
    everywhere = Events(pixels.int(), *places, torch.tensor([0, 2312]), (2, 34, 34))
    train = Split(everywhere, torch.tensor([0]), torch.tensor([0]))
    with pytest.warns(UserWarning, match=r"48 % of the events come from pixels .* its 1196 active pixels"):
        learner(hidden=5).start(train, None)
    pools_all = spec("backend/sim", "learning_core", pool="16x16").open(0, torch.device("cpu"))
    with warnings.catch_warnings(action="ignore"):
        one = learner(hidden=5, core=pools_all)
    with warnings.catch_warnings(action="error"):
        one.start(train, None)


@pytest.mark.filterwarnings("ignore:.*pixels", "ignore:no recurrent neuron", "ignore:the chip learns")
@pytest.mark.parametrize("sparsity", [(1.0, 1.0, 0.0), (0.75, 0.99, 1.0)])
def test_a_chip_without_synapses_of_a_kind_scores_0(recordings: Any, sparsity: tuple[float, ...]) -> None:
    made, batch = learner(core=reckon(), sparsity=sparsity), recordings.train.batch(slice(0, 2))
    made.learn(batch, Step(0, 1, 0))
    assert not made.predict(batch.x).any()


@pytest.mark.parametrize("neuron", ["iaf", "iaf_bsshslm_2020"])
@pytest.mark.parametrize(("error", "feedback"), [("softmax", "random"), ("difference", "symmetric")])
def test_recorded_errors_and_learning_signals_are_those_with_which_the_network_learns(
    recordings: Any, neuron: str, error: str, feedback: str
) -> None:
    made = learner(hidden=12, neuron=neuron, error=error, feedback=feedback)
    drawn = figures(made, recordings.test, TrainingRecord())["dynamic_variables_before_training"]
    values, label = drawn.arguments[-1], int(recordings.test.y[0])
    learning = (values["error"] != 0).any(1)
    y = values["readout_v"][learning]
    assert learning.sum() > 5
    output = np.exp(y) / np.exp(y).sum(1, keepdims=True) if error == "softmax" else y
    np.testing.assert_allclose(values["error"][learning], output - np.eye(10)[label], rtol=0, atol=1e-12)
    np.testing.assert_allclose(values["readout"][learning], output, rtol=0, atol=1e-12)
    B = made.engine.B[:, :12].astype(float)  # (K, N)
    np.testing.assert_allclose(values["learning_signal"][1:], values["error"][:-1] @ B, rtol=1e-6, atol=1e-9)
