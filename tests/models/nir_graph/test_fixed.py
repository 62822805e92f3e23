"""NIR graphs on a spiking core, compared with SLAYER's integers and a neuron in Python integers."""

from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.models.nir_graph.dynamics import Dynamics
from neurobench.models.nir_graph.fixed import on_core
from neurobench.models.nir_graph.network import GraphNetwork
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron, unroll
from neurobench.models.slayer.nir_files import write_nir
from neurobench.problems.nir_file import read_nir
from tests.models.nir_graph.test_graphs import CPU, EULER, cuba, full, graph, nir, written
from tests.specs import spec

CHIP = spec("backend/mock", "core").core


def on_chip(content: bytes, dt: float = 1.0) -> GraphNetwork:
    return on_core(GraphNetwork(read_nir(content, "file"), Dynamics(dt), CPU), CHIP)


LEAK = nir.LI(full(4), full(1), full(0))


def test_a_slayer_network_read_from_its_nir_file_fires_the_same_spikes_on_a_core() -> None:
    """Its NIR file has floats and the integers' scale: on the core it is the same network, apart from the shift."""
    random = np.random.default_rng(0)
    layers = []
    for inputs, width in ((12, 9), (9, 4)):
        W = torch.from_numpy(random.integers(-128, 128, (inputs, width)).astype(np.int8))
        neuron = FixedNeuron(4096 - 1024, 4096 - 128, 80 * 64, CHIP.u_limit, CHIP.v_limit)
        zero = torch.zeros(width, dtype=torch.int32)
        layers.append(QuantizedLayer(W, W.float() / 32, neuron, zero, torch.ones(width)))
    x = torch.from_numpy((random.random((60, 3, 12)) < 0.2).astype(np.float64))
    spikes = x
    for layer in layers:
        spikes = unroll(layer.neuron, (spikes @ layer.W.double()).long() * 128)[0].double()
    y = on_chip(write_nir(layers, 1e-3), 1e-3).run(x)
    assert 0.02 < y.mean() < 0.9
    assert torch.equal(y, spikes)


def test_weights_trained_beyond_the_range_of_slayers_are_scaled_instead_of_clipped() -> None:
    W, zero = torch.tensor([[-128, 126], [64, 4]], dtype=torch.int8), torch.zeros(2, dtype=torch.int32)
    neuron = FixedNeuron(4096 - 1024, 4096 - 128, 80 * 64, CHIP.u_limit, CHIP.v_limit)
    content = write_nir([QuantizedLayer(W, W.float() / 32, neuron, zero, torch.ones(2))], 1e-3)
    network = GraphNetwork(read_nir(content, "file"), Dynamics(1e-3), CPU)
    assert torch.equal(on_core(network, CHIP).parameters["linear0.weight"], 128 * W.t().double())
    network.parameters["linear0.weight"].mul_(2)  # to -8 and almost 8, for which a scale of 1/4 makes room
    assert torch.equal(on_core(network, CHIP).parameters["linear0.weight"], 128 * W.t().double() / 2)


def test_a_neuron_on_a_core_matches_a_computation_in_python_integers() -> None:
    """r dt / tau = 1/4 is multiplied into weights of at most 1, which leaves room for a scale of 8."""
    lif = nir.LIF(full(4), full(1), full(0), full(1), full(0))
    weight = np.array([[1.0, 0.5], [-0.25, 0.75]])
    x = np.random.default_rng(1).integers(0, 3, (50, 1, 2))
    y = on_chip(written(graph({"w": nir.Linear(weight), "n": lif}))).run(torch.from_numpy(x.astype(float)))
    mantissa = [[2 * round(w * 0.25 * 8 * 32) for w in row] for row in weight.tolist()]
    v, fired = [0, 0], []
    for step in x[:, 0].tolist():
        for k in range(2):
            z = sum(m * 64 * each for m, each in zip(mantissa[k], step, strict=True))
            v[k] = int(v[k] * 3072 / 4096) + z
            fired.append(float(v[k] > 8 * 4096))
            v[k] = 0 if fired[-1] else v[k]
    assert y.flatten().tolist() == fired
    assert sum(fired) > 5


