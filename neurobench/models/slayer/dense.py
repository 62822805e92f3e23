"""A network forward and back on any device: dense products, and time steps by plain torch or, on CUDA, by Triton."""

from typing import Any

import torch
from torch import Tensor

from neurobench.models.slayer.convolution import each_channel, each_neuron, fan_out, product, product_gradients
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
    """Computes what `EventEngine` does; the time loop of `neuron` runs as it stands there, on CUDA fused by Triton."""

    def __init__(self, device: torch.device):
        self.device = device
        self._fused = device.type == "cuda"
        self._pass: Any = None

    def run(
        self,
        inputs: Spikes,
        layers: list[QuantizedLayer],
        dropout: Dropout | None = None,
        learns: bool = False,
        counted: bool = False,
    ) -> Activity:
        """As `EventEngine.run`; states are never counted."""
        x, passes, fired, totals = as_dense(inputs, self.device), [], [], []
        keep_prob, input_keep_prob = dropout.keep_prob if dropout else 1.0, 1.0
        for k, layer in enumerate(layers):
            if isinstance(layer.neuron, FixedNeuron):
                s, u, v = self._forward(self._fixed_input(x, layer, input_keep_prob), layer)
            else:
                s, u, v = self._forward(product(x, layer.W, layer.conv) / input_keep_prob, layer)
            mask = dropout.masks[k] if dropout and k + 1 < len(layers) else None
            y = delayed(s.float() if mask is None else s.float() * mask, each_neuron(layer.delay, layer.conv))
            passes.append((x, input_keep_prob, u, v, mask, y))
            fired.append(s.sum(0, dtype=torch.int32))
            totals.append(torch.stack([s.sum(), _operations(x, layer)]))
            x, input_keep_prob = y, 1.0 if mask is None else keep_prob
        self._pass = (layers, passes, keep_prob) if learns else None
        tally = [{"spikes": spikes, "operations": operations} for spikes, operations in torch.stack(totals).tolist()]
        return Activity(x.transpose(0, 1), fired, tally)

    def gradients(self, g: Tensor, surrogate: Surrogate, with_decays: bool = True) -> list[LayerGradient]:
        """As `EventEngine.gradients`."""
        layers, passes, keep_prob = self._pass
        g, below = g.transpose(0, 1), None
        gradients = []
        for layer, (x, input_keep_prob, u, v, mask, y) in zip(reversed(layers), reversed(passes), strict=True):
            gain = 1.0 if mask is None else 1 / keep_prob
            g = g if below is None else below
            arriving = undelayed(g, each_neuron(layer.delay, layer.conv)) * gain * (1 if mask is None else mask)
            eu, dD = self._backward(arriving, u, v, surrogate, layer)
            dw, below = product_gradients(x, layer.w, layer.conv, eu, layer is not layers[0])
            dd = each_channel(delay_gradient(g, y).double(), layer.conv) * gain
            gradients.append(LayerGradient(dw[None], 1 / input_keep_prob, dD.cpu().numpy(), dd))
        return gradients[::-1]

    def _fixed_input(self, x: Tensor, layer: QuantizedLayer, keep_prob: float) -> Tensor:
        """trunc(64 sum m / keep_prob), exact: float32 holds every sum of mantissas, 2^24 at most, and a convolution by
        other means than sums (Winograd) is off by less than a half."""
        sums = product(x, 2 * layer.W.float(), layer.conv).round()
        if keep_prob == 1:
            return (sums * GRID).to(torch.int32 if self._fused else torch.int64)
        return (sums.double() * GRID / keep_prob).trunc().long()

    def _forward(self, z: Tensor, layer: QuantizedLayer) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes, currents and voltages of inputs z, (T, B, C)."""
        if self._fused:
            from neurobench.kernels.cuba.gpu import forward

            fixed = isinstance(layer.neuron, FixedNeuron)
            return forward(z.int() if fixed else z, layer.neuron, fixed)
        return unroll(layer.neuron, z)

    def _backward(
        self, g: Tensor, u: Tensor, v: Tensor, surrogate: Surrogate, layer: QuantizedLayer
    ) -> tuple[Tensor, Tensor]:
        """dL/dz and the sums of the decays' gradient from g = dL/ds (T, B, C)."""
        if self._fused:
            from neurobench.kernels.cuba.gpu import backward

            return backward(g, u, v, surrogate, layer.neuron, layer.neuron.lsb)
        return scan_back(g, u, v, surrogate, layer.neuron)


def _operations(x: Tensor, layer: QuantizedLayer) -> Tensor:
    """Arriving spikes of x (T, B, I), each times the synapses that it meets."""
    if layer.conv is None:
        return x.sum(dtype=torch.float64).long() * layer.W.shape[1]
    arriving = x.sum((0, 1), dtype=torch.float64)
    return (arriving * fan_out(layer.conv, x.device)).sum().long()
