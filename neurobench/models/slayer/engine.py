"""A network's forward pass and its gradients on a CPU, from lists of spikes, by compiled kernels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.cuba import forward as cuba
from neurobench.kernels.cuba.backward import Gradients, Pass, Surrogate, backward
from neurobench.kernels.cuba.forward import COUNTS, TALLY, Dropout, Layer, forward_fixed, forward_float
from neurobench.kernels.cuba.product import COLUMNS, pack_transposed
from neurobench.kernels.cuba.spike_lists import Spikes, dense
from neurobench.kernels.cuba.step import FixedNeuron, FloatNeuron
from neurobench.models.slayer.neuron import POINT, Slope
from neurobench.models.slayer.parameters import Held

_BLOCK = 4  # samples a thread that go the way back together: what a layer hands to the one below is still in the cache


class LayerGradient(NamedTuple):
    """Of a layer's weights w, before grid and norm, and of its neurons."""

    parts: Tensor  # (P, I, C) float32: dL/dw is their sum times `factor`
    factor: float
    dD: np.ndarray  # (3,) sums as in `neuron.Back`
    delay: Tensor  # (C,) float64


class Activity(NamedTuple):
    """What a forward pass did."""

    y: Tensor  # (N, T, C) float32, arrivals of the last layer
    fired: list[Tensor]  # (N, C) int32 of each layer: spikes before dropout and delay
    tally: list[dict[str, int]]  # of each layer, see cuba_forward.TALLY


class _Buffers(NamedTuple):
    """Of one layer for N samples; kept from batch to batch, because fresh memory is slow to touch."""

    activity: cuba.Activity
    begin: np.ndarray  # (N, T) int64 of the arriving spikes as lists


