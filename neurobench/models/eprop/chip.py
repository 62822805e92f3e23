"""The network on a small learning chip: fixed point, one sample after the other, each from rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from neurobench.devices.learning_core.protocol import FixedPoint
from neurobench.kernels import eprop_chip
from neurobench.kernels.eprop_chip import Chip, ChipWeights
from neurobench.kernels.eprop_records import Constants
from neurobench.kernels.random import derive, key_of
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.exact import Answer, Spikes
from neurobench.models.eprop.initial import Weights

STAIR = 8  # values of the chip's surrogate for one of psi: its four stairs reach 0.5
RATE = 5e-3  # learning rate of NEST's tutorial, before scaling by (1 - kappa)^2


class Watched(NamedTuple):
    answer: Answer
    arrived: np.ndarray  # (N,) int64 spikes of each recurrent neuron that arrived within their sample
    changed: np.ndarray  # (2,) int64 changes of membranes, and of readouts


class ChipEngine:
    """On-chip learning is gradient descent by whole LSB at NEST's rate; the chip has no Adam."""

    ascending = False

    def __init__(self, c: Constants, numbers: FixedPoint, weights: Weights, seed: int):
        self.c, self.seed = c, seed
        self.w_limit = 2 ** (numbers.weight_bits - 1) - 1
        largest = max(np.abs(weights.w_in).max(), np.abs(weights.w_rec).max())
        self.lsb = 2.0 * largest / (self.w_limit + 1)  # pA; a weight may grow to twice the largest initial one
        self.lsb_out = 2.0 * np.abs(weights.w_out).max() / (self.w_limit + 1)
        self.B = weights.feedback.astype(np.float32)
        limit, limit_out = 2 ** (numbers.trace_bits - 1) - 1, 2 ** (numbers.trace_out_bits - 1) - 1
        one = max(1, int(limit * (1 - c.alpha)))  # an input that spikes in every step just fills its trace
        one_out = max(1, int(limit_out * (1 - c.alpha_out)))
        shift = max(0, round(np.log2(STAIR * one / 2)))  # a filtered eligibility of 1 is about two units
        self.chip = Chip(
            c.T,
            c.W,
            c.N,
            c.K,
            round(c.alpha * 2**numbers.alpha_bits),
            round(c.alpha_out * 2**numbers.alpha_bits),
            numbers.alpha_bits,
            round(c.kappa * 2**numbers.kappa_bits),
            numbers.kappa_bits,
            round(c.v_th / self.lsb),
            2 ** (numbers.membrane_bits - 1) - 1,
            self.w_limit,
            limit,
            limit_out,
            one,
            one_out,
            shift,
            numbers.stochastic,
            (1.0 - c.kappa) * c.c_reg * c.T / c.W,  # it acts in the window alone, and there for all steps
            c.f_target,
        )
        scaled = RATE * (1.0 - c.kappa) ** 2 * numbers.update_scale
        self.rate = scaled / self.lsb / (STAIR * one / 2**shift)
        self.rate_out = scaled / self.lsb_out / one_out
        self.w = ChipWeights(
            self._rounded(weights.w_in, self.lsb),
            self._rounded(weights.w_rec, self.lsb),
            self._rounded(weights.w_out, self.lsb_out),
            *(np.ascontiguousarray(mask.T).astype(np.uint8) for mask in weights[4:]),
        )

    def _rounded(self, w: np.ndarray, lsb: float) -> np.ndarray:
        return np.ascontiguousarray(np.clip(np.rint(w.T / lsb), -self.w_limit, self.w_limit).astype(np.int16))

    def group(self, spikes: Spikes, labels: np.ndarray, rate: float, k: int) -> Answer:
        """`rate` is that of a host's optimiser, which the chip does not have."""
        return self._run(spikes, labels, True, k).answer

    def answer(self, spikes: Spikes, n: int) -> Answer:
        return self.watched(spikes, n).answer

    def watched(self, spikes: Spikes, n: int) -> Watched:
        """`answer`, and what it cost."""
        return self._run(spikes, np.full(n, -1), False, 0)

    def _run(self, spikes: Spikes, labels: np.ndarray, learn: bool, k: int) -> Watched:
        c, G = self.c, len(labels)
        window, counts = np.zeros((G, c.W, c.K)), np.zeros((G, c.N), np.int64)
        arrived, changed = np.zeros(c.N, np.int64), np.zeros(2, np.int64)
        k0, k1 = (np.uint32(word) for word in key_of(derive(self.seed, k)))
        rates = np.float32(self.rate), np.float32(self.rate_out)
        told = window, counts, arrived, changed
        eprop_chip.run(self.chip, self.w, self.B, *spikes, labels, learn, *rates, k0, k1, self.lsb_out, *told)
        return Watched(Answer(window, counts, stream_state.recording(c, 0, 0)), arrived, changed)

    def weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """In pA: W_in (N, I), W_rec (N, N), W_out (K, N)."""
        return self.w.w_in.T * self.lsb, self.w.w_rec.T * self.lsb, self.w.w_out.T * self.lsb_out

    def state_dict(self) -> dict[str, Any]:
        return {"w": stream_state.stored(self.w)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.w = stream_state.restore(self.w, state["w"])
