"""Convolutions and pools equal the dense layers with their unrolled weights: the same spikes to the bit, the same
gradients."""

import io
import math

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.models.learner import Initial, Step
from neurobench.models.slayer.architecture import convolutions
from neurobench.models.slayer.convolution import sparse_weights, unrolled
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import Dropout, EventEngine
from neurobench.models.slayer.evaluation import operations
from neurobench.models.slayer.exports import formats, write_netx
from neurobench.models.slayer.network import QuantizedLayer, weights_of
from neurobench.models.slayer.neuron import FixedNeuron, FloatNeuron, lava_surrogate
from neurobench.models.slayer.spikes import as_dense, from_dense
from tests.models.slayer.conftest import learner, mock, recordings
from tests.models.slayer.plain import layer as plain_layer

NEURON = FixedNeuron(3072, 3973, 5120, 2**23, 2**23 - 1)
FLOAT = FloatNeuron(0.75, 0.96875, 1.25)
SPARSE = {"words": ("4c2s3", "3c1s2")}  # strides that skip inputs
POOLED = {"words": ("2a", "4c3p1", "3as2p1")}  # the first pool exceeds the last column, the second both ends
T, N = 30, 3


def by_hand(W, conv):
    """The unrolled matrix, by loops over every kernel, position and weight."""
    (channels, rows, columns), (outputs, high, wide) = conv.inputs, conv.outputs
    full = np.zeros((channels, rows, columns, outputs, high, wide), W.numpy().dtype)
    kernel = W.numpy().reshape(channels, conv.kernel, conv.kernel, outputs)
    for c, i, j, row, column in np.ndindex(channels, conv.kernel, conv.kernel, high, wide):
        y, x = row * conv.stride - conv.padding + i, column * conv.stride - conv.padding + j
        if 0 <= y < rows and 0 <= x < columns:
            full[c, y, x, :, row, column] = kernel[c, i, j]
    return torch.from_numpy(full.reshape(channels * rows * columns, -1))


