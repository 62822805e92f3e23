"""The engine `minibatch`: weights change once a batch, and every sample begins at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
import torch

from neurobench.kernels.eprop import batch, forward
from neurobench.kernels.eprop.batch import Results, Rule
from neurobench.kernels.eprop.forward import Network, Numbers
from neurobench.kernels.eprop.records import Constants, Samples
from neurobench.kernels.eprop.simd import COLUMNS
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import NO_TARGET, Matrices, Response, Weights, restored, stored
from neurobench.models.learner import Divergence

VECTOR = 8  # float32 in a vector register
_RECORDS = ("w", "first", "second")


class MinibatchEngine:
    """Adam or gradient descent on the mean of a batch's e-prop gradients."""

    ascending = False

    def __init__(self, c: Constants, weights: Weights, dtype: Any = np.float32):
        self.c, self.dtype = c, dtype
        self.source, self.target = np.nonzero(weights.mask_rec.T)  # (P,) of each recurrent synapse
        self.start = np.searchsorted(self.source, np.arange(c.N + 1))
        self.w = self._laid_out(weights.w_in, weights.w_rec, weights.w_out, dtype)
        self.mask = self._laid_out(weights.mask_in, weights.mask_rec, weights.mask_out, np.bool_)
        self.B = _filled(weights.feedback.T, dtype, COLUMNS)
        self.first, self.second = (forward.Matrices(*(np.zeros_like(w) for w in self.w)) for _ in range(2))
        self.f = np.zeros(self.w.w_in.shape[1], dtype)  # filtered firing, mean over the last batch's samples
        self.t = 0  # updates
        cast = {name: dtype(value) for name, value in c._asdict().items() if name in Numbers._fields}
        derived = {"per_width": dtype(1 / c.width), "rest": dtype(1 - c.kappa), "one": dtype(1.0)}
        plain = not (c.hard_reset or c.refractory or c.adapt_beta or c.surrogate or np.isfinite(c.v_min))
        self.numbers = Numbers(**cast, **derived, plain=plain)
        self.grads: forward.Matrices | None = None

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Response:
        """Response of G samples; `self.grads` gains their summed gradient, one part a thread."""
        results = self._results(len(labels), numba.get_num_threads())
        batch.learn(self.c, self.numbers, self.network(), Samples(*spikes, labels), results)
        return Response(results.window, results.counts)

    def _results(self, G: int, chunks: int) -> Results:
        """Where a pass over G samples writes: `self.grads`, which gains, and zeros."""
        c = self.c
        if self.grads is None or len(self.grads.w_in) != chunks:
            self.grads = forward.Matrices(*(np.zeros((chunks, *w.shape), self.dtype) for w in self.w))
        window, counts = np.zeros((G, c.W, c.K), self.dtype), np.zeros((G, c.N), np.int64)
        self.f_end = np.zeros((G, len(self.f)), self.dtype)
        return Results(*self.grads, window, counts, self.f_end)

    def network(self) -> Network:
        return Network(*self.w, self.start, self.target, self.B, self.f)

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int) -> Response:
        """One update; the response is that of the weights before it. `lr` is that of W_in and W_rec."""
        response = self.gradients(spikes, labels)
        self.f = self.f_end.mean(0, dtype=np.float64).astype(self.dtype)
        self.t += 1
        assert self.grads is not None
        total = 0.0
        rates = (lr, lr, lr * self.c.lr_out)
        for *arrays, rate in zip(self.w, self.grads, self.mask, self.first, self.second, rates, strict=True):
            total += self._update(arrays, rate, len(labels))
        if not np.isfinite(total):
            raise Divergence(f"diverged at update {k}: a weight is not finite. Try a smaller model.lr.")
        return response

    def _update(self, arrays: list[np.ndarray], lr: float, n: int) -> float:
        """arrays: the weights, their summed gradient over n samples, their mask, and Adam's two moments."""
        c, n = self.c, n * (self.c.W if self.c.average else 1)
        scale, rate = 1.0, lr / n
        if c.adam:
            scale, rate = 1 / n, lr * (np.sqrt(1 - c.beta_2**self.t) / (1 - c.beta_1**self.t))
        numbers = scale, rate, c.beta_1, c.beta_2, c.epsilon, c.w_min, c.w_max
        return batch.update(*arrays, Rule(c.adam, *(self.dtype(number) for number in numbers)))

    def predict(self, spikes: Spikes, n: int) -> Response:
        return self.gradients(spikes, np.full(n, NO_TARGET))

    def weights(self) -> Matrices:
        N, K = self.c.N, self.c.K
        w_rec = np.zeros((N, N), self.dtype)
        w_rec[self.target, self.source] = self.w.w_rec[0]
        return self.w.w_in[:, :N].T.copy(), w_rec, self.w.w_out[:, :K].T.copy()

    def _laid_out(self, w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, dtype: Any) -> forward.Matrices:
        recurrent = w_rec[self.target, self.source].astype(dtype)[None]
        return forward.Matrices(_filled(w_in.T, dtype, COLUMNS), recurrent, _filled(w_out.T, dtype, VECTOR))

    def state_dict(self) -> dict[str, Any]:
        records = {name: stored(getattr(self, name)) for name in _RECORDS}
        return {**records, "f": torch.from_numpy(self.f.copy()), "t": self.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in _RECORDS:
            setattr(self, name, restored(getattr(self, name), state.get(name)))
        self.f, self.t = state["f"].numpy().copy(), state["t"]


def _filled(matrix: np.ndarray, dtype: Any, columns: int) -> np.ndarray:
    """Columns of 0 up to a multiple of `columns`."""
    return np.ascontiguousarray(np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % columns))).astype(dtype))
