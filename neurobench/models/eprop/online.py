"""The engine `online`: the same stream as `exact`, in a fixed number of operations a spike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurobench.kernels.eprop import online
from neurobench.kernels.eprop.online import OnlineNetwork
from neurobench.kernels.eprop.online_synapses import OnlineSources, OnlineSynapses, Sums
from neurobench.kernels.eprop.records import Synapses
from neurobench.models.eprop.exact import ExactEngine


class OnlineEngine(ExactEngine):
    """What is kept of synapses, sources and the past differs; how samples become a stream does not."""

    def _keep(self, synapses: Synapses) -> None:
        c, full = self.c, synapses
        P, S = len(full.w), c.inputs + c.N
        target, q, g = full.target.astype(np.uint32), np.zeros(P), np.zeros(P)
        self.syn = OnlineSynapses(full.start, target, full.w, q, g, full.w_out, full.mask_out, full.g_out)
        traces = np.zeros(S), np.zeros(S), np.zeros(S)
        self.src = OnlineSources(*traces, np.full(S, -1, np.int64), np.zeros(S), np.zeros(S, np.uint8))
        rows = c.T + 5
        steps = np.zeros((2, c.N)), np.zeros((2, c.N)), np.zeros((2, c.K))
        sums = np.zeros((rows, c.N + 1)), np.zeros((rows, c.N + 1, 2)), np.zeros((rows, c.K))
        self.past = Sums(*sums, *steps)
        self.powers = online.powers(c)
        variants = c.hard_reset or c.refractory or c.surrogate or np.isfinite(c.v_min)
        self.plain = not variants

    def _kernel(self) -> tuple[Callable[..., None], Any]:
        return online.run, OnlineNetwork(self.c, self.syn, self.src, self.s, self.past, self.B, self.powers)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Apply the gradients that wait for their source's next spike."""
        c, syn, eta = self.c, self.syn, self.src.eta
        rate = np.repeat(eta, np.diff(syn.start))
        syn.w[:] = np.clip(syn.w - rate * syn.g, c.w_min, c.w_max)
        syn.w_out[:] = np.clip(syn.w_out - eta[c.inputs :, None] * syn.g_out * syn.mask_out, c.w_min, c.w_max)
        syn.g[:], syn.g_out[:] = 0.0, 0.0
