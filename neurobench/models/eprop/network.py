"""Constants of the network, its initial weights, and the interface of the engines that train it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.kernels.aligned import aligned
from neurobench.kernels.eprop.records import SURROGATES, Constants
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.spec import BSSHSLM, EpropRSNN

NO_TARGET = -1  # label of a sample without a target

Matrices = tuple[np.ndarray, np.ndarray, np.ndarray]  # W_in (N, I), W_rec (N, N), W_out (K, N): [target, source]


def constants(spec: EpropRSNN, inputs: int, classes: int) -> Constants:
    """Constants of the network, with NEST's propagators exp(-dt / tau), dt = 1 ms. The order of operations of c_reg is
    the tutorial's."""
    same: dict[str, Any] = {name: getattr(spec, name) for name in ("refractory_input", "cutoff", "each_step", "batch")}
    reals = ("v_th", "v_reset", "tau_m", "kappa", "kappa_reg", "w_min", "w_max", "beta_1", "beta_2", "epsilon")
    same |= {name: float(getattr(spec, name)) for name in reals}
    alpha, alpha_out = math.exp(-1.0 / spec.tau_m), math.exp(-1.0 / spec.tau_out)
    adapts = spec.neuron.endswith("_adapt")
    return Constants(
        T=spec.steps,
        W=spec.window,
        inputs=inputs,
        N=spec.hidden,
        K=classes,
        alpha=alpha,
        alpha_out=alpha_out,
        v_min=-math.inf if spec.v_min is None else float(spec.v_min),
        refractory=spec.t_ref,
        hard_reset=spec.neuron.startswith("psc_delta"),
        adapt_beta=float(spec.adapt_beta) if adapts else 0.0,
        rho=math.exp(-1.0 / spec.adapt_tau) if adapts else 0.0,
        surrogate=SURROGATES.index(spec.surrogate),
        height=float(spec.surrogate_height),
        width=float(spec.surrogate_width),
        c_reg=spec.c_reg / spec.steps / trace_scale(spec) ** 2,
        f_target=spec.f_target / 1000.0,
        adam=spec.optimizer == "adam",
        lr_out=float(spec.lr_out),
        softmax=spec.error == "softmax",
        gain=1.0 if spec.regular_spike_arrival else 1.0 - alpha,
        gain_out=1.0 if spec.regular_spike_arrival_out else 1.0 - alpha_out,
        average=spec.average_gradient,
        **same,
    )


def trace_scale(spec: EpropRSNN) -> float:
    """Factor (1 - kappa) that NEST's traces lack, in floating point: 0.010000000000000009, not 0.01. The traces of
    iaf_bsshslm_2020 include it."""
    return 1.0 if spec.neuron == BSSHSLM else 1.0 - spec.kappa


def symmetric_feedback(spec: EpropRSNN) -> float:
    """Factor from W_out' to the feedback B; 0 if B is drawn. W_out is drawn times (1 - kappa), B divided by it.
    Source: symmetric e-prop of Bellec et al. (2020), "A solution to the learning dilemma"."""
    return 1.0 / trace_scale(spec) ** 2 if spec.feedback == "symmetric" else 0.0


def learning_rate(spec: EpropRSNN) -> float:
    return spec.lr * trace_scale(spec) ** 2 if spec.optimizer == "gradient_descent" else float(spec.lr)


class Weights(NamedTuple):
    """Weights [target, source], float64, pA. A synapse exists where its mask is 1."""

    w_in: np.ndarray  # (N, I)
    w_rec: np.ndarray  # (N, N)
    w_out: np.ndarray  # (K, N)
    feedback: np.ndarray  # (N, K), fixed unless it is symmetric
    mask_in: np.ndarray  # (N, I) bool
    mask_rec: np.ndarray
    mask_out: np.ndarray