def network(seed=0, neuron=NEURON, words=("4c3s2p1", "3c2")):
    """Layers, inputs and a random gradient; the last sample is silent."""
    generator = torch.Generator().manual_seed(seed)
    convs = convolutions(list(words), (2, 8, 7))
    layers = []
    for conv in (*convs, None):
        fan_in, width = (math.prod(convs[-1].outputs), 5) if conv is None else (conv.fan_in, conv.channels)
        W = torch.randint(-60, 90, (fan_in, width), generator=generator, dtype=torch.int8)
        if conv is not None and conv.pools:
            W = (40 * torch.eye(width, dtype=torch.int8)).repeat_interleave(fan_in // width, 0)
        delay = torch.randint(0, 4, (width,), generator=generator, dtype=torch.int32)
        if isinstance(neuron, FloatNeuron):  # sums of such weights are exact in any order
            W = W / 64
        real = weights_of(W) if isinstance(neuron, FixedNeuron) else W
        layers.append(QuantizedLayer(W, real, neuron, delay, torch.ones(width), conv))
    x = (torch.rand(T, N, 2 * 8 * 7, generator=generator) < 0.1).float()
    x[:, -1] = 0
    return layers, x, torch.rand(N, T, 5, generator=generator) - 0.5


@pytest.mark.parametrize("network_of", [{}, POOLED])
def test_unrolled_weights_match_those_from_loops_over_the_kernels(network_of):
    for layer in network(**network_of)[0][:-1]:
        assert torch.equal(unrolled(layer).W, by_hand(layer.W, layer.conv))
        assert torch.equal(sparse_weights(layer.W, layer.conv).to_dense(), by_hand(layer.W, layer.conv))


@pytest.mark.parametrize("engine", [EventEngine(), DenseEngine(torch.device("cpu"))], ids=["event", "dense"])
@pytest.mark.parametrize(
    ("keep_prob", "network_of"),
    [
        (1.0, {}),
        (0.75, {}),
        (0.75, SPARSE),
        (1.0, {"neuron": FLOAT}),
        (1.0, {"neuron": FLOAT, **SPARSE}),
        (1.0, POOLED),
        (0.75, POOLED),
        (1.0, {"neuron": FLOAT, **POOLED}),
    ],
    ids=["whole", "dropout", "sparse", "float", "float-sparse", "pooled", "pooled-dropout", "float-pooled"],
)
def test_spikes_and_gradients_are_those_of_the_unrolled_dense_network(keep_prob, network_of, engine):
    layers, x, g = network(**network_of)
    dense = [unrolled(layer) for layer in layers]
    dropout = None
    if keep_prob < 1:
        generator = torch.Generator().manual_seed(1)
        masks = [(torch.rand(N, each.W.shape[1], generator=generator) < keep_prob).byte() for each in dense[:-1]]
        dropout = Dropout(masks, keep_prob)
    events = EventEngine()
    act = engine.run(from_dense(x), layers, dropout, learns=True)
    reference = events.run(from_dense(x), dense, dropout, learns=True)
    assert act.y.sum() > 0
    assert torch.equal(act.y, reference.y)
    for one, other in zip(act.fired, reference.fired, strict=True):
        assert torch.equal(one, other)
    for find in ("voltages", "arrived"):
        for one, other in zip(getattr(engine, find)(), getattr(events, find)(), strict=True):
            assert torch.equal(one.double(), other.double())
    surrogate = lava_surrogate(1.25, 0.03, 3.0)
    pairs = zip(layers, engine.gradients(g, surrogate), events.gradients(g, surrogate), strict=True)
    for layer, grad, full in pairs:
        channels = layer.W.shape[1]
        delays = full.delay if layer.conv is None else full.delay.view(channels, -1).sum(1)
        torch.testing.assert_close(grad.delay, delays, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(grad.dD, full.dD, rtol=1e-4)
        if layer.conv is not None and layer.conv.pools:
            continue  # its weights have no gradient
        dw, expected = grad.parts.sum(0) * grad.factor, full.parts.sum(0) * full.factor
        if layer.conv is not None:
            # each weight's gradient is the sum over its places: the transpose of unrolling, weight by weight
            one_hot = torch.eye(layer.W.shape[0], dtype=torch.int8)
            marks = [by_hand(row[:, None].expand(-1, channels), layer.conv).float() for row in one_hot]
            expected = torch.stack([(mark * expected).sum(0).view(channels, -1).sum(1) for mark in marks])
        torch.testing.assert_close(dw, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_a_kernel_larger_than_its_input_is_refused():
    with pytest.raises(UserError, match="9c9 does not fit into 8 x 7"):
        convolutions(["9c9"], (2, 8, 7))


def test_operations_are_the_fan_out_of_arriving_spikes():
    layers, x, _ = network()
    dense = [layer if layer.conv is None else unrolled(layer._replace(W=torch.ones_like(layer.W))) for layer in layers]
    act = DenseEngine(torch.device("cpu")).run(from_dense(x), layers)
    expected = int((x.sum((0, 1)) @ dense[0].W.float()).sum())
    assert act.tally[0]["operations"] == expected


def test_a_netx_file_contains_the_kernels_with_their_layers_shapes_and_strides():
    h5py = pytest.importorskip("h5py")
    layers, _, _ = network()
    with h5py.File(io.BytesIO(write_netx(layers))) as file:
        kinds = [file[f"layer/{k}/type"][0] for k in range(5)]
        assert kinds == [b"input", b"conv", b"conv", b"flatten", b"dense"]
        first = file["layer/1"]
        assert first["shape"][()].tolist() == [4, 4, 4]
        assert first["stride"][()].tolist() == [2, 2]
        assert first["weight"].shape == (4, 2, 3, 3)
        assert first["weight"][3, 1, 2, 0] == 2 * layers[0].W[1 * 9 + 2 * 3 + 0, 3]


def test_synapses_are_counted_where_a_kernel_covers_an_input():
    """Entries of the unrolled matrix outside the kernels do not count, and a weight of a kernel counts once."""
    one = learner(hidden=(20,), convolutions=("2c9s8p1", "3c2"))
    counted = operations(one, recordings().test.x[:2])
    for layer, connection, population, size in zip(
        one.quantized, counted.connections, counted.populations, one.sizes[1:], strict=True
    ):
        assert (connection.weights, population.total) == (layer.W.numel(), 2 * 300 * size)
        if layer.conv is not None:
            assert torch.equal(connection.fanout, (by_hand(layer.W, layer.conv) != 0).sum(1))
            assert torch.equal(connection.dense_fanout, by_hand(torch.ones_like(layer.W), layer.conv).long().sum(1))
    other, events = DenseEngine(torch.device("cpu")), EventEngine()
    for engine, layers in ((other, one.quantized), (events, [unrolled(each) for each in one.quantized])):
        engine.run(one.inputs(recordings().test.x[:2]), layers, learns=True)
        for connection, arrived in zip(counted.connections, engine.arrived(), strict=True):
            assert torch.equal(connection.arrived, arrived)
    assert counted.connections[1].arrived.sum() > 0
    assert all(map(torch.equal, other.voltages(), (each.long() for each in events.voltages())))


def trained(core=None, words=("3c9s4p1", "4c3s2")):
    """A learner after two updates on real recordings, with delays longer than those it would learn."""
    one = learner(core, hidden=(20,), convolutions=words, lr=0.02, dropout=0.2, threshold=0.5)
    for layer in one.layers[:-1]:
        layer.delay.mul_(9)
    for k in range(2):
        one.learn(recordings().train.batch(slice(8)), Step(k, 2, 0, 2))
    return one


def test_backends_mock_and_sim_give_the_spikes_of_an_independent_model_of_the_chip():
    ours, chip = trained(), trained(mock())
    x = recordings().test.x[:4]
    wanted = as_dense(ours.inputs(x)).numpy().astype(np.int64)
    for layer in chip.quantized:
        m, neuron, copies = 2 * layer.W.long(), layer.neuron, 1
        if layer.conv is not None:
            m, copies = 2 * by_hand(layer.W, layer.conv).long(), layer.conv.positions
        constants = (4096 - neuron.ku, 4096 - neuron.kv, neuron.threshold // 64)
        wanted = plain_layer(wanted, m.t().numpy(), *constants, layer.delay.numpy().repeat(copies))
    assert wanted.sum() > 20
    for one in (ours, chip):
        y = one.engine.run(one.inputs(x), one.quantized, counted=True).y
        np.testing.assert_array_equal(y.transpose(0, 1).numpy(), wanted)


@pytest.mark.parametrize("words", [("3c9s4p1", "4c3s2"), ("2a", "3c3s2", "3a")])
def test_a_dense_network_started_from_a_convolutional_nir_file_gives_the_same_spikes(tmp_path, words):
    pytest.importorskip("nir", reason="the extra spiking is not installed")
    one = trained(words=words)
    file = tmp_path / "model.nir"
    file.write_bytes(formats(one)["nir"]())
    other = learner(hidden=one.sizes[1:-1], threshold=0.5, weight_norm=False)
    other.start(recordings().train, Initial("model.nir", file, None))
    x = recordings().test.x[:4]
    ours, theirs = (each.engine.run(each.inputs(x), each.quantized) for each in (one, other))
    assert ours.y.any()
    for mine, same in zip((ours.y, *ours.fired), (theirs.y, *theirs.fired), strict=True):
        assert torch.equal(mine, same)
