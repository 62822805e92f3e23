"""The neuron `iaf_bsshslm_2020`: e-prop as Bellec et al. 2020 wrote it, in NEST's semantics, on minibatches.

One gradient a sample, its mean over a batch, one update; every sample begins at rest, as with NEST's
`eprop_reset_neurons_on_update`. A spike that arrives in a sample's first step reaches nobody, as in NEST. One thing
differs: in NEST a source whose next spike comes in step 1 of the sample after has its update before the last
learning signal has come back, and lacks it; here no learning signal is lost. Of N-MNIST's inputs that concerns 0.8 of
731 a sample: after 4 batches of 10 the weights are within 1 % of their largest change, without those events equal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from neurobench.kernels.eprop import bsshslm
from neurobench.kernels.eprop.batch import Results
from neurobench.kernels.eprop.bsshslm import Rule
from neurobench.kernels.eprop.forward import Matrices, Samples
from neurobench.kernels.eprop.records import Constants
from neurobench.kernels.eprop.spikes import drop_repeats
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.exact import Answer, Spikes
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.minibatch import MinibatchEngine


class Arrival(NamedTuple):
    """How NEST's models take a spike: one that comes at the end of its step counts whole, else what decays within it
    is lost, a factor of 1 - alpha (regular_spike_arrival); and whether a gradient is divided by the window's steps."""

    regular: bool = True
    regular_out: bool = True
    average: bool = False


class BsshslmEngine(MinibatchEngine):
    ascending = True  # a source's repeats within a step must lie side by side

    def __init__(
        self,
        c: Constants,
        weights: Weights,
        arrival: Arrival,
        dtype: Any = np.float32,
        lr_out: float = 1.0,
        softmax: bool = False,
    ):
        super().__init__(c, weights, dtype, lr_out, softmax)
        self.rule = rule(c, arrival, dtype)._replace(softmax=softmax)
        self.share = c.W if arrival.average else 1

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Answer:
        c, G, chunks = self.c, len(labels), numba.get_num_threads()
        if self.grads is None or len(self.grads.w_in) != chunks:
            self.grads = Matrices(*(np.zeros((chunks, *w.shape), self.dtype) for w in self.w))
        window, counts = np.zeros((G, c.W, c.K), self.dtype), np.zeros((G, c.N), np.int64)
        samples = Samples(*spikes, labels)
        distinct = Samples(spikes.start.copy(), spikes.source.copy(), labels)
        drop_repeats(distinct.start, distinct.source)
        self.f_end = np.zeros((G, len(self.f)), self.dtype)  # no firing rate outlives its sample
        results = Results(*self.grads, window, counts, self.f_end)
        bsshslm.learn(c, self.rule, self.network(), samples, distinct, results)
        return Answer(window, counts, stream_state.recording(c, 0, 0))

    def _update(
        self, w: np.ndarray, g: np.ndarray, mask: np.ndarray, m: np.ndarray, v: np.ndarray, lr: float, n: int
    ) -> float:
        return super()._update(w, g, mask, m, v, lr, n * self.share)


def rule(c: Constants, arrival: Arrival, dtype: Any = np.float64) -> Rule:
    gain = 1.0 if arrival.regular else 1.0 - c.alpha
    gain_out = 1.0 if arrival.regular_out else 1.0 - c.alpha_out
    values = (c.alpha, c.alpha_out, gain, gain_out, c.v_th, c.v_min, c.kappa, 1 - c.kappa, c.c_reg, c.f_target)
    return Rule(*(dtype(value) for value in values))


class Course(NamedTuple):
    """Every step of one sample."""

    v: np.ndarray  # (T, N) mV
    free: np.ndarray  # (T, N) bool not refractory
    z: np.ndarray  # (T, N) uint8 spikes
    y: np.ndarray  # (T, K) readouts with the spikes of the same step, which reach them a step later


def course(c: Constants, a: Rule, weights: tuple[np.ndarray, ...], spikes: Spikes, g: int) -> Course:
    """Of sample g, step by step. weights: W_in (N, I), W_rec (N, N), W_out (K, N)."""
    w_in, w_rec, w_out = weights
    shape = c.T, c.N
    found = Course(np.zeros(shape), np.zeros(shape, bool), np.zeros(shape, np.uint8), np.zeros((c.T, c.K)))
    v, z, y, left = np.zeros(c.N), np.zeros(c.N), np.zeros(c.K), np.zeros(c.N, np.int64)
    for t in range(c.T):
        at = g * (c.T + 1) + t
        x = w_rec @ z
        if t > 0:
            x += w_in[:, spikes.source[spikes.start[at] : spikes.start[at + 1]]].sum(1)
        v = np.maximum(a.alpha * v + a.gain * x - a.v_th * z, a.v_min)
        left = np.maximum(left - 1, 0)
        found.free[t] = left == 0
        z = ((v >= a.v_th) & found.free[t]).astype(float)
        left = np.where(z > 0, c.refractory, left)
        y = a.alpha_out * y + a.gain_out * (w_out @ z)
        found.v[t], found.z[t], found.y[t] = v, z, y
    return found
