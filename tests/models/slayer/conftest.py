"""Reference vectors of lava-dl, and networks made from them. See `vectors/`: written by lava-dl on torch 2.13."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.data.dataset import Splits
from neurobench.models.learner import Seeds, Task
from neurobench.models.slayer.network import Layer, QuantizedLayer, half_mantissas, scale_of, weights_of
from neurobench.models.slayer.neuron import POINT, FixedNeuron, FloatNeuron, Neuron, Surrogate, lava_surrogate
from tests.specs import spec

CPU = torch.device("cpu")
VECTORS = Path(__file__).parent / "vectors"
ROOM = 2**30


@cache
def recordings() -> Splits:
    """The bundled recordings, read when first needed."""
    return spec("dataset/nmnist", validation=0).load(0)


class Case(NamedTuple):
    z: Any  # the file
    x: Tensor  # (T, N, I) inputs in {0, 1}
    layers: list[Layer]
    quantized: list[QuantizedLayer]
    surrogate: Surrogate

    def gradient(self) -> Tensor:
        """dL/dy (N, T, C) of the summed SpikeRate loss, by its closed form 2 (r - target) / T."""
        steps = self.x.shape[0]
        r = torch.from_numpy(self.z["y2"]).float().mean(2)
        target = torch.full_like(r, float(self.z["false_rate"]))
        target[torch.arange(len(r)), torch.from_numpy(self.z["label"])] = float(self.z["true_rate"])
        return (2 * (r - target) / steps)[:, None, :].expand(-1, steps, -1).contiguous()


def sim(**changes: Any) -> Any:
    return spec("backend/sim", "core", **changes)


def mock(**changes: Any) -> Any:
    return spec("backend/mock", "core", **changes)


def learner(core: Any = None, task: Task | None = None, **changes: Any) -> Any:
    """A small learner, 2312-40-30-10."""
    one = spec("model/slayer_snn", **{"hidden": (40, 30), **changes})
    devices = {"core": (core or sim()).open(0, CPU)}
    return one.build(task or Task("events", (2, 34, 34), 10), Seeds(0, 1, 2, 3), devices, CPU)


def vector(name: str) -> Any:
    return np.load(VECTORS / f"{name}.npz")


def case(name: str) -> Case:
    z = vector(name)
    fixed = "v_th_mant" in z
    layers, quantized = [], []
    for k in (1, 2):
        normed = f"wv{k}" in z
        v = torch.from_numpy(z[f"wv{k}" if normed else f"w{k}"]).t().contiguous()
        g = torch.from_numpy(z[f"wg{k}"]) if normed else None
        delay = torch.from_numpy(z[f"d{k}"]) if f"d{k}" in z else None
        decays = [POINT * float(z["current_decay"]), POINT * float(z["voltage_decay"])]
        layers.append(Layer(v, g, torch.tensor(decays), delay))
        whole = torch.zeros(v.shape[1], dtype=torch.int32) if delay is None else delay.floor().int()
        scale = scale_of(v, g)
        if fixed:
            i, u, threshold = (int(z[key]) for key in ("i_decay", "v_decay", "v_th_mant"))
            W = half_mantissas(v * scale)
            neuron: Neuron = FixedNeuron(POINT - i, POINT - u, 64 * threshold, ROOM, ROOM)
            quantized.append(QuantizedLayer(W, weights_of(W), neuron, whole, scale))
        else:
            w = (v * scale).contiguous()
            quantized.append(QuantizedLayer(w, w, FloatNeuron(0.75, 0.97, 1.25), whole, scale))
    epsilon = 0.01 / POINT if fixed else 0.0
    surrogate = lava_surrogate(1.25, float(z["tau_grad"]), float(z["scale_grad"]), epsilon)
    return Case(z, torch.from_numpy(z["x"]).permute(2, 0, 1).float(), layers, quantized, surrogate)


@pytest.fixture(params=["tiny_quant", "tiny_norm_delay", "tiny_float"])
def reference(request: pytest.FixtureRequest) -> Case:
    return case(request.param)
