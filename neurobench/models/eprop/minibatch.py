"""The engine `minibatch`: weights change once a batch, and every sample begins at rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
import torch

from neurobench.kernels.eprop import batch
from neurobench.kernels.eprop.batch import Results
from neurobench.kernels.eprop.forward import Matrices, Network, Numbers, Recurrent, Samples
from neurobench.kernels.eprop.optimizer import AdamRule, adam, descend
from neurobench.kernels.eprop.records import Constants
from neurobench.kernels.eprop.rows import COLUMNS
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.exact import Answer, Spikes
from neurobench.models.eprop.initial import Weights
from neurobench.models.learner import Divergence

VECTOR = 8  # float32 in a vector register


class MinibatchEngine:
    """Adam or gradient descent on the mean of a batch's e-prop gradients."""

    ascending = False

    def __init__(
        self, c: Constants, weights: Weights, dtype: Any = np.float32, lr_out: float = 1.0, softmax: bool = False
    ):
        self.c, self.dtype, self.lr_out = c, dtype, lr_out
        self.wires = _wires(weights.mask_rec)
        self.w = self._laid_out(weights.w_in, weights.w_rec, weights.w_out, dtype)
        self.mask = self._laid_out(weights.mask_in, weights.mask_rec, weights.mask_out, np.bool_)
        self.B = _filled(weights.feedback.T, dtype, COLUMNS)
        self.first, self.second = _like(self.w), _like(self.w)
        self.f = np.zeros(self.w.w_in.shape[1], dtype)  # filtered firing, mean over the last batch's samples
        self.t = 0  # updates
        self.numbers = _numbers(c, dtype, softmax)
        self.grads: Matrices | None = None

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Answer:
        """Answer of G samples; `self.grads` gains their summed gradient, one part a thread."""
        c, G, chunks = self.c, len(labels), numba.get_num_threads()
        if self.grads is None or len(self.grads.w_in) != chunks:
            self.grads = Matrices(*(np.zeros((chunks, *w.shape), self.dtype) for w in self.w))
        window, counts = np.zeros((G, c.W, c.K), self.dtype), np.zeros((G, c.N), np.int64)
        f_end = np.zeros((G, len(self.f)), self.dtype)
        results = Results(*self.grads, window, counts, f_end)
        batch.learn(c, self.numbers, self.network(), Samples(*spikes, labels), results)
        self.f_end = f_end
        return Answer(window, counts, stream_state.recording(c, 0, 0))

    def network(self) -> Network:
        return Network(*self.w, *self.wires, self.B, self.f)

    def group(self, spikes: Spikes, labels: np.ndarray, rate: float, k: int) -> Answer:
        """One update; the answers are those of the weights before it. `rate` is that of W_in and W_rec."""
        answer = self.gradients(spikes, labels)
        self.f = self.f_end.mean(0, dtype=np.float64).astype(self.dtype)
        self.t += 1
        assert self.grads is not None
        total = 0.0
        for w, g, mask, m, v, lr in zip(
            self.w, self.grads, self.mask, self.first, self.second, (rate, rate, rate * self.lr_out), strict=True
        ):
            total += self._update(w, g, mask, m, v, lr, len(labels))
        if not np.isfinite(total):
            raise Divergence(f"diverged at update {k}: a weight is not finite. Try a smaller model.lr.")
        return answer

    def _update(
        self, w: np.ndarray, g: np.ndarray, mask: np.ndarray, m: np.ndarray, v: np.ndarray, lr: float, n: int
    ) -> float:
        c, kind = self.c, self.dtype
        clip = kind(c.w_min), kind(c.w_max)
        if not c.adam:
            return descend(w, g, mask, kind(lr / n), *clip)
        lr *= np.sqrt(1 - c.beta_2**self.t) / (1 - c.beta_1**self.t)
        betas = kind(c.beta_1), kind(c.beta_2), kind(c.epsilon)
        return adam(w, g, mask, m, v, AdamRule(kind(1 / n), kind(lr), *betas, *clip))

    def answer(self, spikes: Spikes, n: int) -> Answer:
        """The readouts of n samples, without learning."""
        return self.gradients(spikes, np.full(n, -1))

    def weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W_in (N, I), W_rec (N, N), W_out (K, N): [target, source]."""
        N, K = self.c.N, self.c.K
        w_rec = np.zeros((N, N), self.dtype)
        w_rec[self.wires.target, np.repeat(np.arange(N), np.diff(self.wires.start))] = self.w.w_rec[0]
        return self.w.w_in[:, :N].T.copy(), w_rec, self.w.w_out[:, :K].T.copy()

    def _laid_out(self, w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, dtype: Any) -> Matrices:
        source = np.repeat(np.arange(len(w_rec)), np.diff(self.wires.start))
        return Matrices(
            _filled(w_in.T, dtype, COLUMNS),
            w_rec[self.wires.target, source].astype(dtype)[None],
            _filled(w_out.T, dtype, VECTOR),
        )

    def state_dict(self) -> dict[str, Any]:
        records = {name: stream_state.stored(getattr(self, name)) for name in ("w", "first", "second")}
        return {**records, "f": torch.from_numpy(self.f.copy()), "t": self.t}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("w", "first", "second"):
            setattr(self, name, stream_state.restore(getattr(self, name), state[name]))
        self.f, self.t = state["f"].numpy().copy(), state["t"]


def _filled(matrix: np.ndarray, dtype: Any, columns: int) -> np.ndarray:
    """Columns of 0 up to a multiple of `columns`."""
    return np.ascontiguousarray(np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % columns))).astype(dtype))


def _wires(mask: np.ndarray) -> Recurrent:
    """mask (N, N) [target, source]."""
    source, target = np.nonzero(mask.T)
    return Recurrent(np.searchsorted(source, np.arange(len(mask) + 1)), target)


def _like(matrices: Matrices) -> Matrices:
    return Matrices(*(np.zeros_like(w) for w in matrices))


def _numbers(c: Constants, dtype: Any, softmax: bool) -> Numbers:
    values = (c.alpha, c.alpha_out, c.v_th, c.height, 1 / c.width, c.kappa, 1 - c.kappa, c.c_reg, c.f_target)
    plain = not (c.hard_reset or c.refractory or c.adapt_beta or c.surrogate or np.isfinite(c.v_min))
    numbers = [dtype(value) for value in (*values, c.rho, c.adapt_beta, 1.0)]
    return Numbers._make([*numbers, plain, softmax])
