"""Export and import of the network as a NIR graph: Input, for each layer Linear - CubaLIF (- Delay), Output.

A graph contains differential equations. With ai and av the decays of current and voltage per step, tau_syn = dt / ai,
tau_mem = dt / av, w_in = 1 / ai and r = 1 / av make an Euler step of dt, current first, a step of the neuron. norse,
snnTorch and SpikingJelly read it this way.
Here each layer's spikes arrive one step after they were fired, in a graph within the same step: elsewhere the whole
network is earlier by one step per layer (`shift_steps` in the graph's metadata). A layer has a Delay if a delay was
learned, which none of these three importers supports.
A graph has no integers either: other programs compute in floats, with other rounding. The values that make it exact
again here (mantissas, decays, their scale) are stored in the neurons' metadata.
Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15:8122 (2024).
"""

import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.models.slayer.network import LARGEST_DELAY, QuantizedLayer
from neurobench.models.slayer.neuron import GRID, POINT, FixedNeuron
from neurobench.problems.nir_file import read_nir_file
from neurobench.problems.spiking_graph import Delay, Neuron, SpikingGraph, Weights

SNNTORCH_DT = 1e-4  # s; fixed in its importer, regardless of the graph
_CLOSE = 1e-4  # relative tolerance between float32 constants that should match


def extra(name: str) -> Any:
    """Import an optional module. Raises UserError if it is not installed."""
    try:
        return import_module(name)
    except ImportError as fault:
        raise UserError(f"this needs the package {name}: in a checkout, pip install -e '.[spiking]'") from fault


def require(fits: Any, sentence: str) -> None:
    if not fits:
        raise UserError(sentence)


@dataclass
class FileLayer:
    w: Tensor  # (I, C) in units of 1
    delay: Tensor  # (C,) steps
    decays: tuple[float, float]  # in 1/4096 a step
    threshold: float  # in units of the weights


def integers(layer: QuantizedLayer) -> dict[str, int]:
    """Integer constants of the neuron by lava's names."""
    ku, kv, threshold = map(int, layer.neuron[:3])
    return {"iDecay": POINT - ku, "vDecay": POINT - kv, "vThMant": threshold // GRID}


def write_nir(layers: list[QuantizedLayer], dt: float) -> bytes:
    """Content of the NIR file. dt: seconds per step. Raises UserError if a decay is 0."""
    nir = extra("nir")
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([layers[0].W.shape[0]])})}
    for k, layer in enumerate(layers):
        nodes[f"linear{k}"] = nir.Linear(layer.w.t().cpu().numpy().astype(np.float32))
        nodes[f"cuba{k}"] = _neuron(nir, k, layer, dt)
        if layer.delay.any():
            nodes[f"delay{k}"] = nir.Delay((layer.delay.cpu().numpy() * dt).astype(np.float32))
    nodes["output"] = nir.Output({"output": np.array([layers[-1].W.shape[1]])})
    fixed = isinstance(layers[0].neuron, FixedNeuron)
    metadata = {"dt": dt, "shift_steps": len(layers), "arithmetic": "fixed" if fixed else "float"}
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), metadata=metadata)
    memory = io.BytesIO()
    nir.write(memory, graph)
    return memory.getvalue()


def _neuron(nir: Any, k: int, layer: QuantizedLayer, dt: float) -> Any:
    neuron = layer.neuron
    ai, av = (1 - k * neuron.lsb for k in (neuron.ku, neuron.kv))
    if ai == 0 or av == 0:
        raise UserError(f"layer {k} has a decay of 0, whose time constant is infinite: NIR cannot express it")
    metadata: dict[str, Any] = {"dt": dt, "arithmetic": "float"}
    if isinstance(neuron, FixedNeuron):
        scales = {"weight_scale": GRID, "state_scale": POINT, "eps": 0.01 / POINT}
        metadata = {**integers(layer), "dt": dt, "arithmetic": "fixed", **scales}
    constants = {"tau_syn": dt / ai, "tau_mem": dt / av, "r": 1 / av, "w_in": 1 / ai, "v_leak": 0, "v_reset": 0}
    constants["v_threshold"] = neuron.threshold * neuron.lsb
    arrays = {name: np.full(layer.W.shape[1], value, np.float32) for name, value in constants.items()}
    return nir.CubaLIF(**arrays, metadata=metadata)