def test_a_readout_without_threshold_has_the_units_of_the_graph_on_a_core() -> None:
    """Otherwise its cross-entropy would be that of logits thousands of times as large."""
    random = np.random.default_rng(2)
    nodes = {"w": nir.Linear(random.normal(size=(2, 2))), "o": LEAK}
    x = torch.from_numpy((random.random((40, 3, 2)) < 0.4).astype(float))
    content = written(graph(nodes))
    floats, integers = GraphNetwork(read_nir(content, "file"), EULER, CPU).run(x), on_chip(content).run(x)
    assert floats.abs().max() > 0.3
    torch.testing.assert_close(integers, floats.double(), rtol=0.02, atol=0.01)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ({"n": cuba()}, "node n follows the input, not weights"),
        ({"w": nir.Linear(np.eye(2)), "n": cuba(v_leak=1)}, "node n has a v_leak other than 0"),
        ({"w": nir.Linear(np.eye(2)), "n": cuba(v_threshold=0)}, "node n has a threshold of 0.0, not above 0"),
        ({"w": nir.Linear(np.eye(2)), "n": cuba(), "o": nir.Linear(np.eye(2))}, "node o leads to the output; .*"),
        ({"w": nir.Affine(np.eye(2), np.ones(2)), "n": cuba()}, "node w has a bias"),
        (
            {"w": nir.Linear(np.eye(2)), "i": LEAK, "o": nir.Linear(np.eye(2)), "n": cuba()},
            "node i has no threshold and leads to o",
        ),
        ({"s": nir.Scale(full(2)), "w": nir.Linear(np.eye(2)), "n": cuba()}, "node s is a Scale"),
        (
            {"w": nir.Linear(np.eye(2)), "n": cuba(), "d": nir.Delay(full(63))},
            "node d delays by 63 steps, more than 62",
        ),
    ],
)
def test_a_node_that_a_core_does_not_support_is_refused_by_name(nodes: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=f"{sentence}, which this core does not have"):
        on_chip(written(graph(nodes)))


def test_a_threshold_fits_below_the_largest_voltage_of_a_core_with_few_bits() -> None:
    """Scaled by the weights alone it would be 4 * 4096, which voltages of 14 bits and a sign do not reach."""
    small = spec("backend/mock", "core", state_bits=15).core
    lif = nir.LIF(full(4), full(1), full(0), full(1), full(0))
    network = GraphNetwork(read_nir(written(graph({"w": nir.Linear(2 * np.eye(2)), "n": lif})), "file"), EULER, CPU)
    floats, integers = network.run(torch.ones(50, 1, 2)), on_core(network, small).run(torch.ones(50, 1, 2).double())
    assert floats.sum() > 10
    assert torch.equal(integers.float(), floats)


def test_a_threshold_that_the_grid_rounds_to_0_or_voltages_do_not_reach_is_refused() -> None:
    lif = nir.LIF(full(4), full(1), full(0), full([1, 1e-3]), full(0))
    with pytest.raises(UserError, match="relative to its weights, node n has a threshold of less than 1/64"):
        on_chip(written(graph({"w": nir.Linear(np.eye(2)), "n": lif})))
    zero, W = torch.zeros(2, dtype=torch.int32), torch.tensor([[64, 0], [0, 64]], dtype=torch.int8)
    neuron = FixedNeuron(4096 - 1024, 4096 - 128, 80 * 64, CHIP.u_limit, CHIP.v_limit)
    content = write_nir([QuantizedLayer(W, W.float() / 32, neuron, zero, torch.ones(2))], 1e-3)
    network = GraphNetwork(read_nir(content, "file"), Dynamics(1e-3), CPU)
    with pytest.raises(UserError, match="a threshold of 5120/4096, not below the largest voltage 4095"):
        on_core(network, spec("backend/mock", "core", state_bits=13).core)


@pytest.mark.parametrize("setting", [{"scheme": "exponential"}, {"reset": "subtract"}, {"tie": "reached"}])
def test_a_scheme_reset_or_tie_other_than_the_cores_is_refused(setting: dict[str, Any]) -> None:
    network = GraphNetwork(read_nir(written(graph({"w": nir.Linear(np.eye(2)), "n": cuba()})), "file"), EULER, CPU)
    (name, value), *_ = setting.items()
    with pytest.raises(UserError, match=f"model.{name}={value} is not .*, which this core does not have"):
        on_core(GraphNetwork(network.graph, EULER._replace(**setting), CPU), CHIP)
