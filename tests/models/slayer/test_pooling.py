"""A pool sums windows of each channel with a constant weight, then fires: sums match torch's average pooling, spikes
match loops over windows in integers."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch
from neurobench.metrics.operations import total
from neurobench.models.learner import Initial, Step, Task, TrainingRecord
from neurobench.models.slayer.architecture import Convolution, convolutions
from neurobench.models.slayer.convolution import product, product_gradients
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.drawings import gradient_flow
from neurobench.models.slayer.evaluation import activity, operations
from neurobench.models.slayer.exports import formats, write_netx
from neurobench.models.slayer.spikes import as_dense
from tests.models.slayer.conftest import CPU, learner, mock, recordings, sim
from tests.models.slayer.plain import layer as plain_layer
from tests.models.slayer.plain import neurons
from tests.specs import spec

WORDS = ("2a", "3c5s2p1", "2a", "3as2p1")  # 2 x 34 x 34 to 17, 8, 4 and 3
WEIGHT = 0.75  # of all pools here: a mantissa of 48


def windows(x: np.ndarray, conv: Convolution) -> np.ndarray:
    """Sums (T, N, C P) over windows of spikes (T, N, I), one window after the other."""
    images = x.reshape(*x.shape[:2], *conv.inputs)
    sums = np.zeros((*x.shape[:2], *conv.outputs), np.int64)
    for row, column in np.ndindex(conv.outputs[1:]):
        y, x0 = (at * conv.stride - conv.padding for at in (row, column))
        pixels = images[..., max(y, 0) : y + conv.kernel, max(x0, 0) : x0 + conv.kernel]
        sums[..., row, column] = pixels.sum((3, 4))
    return sums.reshape(*x.shape[:2], -1)


def trained(core: Any = None, **changes: Any) -> Any:
    """A learner after two updates on real recordings, with delays longer than those it would learn."""
    given = {"hidden": (), "convolutions": WORDS, "weight_scale": WEIGHT, "threshold": 0.5, "lr": 0.02, "dropout": 0.2}
    one = learner(core, **given, **changes)
    for layer in one.layers[:-1]:
        if layer.delay is not None:
            layer.delay.mul_(9)
    for k in range(2):
        one.learn(batch(), Step(k, 2, 0, 2))
    return one


def batch() -> Batch:
    return recordings().train.batch(slice(8))


@pytest.mark.parametrize("word", ["2a", "3a", "3as2", "3as2p1", "2as1", "4as3p2", "2as5", "1a"])
@pytest.mark.parametrize("size", [(6, 6), (7, 8), (8, 7), (9, 11)])
def test_sums_and_their_gradient_are_those_of_average_pooling_times_the_area(word: str, size: tuple[int, int]) -> None:
    """ceil_mode: the last window may begin anywhere before the end. divisor_override=1: a sum, not a mean."""
    (conv,) = convolutions([word], (3, *size))
    weights = WEIGHT * torch.eye(3).repeat_interleave(conv.kernel**2, 0)
    x = torch.randint(0, 2, (4, 5, 3 * size[0] * size[1]), generator=torch.Generator().manual_seed(0)).float()
    x.requires_grad_()
    how = {"ceil_mode": True, "divisor_override": 1}
    expected = WEIGHT * avg_pool2d(x.view(20, 3, *size), conv.kernel, conv.stride, conv.padding, **how)
    assert expected.shape[1:] == conv.outputs
    torch.testing.assert_close(product(x.detach(), weights, conv), expected.detach().view(4, 5, -1))
    g = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    expected.backward(g)
    _, dx = product_gradients(x.detach(), weights, conv, g.view(4, 5, -1), below=True)
    torch.testing.assert_close(dx, x.grad)


def test_spikes_of_pools_match_loops_over_windows_in_integers() -> None:
    ours, chip = trained(), trained(mock())
    x = recordings().test.x[:4]
    wanted = as_dense(ours.inputs(x)).numpy().astype(np.int64)
    for layer in chip.quantized:
        neuron, conv, delay = layer.neuron, layer.conv, layer.delay.numpy()
        constants = (4096 - neuron.ku, 4096 - neuron.kv, neuron.threshold // 64)
        if conv is None:
            wanted = plain_layer(wanted, 2 * layer.W.t().long().numpy(), *constants, delay)
            continue
        if conv.pools:
            sums = 48 * windows(wanted, conv)
        else:
            kernels = (2 * layer.W.double()).t().reshape(conv.channels, conv.inputs[0], conv.kernel, conv.kernel)
            images = torch.from_numpy(wanted).double().flatten(0, 1).view(-1, *conv.inputs)
            sums = conv2d(images, kernels, None, conv.stride, conv.padding).long().numpy()
        wanted = neurons(sums.reshape(*wanted.shape[:2], -1), *constants, delay.repeat(conv.positions))
        assert wanted.sum() > 20
    for one in (ours, chip):
        for engine in (one.engine, DenseEngine(CPU)):
            y = engine.run(one.inputs(x), one.quantized).y
            np.testing.assert_array_equal(y.transpose(0, 1).numpy(), wanted)


def test_operations_of_pools_are_counted_window_by_window() -> None:
    """A spike drives a synapse for each window that covers its pixel; a pool stores one window for all its channels."""
    one = trained()
    x = recordings().test.x[:2]
    counted = operations(one, x)
    runs = [engine.run(one.inputs(x), one.quantized, counted=True) for engine in (one.engine, DenseEngine(CPU))]
    network = activity(one, x)
    for k, (layer, connection) in enumerate(zip(one.quantized, counted.connections, strict=True)):
        if layer.conv is None or not layer.conv.pools:
            continue
        conv = layer.conv
        fans = np.zeros(conv.inputs, np.int64)
        for row, column in np.ndindex(conv.outputs[1:]):
            for y, x0 in np.ndindex(conv.inputs[1:]):
                inside = [0 <= p + conv.padding - at * conv.stride < conv.kernel for p, at in ((y, row), (x0, column))]
                fans[:, y, x0] += all(inside)
        assert connection.fanout.tolist() == connection.dense_fanout.tolist() == fans.ravel().tolist()
        assert (connection.weights, connection.nonzero) == (conv.kernel**2, conv.kernel**2)
        assert counted.parameters[f"{k}.W"].shape == (conv.kernel**2,)
        assert (network.weights[k].to_dense() != 0).sum(1).tolist() == fans.ravel().tolist()
        met = int((connection.arrived.numpy() * fans.ravel()).sum())
        assert connection.effective == met > 0
        assert [act.tally[k]["operations"] for act in runs] == [met, met]
    kernels = 3 * (2 * 25) + sum(side**2 for side in (2, 2, 3)) + 3 * 3 * 3 * 10
    delays, neuron_constants = 2 + 3 + 3 + 3 + 10, 3 * 5
    assert total([counted])[0]["parameter_count"] == kernels + delays + neuron_constants


@pytest.mark.parametrize("weight_norm", [True, False])
@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_learning_leaves_pool_weights_unchanged_and_changes_all_other_parameters(
    weight_norm: bool, arithmetic: str
) -> None:
    one = trained(sim(arithmetic=arithmetic), weight_norm=weight_norm)
    begun = learner(hidden=(), convolutions=WORDS, weight_scale=WEIGHT, weight_norm=weight_norm, threshold=0.5)
    for layer, before, moments, size in zip(one.layers, begun.layers, one.moments, one.flow, strict=True):
        assert (layer.D != before.D).all()
        assert torch.equal(layer.v, before.v) == layer.pools
        assert (size == 0) == layer.pools
        if layer.pools:
            own = torch.eye(layer.conv.channels).repeat_interleave(layer.conv.kernel**2, 0)
            assert torch.equal(layer.v, WEIGHT * own)
            assert moments.keys() == {"D", "delay"}
            assert (layer.delay != 9 * before.delay).all()


def test_a_reloaded_network_resumes_bit_for_bit() -> None:
    whole = trained()
    again = learner(hidden=(), convolutions=WORDS, threshold=0.5, lr=0.02, dropout=0.2)  # another weight_scale
    again.load_state_dict(whole.state_dict())
    losses = [one.learn(batch(), Step(2, 3, 1, 2)).loss for one in (whole, again)]
    assert losses[0] == losses[1]
    for one, other in zip(whole.quantized, again.quantized, strict=True):
        assert torch.equal(one.W, other.W)
    begun = learner(hidden=(), convolutions=WORDS, threshold=0.5)
    begun.start(recordings().train, Initial("latest", Path("outputs"), whole.state_dict()))
    x = recordings().test.x[:2]
    ours, theirs = (one.engine.run(one.inputs(x), one.quantized).y.clone() for one in (whole, begun))
    assert ours.any()
    assert torch.equal(ours, theirs)


def test_saturated_weights_of_a_pool_are_counted_over_existing_synapses_only() -> None:
    """Pairs of channels that no pool connects do not count."""
    for scale, share in ((127 / 32, 1.0), (WEIGHT, 0.0)):
        one = learner(hidden=(), convolutions=("2a", "3c5s2"), weight_scale=scale, length=100.0)
        report = one.finalize(recordings().train.head(2), recordings().train.head(2), TrainingRecord([], {}))
        assert report["layer1_saturated_weights"] == share


def test_gradient_flow_is_drawn_only_for_layers_whose_weights_learn() -> None:
    figure = gradient_flow({1: [0.0, 0.5, 0.25], 2: [0.0, 0.25, 0.125]}, [2, 3])
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {"layer 2": [0.5, 0.25], "layer 3": [0.25, 0.125]}


def test_a_pool_is_written_to_netx_as_a_convolution_with_the_same_spikes() -> None:
    """`netx.hdf5` raises NotImplementedError for `pool`. It pads both ends of an axis alike, as torch does."""
    h5py = pytest.importorskip("h5py", reason="the extra spiking is not installed")
    one = trained()
    x = recordings().test.x[:3]
    y = as_dense(one.inputs(x)).double()
    with h5py.File(io.BytesIO(write_netx(one.quantized))) as file:
        kinds = [file[f"layer/{k}/type"][0] for k in range(7)]
        assert kinds == [b"input", *[b"conv"] * 4, b"flatten", b"dense"]
        shape = file["layer/0/shape"][()].tolist()
        for k in (1, 2, 3, 4, 6):
            layer = file[f"layer/{k}"]
            weight, rows = torch.from_numpy(layer["weight"][()]).double(), y.flatten(0, 1)
            if k < 6:
                pad, stride = (tuple(layer[key][()].tolist()) for key in ("padding", "stride"))
                assert tuple(weight.shape[2:]) == tuple(layer["kernelSize"][()])
                images = conv2d(rows.view(-1, *shape), weight, None, stride, pad, groups=int(layer["groups"][()]))
                shape = layer["shape"][()].tolist()
                assert list(images.shape[1:]) == shape
                sums, copies = images.flatten(1), shape[1] * shape[2]
            else:
                sums, copies = rows @ weight.t(), 1
            constants = (int(layer[f"neuron/{key}"][()]) for key in ("iDecay", "vDecay", "vThMant"))
            delay = layer["delay"][()].astype(int) if "delay" in layer else np.zeros(len(weight), int)
            plain = neurons(sums.long().view(*y.shape[:2], -1).numpy(), *constants, delay.repeat(copies))
            y = torch.from_numpy(plain).double()
    ours = one.engine.run(one.inputs(x), one.quantized).y.transpose(0, 1)
    assert ours.any()
    assert torch.equal(ours.double(), y)


def test_a_network_with_pools_cannot_be_exported_as_a_state_of_lava_dl() -> None:
    with pytest.raises(UserError, match="netx or nir"):
        formats(trained())["pt"]()


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["40a"], "40a does not fit into 34 x 34"),
        (["2ap2"], "2ap2 has windows of padding only. Use a padding below 2"),
        (["8c5p2", "2a", "2a", "2a", "6a"], "6a does not fit into 5 x 5"),
    ],
)
def test_pooling_windows_that_do_not_fit_are_refused(texts: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        convolutions(texts, (2, 34, 34))


@pytest.mark.parametrize("text", ["a", "8a2", "0a", "2as0", "2ap", "2c", "2a3c5"])
def test_a_malformed_layer_word_is_refused_with_the_expected_form(text: str) -> None:
    with pytest.raises(BoundsError, match=f"{text} is not a convolution like 16c5s2p2 .* or pooling like 3as2p1"):
        spec("model/slayer_snn", convolutions=("8c5", text))


@pytest.mark.parametrize("scale", [4.0, 3.98, 0.03, 0.01, math.inf])
def test_a_pools_weight_outside_the_grid_is_refused_by_cores_with_a_weight_grid(scale: float) -> None:
    task = Task("events", (2, 34, 34), 10)
    pooled, other = (
        spec("model/slayer_snn", convolutions=words, weight_scale=scale) for words in (("2a",), ("8c5s2",))
    )
    words = f"model.weight_scale={scale:g} is the weight of pooling; this core's above 0 range from 0.03125 to 3.96875"
    for core in (sim(), mock()):
        assert core.refuse(pooled.demand(task)) == words
        assert core.refuse(other.demand(task)) is None
    assert sim(arithmetic="float").refuse(pooled.demand(task)) is None
    for fits in (127 / 32, 1 / 32):
        assert sim().refuse(spec("model/slayer_snn", convolutions=("2a",), weight_scale=fits).demand(task)) is None


def test_a_pools_demand_of_the_chip_counts_existing_synapses_only() -> None:
    task = Task("events", (2, 34, 34), 10)
    demand = spec("model/slayer_snn", convolutions=("2a", "3c5s2p1"), hidden=(20,)).demand(task)
    assert demand.layers == (2312, 578, 192, 20, 10)
    assert demand.synapses == 578 * 4 + 192 * 2 * 25 + 192 * 20 + 20 * 10
    assert mock(synapses=demand.synapses).refuse(demand) is None
    assert "synapses are needed" in str(mock(synapses=demand.synapses - 1).refuse(demand))