class EventEngine:
    """Holds the last forward pass, of which `gradients` makes the way back."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}
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
        """kept: (N, C) uint8 of each hidden layer, 0 where dropout takes all of a neuron's spikes; keep: 1 - p."""
        chunks = numba.get_num_threads()
        n, steps = inputs.begin.shape
        coming, share, used = inputs, 1.0, []
        for k, layer in enumerate(layers):
            hidden = k + 1 < len(layers)
            own = self._buffers(k, layer, n, steps, chunks, learns)
            stays = kept[k].numpy() if hidden and kept is not None else self._ones(n, layer.W.shape[1])
            weights, dropout = Layer(layer.W.numpy(), layer.delay.numpy()), Dropout(share, stays)
            given = (coming, weights, _neuron(layer), dropout, chunks, learns)
            if layer.unit == 1:
                forward_float(*given, own.activity)
            else:
                forward_fixed(*given, counted, own.activity)
            used.append((coming, share, stays, own))
            coming = _arrivals(own)
            share = keep if hidden and kept is not None else 1.0
        last = used[-1][3].activity
        y = torch.empty(last.out.shape)
        dense(last.out, last.count, chunks, y.numpy())
        self._pass = (layers, used, keep if kept is not None else 1.0) if learns else None
        fired = [torch.from_numpy(own.activity.fired.copy()) for *_, own in used]
        return Activity(y, fired, [_told(own.activity.tally) for *_, own in used])

    def gradients(self, g: Tensor, slope: Slope, with_decays: bool = True) -> list[LayerGradient]:
        """From g = dL/dy (N, T, C) float32 of the last layer. Only after `run(..., learns=True)`.

        The parts stay valid until the next call.
        """
        layers, used, keep = self._pass
        chunks = numba.get_num_threads()
        sums = [self._sums(k, layer.W.shape, chunks) for k, layer in enumerate(layers)]
        panels = [self._panels(k, layer.w) for k, layer in enumerate(layers)]
        for first in range(0, len(g), _BLOCK * chunks):
            part = slice(first, first + _BLOCK * chunks)
            back = g[part].numpy()
            for k in reversed(range(len(layers))):
                layer, (coming, _, stays, (own, _)) = layers[k], used[k]
                n, steps, width = back.shape
                below = self._array("g", k, (n if k else 0, steps, len(layer.W)))
                forward = Pass(
                    inputs=coming._replace(begin=coming.begin[part], counts=coming.counts[part]),
                    v=own.v[part],
                    threshold=_neuron(layer).threshold,
                    delay=layer.delay.numpy(),
                    mask=stays[part],
                    keep=np.float32(keep if k + 1 < len(layers) else 1.0),
                    out=own.out[part],
                    count=own.count[part],
                )
                eu = self._array("eu", k, (chunks, steps, width))
                backward(back, forward, _surrogate(layer, slope), with_decays, panels[k], eu, below, sums[k])
                back = below
        # Sums over chunks in their order: the same bits for the same number of threads.
        return [
            LayerGradient(torch.from_numpy(dW), 1 / share, dD.sum(0) * layer.unit, torch.from_numpy(dd.sum(0)))
            for (dW, dD, dd), layer, (_, share, *_) in zip(sums, layers, used, strict=True)
        ]

    def voltages(self) -> list[Tensor]:
        """(N, T, C) of each layer, before the reset. Only after `run(..., learns=True)`."""
        return [torch.from_numpy(own.activity.v) for *_, own in self._pass[1]]

    def arrivals(self) -> list[Spikes]:
        """Of each layer's spikes."""
        _, used, _ = self._pass
        return [_arrivals(own) for *_, own in used]

    def _buffers(self, k: int, layer: Held, n: int, steps: int, chunks: int, learns: bool) -> _Buffers:
        key = ("layer", k, n, steps, chunks, learns, layer.unit == 1)
        if key not in self._kept:
            width = layer.W.shape[1]
            v_shape = (n, steps, width) if learns else (chunks, 1, width)
            activity = cuba.Activity(
                v=np.empty(v_shape, np.float32 if layer.unit == 1 else np.int32),
                out=np.empty((n, steps, width), np.uint16),
                count=np.empty((n, steps), np.int32),
                fired=np.empty((n, width), np.int32),
                tally=np.empty((chunks, len(TALLY)), np.int64),
            )
            begin = (np.arange(n * steps, dtype=np.int64) * width).reshape(n, steps)
            self._kept[key] = _Buffers(activity, begin)
        return self._kept[key]

    def _array(self, name: str, k: int, shape: tuple[int, ...]) -> np.ndarray:
        key = (name, k, shape)
        if key not in self._kept:
            self._kept[key] = np.empty(shape, np.float32)
        return self._kept[key]

    def _sums(self, k: int, shape: tuple[int, ...], chunks: int) -> Gradients:
        """At 0."""
        dW = self._array("dW", k, (chunks, *shape))
        dW[:] = 0
        return Gradients(dW, np.zeros((chunks, 3)), np.zeros((chunks, shape[1])))

    def _panels(self, k: int, w: Tensor) -> np.ndarray:
        """Of the transpose of a layer's weights (I, C), for `product`; none for the first layer."""
        panels = self._array("panels", k, (-(-len(w) // COLUMNS) if k else 0, w.shape[1], COLUMNS))
        if k:
            pack_transposed(w.numpy(), panels)
        return panels

    def _ones(self, n: int, width: int) -> np.ndarray:
        key = ("ones", n, width)
        if key not in self._kept:
            self._kept[key] = np.ones((n, width), np.uint8)
        return self._kept[key]


def _arrivals(own: _Buffers) -> Spikes:
    out, count = own.activity.out, own.activity.count
    return Spikes(out.reshape(-1), own.begin, count, out.shape[2])


def _neuron(layer: Held) -> FixedNeuron | FloatNeuron:
    if layer.unit == 1:
        return FloatNeuron(*map(np.float32, layer.cuba[:3]))
    return FixedNeuron(*map(np.int32, layer.cuba))


def _surrogate(layer: Held, slope: Slope) -> Surrogate:
    one = POINT if layer.unit != 1 else 1
    numbers = (layer.unit, slope.centre, -1 / slope.tau, slope.peak, layer.cuba.ku / one, layer.cuba.kv / one)
    return Surrogate(*map(np.float32, numbers))


def _told(tally: np.ndarray) -> dict[str, int]:
    """Counts are added over the chunks, largest values compared."""
    joined = [*tally[:, :COUNTS].sum(0), *tally[:, COUNTS:].max(0)]
    return {name: int(value) for name, value in zip(TALLY, joined, strict=True)}
