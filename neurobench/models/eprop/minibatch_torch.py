"""The engine `minibatch` on a GPU: the same numbers in torch, all samples of a batch in parallel, a loop over steps.

Every sum is in a fixed order (products of matrices, bags of rows), so that a device is reproducible bit for bit.
Weights and optimiser stay in the engine that it extends: a run can be resumed on another device.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from neurobench.kernels.eprop.records import SURROGATES, Constants
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.minibatch import MinibatchEngine
from neurobench.models.eprop.network import Response, Weights

_AT_ONCE = 256  # samples per pass; bounds memory


class State(NamedTuple):
    """State (G, N) of the neurons in G samples, with the names of `kernels.eprop.records.Neurons`."""

    v: Tensor
    adapt: Tensor
    left: Tensor  # int64
    waiting: Tensor
    z: Tensor


class Forward(NamedTuple):
    """Results of the forward pass that the backward pass needs."""

    psi: Tensor  # (T, G, N), like z and f
    z: Tensor
    f: Tensor
    trace: Tensor  # (W, G, N) the readouts' trace of each neuron's spikes


class TorchMinibatchEngine(MinibatchEngine):
    def __init__(
        self, c: Constants, weights: Weights, device: torch.device, dtype: Any = np.float32, symmetric: float = 0.0
    ):
        super().__init__(c, weights, dtype, symmetric)
        self.device = device

    def _to_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def gradients(self, spikes: Spikes, labels: np.ndarray) -> Response:
        results = self._results(len(labels))
        self.feedback = self._to_device(self.B[:, : self.c.N])  # (K, N)
        weights = [self._to_device(part.T) for part in self.weights()]  # [source, target]
        for first in range(0, len(labels), _AT_ONCE):
            some = labels[first : first + _AT_ONCE]
            window, counts, f = self._add_chunk(weights, spikes.samples(first, len(some), self.c.T), some)
            rows = slice(first, first + len(some))
            results.window[rows], results.counts[rows], results.f[rows, : self.c.N] = window, counts, f
        return Response(results.window, results.counts)

    def _add_chunk(self, weights: list[Tensor], spikes: Spikes, labels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Add the gradients of some samples. Returns their readouts, spike counts and filtered firing."""
        c, (w_in, w_rec, w_out) = self.c, weights
        source = self._to_device(spikes.source)
        x = embedding_bag(source, w_in, self._to_device(spikes.start[:-1]), mode="sum")
        passed = self._forward(x.view(len(labels), c.T + 1, c.N), w_rec)
        y = passed.trace @ w_out  # (W, G, K)
        known = self._to_device(labels >= 0)
        if bool(known.any()):
            mu, E = self._backward(passed, y, self._to_device(np.maximum(labels, 0)), known)
            self._add_gradients(mu, E, passed, source, self._to_device(spikes.steps()))
        counts = passed.z.sum(0).round().long()
        return tuple(part.cpu().numpy() for part in (y.transpose(0, 1), counts, passed.f[-1]))

    def _forward(self, x: Tensor, w_rec: Tensor) -> Forward:
        """Run the forward pass on input x (G, T + 1, N), whose step T is not used."""
        c, G = self.c, len(x)
        zero = x.new_zeros(G, c.N)
        s = State(zero, zero, torch.zeros_like(zero, dtype=torch.int64), zero, zero)
        f, r = self._to_device(self.f[: c.N]).expand(G, c.N), zero
        steps = []
        for t in range(c.T):
            r = c.alpha_out * r + s.z
            psi, s = _step(c, x[:, t] + s.z @ w_rec, s)
            f = c.kappa * f + (1 - c.kappa) * s.z
            steps.append((psi, s.z, f, r))
        psis, zs, fs, traces = zip(*steps, strict=True)
        return Forward(*(torch.stack(part) for part in (psis, zs, fs, traces[c.T - c.W :])))

    def _backward(self, passed: Forward, y: Tensor, labels: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu (T, G, N) and the errors E (W, G, K) of `kernels.eprop.batch`, 0 for samples without a label."""
        c = self.c
        target = torch.nn.functional.one_hot(labels, c.K).to(y.dtype)
        E = ((y.softmax(-1) if c.softmax else y) - target) * known[:, None]
        lam = mu = b = torch.zeros_like(passed.psi[0])
        out = torch.empty_like(passed.psi)
        for t in range(c.T - 1, -1, -1):
            lam = c.kappa * lam + (1 - c.kappa) * c.c_reg * (passed.f[t] - c.f_target)
            k = t + 1 - (c.T - c.W)
            if 0 <= k < c.W:
                lam = lam + E[k] @ self.feedback
            slope = passed.psi[t] * (lam + b)
            mu = c.alpha * mu + slope
            b = c.rho * b - c.adapt_beta * slope
            out[t] = mu * known[:, None]
        return out, E

    def _add_gradients(self, mu: Tensor, E: Tensor, passed: Forward, source: Tensor, step: Tensor) -> None:
        """Add to the gradients. source, step: (E,) of each input spike, steps counted across samples."""
        c = self.c
        padded = torch.cat([mu, torch.zeros_like(mu[:1])])  # step T contributes nothing
        order = torch.argsort(source, stable=True)
        begin = torch.searchsorted(source[order], torch.arange(c.inputs, device=self.device))
        to_in = embedding_bag(step[order], padded.transpose(0, 1).reshape(-1, c.N), begin, mode="sum")
        to_rec = passed.z[:-1].reshape(-1, c.N).T @ mu[1:].reshape(-1, c.N)
        to_out = torch.einsum("wgn,wgk->nk", passed.trace, E)
        self.grads.w_in[:, : c.N] += to_in.cpu().numpy()
        self.grads.w_rec[0] += to_rec.cpu().numpy()[self.source, self.target]
        self.grads.w_out[:, : c.K] += to_out.cpu().numpy()


def _step(c: Constants, x: Tensor, s: State) -> tuple[Tensor, State]:
    """Apply `kernels.eprop.neuron.neuron_step` to all neurons. Returns psi and the state after the step."""
    left, waiting, adapt = s.left, s.waiting, s.adapt
    free = left == 0
    v = c.alpha * s.v + x
    if c.hard_reset:
        if c.refractory_input:
            v = v + waiting
            waiting = torch.where(free, 0.0, waiting + x * torch.exp(-left.to(x.dtype) / c.tau_m))
        v = torch.where(free, v.clamp(min=c.v_min), s.v)
        left = (left - 1).clamp(min=0)
        adapt = torch.where(free, c.rho * adapt + s.z, adapt)
    else:
        v = v.clamp(min=c.v_min)
        adapt = c.rho * adapt + s.z
    theta = c.v_th + c.adapt_beta * adapt
    psi = torch.where(left > 0, 0.0, _surrogate(c, v - theta))
    fires = v >= theta
    if c.hard_reset:
        v = torch.where(fires, c.v_reset, v)
        left = torch.where(fires, c.refractory, left)
    else:
        fires &= free
        v = torch.where(fires, v - c.v_th, v)
        left = (torch.where(fires, c.refractory, left) - 1).clamp(min=0)
    return psi, State(v, adapt, left, waiting, fires.to(x.dtype))


def _surrogate(c: Constants, distance: Tensor) -> Tensor:
    """Vectorised `kernels.eprop.neuron.surrogate`."""
    u = (distance / c.width).abs()
    kind = SURROGATES[c.surrogate]
    if kind == "piecewise_linear":
        return c.height * (1 - u).clamp(min=0)
    if kind == "exponential":
        return c.height * torch.exp(-u)
    if kind == "fast_sigmoid_derivative":
        return c.height / (1 + u).square()
    return c.height / (1 + u.square())  # arctan
