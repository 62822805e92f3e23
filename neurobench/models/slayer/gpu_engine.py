"""Forward and backward pass of a network on a GPU: products on tensor cores, all else in Triton kernels.

The products lose no precision: spikes and weights on the grid are exact in bfloat16, an error is the sum of three
bfloat16, and sums are in float32. Weights of a floating-point core are multiplied as float32.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurobench.models.slayer import convolution
from neurobench.models.slayer.convolution import each_channel, each_neuron, operations
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import Activity, Dropout, EventEngine, LayerGradient
from neurobench.models.slayer.network import QuantizedLayer, runs_triton
from neurobench.models.slayer.neuron import FixedNeuron, Surrogate
from neurobench.models.slayer.spikes import Spikes, as_dense


class _LayerPass(NamedTuple):
    x: Tensor  # (T, B, I) bfloat16, in {0, 1}
    input_keep_prob: float  # the inputs have to be divided by it
    arrival: Any  # `kernels.cuba.gpu.Arrival`
    spiked: Any  # `kernels.cuba.gpu.Spiked`


class GpuEngine:
    """Counterpart of `EventEngine` on a GPU; with integer weights its spikes are identical."""

    def __init__(self, device: torch.device):
        self.device = device
        self._pass: Any = None

    def dropout_mask(self, seed: int, shape: tuple[int, int], dropout: float) -> Tensor:
        from neurobench.kernels.cuba.gpu import dropout_mask

        return dropout_mask(seed, shape, dropout, self.device)

    def run(
        self,
        inputs: Spikes | Tensor,
        layers: list[QuantizedLayer],
        dropout: Dropout | None = None,
        learns: bool = False,
        counted: bool = False,
    ) -> Activity:
        """Run the forward pass like `EventEngine.run`, on lists or the output of `gpu_events.bin_dense`. Without
        `counted` there is no tally; states are never counted."""
        from neurobench.kernels.cuba.gpu import Arrival, forward

        x = inputs if isinstance(inputs, Tensor) else as_dense(inputs, self.device).bfloat16()
        passes: list[_LayerPass] = []
        input_keep_prob = 1.0
        for k, layer in enumerate(layers):
            last = k + 1 == len(layers)
            mask = dropout.masks[k] if dropout and not last else None
            arrival = Arrival(each_neuron(layer.delay, layer.conv), mask)
            sums = _arriving(x, layer)
            kind = torch.float32 if last else torch.bfloat16
            spiked = forward(sums, layer.neuron, arrival, input_keep_prob, learns, kind)
            passes.append(_LayerPass(x, input_keep_prob, arrival, spiked))
            x, input_keep_prob = spiked.y, dropout.keep_prob if dropout and mask is not None else 1.0
        self._pass = (layers, passes, dropout.keep_prob if dropout else 1.0) if learns else None
        fired = [each.spiked.counts[0] for each in passes]
        return Activity(x.transpose(0, 1), fired, _tally(passes, layers) if counted else [])

    def gradients(self, g: Tensor, surrogate: Surrogate, with_decays: bool = True) -> list[LayerGradient]:
        """Compute gradients like `EventEngine.gradients`."""
        from neurobench.kernels.cuba.gpu import backward

        layers, passes, keep_prob = self._pass
        g = g.transpose(0, 1)
        gradients = []
        for k in reversed(range(len(layers))):
            layer, (x, input_keep_prob, arrival, spiked) = layers[k], passes[k]
            gain = 1.0 if arrival.mask is None else 1 / keep_prob
            parts, sums = backward(g, spiked, surrogate, layer.neuron, arrival, gain)
            dD, delay = sums[:3].sum((1, 2), dtype=torch.float64), sums[3].sum(0, dtype=torch.float64) * gain
            by_weights, below = _product_gradients(x, parts, layer, below=k > 0)
            gradients.append(LayerGradient(by_weights, 1 / input_keep_prob, dD, each_channel(delay, layer.conv)))
            g = g if below is None else below
        return gradients[::-1]

    def voltages(self) -> list[Tensor]:
        """Return voltages like `EventEngine.voltages`."""
        return [each.spiked.v.transpose(0, 1) for each in self._pass[1]]

    def arrived(self) -> list[Tensor]:
        """Count arrivals like `EventEngine.arrived`."""
        return [each.x.sum((0, 1), dtype=torch.float64).long() for each in self._pass[1]]


def engine_on(device: torch.device) -> EventEngine | DenseEngine | GpuEngine:
    if runs_triton(device):
        return GpuEngine(device)
    return EventEngine() if device.type == "cpu" else DenseEngine(device)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Product a (M, K) @ b (K, N) of bfloat16 matrices, in float32."""
    if a.is_cuda and torch.__version__ >= "2.8":  # the first version with `out_dtype`
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def _product_gradients(x: Tensor, parts: Tensor, layer: QuantizedLayer, below: bool) -> tuple[Tensor, Tensor | None]:
    """Compute `LayerGradient.parts`, and dL/dx (None unless `below`), from the parts (T, B, 3, C) of dL/dz."""
    if layer.conv is not None:
        eu = parts.float().sum(2)
        dw, dx = convolution.product_gradients(x.float(), layer.w, layer.conv, eu, below)
        return dw[None], dx
    steps, samples, pieces, width = parts.shape
    dw = product(x.flatten(0, 1).t(), parts.view(-1, pieces * width)).view(-1, pieces, width)
    return dw.transpose(0, 1), _back(parts, layer).view(steps, samples, -1) if below else None


def _arriving(x: Tensor, layer: QuantizedLayer) -> Tensor:
    """Sums of W over active inputs, (T, B, C) float32."""
    if layer.conv is not None:  # float32, rounded: by other means than sums (Winograd) it is off by less than a half
        sums = convolution.product(x.float(), layer.W.float(), layer.conv)
        return (sums.round() if isinstance(layer.neuron, FixedNeuron) else sums).contiguous()
    rows, shape = x.flatten(0, 1), (*x.shape[:2], -1)
    if isinstance(layer.neuron, FixedNeuron):
        return product(rows, layer.W.bfloat16()).view(shape)
    return (rows.float() @ layer.W).view(shape)


def _back(parts: Tensor, layer: QuantizedLayer) -> Tensor:
    """Gradient dL/dx (T B, I) from the parts (T, B, 3, C) of dL/dz."""
    w = layer.w.t()
    if isinstance(layer.neuron, FixedNeuron):
        return product(parts.view(-1, parts.shape[2] * parts.shape[3]), w.bfloat16().repeat(parts.shape[2], 1))
    return parts.float().sum(2).flatten(0, 1) @ w


def _tally(passes: list[_LayerPass], layers: list[QuantizedLayer]) -> list[dict[str, int]]:
    first = passes[0].x.sum((0, 1), dtype=torch.float64)
    arriving = [first, *(each.spiked.counts[1].sum(0).double() for each in passes[:-1])]
    done = [operations(*each) for each in zip(arriving, layers, strict=True)]
    totals = [torch.stack([each.spiked.counts[0].sum(), n]) for each, n in zip(passes, done, strict=True)]
    return [{"spikes": spikes, "operations": n} for spikes, n in torch.stack(totals).tolist()]
