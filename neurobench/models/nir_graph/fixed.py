"""A graph on a spiking core, with weights on the chip's grid and neurons in integers.

A neuron is linear up to its threshold. Factors on its input (w_in, r, dt / tau) are therefore multiplied into the
weights before it, and weights and threshold are scaled together by the largest power of two that fits the chip.
Arithmetic: lava `PyLifModelBitAcc`; even mantissas of 8 bits and a sign as in lava-dl's slayer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.core.specs import FixedCore
from neurobench.models.nir_graph.dynamics import Dynamics, State
from neurobench.models.nir_graph.network import GraphNetwork
from neurobench.problems.spiking_graph import Convolution, Delay, Flatten, Neuron, Pool, SpikingGraph, Weights

POINT, GRID = 4096, 64  # decays and states are in 1/4096, mantissas of weights and thresholds in 1/64
SMALLEST, LARGEST = -256 / GRID, 254 / GRID  # weights
LARGEST_DELAY = 62  # steps


class FixedStep(NamedTuple):
    """Integer step: u = trunc(u ku / 4096) + x, wrapped once; v = trunc(v kv / 4096) + u, clipped; a spike if
    v > threshold, then v = 0. States are integers in units of 1/4096, in float64, where their products are exact.
    Without a threshold the output is v in the units of the graph, as a host that reads the state converts it."""

    ku: Tensor
    kv: Tensor
    threshold: Tensor | None
    core: FixedCore
    unit: float  # state that is a v of 1 in the graph

    def to(self, device: torch.device) -> FixedStep:
        threshold = None if self.threshold is None else self.threshold.to(device)
        return self._replace(ku=self.ku.to(device), kv=self.kv.to(device), threshold=threshold)

    def rest(self, x: Tensor) -> State:
        return State(torch.zeros_like(x), torch.zeros_like(x))

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        limit = self.core.u_limit
        u = torch.trunc(state.u * self.ku / POINT) + x
        u = torch.where(u > limit, u - 2 * limit, torch.where(u <= -limit, u + 2 * limit, u))
        v = torch.trunc(state.v * self.kv / POINT) + u
        v = v.clamp(-self.core.v_limit, self.core.v_limit)
        if self.threshold is None:
            return v / self.unit, State(u, v)
        s = (v > self.threshold).to(v.dtype)
        return s, State(u, v * (1 - s))


def on_core(network: GraphNetwork, core: FixedCore) -> GraphNetwork:
    """The network with its current weights, in integers. Raises UserError that names a node or setting which the core
    does not support."""
    graph, how = network.graph, network.how
    for setting, value in (("scheme", "euler"), ("reset", "value"), ("tie", "above")):
        _require(getattr(how, setting) == value, f"model.{setting}={getattr(how, setting)} is not {value}")
    fixed = GraphNetwork(graph, how, network.device, torch.float64)
    for name, delay in fixed.delays.items():
        _require(
            int(delay.max()) <= LARGEST_DELAY,
            f"node {name} delays by {int(delay.max())} steps, more than {LARGEST_DELAY}",
        )
    for name, node in graph.nodes.items():
        if isinstance(node, Neuron):
            targets = _targets(graph, name)
            sentence = f"node {name} has no threshold and leads to {', '.join(targets)}"
            _require(node.v_threshold is not None or not targets, sentence)
            sources = _weights_before(graph, name)
            gain = torch.as_tensor(np.broadcast_to(_gain(node, how), graph.shapes[name]).copy(), device=network.device)
            raw = {key: network.parameters[f"{key}.weight"].double() for key in sources}
            weights = {key: w * _per_output(gain, graph, key) for key, w in raw.items()}
            integers = "iDecay" in graph.metadata[name] and all(map(_fits, weights.values()))  # of SLAYER: unchanged
            scale = 1.0 if integers else _scale(node, weights, core)
            for key, w in weights.items():
                mantissas = 2 * (w * scale * GRID / 2).round().clamp(-128, 127)
                fixed.parameters[f"{key}.weight"] = mantissas * GRID
            step = _step(node, how, scale, core)
            _require_threshold(step, name)
            fixed.neurons[name] = step.to(network.device)  # type: ignore[assignment]
        else:
            _require_known(graph, name)
    return fixed


def _weights_before(graph: SpikingGraph, name: str) -> list[str]:
    _require_rest(graph.nodes[name], name)
    sources = [edge.source for edge in graph.sources[name]]
    for key in sources:
        source = type(graph.nodes[key]).__name__ if key else "the input"
        _require(
            key and isinstance(graph.nodes[key], Weights | Convolution), f"node {name} follows {source}, not weights"
        )
    return sources


def _require_rest(node: object, name: str) -> None:
    assert isinstance(node, Neuron)
    for field in ("v_leak", "v_reset"):
        value = getattr(node, field)
        _require(value is None or not np.any(value), f"node {name} has a {field} other than 0")
    least = None if node.v_threshold is None else np.min(node.v_threshold)
    _require(least is None or least > 0, f"node {name} has a threshold of {least}, not above 0")


def _require_threshold(step: FixedStep, name: str) -> None:
    """Refuse thresholds that become 0 on the grid, which any voltage exceeds, or that no clipped voltage exceeds."""
    if step.threshold is not None:
        least, most, limit = int(step.threshold.min()), int(step.threshold.max()), step.core.v_limit
        _require(least > 0, f"relative to its weights, node {name} has a threshold of less than 1/{GRID}")
        _require(most < limit, f"node {name} has a threshold of {most}/{POINT}, not below the largest voltage {limit}")


def _require_known(graph: SpikingGraph, name: str) -> None:
    node = graph.nodes[name]
    sound = isinstance(node, Weights | Convolution | Flatten | Delay) or (isinstance(node, Pool) and not node.mean)
    _require(sound, f"node {name} is a {type(node).__name__}{' of means' if isinstance(node, Pool) else ''}")
    bias = getattr(node, "bias", None)
    _require(bias is None or not np.any(bias), f"node {name} has a bias")
    if isinstance(node, Weights | Convolution):
        after = _targets(graph, name)
        alone = len(after) == 1 and isinstance(graph.nodes[after[0]], Neuron)
        targets = ", ".join(f"{each} ({type(graph.nodes[each]).__name__})" for each in after) or "the output"
        _require(alone, f"node {name} leads to {targets}; weights may lead to only one population")


def _targets(graph: SpikingGraph, name: str) -> list[str]:
    return [target for target, edges in graph.sources.items() if any(edge.source == name for edge in edges)]


def _require(fits: object, sentence: str) -> None:
    if not fits:
        raise UserError(f"{sentence}, which this core does not have. Set model.core=null to run the graph in floats.")


def _gain(node: Neuron, how: Dynamics) -> np.ndarray:
    """Factor from an input to the voltage in one step."""
    synapse = 1.0 if node.tau_syn is None else how.dt / node.tau_syn * (1.0 if node.w_in is None else node.w_in)
    membrane = how.dt * node.r if node.tau_mem is None else how.dt / node.tau_mem * node.r
    return np.asarray(synapse * membrane, np.float64)


def _per_output(gain: Tensor, graph: SpikingGraph, key: str) -> Tensor:
    """Gain of each output of a layer, or of each channel of a convolution, within which it must be uniform."""
    if isinstance(graph.nodes[key], Weights):
        return gain[:, None]
    flat = gain.flatten(1)
    _require(bool((flat == flat[:, :1]).all()), f"node {key} leads to neurons of one channel that differ")
    return flat[:, :1, None, None]


def _fits(w: Tensor) -> bool:
    """Whether weights are within the chip's mantissas, which SLAYER's may leave when they are trained further."""
    return bool((w >= SMALLEST).all() and (w <= LARGEST).all())


def _scale(node: Neuron, weights: dict[str, Tensor], core: FixedCore) -> float:
    largest = max((float(w.abs().max()) for w in weights.values()), default=0.0)
    room = LARGEST / largest if largest else 1.0
    if node.v_threshold is not None:
        highest = min(core.threshold_mantissa / GRID, (core.v_limit - 1) / POINT)  # which a clipped voltage exceeds
        room = min(room, highest / float(np.max(node.v_threshold)))
    return 2.0 ** math.floor(math.log2(room))


def _step(node: Neuron, how: Dynamics, scale: float, core: FixedCore) -> FixedStep:
    def remaining(tau: np.ndarray | None, without: int, bounds: tuple[int, int]) -> Tensor:
        decay = np.full(1, without) if tau is None else np.rint(POINT * how.dt / tau)
        return POINT - torch.as_tensor(decay.clip(*bounds), dtype=torch.float64)

    threshold = None
    if node.v_threshold is not None:
        threshold = torch.as_tensor(np.floor(GRID * scale * node.v_threshold) * GRID, dtype=torch.float64)
    return FixedStep(
        remaining(node.tau_syn, POINT, core.i_decay),
        remaining(node.tau_mem, 0, core.v_decay),
        threshold,
        core,
        POINT * scale,
    )
