"""The network as a NIR graph: Euler steps of its equations give the spikes of the engine, which are n steps later."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.models.learner import Initial
from neurobench.models.slayer.exports import formats
from neurobench.models.slayer.spikes import as_dense
from tests.models.slayer.conftest import learner, recordings, sim

nir = pytest.importorskip("nir", reason="the extra spiking is not installed")


def few() -> Split:
    return recordings().train.head(2)


def network(delays: tuple[int, ...] = (0, 0), core: Any = None) -> Any:
    """A network with weights in eighths, and a threshold that no sum of them equals."""
    decays = {"current_decay": 0.25, "voltage_decay": 0.125}
    one = learner(core, hidden=(12, 9), **decays, weight_norm=False, threshold=1.3, length=90.0)
    generator = torch.Generator().manual_seed(1)
    for k, layer in enumerate(one.layers):
        layer.v.copy_(torch.randint(-8, 12, layer.v.shape, generator=generator) / 8)
        if layer.delay is not None:
            layer.delay.fill_(delays[k])
    one.quantized = one._quantize()
    return one


def graph_of(one: Any, kind: str = "nir") -> Any:
    return nir.read(io.BytesIO(formats(one)[kind]()))


def chain(graph: Any) -> list[str]:
    """Node names from input to output: a file stores no order."""
    following, names = dict(graph.edges), ["input"]
    while names[-1] in following:
        names.append(following[names[-1]])
    return names


def euler(graph: Any, x: np.ndarray) -> np.ndarray:
    """Spikes (T, N, C) of the last layer; x (T, N, I). By NIR's equations, current first."""
    dt = graph.metadata["dt"]
    for node in [graph.nodes[name] for name in chain(graph)[1:-1]]:
        kind = type(node).__name__
        if kind == "Linear":
            x = x @ node.weight.T
        elif kind == "Delay":
            late = np.rint(node.delay / dt).astype(int)
            x = np.stack([np.concatenate([0 * x[:d, :, c], x[: len(x) - d, :, c]]) for c, d in enumerate(late)], 2)
        else:
            u, v, spikes = np.zeros(x.shape[1:]), np.zeros(x.shape[1:]), np.zeros(x.shape)
            for t, step in enumerate(x):
                u = u + dt / node.tau_syn * (node.w_in * step - u)
                v = v + dt / node.tau_mem * (node.v_leak - v + node.r * u)
                spikes[t] = v > node.v_threshold
                v = np.where(spikes[t] > 0, node.v_reset, v)
            x = spikes
    return x


@pytest.mark.parametrize("delays", [(0, 0), (3, 1)])
@pytest.mark.parametrize("kind", ["nir", "nir-snntorch"])
def test_the_exported_nir_graph_gives_the_networks_spikes(delays: tuple[int, ...], kind: str) -> None:
    one = network(delays, sim(arithmetic="float"))
    inputs = one.inputs(few().x)
    ours = one.engine.run(inputs, one.quantized).y.transpose(0, 1).numpy()
    graph = graph_of(one, kind)
    shift = int(graph.metadata["shift_steps"])
    theirs = euler(graph, as_dense(inputs).double().numpy())
    assert ours.sum() > 20
    assert shift == 3
    assert (theirs[:-shift] == ours[shift:]).all()


def test_the_nir_graph_has_delay_nodes_only_for_delays_above_0() -> None:
    plain = graph_of(network())
    kinds = [type(plain.nodes[name]).__name__ for name in chain(plain)]
    assert kinds == ["Input", *["Linear", "CubaLIF"] * 3, "Output"]
    delayed = graph_of(network((0, 2))).nodes
    assert set(formats(network())) == set(network().spec.formats)
    assert [name for name in delayed if "delay" in name] == ["delay1"]
    assert delayed["delay1"].delay == pytest.approx(np.full(9, 2e-3))
    assert delayed["linear0"].weight.dtype == np.float32
    assert plain.metadata["arithmetic"] == "fixed"


def test_a_nir_file_of_an_earlier_version_gives_the_same_delays(tmp_path: Path) -> None:
    """Its delays include the step from layer to layer, even if no delay was learned."""
    one = network((3, 1))
    graph = graph_of(one)
    nodes, late = {}, {"cuba0": (12, 4), "cuba1": (9, 2), "cuba2": (10, 1)}
    for name in chain(graph):
        if "delay" not in name:
            nodes[name] = graph.nodes[name]
        if name in late:
            nodes[f"late_{name}"] = nir.Delay(np.full(late[name][0], late[name][1] * 1e-3, np.float32))
    names = list(nodes)
    file = tmp_path / "earlier.nir"
    nir.write(file, nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata={"dt": 1e-3}))
    again = network()
    again.start(few(), Initial(file.name, file, None))
    assert [layer.delay.tolist() for layer in again.quantized] == [layer.delay.tolist() for layer in one.quantized]


def test_a_nir_node_that_the_model_does_not_support_is_refused_by_name(tmp_path: Path) -> None:
    full, file = (lambda value: np.full(10, value, np.float32)), tmp_path / "other.nir"
    linear = nir.Affine(np.ones((10, 2312), np.float32), full(1))
    neuron = nir.LIF(full(8e-3), full(1), full(0), full(1), full(0))
    for nodes, sentence in (
        ({"w": linear}, "node w has a bias; the neurons of this model have none"),
        ({"w": nir.Linear(linear.weight), "n": neuron}, "node n is a Neuron; this model is made of Linear, CubaLIF"),
    ):
        nir.write(file, nir.NIRGraph.from_list(*nodes.values()))
        with pytest.raises(UserError, match=sentence.replace("node w", "node (w|affine)").replace("node n", "node .*")):
            network().start(few(), Initial(file.name, file, None))
