"""Engine of a small learning chip: fixed point, one sample after the other, each from rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurobench.config.errors import UserError
from neurobench.devices.learning_core.specs import FixedPoint
from neurobench.kernels.eprop import chip
from neurobench.kernels.eprop.chip import Chip, ChipResults, ChipWeights, Update
from neurobench.kernels.eprop.records import Constants, Samples
from neurobench.kernels.random import derive, key_of
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import NO_TARGET, Matrices, Response, Weights, restored, stored

STAIR = 8  # levels of the chip's surrogate per unit of psi: its four stairs reach 0.5
RATE = 5e-3  # learning rate of NEST's tutorial, before scaling by (1 - kappa)^2


class ChipEngine:
    """Engine that learns on the chip, by gradient descent in whole LSB at NEST's rate; the chip has no Adam."""

    ascending = False

    def __init__(self, c: Constants, numbers: FixedPoint, weights: Weights, seed: int):
        self.c, self.seed = c, seed
        self.w_limit = 2 ** (numbers.weight_bits - 1) - 1
        # without synapses all weights are 0, in any unit
        largest = max(np.abs(weights.w_in).max(), np.abs(weights.w_rec).max()) or 1.0
        largest_out = np.abs(weights.w_out).max() or 1.0
        self.lsb = 2.0 * largest / (self.w_limit + 1)  # pA; a weight may grow to twice the largest initial one
        self.lsb_out = 2.0 * largest_out / (self.w_limit + 1)
        self.B = weights.feedback.astype(np.float32)
        self.chip = self._registers(numbers)
        scaled = RATE * (1.0 - c.kappa) ** 2 * numbers.update_scale
        self.rate = scaled / self.lsb / (STAIR * self.chip.trace_one / 2**self.chip.stair_shift)
        self.rate_out = scaled / self.lsb_out / self.chip.trace_out_one
        self.w = ChipWeights(
            self._rounded(weights.w_in, self.lsb),
            self._rounded(weights.w_rec, self.lsb),
            self._rounded(weights.w_out, self.lsb_out),
            *(np.ascontiguousarray(mask.T).astype(np.uint8) for mask in weights[4:]),
        )

    def _registers(self, numbers: FixedPoint) -> Chip:
        """Constants of the network in the chip's integers. Raises UserError for a threshold that they cannot hold."""
        c = self.c
        v_th, v_limit = round(c.v_th / self.lsb), 2 ** (numbers.membrane_bits - 1) - 1
        if v_th < 1:
            raise UserError(
                f"model.v_th={c.v_th:g} is less than one LSB of the weights, {self.lsb:.3g}: the chip's surrogate is "
                "measured in fifths of it. Set a larger threshold, or more backend.learning_core.weight_bits."
            )
        if v_th > v_limit:
            raise UserError(
                f"model.v_th={c.v_th:g} is {v_th} LSB of the weights, more than the {v_limit} of a membrane of "
                f"{numbers.membrane_bits} bits: no neuron could fire. Set backend.learning_core.membrane_bits="
                f"{v_th.bit_length() + 1}, or fewer weight_bits."
            )
        limit, limit_out = 2 ** (numbers.trace_bits - 1) - 1, 2 ** (numbers.trace_out_bits - 1) - 1
        one = max(1, int(limit * (1 - c.alpha)))  # an input that spikes in every step just fills its trace
        same = {name: getattr(c, name) for name in ("T", "W", "N", "K", "f_target")}
        same |= {name: getattr(numbers, name) for name in ("alpha_bits", "kappa_bits", "stochastic")}
        return Chip(
            **same,
            alpha=_fraction(c.alpha, numbers.alpha_bits),
            alpha_out=_fraction(c.alpha_out, numbers.alpha_bits),
            kappa=_fraction(c.kappa, numbers.kappa_bits),
            v_th=v_th,
            v_limit=v_limit,
            w_limit=self.w_limit,
            trace_limit=limit,
            trace_out_limit=limit_out,
            trace_one=one,
            trace_out_one=max(1, int(limit_out * (1 - c.alpha_out))),
            stair_shift=max(0, round(np.log2(STAIR * one / 2))),  # a filtered eligibility of 1 is about two LSB
            regular=(1.0 - c.kappa) * c.c_reg * c.T / c.W,  # it acts in the window alone, on behalf of all steps
            lsb_out=self.lsb_out,
        )

    def _rounded(self, w: np.ndarray, lsb: float) -> np.ndarray:
        return np.ascontiguousarray(np.clip(np.rint(w.T / lsb), -self.w_limit, self.w_limit).astype(np.int16))

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int, last: bool = False) -> Response:
        """Train on a batch. `lr` is unused: it belongs to a host's optimiser, which the chip does not have."""
        return Response(*self.run(spikes, labels, True, k)[:2])

    def predict(self, spikes: Spikes, n: int) -> Response:
        return Response(*self.run(spikes, np.full(n, NO_TARGET))[:2])

    def run(self, spikes: Spikes, labels: np.ndarray, learn: bool = False, k: int = 0) -> ChipResults:
        """Run samples and return their response and its cost; with `learn` this is update k."""
        c, G = self.c, len(labels)
        window, counts = np.zeros((G, c.W, c.K)), np.zeros((G, c.N), np.int64)
        results = ChipResults(window, counts, np.zeros(c.N, np.int64), np.zeros(2, np.int64))
        k0, k1 = (np.uint32(word) for word in key_of(derive(self.seed, k)))
        update = Update(learn, np.float32(self.rate), np.float32(self.rate_out), k0, k1)
        chip.run(self.chip, self.w, self.B, Samples(*spikes, labels), update, results)
        return results

    def weights(self) -> Matrices:
        """Weights in pA."""
        return self.w.w_in.T * self.lsb, self.w.w_rec.T * self.lsb, self.w.w_out.T * self.lsb_out

    def state_dict(self) -> dict[str, Any]:
        return {"w": stored(self.w)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.w = restored(self.w, state.get("w"))


def _fraction(decay: float, bits: int) -> int:
    """Numerator of a decay factor below 1 over 2^bits: the nearest that the bits hold, since with 1 nothing decays."""
    return min(round(decay * 2**bits), 2**bits - 1)