def draw(seed: int, I: int, N: int, K: int, scale: float, sparsity: tuple[float, ...]) -> Weights:
    """Draw initial weights like the tutorial's script after `np.random.seed(seed)`, by numpy's legacy generator.
    `scale` is 1 - kappa; `sparsity` is given for in, rec, out.

    W_in ~ N(0, 1 / I), W_rec ~ N(0, 1 / N) without self-connections, W_out uniform (Glorot) times `scale`,
    B ~ N(0, 1) / scale. Masked weights keep the sign of their zero, as in the script.
    """
    numpy = np.random.RandomState(seed)
    w_in = numpy.randn(I, N).T / np.sqrt(I)
    w_rec = numpy.randn(N, N).T / np.sqrt(N)
    np.fill_diagonal(w_rec, 0.0)
    limit = np.sqrt(3.0 * (1.0 / max(1.0, (N + K) / 2.0)))
    w_out = numpy.uniform(low=-limit, high=limit, size=(N, K)).T * scale
    feedback = numpy.randn(N, K) / scale
    w_in, w_rec, w_out = (
        w * numpy.choice([0, 1], w.shape, p=[zeros, 1 - zeros])
        for w, zeros in zip((w_in, w_rec, w_out), sparsity, strict=True)
    )
    return from_matrices(w_in, w_rec, w_out, feedback)


def from_matrices(w_in: np.ndarray, w_rec: np.ndarray, w_out: np.ndarray, feedback: np.ndarray) -> Weights:
    """Weights with a synapse for each entry that is not 0."""
    return Weights(w_in, w_rec, w_out, feedback, w_in != 0, w_rec != 0, w_out != 0)


class Recording(NamedTuple):
    """Scratch rows of a step, and the recorded steps n: those before `until`, in row n - (first step)."""

    x: np.ndarray  # (N + 1,) float64, like all but fired and z
    y: np.ndarray  # (K,)
    signal: np.ndarray  # (N,)
    fired: np.ndarray  # (N,) int64
    until: int
    v: np.ndarray  # (R, N)
    z: np.ndarray  # (R, N) uint8
    psi: np.ndarray  # (R, N)
    L: np.ndarray  # (R, N), row n contains L of n - 2
    out: np.ndarray  # (R, K)
    error: np.ndarray  # (R, K)


def recording(c: Constants, n0: int, steps: int) -> Recording:
    """Recording for `steps` steps from n0 on, filled with 0."""
    scratch = np.zeros(c.N + 1), np.zeros(c.K), np.zeros(c.N), np.zeros(c.N, np.int64)
    neurons = np.zeros((steps, c.N)), np.zeros((steps, c.N), np.uint8), np.zeros((steps, c.N)), np.zeros((steps, c.N))
    return Recording(*scratch, n0 + steps, *neurons, np.zeros((steps, c.K)), np.zeros((steps, c.K)))


class Response(NamedTuple):
    """Response of the network to G samples."""

    window: np.ndarray  # (G, W, K) readout in each sample's window
    counts: np.ndarray  # (G, N) int64 spikes of each recurrent neuron


class Engine(Protocol):
    """Engine that trains the network on batches of samples, and predicts."""

    c: Constants
    ascending: bool  # spikes of a step must come sorted by source

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int, last: bool = False) -> Response:
        """Perform update k and return the response during learning; `last`: it ends training. Raises Divergence."""

    def predict(self, spikes: Spikes, n: int) -> Response:
        """Response to n samples without learning; the engine's state is unchanged."""

    def weights(self) -> Matrices: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""


def copied(record: Any) -> Any:
    return type(record)(*(aligned(part) for part in record))


def stored(record: Any) -> dict[str, torch.Tensor]:
    """A record's arrays as tensors; uint32 as int32, since pickle, as of an estimator, cannot read back the former."""
    parts = {name: part.copy() for name, part in record._asdict().items()}
    signed = {name: part.view(np.int32) if part.dtype == np.uint32 else part for name, part in parts.items()}
    return {name: torch.from_numpy(part) for name, part in signed.items()}


def restored(record: Any, state: Mapping[str, torch.Tensor] | None) -> Any:
    """Record with the stored values. Raises UserError if they belong to another network."""
    shapes = {name: part.shape for name, part in record._asdict().items()}
    theirs = {name: tuple(part.shape) for name, part in (state or {}).items()}
    if state is None or shapes != theirs:
        raise UserError(
            f"the checkpoint does not fit: {theirs} in the checkpoint, {shapes} here. Use its settings, or train again."
        )
    return type(record)(*(aligned(state[name].numpy(), part.dtype) for name, part in record._asdict().items()))
