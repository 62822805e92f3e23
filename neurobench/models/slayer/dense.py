"""Forward and backward pass of a network in plain torch on any device: dense products and a loop over time steps."""

from typing import Any

import torch
from torch import Tensor

from neurobench.kernels.random import uniforms
from neurobench.models.slayer.convolution import each_channel, each_neuron, operations, product, product_gradients
from neurobench.models.slayer.engine import Activity, Dropout, LayerGradient
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import (
    GRID,
    FixedNeuron,
    Surrogate,
    delay_gradient,
    delayed,
    scan_back,
    undelayed,
    unroll,
)
from neurobench.models.slayer.spikes import Spikes, as_dense


class DenseEngine:
    """Counterpart of `EventEngine` that calls the functions of `neuron` directly. Used on a GPU without Triton, and as
    the reference that the other engines are compared with."""

    def __init__(self, device: torch.device):
        self.device = device
        self._pass: Any = None

    def dropout_mask(self, seed: int, shape: tuple[int, int], dropout: float) -> Tensor:
        return (uniforms(seed, shape, self.device) >= dropout).to(torch.uint8)

    def run(
        self,
        inputs: Spikes,
        layers: list[QuantizedLayer],
        dropout: Dropout | None = None,
        learns: bool = False,
        counted: bool = False,
    ) -> Activity:
        """Run the forward pass like `EventEngine.run`; states are never counted."""
        x, passes, fired, totals = as_dense(inputs, self.device), [], [], []
        keep_prob, input_keep_prob = dropout.keep_prob if dropout else 1.0, 1.0
        for k, layer in enumerate(layers):
            if isinstance(layer.neuron, FixedNeuron):
                # exact: float32 represents every sum of mantissas, 2^24 at most, and a convolution computed by other
                # means than sums (Winograd) is off by less than a half; inputs after dropout are scaled in float64
                sums = product(x, 2 * layer.W.float(), layer.conv).round().double() * GRID
                z = (sums / input_keep_prob).trunc().long()
            else:
                z = product(x, layer.W, layer.conv) / input_keep_prob
            s, u, v = unroll(layer.neuron, z)
            mask = dropout.masks[k] if dropout and k + 1 < len(layers) else None
            y = delayed(s.float() if mask is None else s.float() * mask, each_neuron(layer.delay, layer.conv))
            passes.append((x, input_keep_prob, u, v, mask, y))
            fired.append(s.sum(0, dtype=torch.int32))
            totals.append(torch.stack([s.sum(), operations(x.sum((0, 1), dtype=torch.float64), layer)]))
            x, input_keep_prob = y, 1.0 if mask is None else keep_prob
        self._pass = (layers, passes, keep_prob) if learns else None
        tally = [{"spikes": spikes, "operations": operations} for spikes, operations in torch.stack(totals).tolist()]
        return Activity(x.transpose(0, 1), fired, tally)

    def gradients(self, g: Tensor, surrogate: Surrogate, with_decays: bool = True) -> list[LayerGradient]:
        """Compute gradients like `EventEngine.gradients`."""
        layers, passes, keep_prob = self._pass
        g, below = g.transpose(0, 1), None
        gradients = []
        for layer, (x, input_keep_prob, u, v, mask, y) in zip(reversed(layers), reversed(passes), strict=True):
            gain = 1.0 if mask is None else 1 / keep_prob
            g = g if below is None else below
            arriving = undelayed(g, each_neuron(layer.delay, layer.conv)) * gain * (1 if mask is None else mask)
            eu, dD = scan_back(arriving, u, v, surrogate, layer.neuron)
            dw, below = product_gradients(x, layer.w, layer.conv, eu, layer is not layers[0])
            dd = each_channel(delay_gradient(g, y).double(), layer.conv) * gain
            gradients.append(LayerGradient(dw[None], 1 / input_keep_prob, dD.cpu().numpy(), dd))
        return gradients[::-1]

    def voltages(self) -> list[Tensor]:
        """Return voltages like `EventEngine.voltages`."""
        return [v.transpose(0, 1) for _, _, _, v, _, _ in self._pass[1]]

    def arrived(self) -> list[Tensor]:
        """Count arrivals like `EventEngine.arrived`."""
        return [x.sum((0, 1), dtype=torch.float64).long() for x, *_ in self._pass[1]]
