"""A network forward and back on any device: dense products, and time steps by plain torch or, on CUDA, by Triton."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurobench.models.slayer.engine import Activity, LayerGradient
from neurobench.models.slayer.neuron import (
    GRID,
    Slope,
    delay_gradient,
    delayed,
    fixed_step,
    float_step,
    scan_back,
    undelayed,
    unroll,
)
from neurobench.models.slayer.parameters import Held
from neurobench.models.slayer.spikes import Spikes, as_dense


class DenseEngine:
    """Computes what `EventEngine` does; the time loop of `neuron` runs as it stands there, on CUDA fused by Triton."""

    def __init__(self, device: torch.device):
        self.device = device
        self._fused = device.type == "cuda"
        self._pass: Any = None

    def run(
        self,
        inputs: Spikes,
        layers: list[Held],
        kept: list[Tensor] | None = None,
        keep: float = 1.0,
        learns: bool = False,
        counted: bool = False,
    ) -> Activity:
        x, used, fired, tally = as_dense(inputs, self.device), [], [], []
        share = 1.0  # of the spikes in x that dropout left
        for k, layer in enumerate(layers):
            s, u, v = self._forward(_drive(x, layer, share), layer)
            stays = kept[k].to(self.device) if kept is not None and k + 1 < len(layers) else None
            y = delayed(s.float() if stays is None else s.float() * stays, layer.delay)
            used.append((x, share, u, v, stays, y))
            fired.append(s.sum(0, dtype=torch.int32))
            tally.append({"spikes": int(s.sum()), "operations": int(x.sum()) * v.shape[2]})
            x, share = y, keep if stays is not None else 1.0
        self._pass = (layers, used, keep) if learns else None
        return Activity(x.transpose(0, 1), fired, tally)

    def gradients(self, g: Tensor, slope: Slope, with_decays: bool = True) -> list[LayerGradient]:
        """As `EventEngine.gradients`."""
        layers, used, keep = self._pass
        g = g.transpose(0, 1)
        found = []
        for k in reversed(range(len(layers))):
            layer, (x, share, u, v, stays, y) = layers[k], used[k]
            gain = 1.0 if stays is None else 1 / keep
            arriving = undelayed(g, layer.delay) * gain * (1 if stays is None else stays)
            eu, dD = self._backward(arriving, u, v, slope, layer)
            dw = x.flatten(0, 1).t() @ eu.flatten(0, 1)
            dd = delay_gradient(g, y).double() * gain
            found.append(LayerGradient(dw[None], 1 / share, dD.cpu().numpy(), dd))
            g = eu @ layer.w.t()
        return found[::-1]

    def _forward(self, z: Tensor, layer: Held) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes, currents and voltages of inputs z, (T, B, C)."""
        fixed = layer.unit != 1
        if self._fused:
            from neurobench.kernels.cuba.gpu import forward

            return forward(z.int() if fixed else z, layer.cuba, fixed)
        return unroll(fixed_step if fixed else float_step, z, layer.cuba)

    def _backward(self, g: Tensor, u: Tensor, v: Tensor, slope: Slope, layer: Held) -> tuple[Tensor, Tensor]:
        """dL/dz and the sums of the decays' gradient from g = dL/ds (T, B, C)."""
        if self._fused:
            from neurobench.kernels.cuba.gpu import backward

            return backward(g, u, v, slope, layer.cuba, layer.unit)
        back = scan_back(g, u, v, slope, layer.cuba, layer.unit)
        return back.eu, back.dD


def _drive(x: Tensor, layer: Held, share: float) -> Tensor:
    """Inputs of the neurons (T, B, C): 64 sum m in integers of 1/4096, exact, or the float sum of weights.

    A float32 product holds every sum of mantissas, 2^24 at most, exactly; what dropout left is scaled in float64.
    """
    if layer.unit == 1:
        return x @ layer.W / share
    sums = (x @ (2 * layer.W.float())).double() * GRID
    return (sums / share).trunc().long()
