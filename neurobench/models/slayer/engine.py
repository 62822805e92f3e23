"""Forward pass and gradients of a network on a CPU, from lists of spikes, by compiled kernels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.aligned import on_lines
from neurobench.kernels.cuba import backward as back_kernel
from neurobench.kernels.cuba import forward as kernel
from neurobench.kernels.cuba.convolution import backward_convolved
from neurobench.kernels.cuba.forward import COUNTS, TALLY
from neurobench.kernels.cuba.product import COLUMNS, pack_transposed
from neurobench.kernels.cuba.product_amx import fits, pack_pairs, tile_grid
from neurobench.kernels.cuba.spike_lists import Spikes, mark
from neurobench.kernels.host import fast
from neurobench.kernels.random import kernel_key
from neurobench.models.slayer.layer_kernels import (
    currents,
    forward_layer,
    neuron_constants,
    new_activity,
    part_of,
    surrogate_constants,
)
from neurobench.models.slayer.layout import (
    channels_first,
    channels_last,
    first_from_last,
    input_shapes,
    last_from_first,
    places,
    renamed,
)
from neurobench.models.slayer.network import QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron, Surrogate
from neurobench.models.slayer.spikes import arrivals

_BLOCK = 4  # samples per thread in a block of the backward pass: what a layer hands to the one below stays in the cache
_FAST_BLOCK = 2  # the same with `kernels=fast`


class Dropout(NamedTuple):
    """Dropout of hidden neurons: all their spikes are dropped for a whole sample; the others count 1 / keep_prob."""

    masks: list[Tensor]  # (N, C) uint8 of each hidden layer, 0 where dropped
    keep_prob: float


class LayerGradient(NamedTuple):
    """Gradient of a layer's weights w, not yet taken through grid and norm, and of its neurons' parameters."""

    parts: Tensor  # (P, I, C) float32: dL/dw is their sum times `factor`; a single one except on a GPU
    factor: float
    dD: np.ndarray | Tensor  # (3,) float64 sums as in `neuron.scan_back`
    delay: Tensor  # (C,) float64


class Activity(NamedTuple):
    """Results of a forward pass."""

    y: Tensor  # (N, T, C) float32, arriving spikes of the last layer
    fired: list[Tensor]  # (N, C) int32 of each layer: spikes before dropout and delay
    tally: list[dict[str, int]]  # of each layer, see `kernels.cuba.forward.TALLY`; on a GPU only if `counted`


def joined(parts: Sequence[Activity]) -> Activity:
    """Results of a batch from those of its parts, in order."""
    tally = [
        {name: (max if name.startswith("most_") else sum)(each[name] for each in of_layer) for name in of_layer[0]}
        for of_layer in zip(*(part.tally for part in parts), strict=True)
    ]
    fired = [torch.cat(of_layer) for of_layer in zip(*(part.fired for part in parts), strict=True)]
    return Activity(torch.cat([part.y for part in parts]), fired, tally)


class _Buffers(NamedTuple):
    """Buffers of one layer for N samples, reused from batch to batch because first access to new memory is slow."""

    activity: kernel.Activity  # output of a pass
    begin: np.ndarray  # (N, T) int64: beginning of each step's arriving spikes
    ones: np.ndarray  # (N, C) uint8: mask of a layer without dropout

    def arrivals(self) -> Spikes:
        out = self.activity.out
        return Spikes(out.reshape(-1), self.begin, self.activity.count, out.shape[2])


class _LayerPass(NamedTuple):
    inputs: Spikes
    input_keep_prob: float  # the inputs have to be divided by it
    mask: np.ndarray  # (N, C) uint8
    keep_prob: float  # of this layer's spikes
    buffers: _Buffers


class EventEngine:
    """Engine on lists of spikes. It stores the last forward pass, whose backward pass `gradients` computes."""

    def __init__(self) -> None:
        self._cache: dict[Any, Any] = {}
        self._pass: Any = None

    def dropout_mask(self, seed: int, shape: tuple[int, int], dropout: float) -> Tensor:
        """Mask (N, C) uint8 of a layer: 0 where dropout removes a neuron's spikes of a sample."""
        mask = torch.empty(shape, dtype=torch.uint8)
        kernel.dropout_mask(kernel_key(seed), np.float32(dropout), mask.view(-1).numpy())
        return mask

    def run(
        self,
        inputs: Spikes,
        layers: list[QuantizedLayer],
        dropout: Dropout | None = None,
        learns: bool = False,
        counted: bool = False,
    ) -> Activity:
        """Run the forward pass. learns: store it for `gradients`, `voltages`, `arrivals`; counted: tally states too."""
        chunks = numba.get_num_threads()
        n, steps = inputs.begin.shape
        passes: list[_LayerPass] = []
        if layers[0].conv is not None:
            inputs, layers = renamed(inputs, first_from_last(layers[0].conv.inputs)), channels_last(layers)
        for k, layer in enumerate(layers):
            buffers = self._buffers(k, layer, n, steps, learns)
            mask, keep_prob = buffers.ones, 1.0
            if dropout is not None and k + 1 < len(layers):
                drawn, keep_prob = dropout.masks[k], dropout.keep_prob
                mask = (drawn if layer.conv is None else drawn[:, last_from_first(layer.conv.outputs)]).numpy()
            passes.append(_LayerPass(inputs, passes[-1].keep_prob if passes else 1.0, mask, keep_prob, buffers))
            arriving = kernel.Dropout(passes[-1].input_keep_prob, mask)
            forward_layer(inputs, layer, neuron_constants(layer), arriving, (chunks, learns, counted), buffers.activity)
            inputs = buffers.arrivals()
        y = torch.empty(n, steps, layers[-1].W.shape[1])
        mark(inputs, chunks, y.numpy())
        self._pass = (layers, passes) if learns else None
        fired, tallies = [], []
        for each, layer in zip(passes, layers, strict=True):
            tally = each.buffers.activity.tally[:chunks]
            totals = (*tally[:, :COUNTS].sum(0), *tally[:, COUNTS:].max(0))  # counts are added, maxima are not
            tallies.append({name: int(value) for name, value in zip(TALLY, totals, strict=True)})
            spikes = torch.from_numpy(each.buffers.activity.fired.copy())
            fired.append(spikes if layer.conv is None else spikes[:, first_from_last(layer.conv.outputs)])
        return Activity(y, fired, tallies)

    def gradients(self, g: Tensor, surrogate: Surrogate, with_decays: bool = True) -> list[LayerGradient]:
        """Gradients from g = dL/dy (N, T, C) float32 of the last layer. Only after `run(..., learns=True)`; valid until
        the next call."""
        layers, passes = self._pass
        chunks = numba.get_num_threads()
        sums = [self._zero_gradients(k, layer) for k, layer in enumerate(layers)]
        weights = [self._weights(k, layer, g.shape[1]) for k, layer in enumerate(layers)]
        block = chunks * (_FAST_BLOCK if fast() else _BLOCK)
        together = 1 if chunks == 1 else 2 * chunks  # one sample stays in the cache; several threads wait less often
        whole, rest = [], []  # of each layer: its pass of all samples, and what is the same for every block
        for k, (layer, (inputs, _, mask, keep_prob, (activity, *_))) in enumerate(zip(layers, passes, strict=True)):
            neuron, keep, delay = neuron_constants(layer), np.float32(keep_prob), layer.delay.numpy()
            arrived = (activity.out, activity.count, activity.clipped)
            whole.append(back_kernel.Pass(inputs, activity.v, neuron.threshold, delay, mask, keep, *arrived))
            eu = self._array("eu", k, (together, *activity.out.shape[1:]))
            rest.append((surrogate_constants(surrogate, layer.neuron), with_decays, weights[k], chunks, eu))
        terms = np.zeros((len(layers), len(g)))  # see `current_terms`
        for first in range(0, len(g), block):
            back = g[first : first + block].numpy()
            n, steps, _ = back.shape
            part = slice(first, first + n)
            for k in reversed(range(len(layers))):
                layer, done = layers[k], part_of(whole[k], part)
                below = self._array("g", k, (n if k else 0, steps, done.inputs.width))
                if layer.conv is None:
                    back_kernel.backward(back, done, *rest[k], below, sums[k])
                else:
                    backward_convolved(back, done, places(layer.conv), *rest[k], below, sums[k])
                if with_decays and done.clipped.any():
                    u = currents(layer, done, passes[k].input_keep_prob)
                    back_kernel.current_terms(back, done, rest[k][0], u, terms[k, part])
                back = below
        gradients = []
        for each, (_, dD, _) in zip(terms.tolist(), sums, strict=True):
            dD[0] += sum(each)  # in order
        for (dW, dD, dd), layer, each, shape in zip(sums, layers, passes, input_shapes(layers), strict=True):
            dD, delay, parts = dD * layer.neuron.lsb, torch.from_numpy(dd), torch.from_numpy(dW)[None]
            if layer.conv is not None:
                delay, parts = delay.view(-1, layer.conv.channels).sum(0), channels_first(parts)
            elif shape is not None:
                parts = parts[:, first_from_last(shape)]
            gradients.append(LayerGradient(parts, 1 / each.input_keep_prob, dD, delay))
        return gradients

    def voltages(self) -> list[Tensor]:
        """Voltages (N, T, C) of each layer before the reset. Only after `run(..., learns=True)`."""
        layers, passes = self._pass
        voltages = [torch.from_numpy(each.buffers.activity.v) for each in passes]
        return [
            v if layer.conv is None else v[..., first_from_last(layer.conv.outputs)]
            for v, layer in zip(voltages, layers, strict=True)
        ]

    def arrivals(self) -> list[Spikes]:
        """Lists of the arriving spikes of each layer."""
        lists = [each.buffers.arrivals() for each in self._pass[1]]
        return [
            each if layer.conv is None else renamed(each, last_from_first(layer.conv.outputs))
            for each, layer in zip(lists, self._pass[0], strict=True)
        ]

    def arrived(self) -> list[Tensor]:
        """Number of times that each input was active, over samples and steps, (I,) int64 for each layer."""
        counts = [torch.from_numpy(arrivals(each.inputs)) for each in self._pass[1]]
        shapes = input_shapes(self._pass[0])
        return [
            count if shape is None else count[first_from_last(shape)]
            for count, shape in zip(counts, shapes, strict=True)
        ]

    def _buffers(self, k: int, layer: QuantizedLayer, n: int, steps: int, learns: bool) -> _Buffers:
        """Buffers for any number of threads, which may change from batch to batch."""
        width, chunks = len(layer.delay), numba.config.NUMBA_NUM_THREADS
        kind = np.int32 if isinstance(layer.neuron, FixedNeuron) else np.float32
        key = ("buffers", k, n, steps, width, learns, kind)
        if key not in self._cache:
            activity = new_activity(
                n, steps, width, on_lines((n, steps, width) if learns else (chunks, 1, width), kind)
            )
            begin = (np.arange(n * steps, dtype=np.int64) * width).reshape(n, steps)
            self._cache[key] = _Buffers(activity, begin, np.ones((n, width), np.uint8))
        return self._cache[key]

    def _array(self, name: str, k: int, shape: tuple[int, ...], kind: type = np.float32) -> np.ndarray:
        key = (name, k, shape)
        if key not in self._cache:
            self._cache[key] = on_lines(shape, kind)
        return self._cache[key]

    def _zero_gradients(self, k: int, layer: QuantizedLayer) -> back_kernel.Gradients:
        dW = self._array("dW", k, tuple(layer.W.shape))
        torch.from_numpy(dW).zero_()  # by all threads, unlike NumPy
        return back_kernel.Gradients(dW, np.zeros(3), np.zeros(len(layer.delay)))

    def _weights(self, k: int, layer: QuantizedLayer, steps: int) -> np.ndarray:
        """Transposed weights in the layout that `product_amx` or `product` reads; empty for the first layer."""
        w = layer.w.flatten(0, -2).numpy()
        if k and fast() and layer.conv is None and isinstance(layer.neuron, FixedNeuron) and fits(steps, w):
            tiles = self._array("tiles", k, tile_grid(w), np.uint16)
            pack_pairs(w, tiles)
            return tiles
        panels = self._array("panels", k, (-(-len(w) // COLUMNS) if k else 0, w.shape[1], COLUMNS))
        if k:
            pack_transposed(w, panels)
        return panels
