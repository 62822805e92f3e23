"""The engine `online`: the same stream as `exact`, in a fixed number of operations a spike."""

from __future__ import annotations

import numpy as np

from neurobench.kernels import eprop_online
from neurobench.kernels.eprop_online import OnlineSources, OnlineSynapses, Sums
from neurobench.kernels.eprop_records import Constants
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.exact import NOTHING, ExactEngine
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.stream_state import Recorded


class OnlineEngine(ExactEngine):
    """What is kept of synapses, sources and the past differs; how samples become a stream does not."""

    def __init__(self, c: Constants, weights: Weights):
        self.c, self.B = c, np.ascontiguousarray(weights.feedback)
        full = stream_state.synapses(weights)
        P, S = len(full.w), c.inputs + c.N
        self.syn = OnlineSynapses(
            full.start,
            full.target.astype(np.uint32),
            full.w,
            np.zeros(P),
            np.zeros(P),
            full.w_out,
            full.mask_out,
            full.g_out,
        )
        traces = np.zeros(S), np.zeros(S), np.zeros(S)
        self.src = OnlineSources(*traces, np.full(S, -1, np.int64), np.zeros(S), np.zeros(S, np.uint8))
        self.s = stream_state.neurons(c)
        rows = c.T + 5
        steps = np.zeros((2, c.N)), np.zeros((2, c.N)), np.zeros((2, c.K))
        self.past = Sums(np.zeros((rows, c.N + 1)), np.zeros((rows, c.N + 1, 2)), np.zeros((rows, c.K)), *steps)
        self.powers = eprop_online.powers(c)
        variants = c.hard_reset or c.refractory or c.surrogate or np.isfinite(c.v_min)
        self.plain = not variants
        self.n, self.label, self.first = 0, NOTHING, -1.0
        self.waiting = np.zeros(4, np.int64), np.zeros(0, np.int64)

    def _run(
        self,
        steps: int,
        k0: int,
        eta: float,
        start: np.ndarray,
        source: np.ndarray,
        labels: np.ndarray,
        frozen: bool,
        window: np.ndarray,
        counts: np.ndarray,
        rec: Recorded,
    ) -> None:
        state = self.c, self.syn, self.src, self.s, self.past, self.B
        begin, end, how = self.n, self.n + steps, (self.plain, frozen)
        eprop_online.run(
            *state, self.powers, eta, self.first, begin, end, k0, start, source, labels, *how, window, counts, rec
        )
        self.n = end

    def settle(self) -> None:
        """Apply the gradients that wait for their source's next spike."""
        c, syn, eta = self.c, self.syn, self.src.eta
        rate = np.repeat(eta, np.diff(syn.start))
        syn.w[:] = np.clip(syn.w - rate * syn.g, c.w_min, c.w_max)
        syn.w_out[:] = np.clip(syn.w_out - eta[c.inputs :, None] * syn.g_out * syn.mask_out, c.w_min, c.w_max)
        syn.g[:], syn.g_out[:] = 0.0, 0.0
