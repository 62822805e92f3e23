"""The engines `exact` and `online`: NEST's stream of samples, step by step; nothing is reset between samples.

`exact` is NEST bit by bit; `online` follows the same rule in a fixed number of operations a spike, with other rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from neurobench.kernels.eprop import exact, online
from neurobench.kernels.eprop.exact import Network
from neurobench.kernels.eprop.online import OnlineNetwork
from neurobench.kernels.eprop.online_synapses import OnlineSources, OnlineSynapses, Sums
from neurobench.kernels.eprop.records import LANES, Constants, Neurons, Past, Sources, Synapses
from neurobench.kernels.eprop.stream import Learning, Steps, delay
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import (
    NO_TARGET,
    Matrices,
    Recording,
    Response,
    Weights,
    copied,
    recording,
    restored,
    stored,
)

_RECORDS = ("syn", "src", "s", "past")  # with `n`, `label`, `first` and `waiting` all that an engine remembers


class Recorded(NamedTuple):
    """Of G samples, and the steps that were recorded."""

    window: np.ndarray  # (G, W, K) float64, as in Response
    counts: np.ndarray  # (G, N) int64
    recording: Recording


class ExactEngine:
    """Between calls `n`, the next step, is a multiple of T: the last two steps of the last sample wait for the learning
    rate of the next call, as they do in NEST."""

    ascending = True

    def __init__(self, c: Constants, weights: Weights):
        self.c, self.B = c, np.ascontiguousarray(weights.feedback, np.float64)
        membranes = np.zeros(c.N), np.zeros(c.N), np.zeros(c.N, np.int64), np.zeros(c.N)
        self.s = Neurons(*membranes, np.zeros(c.N), np.zeros(c.N, np.uint8), np.zeros(c.K), np.zeros(c.K))
        self.n, self.label, self.first = 0, NO_TARGET, -1.0  # first: learning rate ever
        self.waiting = np.zeros(4, np.int64), np.zeros(0, np.int64)  # spikes of the next three steps
        self._remember(_synapses(weights))

    def _remember(self, synapses: Synapses) -> None:
        """What is remembered of synapses, of their sources, and of the past."""
        c, S, rows = self.c, self.c.inputs + self.c.N, self.c.T + 4
        self.syn: Synapses | OnlineSynapses = synapses
        spikes = np.zeros((S, 2)), np.zeros(S), np.full(S, -1, np.int64), np.zeros(S, np.int64)
        self.src: Sources | OnlineSources = Sources(*spikes, np.zeros(S), np.ones(S, np.int64), np.ones((S, 2)))
        hidden = np.zeros((rows, c.N + 1, 2)), np.zeros((rows, c.N + 1)), np.zeros(rows, np.uint8)
        errors = np.zeros((rows, c.K)), np.zeros(rows, np.uint8)
        self.past: Past | Sums = Past(*hidden, *errors, np.zeros(rows))
        self.plain = not (c.each_step or c.adam or c.batch > 1 or c.adapt_beta != 0.0)

    def learn(self, spikes: Spikes, labels: np.ndarray, eta: float, record: int = 0, frozen: bool = False) -> Recorded:
        """G samples. labels (G,), NO_TARGET where there is none; `record` that many steps from the first; frozen:
        nothing is learned, and nothing can be learned afterwards."""
        c, G = self.c, len(labels)
        steps, k0 = G * c.T, self.n // c.T
        answer = Recorded(
            np.zeros((G, c.W, c.K)), np.zeros((G, c.N), np.int64), recording(c, self.n, min(record, steps))
        )
        start, source = delay(*spikes, *self.waiting, c.T)
        if self.first < 0:
            self.first = eta
        targets = np.array([self.label, *labels, NO_TARGET], np.int64)
        learning, n = Learning(eta, self.first, self.plain, frozen), self.n + steps
        self._run(learning, Steps(self.n, n, k0, start, source, targets), answer)
        self.label = int(labels[-1])
        self.waiting = start[steps:] - start[steps], source[start[steps] :].copy()
        ahead = self.copy()  # the two steps that end the last sample
        last = Steps(n, n + 2, k0, *self.waiting, np.array([self.label, NO_TARGET]))
        ahead._run(learning, last, answer._replace(recording=recording(c, 0, 0)))
        return answer

    def _kernel(self) -> tuple[Callable[..., None], Any]:
        """The loop over steps, and the state that it changes."""
        return exact.run, Network(self.c, self.syn, self.src, self.s, self.past, self.B)  # type: ignore[arg-type]

    def _run(self, learning: Learning, steps: Steps, answer: Recorded) -> None:
        run, network = self._kernel()
        run(network, learning, steps, *answer)
        self.n = steps.n1

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int) -> Response:
        return Response(*self.learn(spikes, labels, lr)[:2])

    def predict(self, spikes: Spikes, n: int) -> Response:
        """The readouts of n samples that go on from here with the weights as they are; the engine stays as it is."""
        return Response(*self.copy().learn(spikes, np.full(n, NO_TARGET), 0.0, frozen=True)[:2])

    def apply_pending(self) -> None:
        """Apply the gradients that wait for their source's next spike, by a last arrival of every source."""
        if self.first >= 0:
            _, network = self._kernel()
            exact.flush(network, Learning(0.0, self.first, self.plain, False), self.n)

    def weights(self) -> Matrices:
        """As they are delivered, 0 where there is no synapse."""
        c, syn = self.c, self.syn
        matrix = np.zeros((c.N + 1, len(syn.start) - 1))
        source = np.repeat(np.arange(len(syn.start) - 1), np.diff(syn.start))
        matrix[syn.target, source] = syn.w
        return matrix[: c.N, : c.inputs], matrix[: c.N, c.inputs :], syn.w_out.T.copy()

    def copy(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        for name in _RECORDS:
            setattr(other, name, copied(getattr(self, name)))
        return other

    def state_dict(self) -> dict[str, Any]:
        records = {name: stored(getattr(self, name)) for name in _RECORDS}
        waiting = [torch.from_numpy(part.copy()) for part in self.waiting]
        return {**records, "n": self.n, "label": self.label, "first": self.first, "waiting": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in _RECORDS:
            setattr(self, name, restored(getattr(self, name), state.get(name)))
        self.n, self.label, self.first = state["n"], state["label"], state["first"]
        self.waiting = state["waiting"][0].numpy().copy(), state["waiting"][1].numpy().copy()


class OnlineEngine(ExactEngine):
    """What is remembered of synapses, sources and the past differs; how samples become a stream does not."""

    def _remember(self, synapses: Synapses) -> None:
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
        self.plain = not (c.hard_reset or c.refractory or c.surrogate or np.isfinite(c.v_min))

    def _kernel(self) -> tuple[Callable[..., None], Any]:
        return online.run, OnlineNetwork(self.c, self.syn, self.src, self.s, self.past, self.B, self.powers)  # type: ignore[arg-type]

    def apply_pending(self) -> None:
        """Apply the gradients that wait for their source's next spike."""
        c, syn, eta = self.c, self.syn, self.src.eta
        rate = np.repeat(eta, np.diff(syn.start))
        syn.w[:] = np.clip(syn.w - rate * syn.g, c.w_min, c.w_max)
        syn.w_out[:] = np.clip(syn.w_out - eta[c.inputs :, None] * syn.g_out * syn.mask_out, c.w_min, c.w_max)
        syn.g[:], syn.g_out[:] = 0.0, 0.0


def _synapses(weights: Weights) -> Synapses:
    """Rows by source, targets ascending, filled up to whole vectors."""
    N = len(weights.w_in)
    matrix = np.concatenate([weights.w_in, weights.w_rec], 1)
    mask = np.concatenate([weights.mask_in, weights.mask_rec], 1)
    start, target, w = [0], [], []
    for i in range(matrix.shape[1]):
        targets = np.flatnonzero(mask[:, i])
        idle = -len(targets) % LANES
        target.append(np.concatenate([targets, np.full(idle, N)]))
        w.append(np.concatenate([matrix[targets, i], np.zeros(idle)]))
        start.append(start[-1] + len(target[-1]))
    P, flat = start[-1], np.concatenate(w)
    out = np.ascontiguousarray(weights.w_out.T, np.float64)
    return Synapses(
        start=np.array(start, np.int64),
        target=np.concatenate(target).astype(np.int64),
        w=flat,
        w_first=flat.copy(),
        w_out=out,
        mask_out=np.ascontiguousarray(weights.mask_out.T).astype(np.uint8),
        w_first_out=out.copy(),
        **{name: np.zeros(P) for name in ("e_bar", "e_reg", "g", "eps", "pending", "m", "v")},
        **{f"{name}_out": np.zeros(out.shape) for name in ("g", "pending", "m", "v")},
    )
