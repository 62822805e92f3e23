"""The engine `minibatch`, also for iaf_bsshslm_2020: weights change once per batch; every sample begins at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numba
import numpy as np
import torch

from neurobench.kernels.adaptive_threads import AdaptiveThreads
from neurobench.kernels.aligned import aligned
from neurobench.kernels.eprop import batch, bsshslm, forward
from neurobench.kernels.eprop.batch import Rule
from neurobench.kernels.eprop.forward import Network, Numbers
from neurobench.kernels.eprop.gradient import Results
from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.records import Constants, Samples
from neurobench.kernels.eprop.simd import COLUMNS
from neurobench.models.eprop import network
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import NO_TARGET, Matrices, Recording, Response, Weights
from neurobench.models.learner import Divergence

VECTOR = 8  # float32 values in a vector register
_RECORDS = ("w", "first", "second")
# Less filtered firing is set to 0. A silent neuron's falls by kappa^T per batch and after thirty is a float32 denormal,
# which takes Intel's processors a hundred times as long. Compared with a target rate it is negligible long before.
_SILENT = 1e-20


class MinibatchEngine:
    """Adam or gradient descent on the mean of a batch's e-prop gradients."""

    ascending = False

    def __init__(self, c: Constants, weights: Weights, dtype: Any = np.float32, symmetric: float = 0.0):
        """Initialise the engine. symmetric: B is W_out' times this factor after every update; 0: B stays as drawn."""
        self.c, self.dtype, self.symmetric = c, dtype, dtype(symmetric)
        places = np.nonzero(weights.mask_rec.T)  # of the recurrent synapses, as columns of one array
        self.source, self.target = (np.ascontiguousarray(place) for place in places)  # (P,) each
        self.start = np.searchsorted(self.source, np.arange(c.N + 1))
        self.w = self._laid_out(weights.w_in, weights.w_rec, weights.w_out, dtype)
        self.mask = self._laid_out(weights.mask_in, weights.mask_rec, weights.mask_out, np.bool_)
        self.B = _filled(weights.feedback.T, dtype, COLUMNS)
        self._align_feedback()
        zeros = (forward.Matrices(*(aligned(np.zeros_like(w)) for w in self.w)) for _ in range(3))
        self.first, self.second, self.grads = zeros
        self.f = np.zeros(self.w.w_in.shape[1], dtype)  # filtered firing, mean over the last batch's samples
        self.t = 0  # number of updates
        cast = {name: dtype(value) for name, value in c._asdict().items() if name in Numbers._fields}
        derived = {"per_width": dtype(1 / c.width), "rest": dtype(1 - c.kappa), "one": dtype(1.0)}
        plain = not (c.hard_reset or c.refractory or c.adapt_beta or c.surrogate or np.isfinite(c.v_min))
        self.numbers = Numbers(**cast, **derived, plain=plain)
        self.learning, self.predicting = AdaptiveThreads(), AdaptiveThreads()

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Response:
        """Return the response to G samples and add their summed gradient to `self.grads`. The bits do not depend on the
        number of threads."""
        results = self._results(len(labels))
        samples = Samples(*spikes, labels)
        batch.learn(self.c, self.numbers, self.network(), samples, results, numba.get_num_threads())
        return Response(results.window, results.counts)

    def _results(self, G: int) -> Results:
        """Arrays that a pass over G samples writes: `self.grads`, to which it adds, and zeros."""
        c = self.c
        window, counts = np.zeros((G, c.W, c.K), self.dtype), np.zeros((G, c.N), np.int64)
        self.f_end = np.zeros((G, len(self.f)), self.dtype)
        return Results(*self.grads, window, counts, self.f_end)

    def network(self) -> Network:
        return Network(*self.w, self.start, self.target, self.B, self.f)

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int, last: bool = False) -> Response:
        """Perform one update; the response is that of the weights before it. `lr` is that of W_in and W_rec."""
        return self.learning(self._train_batch, spikes, labels, lr, k)

    def _train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int) -> Response:
        response = self.gradients(spikes, labels)
        f = self.f_end.mean(0, dtype=np.float64).astype(self.dtype)
        self.f = np.where(f < _SILENT, self.dtype(0), f)
        self.t += 1
        total = 0.0
        rates = (lr, lr, lr * self.c.lr_out)
        for *arrays, rate in zip(self.w, self.grads, self.mask, self.first, self.second, rates, strict=True):
            total += self._update(arrays, rate, len(labels))
        if not np.isfinite(total):
            raise Divergence(f"diverged at update {k}: a weight is not finite. Try a smaller model.lr.")
        self._align_feedback()
        return response

    def _update(self, arrays: list[np.ndarray], lr: float, n: int) -> float:
        """Update weights. arrays: weights, their summed gradient over n samples, their mask, and Adam's two moments."""
        c, n = self.c, n * (self.c.W if self.c.average else 1)
        rate = lr * (np.sqrt(1 - c.beta_2**self.t) / (1 - c.beta_1**self.t)) if c.adam else lr / n
        numbers = 1 / n, rate, c.beta_1, c.beta_2, c.epsilon, c.w_min, c.w_max
        rule = Rule(*(self.dtype(number) for number in numbers))
        return batch.adam(*arrays, rule) if c.adam else batch.descend(*arrays[:3], rule)

    def _align_feedback(self) -> None:
        if self.symmetric:
            self.B[:, : self.c.N] = self.symmetric * self.w.w_out[:, : self.c.K].T

    def predict(self, spikes: Spikes, n: int) -> Response:
        return self.predicting(self.gradients, spikes, np.full(n, NO_TARGET))

    def weights(self) -> Matrices:
        N, K = self.c.N, self.c.K
        w_rec = np.zeros((N, N), self.dtype)
        w_rec[self.target, self.source] = self.w.w_rec[0]
        return self.w.w_in[:, :N].T.copy(), w_rec, self.w.w_out[:, :K].T.copy()

    def _laid_out(self, w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, dtype: Any) -> forward.Matrices:
        recurrent = w_rec[self.target, self.source].astype(dtype)[None]
        return forward.Matrices(_filled(w_in.T, dtype, COLUMNS), recurrent, _filled(w_out.T, dtype, VECTOR))

    def state_dict(self) -> dict[str, Any]:
        records = {name: network.stored(getattr(self, name)) for name in _RECORDS}
        return {**records, "f": torch.from_numpy(self.f.copy()), "t": self.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in _RECORDS:
            setattr(self, name, network.restored(getattr(self, name), state.get(name)))
        self.f, self.t = state["f"].numpy().copy(), state["t"]
        self._align_feedback()


def _filled(matrix: np.ndarray, dtype: Any, columns: int) -> np.ndarray:
    """Matrix padded with columns of 0 to a multiple of `columns`."""
    return aligned(np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % columns))), dtype)


