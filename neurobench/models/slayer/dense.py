"""A network's forward pass and its gradients by plain torch, on any device: `EventEngine` without compiled kernels."""

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
    """Computes what `EventEngine` does; the time loop of `neuron` runs as it stands there."""

    def __init__(self, device: torch.device):
        self.device = device
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
            s, u, v = unroll(float_step if layer.unit == 1 else fixed_step, _drive(x, layer, share), layer.cuba)
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
            back = scan_back(arriving, u, v, slope, layer.cuba, layer.unit)
            dw = x.flatten(0, 1).t() @ back.eu.flatten(0, 1)
            dd = delay_gradient(g, y).double() * gain
            found.append(LayerGradient(dw[None], 1 / share, back.dD.cpu().numpy(), dd))
            g = back.eu @ layer.w.t()
        return found[::-1]


def _drive(x: Tensor, layer: Held, share: float) -> Tensor:
    """Inputs of the neurons (T, B, C): 64 sum m in integers of 1/4096, exact, or the float sum of weights.

    A float32 product holds every sum of mantissas, 2^24 at most, exactly; what dropout left is scaled in float64.
    """
    if layer.unit == 1:
        return x @ layer.W / share
    sums = (x @ (2 * layer.W.float())).double() * GRID
    return (sums / share).trunc().long()
