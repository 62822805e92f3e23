"""Networks in the Neuromorphic Intermediate Representation: differential equations of the neurons. Approximate.

A graph has no integer semantics: who runs it elsewhere computes in floats, with other rounding. What makes it exact
again here (time step, mantissas, decays) goes into the nodes' metadata.
Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15:8122 (2024).
"""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra
from neurobench.models.slayer.netx import LARGEST_DELAY, Found
from neurobench.models.slayer.neuron import GRID, POINT
from neurobench.models.slayer.parameters import Held

_CLOSE = 1e-4  # relative: float32 constants that ought to belong together


def write(layers: list[Held], dt: float) -> bytes:
    """Input, for each layer Linear - CubaLIF - Delay, Output. dt: seconds a step.

    With a = the decay a step: tau_syn = dt / ai, tau_mem = dt / av, w_in = 1 / ai, r = 1 / av: one Euler step of dt is
    one step of the neuron.
    """
    nir = import_extra("nir", "spiking", "a NIR graph")
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([layers[0].W.shape[0]])})}
    for k, layer in enumerate(layers):
        nodes[f"linear{k}"] = nir.Linear(layer.w.t().cpu().numpy().astype(np.float32))
        nodes[f"cuba{k}"] = _neuron(nir, k, layer, dt)
        nodes[f"delay{k}"] = nir.Delay(((1 + layer.delay.cpu().numpy()) * dt).astype(np.float32))
    nodes["output"] = nir.Output({"output": np.array([layers[-1].W.shape[1]])})
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata={"dt": dt})
    memory = io.BytesIO()
    nir.write(memory, graph)
    return memory.getvalue()


def _neuron(nir: Any, k: int, layer: Held, dt: float) -> Any:
    one = POINT if layer.unit != 1 else 1
    ai, av = (1 - share / one for share in layer.cuba[:2])
    if ai == 0 or av == 0:
        raise UserError(f"layer {k} has a decay of 0, whose time constant is infinite: NIR has no word for it")
    width = layer.W.shape[1]

    def each(value: float) -> np.ndarray:
        return np.full(width, value, np.float32)

    metadata = {"dt": dt, "arithmetic": "float"}
    if layer.unit != 1:
        numbers = (POINT - int(layer.cuba.ku), POINT - int(layer.cuba.kv), int(layer.cuba.threshold) // GRID)
        metadata = dict(zip(("iDecay", "vDecay", "vThMant"), numbers, strict=True))
        metadata |= {"dt": dt, "arithmetic": "fixed", "weight_scale": GRID, "state_scale": POINT, "eps": 0.01 / POINT}
    return nir.CubaLIF(
        tau_syn=each(dt / ai),
        tau_mem=each(dt / av),
        r=each(1 / av),
        v_leak=each(0),
        v_reset=each(0),
        v_threshold=each(layer.cuba.threshold * layer.unit),
        w_in=each(1 / ai),
        metadata=metadata,
    )


def read(name: str, dt: float) -> list[Found]:
    """Layers of a file, weights (I, C). Raises UserError with the node's name."""
    nir = import_extra("nir", "spiking", "a NIR graph")
    try:
        graph = nir.read(name)
    except Exception as fault:  # whatever a foreign file makes of the reader
        raise UserError(f"{name} is no NIR graph: {type(fault).__name__}: {fault}") from fault
    found: list[Found] = []
    weight = None
    for node_name, node in _in_order(nir, graph, name):
        where = f"{name}: node {node_name}"
        if isinstance(node, nir.Linear):
            weight = torch.from_numpy(np.array(node.weight, np.float32).T.copy())
            if found and found[-1].w.shape[1] != weight.shape[0]:
                raise UserError(f"{where} has {weight.shape[0]} inputs; {found[-1].w.shape[1]} neurons come before it")
        elif isinstance(node, nir.CubaLIF):
            if weight is None:
                raise UserError(f"{where} has no Linear node before it")
            decays, threshold = _constants(node, where, dt)
            found.append(Found(weight, None, decays, threshold))
            weight = None
        elif isinstance(node, nir.Delay) and found and weight is None:
            found[-1].delay = _delay(node, where, dt)
        elif not isinstance(node, nir.Input | nir.Output):
            raise UserError(f"{where} is a {type(node).__name__}; this model is made of Linear, CubaLIF and Delay")
    return found


def _in_order(nir: Any, graph: Any, name: str) -> list[tuple[str, Any]]:
    """Nodes along the one path from the input."""
    following: dict[str, list[str]] = {}
    for one, other in graph.edges:
        following.setdefault(one, []).append(other)
    starts = [key for key, node in graph.nodes.items() if isinstance(node, nir.Input)]
    if len(starts) != 1:
        raise UserError(f"{name} has {len(starts)} inputs; this model has one")
    path = starts
    while path[-1] in following:
        if len(following[path[-1]]) > 1 or len(path) > len(graph.nodes):
            raise UserError(f"{name}: node {path[-1]} leads to more than one node; this model's layers form one path")
        path.append(following[path[-1]][0])
    return [(key, graph.nodes[key]) for key in path]


def _constants(node: Any, where: str, dt: float) -> tuple[tuple[float, float], float]:
    """Decays in 1/4096 a step, and the threshold. Exact where the file carries integers."""
    for field in ("tau_syn", "tau_mem", "r", "w_in", "v_threshold"):
        values = np.asarray(getattr(node, field))
        if np.ptp(values) > 0:
            raise UserError(f"{where}: {field} differs between neurons; a layer of this model shares it")
    if np.any(node.v_leak) or np.any(node.v_reset):
        raise UserError(f"{where}: v_leak and v_reset must be 0; this model's neurons rest and restart there")
    ai, av = (dt / float(np.ravel(tau)[0]) for tau in (node.tau_syn, node.tau_mem))
    for field, wanted in (("w_in", 1 / ai), ("r", 1 / av)):
        there = float(np.ravel(getattr(node, field))[0])
        if abs(there / wanted - 1) > _CLOSE:
            raise UserError(f"{where}: {field} is {there:g}; with steps of {dt:g} s this model's would be {wanted:g}")
    told = node.metadata or {}
    if "iDecay" in told:
        return (int(told["iDecay"]), int(told["vDecay"])), int(told["vThMant"]) / GRID
    return (POINT * ai, POINT * av), float(np.ravel(node.v_threshold)[0])


def _delay(node: Any, where: str, dt: float) -> torch.Tensor:
    steps = np.rint(np.asarray(node.delay) / dt) - 1
    if steps.min() < 0 or steps.max() > LARGEST_DELAY:
        raise UserError(f"{where}: delays go from {steps.min() + 1:g} to {steps.max() + 1:g} steps; 1 to 63 are there")
    return torch.from_numpy(steps.astype(np.float32))
