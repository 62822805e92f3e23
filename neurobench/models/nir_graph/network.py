"""Simulation of a spiking graph: all steps of a node at once outside cycles, step by step within a cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.models.nir_graph.dynamics import Dynamics, NeuronStep, steps_of, without_time
from neurobench.problems.spiking_graph import Delay, Edge, Neuron, SpikingGraph

LEARNED = ("weight", "bias", "scale")
ROUNDING = 1e-6  # relative, of a time constant that a file holds in float32


class GraphNetwork:
    """Runnable spiking graph. `parameters`: the learnable arrays, named "node.array"."""

    def __init__(self, graph: SpikingGraph, how: Dynamics, device: torch.device, dtype: torch.dtype = torch.float32):
        self.graph, self.how, self.device, self.dtype = graph, how, device, dtype
        self.parameters: dict[str, Tensor] = {}
        self.fixed: dict[str, Tensor] = {}
        self.neurons: dict[str, NeuronStep] = {}
        self.delays: dict[str, Tensor] = {}
        for name, node in graph.nodes.items():
            if isinstance(node, Neuron):
                self.neurons[name] = self._on_device(NeuronStep.of(node, how, dtype))
            elif isinstance(node, Delay):
                self.delays[name] = self._delay(name, node)
            else:
                self._take(name, node)

    def _take(self, name: str, node: Any) -> None:
        for field, value in node._asdict().items():
            if field in (*LEARNED, "threshold") and value is not None:
                tensor = torch.as_tensor(value).to(self.device, self.dtype)
                (self.parameters if field in LEARNED else self.fixed)[f"{name}.{field}"] = tensor

    def _on_device(self, neuron: NeuronStep) -> NeuronStep:
        tensors: dict[str, Any] = {k: part for k, part in neuron._asdict().items() if isinstance(part, Tensor)}
        return neuron._replace(**{name: part.to(self.device) for name, part in tensors.items()})

    def _delay(self, name: str, node: Delay) -> Tensor:
        try:
            steps = torch.as_tensor(steps_of(node, self.how.dt), device=self.device)
        except ValueError as fault:
            raise UserError(f"node {name} {fault}, which are not whole steps. Choose another dt.") from fault
        return steps.expand(self.graph.shapes[name])

    def run(self, x: Tensor, membranes: dict[str, Tensor] | None = None) -> Tensor:
        """Run from rest: x (T, B, *shape of the input) -> values of the output node (T, B, *shape). `membranes`, if
        given, receives v (T, B, *shape) of each neuron, after its reset."""
        outputs: dict[str, Tensor] = {"": x.to(self.device, self.dtype)}
        for block in self.graph.blocks:
            if len(block) > 1 or any(edge.late for edge in self.graph.sources[block[0]]):
                self._together(block, outputs, membranes)
                continue
            (name,) = block
            arriving = sum(outputs[edge.source] for edge in self.graph.sources[name])
            assert isinstance(arriving, Tensor)
            outputs[name] = self._alone(name, arriving, membranes)
        return outputs[self.graph.output]

    def _alone(self, name: str, x: Tensor, membranes: dict[str, Tensor] | None) -> Tensor:
        if name in self.delays:
            return delayed(x, self.delays[name])
        if name not in self.neurons:
            flat = x.reshape(-1, *x.shape[2:])
            return self._stateless(name, flat).reshape(*x.shape[:2], *self.graph.shapes[name])
        neuron, out, voltages = self.neurons[name], [], []
        state = neuron.rest(x[0])
        for each in x:
            s, state = neuron(each, state)
            out.append(s)
            voltages.append(state.v)
        if membranes is not None:
            membranes[name] = torch.stack(voltages)
        return torch.stack(out)

    def _together(self, block: list[str], outputs: dict[str, Tensor], membranes: dict[str, Tensor] | None) -> None:
        """Run the nodes of a cycle. Values on a late edge arrive one step later."""
        steps, batch = outputs[""].shape[:2]
        silent = {name: outputs[""].new_zeros(batch, *self.graph.shapes[name]) for name in block}
        memory: dict[str, Any] = {}
        made: dict[str, list[Tensor]] = {name: [] for name in block}
        voltages: dict[str, list[Tensor]] = {name: [] for name in block if name in self.neurons}
        for t in range(steps):
            for name in block:
                parts = [_carried(edge, t, made, outputs, silent) for edge in self.graph.sources[name]]
                x = parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)
                made[name].append(self._step(name, x, memory))
                if name in voltages:
                    voltages[name].append(memory[name].v)
        outputs |= {name: torch.stack(each) for name, each in made.items()}
        if membranes is not None:
            membranes |= {name: torch.stack(each) for name, each in voltages.items()}

    def _step(self, name: str, x: Tensor, memory: dict[str, Any]) -> Tensor:
        """Run one step of any node. `memory`: a neuron's state, or the recent inputs of a delay."""
        if name in self.neurons:
            neuron = self.neurons[name]
            out, memory[name] = neuron(x, memory.get(name) or neuron.rest(x))
            return out
        if name in self.delays:
            longest = int(self.delays[name].max())
            memory[name] = [*memory.get(name, []), x][-longest - 1 :]
            return delayed(torch.stack(memory[name]), self.delays[name])[-1]
        return self._stateless(name, x)

    def _stateless(self, name: str, x: Tensor) -> Tensor:
        node = self.graph.nodes[name]
        tensors = {**self.parameters, **self.fixed}
        parameters = {field: tensors[f"{name}.{field}"] for field in node._fields if f"{name}.{field}" in tensors}
        return without_time(node, parameters, x, self.how.tie == "reached")

    def shorter_than_a_step(self) -> list[str]:
        """Time constants below dt, for which an Euler step is no decay: "node a has tau_syn of 0.1 ms"."""
        if self.how.scheme == "exponential":
            return []
        least = {
            f"node {name} has {field}": float(np.min(value))
            for name, node in self.graph.nodes.items()
            if isinstance(node, Neuron)
            for field, value in (("tau_syn", node.tau_syn), ("tau_mem", node.tau_mem))
            if value is not None
        }
        return [f"{what} of {1e3 * tau:g} ms" for what, tau in least.items() if tau < self.how.dt * (1 - ROUNDING)]

    def load(self, parameters: Mapping[str, Tensor]) -> None:
        """Copy parameters into the network. Their names and shapes are those of the graph."""
        for name, tensor in self.parameters.items():
            tensor.data.copy_(parameters[name])


def _carried(
    edge: Edge, t: int, made: dict[str, list[Tensor]], outputs: dict[str, Tensor], silent: dict[str, Tensor]
) -> Tensor:
    """Value that arrives along an edge in step t, from a node of the same cycle or before it."""
    if edge.source not in made:
        return outputs[edge.source][t]
    if edge.late:
        return made[edge.source][t - 1] if t else silent[edge.source]
    return made[edge.source][t]


def delayed(x: Tensor, steps: Tensor) -> Tensor:
    """Delay x (T, B, *shape), each element by `steps` (*shape), with zeros before."""
    source = torch.arange(len(x), device=x.device).reshape(-1, *([1] * steps.dim())) - steps
    index = source.clamp(min=0).unsqueeze(1).expand_as(x)
    return x.gather(0, index) * (source >= 0).unsqueeze(1)
