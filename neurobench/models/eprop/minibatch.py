"""The engine `minibatch`: weights change once a batch, and every sample begins at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
import torch

from neurobench.kernels.eprop import batch, forward
from neurobench.kernels.eprop.batch import Results
from neurobench.kernels.eprop.forward import Network, Numbers, Recurrent, Samples
from neurobench.kernels.eprop.optimizer import AdamRule, adam, descend
from neurobench.kernels.eprop.records import Constants
from neurobench.kernels.eprop.rows import COLUMNS
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import NO_TARGET, Matrices, Response, Weights, restored, stored
from neurobench.models.learner import Divergence

VECTOR = 8  # float32 in a vector register
_RECORDS = ("w", "first", "second")


class MinibatchEngine:
    """Adam or gradient descent on the mean of a batch's e-prop gradients."""

    ascending = False

    def __init__(
        self, c: Constants, weights: Weights, dtype: Any = np.float32, lr_out: float = 1.0, softmax: bool = False
    ):
        self.c, self.dtype, self.lr_out = c, dtype, lr_out
        source, target = np.nonzero(weights.mask_rec.T)
        self.recurrent = Recurrent(np.searchsorted(source, np.arange(c.N + 1)), target)
        self.w = self._laid_out(weights.w_in, weights.w_rec, weights.w_out, dtype)
        self.mask = self._laid_out(weights.mask_in, weights.mask_rec, weights.mask_out, np.bool_)
        self.B = _filled(weights.feedback.T, dtype, COLUMNS)
        self.first, self.second = (forward.Matrices(*(np.zeros_like(w) for w in self.w)) for _ in range(2))
        self.f = np.zeros(self.w.w_in.shape[1], dtype)  # filtered firing, mean over the last batch's samples
        self.t = 0  # updates
        values = (c.alpha, c.alpha_out, c.v_th, c.height, 1 / c.width, c.kappa, 1 - c.kappa, c.c_reg, c.f_target)
        numbers = [dtype(value) for value in (*values, c.rho, c.adapt_beta, 1.0)]
        plain = not (c.hard_reset or c.refractory or c.adapt_beta or c.surrogate or np.isfinite(c.v_min))
        self.numbers = Numbers._make([*numbers, plain, softmax])
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
        return Network(*self.w, *self.recurrent, self.B, self.f)

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int) -> Response:
        """One update; the response is that of the weights before it. `lr` is that of W_in and W_rec."""
        response = self.gradients(spikes, labels)
        self.f = self.f_end.mean(0, dtype=np.float64).astype(self.dtype)
        self.t += 1
        assert self.grads is not None
        total = 0.0
        rates = (lr, lr, lr * self.lr_out)
        for *arrays, rate in zip(self.w, self.grads, self.mask, self.first, self.second, rates, strict=True):
            total += self._update(arrays, rate, len(labels))
        if not np.isfinite(total):
            raise Divergence(f"diverged at update {k}: a weight is not finite. Try a smaller model.lr.")
        return response

    def _update(self, arrays: list[np.ndarray], lr: float, n: int) -> float:
        """arrays: the weights, their summed gradient over n samples, their mask, and Adam's two moments."""
        c, kind = self.c, self.dtype
        clip = kind(c.w_min), kind(c.w_max)
        if not c.adam:
            return descend(*arrays[:3], kind(lr / n), *clip)
        lr *= np.sqrt(1 - c.beta_2**self.t) / (1 - c.beta_1**self.t)
        betas = kind(c.beta_1), kind(c.beta_2), kind(c.epsilon)
        return adam(*arrays, AdamRule(kind(1 / n), kind(lr), *betas, *clip))

    def predict(self, spikes: Spikes, n: int) -> Response:
        return self.gradients(spikes, np.full(n, NO_TARGET))

    def weights(self) -> Matrices:
        N, K = self.c.N, self.c.K
        w_rec = np.zeros((N, N), self.dtype)
        w_rec[self.recurrent.target, self._sources()] = self.w.w_rec[0]
        return self.w.w_in[:, :N].T.copy(), w_rec, self.w.w_out[:, :K].T.copy()

    def _sources(self) -> np.ndarray:
        """(P,) source of each recurrent synapse."""
        return np.repeat(np.arange(self.c.N), np.diff(self.recurrent.start))

    def _laid_out(self, w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, dtype: Any) -> forward.Matrices:
        recurrent = w_rec[self.recurrent.target, self._sources()].astype(dtype)[None]
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
