"""Reference vectors of lava-dl, and networks made of them. See `vectors/`: written by lava-dl on torch 2.13."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.models.slayer.neuron import POINT, Cuba, Slope, slope_of
from neurobench.models.slayer.parameters import Held, Layer
from neurobench.models.slayer.synapse import halves, scale_of

VECTORS = Path(__file__).parent / "vectors"
ROOM = 2**30


class Case(NamedTuple):
    z: Any  # the file
    x: Tensor  # (T, N, I) inputs in {0, 1}
    layers: list[Layer]
    held: list[Held]
    slope: Slope

    def gradient(self) -> Tensor:
        """dL/dy (N, T, C) of the summed SpikeRate loss, by its closed form 2 (r - target) / T."""
        steps = self.x.shape[0]
        r = torch.from_numpy(self.z["y2"]).float().mean(2)
        target = torch.full_like(r, float(self.z["false_rate"]))
        target[torch.arange(len(r)), torch.from_numpy(self.z["label"])] = float(self.z["true_rate"])
        return (2 * (r - target) / steps)[:, None, :].expand(-1, steps, -1).contiguous()


def vector(name: str) -> Any:
    return np.load(VECTORS / f"{name}.npz")


def case(name: str) -> Case:
    z = vector(name)
    layers, held = [], []
    for k in (1, 2):
        normed = f"wv{k}" in z
        v = torch.from_numpy(z[f"wv{k}" if normed else f"w{k}"]).t().contiguous()
        g = torch.from_numpy(z[f"wg{k}"]) if normed else None
        delay = torch.from_numpy(z[f"d{k}"]) if f"d{k}" in z else None
        decays = [POINT * float(z["current_decay"]), POINT * float(z["voltage_decay"])]
        layers.append(Layer(v, g, torch.tensor(decays), delay))
        whole = torch.zeros(v.shape[1], dtype=torch.int32) if delay is None else delay.floor().int()
        scale = scale_of(v, g)
        if "v_th_mant" in z:
            i, u, threshold = (int(z[key]) for key in ("i_decay", "v_decay", "v_th_mant"))
            W = halves(v * scale)
            held.append(
                Held(W, W.float() / 32, Cuba(POINT - i, POINT - u, 64 * threshold, ROOM, ROOM), 1 / POINT, whole, scale)
            )
        else:
            w = (v * scale).contiguous()
            held.append(Held(w, w, Cuba(0.75, 0.97, 1.25, np.inf, np.inf), 1.0, whole, scale))
    fixed = "v_th_mant" in z
    slope = slope_of(1.25, float(z["tau_grad"]), float(z["scale_grad"]), 0.01 / POINT if fixed else 0.0)
    return Case(z, torch.from_numpy(z["x"]).permute(2, 0, 1).float(), layers, held, slope)


@pytest.fixture(params=["tiny_quant", "tiny_norm_delay", "tiny_float"])
def reference(request: pytest.FixtureRequest) -> Case:
    return case(request.param)