def read_nir(name: str, dt: float) -> list[FileLayer]:
    """Read the layers of a NIR file, weights (I, C). Raises UserError with the node's name."""
    graph = read_nir_file(Path(name))
    net: list[FileLayer] = []
    weight: Tensor | None = None
    for node_name in _path(graph, name):
        node, where = graph.nodes[node_name], f"{name}: node {node_name}"
        if isinstance(node, Weights):
            require(node.bias is None, f"{where} has a bias; the neurons of this model have none")
            weight = torch.from_numpy(node.weight.astype(np.float32).T.copy())
        elif isinstance(node, Neuron) and node.tau_syn is not None and node.v_threshold is not None:
            if weight is None:
                raise UserError(f"{where} has no Linear node before it")
            decays, threshold = _constants(node, graph.metadata[node_name], where, dt)
            net.append(FileLayer(weight, torch.zeros(weight.shape[1]), decays, threshold))
            weight = None
        elif isinstance(node, Delay) and net and weight is None:
            net[-1].delay = _delay(node, len(net[-1].delay), _counts_arrival(graph), where, dt)
        else:
            kind = type(node).__name__
            raise UserError(f"{where} is a {kind}; this model is made of Linear, CubaLIF and Delay. {_ELSEWHERE}")
    return net


_ELSEWHERE = "model=nir_graph runs other graphs."


def _path(graph: SpikingGraph, name: str) -> list[str]:
    """Nodes along the only path from the input."""
    sentence = f"{name} has recurrent edges; this model's layers form one path. {_ELSEWHERE}"
    require(not graph.is_recurrent, sentence)
    before = ""
    for key in graph.nodes:
        sources = [edge.source for edge in graph.sources[key]]
        sentence = f"{name}: node {before} leads to more than one node; this model's layers form one path. {_ELSEWHERE}"
        require(sources == [before], sentence)
        before = key
    return list(graph.nodes)


def _counts_arrival(graph: SpikingGraph) -> bool:
    """Whether delays include the step from layer to layer, as in files of earlier versions of this program."""
    ours = any("arithmetic" in metadata for key, metadata in graph.metadata.items() if key)
    return ours and "shift_steps" not in graph.metadata[""]


def _delay(node: Delay, width: int, counts_arrival: bool, where: str, dt: float) -> Tensor:
    exact = node.seconds / dt
    steps = np.rint(exact) - counts_arrival
    off = float(np.abs(exact - np.rint(exact)).max())
    require(off <= 1e-3, f"{where}: a delay is {off:g} of a step of {dt:g} s off a whole number of steps")
    sentence = f"{where}: delays range from {steps.min():g} to {steps.max():g} steps, not 0 to {LARGEST_DELAY}"
    require(steps.min() >= 0 and steps.max() <= LARGEST_DELAY, sentence)
    return torch.from_numpy(np.broadcast_to(steps, width).astype(np.float32))


def _constants(node: Neuron, metadata: Mapping[str, Any], where: str, dt: float) -> tuple[tuple[float, float], float]:
    """Decays in 1/4096 a step, and the threshold. Exact if the file contains integers."""
    values = {name: value for name, value in node._asdict().items() if value is not None}
    for field in ("tau_syn", "tau_mem", "r", "w_in", "v_threshold"):
        sentence = f"{where}: {field} differs between neurons; a layer of this model shares it"
        require(np.ptp(values[field]) == 0, sentence)
    sentence = f"{where}: v_leak and v_reset must be 0; this model's neurons rest and restart there"
    require(not np.any(node.v_leak) and not np.any(node.v_reset), sentence)
    tau_syn, tau_mem, r, w_in, threshold = (
        float(np.ravel(values[field])[0]) for field in ("tau_syn", "tau_mem", "r", "w_in", "v_threshold")
    )
    ai, av = dt / tau_syn, dt / tau_mem
    for field, share in (("tau_syn", ai), ("tau_mem", av)):
        sentence = f"{where}: {field} is {dt / share:g} s, shorter than a step of {dt:g} s: its decay would exceed 1"
        require(share <= 1 + _CLOSE, sentence)
    for field, value, expected in (("w_in", w_in, 1 / ai), ("r", r, 1 / av)):
        sentence = f"{where}: {field} is {value:g}; with steps of {dt:g} s this model's would be {expected:g}"
        require(abs(value / expected - 1) <= _CLOSE, sentence)
    if "iDecay" in metadata:
        return _integer_constants(metadata, (POINT * ai, POINT * av, GRID * threshold), where)
    return (POINT * ai, POINT * av), threshold


def _integer_constants(
    metadata: Mapping[str, Any], equations: tuple[float, float, float], where: str
) -> tuple[tuple[float, float], float]:
    """Decays and threshold from the integers in a node's metadata. Raises UserError if they are not those of its
    equations, as when another program has changed these and copied the metadata."""
    values = []
    for name, expected in zip(("iDecay", "vDecay", "vThMant"), equations, strict=True):
        stated = metadata.get(name)
        sentence = f"{where}: its metadata give {name}={stated}, its equations {expected:.6g}: remove the metadata"
        require(isinstance(stated, int | np.integer) and abs(stated - expected) < 0.5, sentence)
        values.append(int(stated or 0))
    i, v, threshold = values
    return (i, v), threshold / GRID
