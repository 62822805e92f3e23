"""Operation counts by PyPI's `neurobench` for networks that are read from a file, one sample per batch.

Run by `tests/bench/bench_counts.py` in a separate process, because both packages have the same import name: nothing of
this project can be imported here. argv: the cases (torch.save of {case: {"layers": [...], "x": ...}}), the answers
(JSON).
"""

import contextlib
import io
import json
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import (
    ActivationSparsity,
    ActivationSparsityByLayer,
    MembraneUpdates,
    SynapticOperations,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from neurobench.models import SNNTorchModel, TorchModel

METRICS = [
    [Footprint, ParameterCount, ConnectionSparsity],
    [ActivationSparsity, ActivationSparsityByLayer, SynapticOperations, MembraneUpdates],
]
SPIKING = ("synaptic", "cuba")


def held(values: Tensor | None) -> nn.Parameter | None:
    """Untrained parameter of the stored type, integers included; None for None."""
    return None if values is None else nn.Parameter(values, requires_grad=False)


class Linear(nn.Linear):
    """Linear layer whose weight still counts if stored as bytes."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        super().__init__(weight.shape[1], weight.shape[0], bias=bias is not None)
        self.weight, self.bias = held(weight), held(bias)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.float(), self.bias)


class Conv(nn.Conv2d):
    def __init__(self, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0):
        super().__init__(weight.shape[1], weight.shape[0], weight.shape[2], stride, padding, bias=bias is not None)
        self.weight, self.bias = held(weight), held(bias)


class Affine(nn.Module):
    """Fixed affine map: no learned parameters, no synapses."""

    def __init__(self, factor: float, offset: float):
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x + self.offset


class Cuba(snntorch.SpikingNeuron):
    """The chip's integer neuron, in 64-bit integers; `mem` is the membrane state passed from step to step.

    u = trunc(u ku / 4096) + 128 x, wrapped;   v = clip(trunc(mem kv / 4096) + u);   s = v > threshold;   mem = 0 or v
    """

    def __init__(self, constants: Tensor, u_limit: int, v_limit: int):
        nn.Module.__init__(self)  # the parent's would register buffers that only snnTorch's neurons need
        self.init_hidden, self.output, self._reset_mechanism = True, False, "zero"
        self.constants = held(constants)  # (3,) int32: ku, kv, threshold
        self.u_limit, self.v_limit = u_limit, v_limit
        self.rest()

    def rest(self) -> None:
        self.u, self.mem = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)

    def forward(self, x: Tensor) -> Tensor:
        ku, kv, threshold = self.constants.tolist()
        self.u, self.mem = self.u.expand(x.shape), self.mem.expand(x.shape)
        u = self.u.sign() * (self.u.abs() * ku // 4096) + 128 * x.long()
        turn = 2 * self.u_limit
        self.u = torch.where(u > self.u_limit, u - turn, torch.where(u <= -self.u_limit, u + turn, u))
        v = self.mem.sign() * (self.mem.abs() * kv // 4096) + self.u
        v = v.clamp(-self.v_limit, self.v_limit)
        self.mem = torch.where(v > threshold, 0, v)
        return (v > threshold).float()


class Delay(nn.Module):
    """Axonal delay: a spike of neuron c arrives 1 + delay[c] steps later."""

    def __init__(self, delay: Tensor):
        super().__init__()
        self.delay = held(delay)
        self.rest()

    def rest(self) -> None:
        self.past: list[Tensor] = []

    def forward(self, s: Tensor) -> Tensor:
        self.past.append(s)
        now, past = len(self.past) - 1, torch.stack(self.past)
        step = now - 1 - self.delay.long()
        return torch.where(step >= 0, past[step.clamp(min=0), :, torch.arange(s.shape[1])].t(), 0)


def module(kind: str, fields: dict[str, Any]) -> nn.Module:
    if kind == "synaptic":  # snnTorch's neuron
        return snntorch.Synaptic(**fields, init_hidden=True, reset_mechanism="zero", reset_delay=False)
    kinds = {"linear": Linear, "conv": Conv, "affine": Affine, "cuba": Cuba, "delay": Delay, "relu": nn.ReLU}
    return (kinds | {"sigmoid": nn.Sigmoid, "pool": nn.MaxPool2d, "flatten": nn.Flatten})[kind](**fields)


class Spiking(nn.Module):
    """Network of one step per call; returns (spikes, state), as the wrapper requires."""

    def __init__(self, layers: nn.Sequential):
        super().__init__()
        self.layers = layers

    def reset(self) -> None:
        for layer in self.layers:
            if isinstance(layer, snntorch.Synaptic):
                layer.reset_mem()
            elif hasattr(layer, "rest"):
                layer.rest()

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.layers(x), None


def counted(layers: list[dict[str, Any]], x: Tensor) -> dict[str, Any]:
    """Return the peer's figures on x (N, ...), or (N, T, I) for a spiking network."""
    parts = OrderedDict()
    for layer in layers:
        fields = {key: value for key, value in layer.items() if key not in ("kind", "name")}
        parts[layer["name"]] = module(layer["kind"], fields)
    net = nn.Sequential(parts)
    spiking = any(layer["kind"] in SPIKING for layer in layers)
    model = SNNTorchModel(Spiking(net)) if spiking else TorchModel(net)
    samples = DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=1)
    said = io.StringIO()
    with torch.no_grad(), contextlib.redirect_stdout(said):
        figures = Benchmark(model, samples, [], [], METRICS).run()
    if "Error" in said.getvalue():  # the peer prints the error and continues with 0
        raise RuntimeError(said.getvalue())
    return figures


if __name__ == "__main__":
    cases = torch.load(sys.argv[1], weights_only=True)
    answers = {name: counted(**case) for name, case in cases.items()}
    Path(sys.argv[2]).write_text(json.dumps(answers, default=float))
