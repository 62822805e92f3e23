"""The SLAYER learner: it resumes to the bit, learns, reports faults, and gives the spikes of the chip."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch
from neurobench.data.events import Events
from neurobench.metrics.costs import Billed, Ledger
from neurobench.metrics.operations import total
from neurobench.models.learner import Divergence, Seeds, Step, Task, TrainingRecord
from neurobench.models.slayer.animation import FRAME
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import LayerGradient
from neurobench.models.slayer.evaluation import operations, tutorial_metrics
from neurobench.models.slayer.figures import all_figures
from neurobench.models.slayer.network import on_grid, quantize
from neurobench.models.slayer.spikes import as_dense, binned, polarities_from_zero
from neurobench.models.slayer.update import update, zero_moments
from tests.draws import normal
from tests.figures.readable import assert_readable, in_style
from tests.models.slayer.conftest import CPU, learner, mock, recordings, sim
from tests.models.slayer.plain import layer as plain_layer
from tests.specs import spec, values

COMPAT = values("model/slayer_snn")["compat"]


def sixteen() -> Batch:
    return recordings().train.batch(slice(16))


def train(one: Any, first: int, last: int, n: int = 12) -> list[float]:
    return [one.learn(sixteen(), Step(k, n, k // 4, 4)).loss for k in range(first, last)]


def same_state(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same_state(x, y) for x, y in zip(a, b, strict=True))
    return bool((a == b).all()) if isinstance(a, torch.Tensor) else a == b


def test_a_resumed_training_repeats_an_uninterrupted_one_bit_for_bit(tmp_path: Any) -> None:
    whole = learner(lr=0.01)
    train(whole, 0, 6)
    begun = learner(lr=0.01)
    train(begun, 0, 3)
    torch.save(begun.state_dict(), tmp_path / "state.pt")
    resumed = learner(lr=0.01)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    train(resumed, 3, 6)
    assert same_state(whole.state_dict(), resumed.state_dict())


def test_initial_weights_are_uniform_over_the_range_of_lava_dl_times_the_scale():
    """No draw lies outside the range of U(-s / sqrt(I), s / sqrt(I)); the standard deviation is s / sqrt(3 I)."""
    layer = learner(weight_scale=3.0, convolutions=("8c5s2",), hidden=(50,)).layers[0]
    fan_in = 2 * 5 * 5
    dense = learner(weight_scale=3.0).layers[0].v
    for v, inputs in ((layer.v, fan_in), (dense, 2312)):
        assert v.abs().max() <= 3 / math.sqrt(inputs)
        assert float(v.std()) == pytest.approx(3 / math.sqrt(3 * inputs), rel=5 / math.sqrt(v.numel()))
    assert torch.allclose(layer.g, layer.v.norm(dim=0))


@pytest.mark.parametrize("settings", [{}, {"loss": "max"}, {"weight_norm": False, "delay": False}])
def test_the_loss_falls_by_a_quarter_in_28_updates(settings: dict[str, Any]) -> None:
    losses = train(learner(lr=0.01, augment=False, dropout=0.0, **settings), 0, 28, n=28)
    assert min(losses) < 0.75 * losses[0]


def test_a_network_on_the_float_core_learns() -> None:
    losses = train(learner(sim(arithmetic="float"), lr=0.01, augment=False), 0, 28, n=28)
    assert min(losses) < 0.75 * losses[0]


def test_the_dense_engine_learns_the_same_weights_as_the_compiled_engine() -> None:
    """The engine of other devices, run on the CPU: the same weights after two updates, up to rounding."""
    ours, dense = learner(lr=0.01), learner(lr=0.01)
    dense.engine = DenseEngine(CPU)
    assert train(ours, 0, 2) == pytest.approx(train(dense, 0, 2), rel=1e-4)
    for one, other in zip(ours.layers, dense.layers, strict=True):
        for name, tensor in one.tensors().items():
            torch.testing.assert_close(tensor, other.tensors()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("normed", [True, False])
def test_the_compiled_update_equals_torchs_adam_on_the_reference_gradient(normed: bool) -> None:
    one = learner(weight_norm=normed)
    layer = one.layers[1]
    if layer.g is not None:
        layer.g[4] = 0  # a neuron whose weights are all 0 has a direction, and can grow
    quantized = quantize(layer, one.core, one.spec)
    dw = normal(1, *layer.v.shape)
    v = torch.nn.Parameter(layer.v.clone())
    g = torch.nn.Parameter(layer.g.clone()) if normed else None
    optimiser = torch.optim.Adam([p for p in (v, g) if p is not None], lr=0.01)
    moments = zero_moments(layer)
    for k in range(3):
        w = v if g is None else g * v / v.square().sum(0).sqrt()
        loss = (w * (dw[0] * 1.25)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        gradient = LayerGradient(dw.clone(), 1.25, np.zeros(3), torch.zeros(30, dtype=torch.float64))
        update(layer, quantized, gradient, moments, 0.01, k, one.spec)
        quantized = quantize(layer, one.core, one.spec)
        torch.testing.assert_close(layer.v, v.detach(), rtol=1e-4, atol=2e-6)
    if g is not None:
        torch.testing.assert_close(layer.g, g.detach(), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("loss", ["rate", "time"])
def test_settings_written_as_whole_numbers_learn_as_the_same_floats(loss: Any) -> None:
    """A false_rate of 0 had made the targets integers, so that a true_rate of 0.2 was 0."""
    settings = {"false_rate": 0, "current_decay": 0, "voltage_decay": 1, "weight_scale": 1}
    fixed = {"loss": loss, "true_rate": 0.2, "convolutions": ("4a",), "hidden": (9,), "threshold": 0.25}
    one, other = (learner(**fixed, **{name: kind(each) for name, each in settings.items()}) for kind in (float, int))
    for k in range(2):
        assert one.learn(sixteen(), Step(k, 3, 0)) == other.learn(sixteen(), Step(k, 3, 0))
    for layer, whole in zip(one.layers, other.layers, strict=True):
        assert all(each.dtype == torch.float32 for each in whole.tensors().values())
        assert all(map(torch.equal, layer.tensors().values(), whole.tensors().values()))


def test_compiled_quantisation_equals_the_reference_grid() -> None:
    one = learner()
    for layer, quantized in zip(one.layers, one.quantized, strict=True):
        W, w, _ = on_grid(layer)
        assert (quantized.W == W).all()
        assert (quantized.w == w).all()


def test_backends_mock_and_sim_give_the_spikes_of_an_independent_model_of_the_chip() -> None:
    ours, chip = learner(lr=0.02), learner(mock(), lr=0.02)
    for one in (ours, chip):
        for layer in one.layers[:2]:
            layer.delay.mul_(9)
        train(one, 0, 3)
    x = recordings().test.x[:20]
    wanted = as_dense(ours.inputs(x)).numpy().astype(np.int64)
    for layer in chip.quantized:
        m, neuron = 2 * layer.W.numpy().T.astype(np.int64), layer.neuron
        wanted = plain_layer(wanted, m, 4096 - neuron.ku, 4096 - neuron.kv, neuron.threshold // 64, layer.delay.numpy())
    assert wanted.sum() > 100
    for one in (ours, chip):
        y = one.engine.run(one.inputs(x), one.quantized).y
        np.testing.assert_array_equal(y.transpose(0, 1).numpy(), wanted)


def test_a_chip_with_few_state_bits_reports_that_currents_wrapped() -> None:
    narrow = learner(mock(state_bits=13))
    for layer in narrow.layers:
        layer.g.mul_(8)
    narrow.quantized = narrow._quantize()
    four = recordings().test.head(4)
    report = narrow.finalize(four, four, TrainingRecord())
    assert report["layer1_wraps"] > 0
    assert report["layer1_most_u"] > 1
    wide = learner()
    assert wide.finalize(four, four, TrainingRecord())["layer1_wraps"] == 0


def test_operations_are_counted_from_the_spikes() -> None:
    one = learner()
    figures, _ = total([operations(one, recordings().test.x[:4])])
    dense = as_dense(one.inputs(recordings().test.x[:4]))
    first = float((dense.sum((0, 1)) * (one.quantized[0].W != 0).sum(1)).sum()) / 4
    assert figures["effective_acs"] >= first
    assert figures["effective_macs"] == 0
    assert figures["dense_operations"] == 300 * (2312 * 40 + 40 * 30 + 30 * 10)


def test_augmentation_rotates_about_the_centre_and_lavas_shears_about_the_corner() -> None:
    x = torch.tensor([16, 30, 2], dtype=torch.uint8)
    y = torch.tensor([17, 5, 30], dtype=torch.uint8)
    events = Events(torch.tensor([0, 1000, 2000], dtype=torch.int32), x, y, torch.zeros(3, dtype=torch.uint8),
                    torch.tensor([0, 3]), (2, 34, 34))  # fmt: skip
    angle = np.deg2rad(5.0)
    moved = np.array([[2.0, -1.0, np.cos(angle), np.sin(angle)]])

    def places(sheared: bool) -> list[tuple[int, int]]:
        spikes = binned(events, 5, 1.0, moved, sheared)
        return [divmod(int(i), 34)[::-1] for i in spikes.neurons[: spikes.counts.sum()]]

    centred = [(a - 16.5, b - 16.5) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    c, s = np.cos(angle), np.sin(angle)
    assert places(False) == [(round(16.5 + a * c - b * s + 2), round(16.5 + a * s + b * c - 1)) for a, b in centred]
    across = [a * c - b * s + 2 for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    wanted = [(round(a), round(a * s + b * c - 1)) for a, b in zip(across, y.tolist(), strict=True)]
    assert places(True) == wanted
    assert wanted != places(False)


def test_binning_rounds_like_numpys_rint_with_at_most_one_spike_per_step() -> None:
    x = recordings().train.x[:8]
    dense = np.zeros((300, 8, 2312), np.float32)
    for n in range(8):
        own = slice(int(x.start[n]), int(x.start[n + 1]))
        t = np.rint(x.t[own].numpy() / 1000).astype(int)
        i = x.p[own].numpy().astype(int) * 1156 + x.y[own].numpy().astype(int) * 34 + x.x[own].numpy()
        dense[t[t < 300], n, i[t < 300]] = 1
    np.testing.assert_array_equal(as_dense(binned(x, 300, 1.0)).numpy(), dense)


def test_polarities_as_in_lava_begin_at_0_in_every_recording() -> None:
    p, start = torch.tensor([1, 1, 0, 2, 2], dtype=torch.uint8), torch.tensor([0, 2, 4, 4, 5])
    t, place = torch.arange(5, dtype=torch.int32), torch.zeros(5, dtype=torch.uint8)
    assert polarities_from_zero(Events(t, place, place, p, start, (3, 1, 1))).p.tolist() == [0, 0, 0, 2, 0]


def test_saccades_are_binned_side_by_side_each_to_separate_inputs() -> None:
    x = recordings().train.x[:8]
    dense = np.zeros((21, 8, 3, 2312), np.float32)
    for n in range(8):
        own = slice(int(x.start[n]), int(x.start[n + 1]))
        t, p, y, column = (part[own].numpy().astype(int) for part in (x.t, x.p, x.y, x.x))
        i = p * 1156 + y * 34 + column
        for saccade in range(3):
            within = t - 105_000 * saccade
            step = np.rint(within / 5000).astype(int)
            seen = (within >= 0) & (within < 105_000) & (step < 21)
            dense[step[seen], n, saccade, i[seen]] = 1
    assert dense.any((0, 1, 3)).all()
    np.testing.assert_array_equal(as_dense(binned(x, 21, 5.0, saccades=3)).numpy(), dense.reshape(21, 8, -1))


def test_reading_saccades_at_once_equals_shorter_recordings_with_more_polarities() -> None:
    batch = recordings().train.batch(slice(4))
    saccade = batch.x.t // 105_000
    within = batch.x.t - 105_000 * saccade
    order = torch.from_numpy(np.lexsort([within.numpy(), batch.x.recording().numpy()]))
    polarity = (batch.x.p + 2 * saccade).to(torch.uint8)
    fields = (part[order] for part in (within, batch.x.x, batch.x.y, polarity))
    laid = Events(*fields, batch.x.start, (6, 34, 34))
    settings = {"sampling_time": 5.0, "max_delay": 4, "convolutions": ("4c5s3p2",), "augment": False}
    ours = learner(saccades=3, length=315.0, **settings)
    theirs = learner(task=Task("events", (6, 34, 34), 10), length=105.0, **settings)
    for k in range(3):
        losses = [one.learn(Batch(x, batch.y), Step(k, 3, 0)).loss for one, x in ((ours, batch.x), (theirs, laid))]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert torch.equal(ours.predict(batch.x), theirs.predict(laid))
    drawn = all_figures(ours, recordings().test, TrainingRecord())["input_and_output"].draw()
    assert isinstance(drawn, bytes)


def test_divergence_names_the_update_and_suggests_a_smaller_lr() -> None:
    one = learner()
    one.layers[1].g.fill_(float("nan"))
    with pytest.raises(Divergence, match="at update 0: .* try a smaller lr than 0.001"):
        one.learn(sixteen(), Step(0, 1, 0))


def test_the_state_of_another_network_is_refused_with_the_key_that_differs() -> None:
    with pytest.raises(UserError, match=r"layers\.0\.v has shape \(2312, 40\); this network needs \(2312, 41\)"):
        learner(hidden=(41, 30)).load_state_dict(learner().state_dict())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampling_time": 0.0}, "sampling_time=0.0 is not above 0"),
        ({"sampling_time": 0.7}, "length=300 ms is not a whole number of steps of sampling_time=0.7 ms"),
        (
            {"saccades": 3, "sampling_time": 3.0},
            "length=300 ms in 3 saccades of 100 ms is not a whole number of steps of sampling_time=3 ms",
        ),
        ({"length": 60.0}, "length=60 ms is 60 steps; with delays of up to 62"),
        ({"threshold": 0.01}, "threshold=0.01 is not in"),
        ({"current_decay": 1.5}, "current_decay=1.5 is not in"),
        ({"max_delay": 63}, "max_delay=63 is not in"),
        ({"true_rate": 2.0}, "true_rate=2.0 is not in"),
        ({"loss": "mse"}, "loss='mse' is not one of rate, max, time"),
        ({"loss": "time", "window": 20}, "window=20 is for loss=rate and max; loss=time needs window=null"),
        ({"max_mode": "softmax"}, "max_mode=softmax is for loss=max; loss=rate needs max_mode=probability"),
        ({"compat": {**COMPAT, "augmnt": "lava"}}, "compat.augmnt: there is no such switch"),
        ({"compat": {**COMPAT, "augment": "both"}}, "compat.augment='both' is not one of fix, lava"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        learner(**settings)
    assert sentence in str(refusal.value)


def test_a_state_with_more_tensors_or_layers_than_the_network_is_refused() -> None:
    with pytest.raises(UserError, match=r"layers\.0\.delay has shape \(40,\); this network needs nothing"):
        learner(delay=False).load_state_dict(learner().state_dict())
    with pytest.raises(UserError, match="the state's layers are 3; this network has 2"):
        learner(hidden=(40,)).load_state_dict(learner().state_dict())


def test_the_tutorials_figures_of_an_epoch_are_measured_on_the_network_after_it() -> None:
    one, row = learner(lr=0.01), {"train_lava_loss": 3.0, "train_accuracy": 0.5}
    record = TrainingRecord(epochs=[row] * 40)
    train(one, 0, 1)
    wanted = one.measure(recordings().test.batch(slice(None)))
    assert one.spec.snapshots(Step(39, 400, 19, 2)) == ("flow/19", "epoch/19")
    assert one.spec.snapshots(Step(38, 400, 19, 2)) == ()
    assert one.spec.snapshots(Step(41, 400, 20, 2)) == ("flow/20",)
    record.snapshots = {label: one.snapshot(label) for label in ("flow/19", "epoch/19")}
    train(one, 1, 3)
    figures = tutorial_metrics(one, recordings(), record)
    assert figures["epoch19_test_loss"] == wanted.extra["lava_loss"] / len(recordings().test)
    assert figures["epoch19_test_accuracy"] == wanted.correct / len(recordings().test)
    assert (figures["epoch19_train_loss"], figures["epoch19_train_accuracy"]) == (3.0, 0.5)
    drawn = {"input_and_output", "rasters", "weights", "delays", "gradient_flow", "learning"}
    figures_of_it = in_style(all_figures, one, recordings().test, record)
    assert figures_of_it.keys() == drawn
    assert_readable(figures_of_it)


def test_the_animation_shows_five_inputs_beside_their_outputs_and_names_classes() -> None:
    from io import BytesIO

    from PIL import Image

    one = learner()
    shown = recordings().test.head(5)
    named = replace(shown, classes=(*"abcdefghi", "a name"))
    drawn = [all_figures(one, each, TrainingRecord())["input_and_output"].draw() for each in (shown, named)]
    with Image.open(BytesIO(drawn[0])) as gif, Image.open(BytesIO(drawn[1])) as wider:  # type: ignore[arg-type]
        assert gif.n_frames == 300 / FRAME  # type: ignore[attr-defined]
        assert gif.height > 5 * 34 * 5, "a row each of five recordings of 34 x 34 pixels"
        assert 2 * 34 * 5 < gif.width < 500, "two panels side by side, for a phone too"
        assert wider.width > gif.width


def test_outputs_equal_the_tasks_classes_and_more_than_65535_inputs_are_refused() -> None:
    one = spec("model/slayer_snn")
    assert one.demand(Task("events", (2, 34, 34), 40)).layers == (2312, 512, 512, 40)
    with pytest.raises(UserError, match=r"at most 65535 inputs; recordings of \(2, 200, 200\) have 80000"):
        one.demand(Task("events", (2, 200, 200), 10))
    with pytest.raises(UserError, match=r"have 98304 in 3 saccades\. .* dataset\.pool=2"):
        spec("model/slayer_snn", saccades=3, length=315.0).demand(Task("events", (2, 128, 128), 10))


@pytest.mark.parametrize(("arithmetic", "kind"), [("float", torch.float32), ("fixed", torch.int8)])
def test_a_core_wrapped_for_billing_keeps_its_arithmetic(arithmetic: str, kind: torch.dtype) -> None:
    devices = {"core": Billed("core", sim(arithmetic=arithmetic).open(0, CPU), Ledger())}
    model = spec("model/slayer_snn", hidden=(4,))
    one = model.build(Task("events", (2, 34, 34), 10), Seeds(0, 1, 2, 3), devices, CPU)
    assert all(layer.W.dtype == kind for layer in one.quantized)