class BsshslmEngine(MinibatchEngine):
    """The neuron `iaf_bsshslm_2020`: e-prop as published by Bellec et al. 2020, in NEST's semantics, on minibatches.

    One gradient per sample, its mean over a batch, one update; every sample begins at rest, as with NEST's
    `eprop_reset_neurons_on_update`. A spike that arrives in a sample's first step reaches no neuron, as in NEST. One
    difference: in NEST a source whose next spike comes in step 1 of the following sample is updated before the last
    learning signal has returned, and misses it; here no learning signal is lost. On N-MNIST this concerns 0.8 of 731
    inputs per sample: after 4 batches of 10 the weights differ by at most 1 % of their largest change; without those
    events they are equal.
    """

    ascending = True  # a source's repeats within a step must be adjacent

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Response:
        """Compute gradients like MinibatchEngine, but no firing rate is carried over from one sample to another."""
        results = self._results(len(labels))
        samples, distinct = (Samples(*part, labels) for part in (spikes, spikes.distinct()))
        bsshslm.learn(self.c, self.numbers, self.network(), samples, distinct, results, numba.get_num_threads())
        return Response(results.window, results.counts)


class Trajectory(NamedTuple):
    """All steps of one sample."""

    v: np.ndarray  # (T, N) mV
    free: np.ndarray  # (T, N) bool not refractory
    z: np.ndarray  # (T, N) uint8 spikes
    y: np.ndarray  # (T, K) readouts with the spikes of the same step, which reach them a step later


def simulate(c: Constants, a: Numbers, weights: Matrices, spikes: Spikes, g: int) -> Trajectory:
    """Simulate sample g step by step."""
    w_in, w_rec, w_out = weights
    shape = c.T, c.N
    steps = Trajectory(np.zeros(shape), np.zeros(shape, bool), np.zeros(shape, np.uint8), np.zeros((c.T, c.K)))
    v, z, y, left = np.zeros(c.N), np.zeros(c.N), np.zeros(c.K), np.zeros(c.N, np.int64)
    for t in range(c.T):
        at = g * (c.T + 1) + t
        x = w_rec @ z
        if t > 0:
            x += w_in[:, spikes.source[spikes.start[at] : spikes.start[at + 1]]].sum(1)
        v = np.maximum(a.alpha * v + a.gain * x - a.v_th * z, a.v_min)
        left = np.maximum(left - 1, 0)
        steps.free[t] = left == 0
        z = ((v >= a.v_th) & steps.free[t]).astype(float)
        left = np.where(z > 0, c.refractory, left)
        y = a.alpha_out * y + a.gain_out * (w_out @ z)
        steps.v[t], steps.z[t], steps.y[t] = v, z, y
    return steps


def output_error(c: Constants, y: np.ndarray, label: int) -> np.ndarray:
    """Errors of readouts y (steps, K): y - onehot, or softmax(y) - onehot."""
    if c.softmax:
        y = np.exp(y - y.max(1, keepdims=True))
        y = y / y.sum(1, keepdims=True)
    return y - np.eye(c.K)[label]


def recorded(c: Constants, a: Numbers, weights: Weights, spikes: Spikes, label: int) -> Recording:
    """Recording of the first sample. Its step t is row t + 2, as in the stream of `exact`; y of step t and its error
    reach the readouts a step later, and L of step t is two rows after step t."""
    steps = simulate(c, a, weights[:3], spikes, 0)
    psi = steps.free * np.vectorize(surrogate)(c.surrogate, steps.v - c.v_th, c.height, c.width)
    error = output_error(c, steps.y, label)
    error[: c.T - c.W] = 0.0
    rows = network.recording(c, 0, c.T)
    shifts = {"v": (steps.v, 2), "psi": (psi, 2), "z": (steps.z, 2), "out": (steps.y, 3), "error": (error, 3)}
    for name, (values, shift) in {**shifts, "L": (error @ weights.feedback.T, 4)}.items():
        getattr(rows, name)[shift:] = values[:-shift]
    return rows
