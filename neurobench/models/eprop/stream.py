"""The engines `exact` and `online`: NEST's stream of samples, step by step; nothing is reset between samples.

`exact` is NEST bit by bit; `online` applies the same rule in a fixed number of operations per spike, rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch

from neurobench.kernels.aligned import aligned
from neurobench.kernels.eprop import exact, online
from neurobench.kernels.eprop.exact import Network
from neurobench.kernels.eprop.forward import at_rest
from neurobench.kernels.eprop.online import OnlineNetwork
from neurobench.kernels.eprop.online_synapses import OnlineSources, OnlineSynapses, Sums
from neurobench.kernels.eprop.records import LANES, NONE, Constants, Learning, Past, Sources, Steps, Synapses
from neurobench.models.eprop import network
from neurobench.models.eprop.inputs import Spikes, grouped
from neurobench.models.eprop.network import NO_TARGET, Matrices, Recording, Response, Weights

_RECORDS = ("syn", "src", "s", "past")  # of the network; with `n`, `label`, `first`, `waiting` the whole state


class ExactEngine:
    """The engine `exact`. Between calls `n`, the next step, is a multiple of T: the last two steps of the last sample
    wait for the learning rate of the next call, as in NEST. For a response a copy runs them in advance at that rate."""

    ascending = True
    run, flush = staticmethod(exact.run), staticmethod(exact.flush)

    def __init__(self, c: Constants, weights: Weights):
        self.c, self.n, self.label, self.first = c, 0, NO_TARGET, -1.0  # first: first learning rate
        self.waiting = Spikes(np.zeros(4, np.int64), np.zeros(0, np.int64))  # spikes of the next three steps
        self._connect(_synapses(weights), np.ascontiguousarray(weights.feedback, np.float64))

    def _connect(self, synapses: Synapses, B: np.ndarray) -> None:
        """Build the network at rest; set `plain` if no variant is in use for which its kernel has a slower path."""
        c, S, rows = self.c, self.c.inputs + self.c.N, self.c.T + 4
        spikes = np.zeros((S, 2)), np.zeros(S), np.full(S, -1, np.int64), np.zeros(S, np.int64)
        sources = Sources(*spikes, np.zeros(S), np.ones(S, np.int64), np.ones((S, 2)))
        hidden = np.zeros((rows, c.N + 1, 2)), np.zeros((rows, c.N + 1)), np.zeros(rows, np.uint8)
        past = Past(*hidden, np.zeros((rows, c.K)), np.zeros(rows, np.uint8), np.zeros(rows))
        self.net: Network | OnlineNetwork = Network(c, synapses, sources, at_rest(c), past, B)
        self.plain = not (c.each_step or c.adam or c.batch > 1 or c.adapt_beta)

    def learn(
        self,
        spikes: Spikes,
        labels: np.ndarray,
        eta: float,
        record: int = 0,
        frozen: bool = False,
        eta_after: float | None = None,
    ) -> tuple[Response, Recording]:
        """Run G samples; return their response and the recorded steps. labels (G,), NO_TARGET if there is none;
        `record`: number of steps to record, from the first; frozen: nothing is learned, and nothing can be learned
        afterwards. `eta_after`: learning rate of the next call if it differs; NEST reports a group after two steps at
        that rate."""
        c, G, n0 = self.c, len(labels), self.n
        n, k0 = n0 + G * c.T, n0 // c.T
        response = Response(np.zeros((G, c.W, c.K)), np.zeros((G, c.N), np.int64))
        recorded = network.recording(c, n0, min(record, G * c.T))
        stream = delay(spikes, self.waiting, c.T)
        if self.first < 0:
            self.first = eta
        learning = Learning(eta, self.first, self.plain, frozen)
        targets = np.array([self.label, *labels, NO_TARGET], np.int64)
        self.run(self.net, learning, Steps(n0, n, k0, *stream, targets), *response, recorded)
        self.n, self.label = n, int(labels[-1])
        waiting = stream.start[-4:]
        self.waiting = Spikes(waiting - waiting[0], stream.source[waiting[0] :].copy())
        ahead = self.copy()  # the two steps that end the last sample
        last = Steps(n, n + 2, k0, *self.waiting, np.array([self.label, NO_TARGET]))
        to_come = learning if eta_after is None else learning._replace(eta=eta_after)
        self.run(ahead.net, to_come, last, *response, network.recording(c, 0, 0))
        return response, recorded

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int, last: bool = False) -> Response:
        """Train on a batch. The last one is followed by the test phase, whose learning rate is 0."""
        return self.learn(spikes, labels, lr, eta_after=0.0 if last else None)[0]

    def predict(self, spikes: Spikes, n: int) -> Response:
        """Response to n samples that continue the stream with the current weights; the engine's state is unchanged."""
        return self.copy().learn(spikes, np.full(n, NO_TARGET), 0.0, frozen=True)[0]

    def test(self, batches: Sequence[tuple[Spikes, np.ndarray]]) -> list[Response]:
        """Continue the stream, batch by batch of spikes and labels, at learning rate 0, as in NEST's test phase; the
        engine's state is unchanged."""
        running = self.copy()
        return [running.learn(spikes, labels, 0.0)[0] for spikes, labels in batches]

    def apply_pending(self) -> None:
        """Apply the gradients that wait for their source's next spike, by a last arrival of every source."""
        if self.first >= 0:
            scratch = network.recording(self.c, 0, 0)
            self.flush(self.net, Learning(0.0, self.first, self.plain, False), self.n, scratch)

    def weights(self) -> Matrices:
        """Weights as they are delivered, 0 where there is no synapse."""
        c, syn = self.c, self.net.syn
        matrix = np.zeros((c.N + 1, len(syn.start) - 1))
        matrix[syn.target, np.repeat(np.arange(len(syn.start) - 1), np.diff(syn.start))] = syn.w
        return matrix[: c.N, : c.inputs], matrix[: c.N, c.inputs :], syn.w_out.T.copy()

    def copy(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.net = self.net._replace(**{name: network.copied(getattr(self.net, name)) for name in _RECORDS})
        return other

    def state_dict(self) -> dict[str, Any]:
        records = {name: network.stored(getattr(self.net, name)) for name in _RECORDS}
        waiting = [torch.from_numpy(part.copy()) for part in self.waiting]
        return {**records, "n": self.n, "label": self.label, "first": self.first, "waiting": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        records = {name: network.restored(getattr(self.net, name), state.get(name)) for name in _RECORDS}
        self.net = self.net._replace(**records)
        self.n, self.label, self.first = state["n"], state["label"], state["first"]
        self.waiting = Spikes(*(part.numpy().copy() for part in state["waiting"]))


class OnlineEngine(ExactEngine):
    """The engine `online`: its state of synapses, sources and the past differs; it streams samples like `exact`."""

    ascending = False
    run, flush = staticmethod(online.run), staticmethod(online.flush)

    def _connect(self, synapses: Synapses, B: np.ndarray) -> None:
        c, full, rows = self.c, synapses, self.c.T + 5
        P, S = len(full.w), c.inputs + c.N
        target, q, g = full.target.astype(np.uint32), np.zeros(P), np.zeros(P)
        syn = OnlineSynapses(full.start, target, full.w, q, g, full.w_out, full.mask_out, full.g_out)
        traces, ring = (np.zeros(S), np.zeros(S), np.zeros(S)), np.full(S + 1, NONE)
        ring[S] = S  # empty
        rest = np.full(S, NONE), np.zeros(S), np.zeros(S, np.uint8), np.ones(S), ring, ring.copy()
        sources = OnlineSources(*traces, *rest)
        readouts = np.zeros((rows, c.K)), np.zeros(rows, np.int64)
        sums = np.zeros((2, c.N + 1)), np.zeros((c.N + 1, 2)), *readouts
        past = Sums(*sums, np.zeros((2, c.N)), np.zeros((2, c.N)), np.zeros((2, c.K)))
        offset = aligned(target * np.uint32(B.itemsize))
        self.net = OnlineNetwork(c, syn, sources, network.copied(at_rest(c)), past, B, online.powers(c), offset)
        self.plain = not (c.hard_reset or c.refractory or c.surrogate or np.isfinite(c.v_min))


def delay(spikes: Spikes, waiting: Spikes, T: int) -> Spikes:
    """Spikes of G samples as a stream delivers them: two steps later, those of step T with those of step 0 of the next
    sample. `waiting`: spikes of the stream's first three steps; the last three of its G T + 3 steps wait in turn.
    """
    source, rows = np.concatenate([waiting.source, spikes.source]), spikes.start[:-1].reshape(-1, T + 1)
    later = len(waiting.source) + np.append(rows[:, 1:], spikes.start[-1])  # steps 1 to T of each sample, and the end
    start = np.append(waiting.start[:3], later)
    for step in range(2, len(start) - 1, T):  # the only steps with spikes of two samples
        source[start[step] : start[step + 1]].sort()
    return Spikes(start, source)


def _synapses(weights: Weights) -> Synapses:
    """Synapses in rows by source, targets ascending, padded to whole vectors with entries onto a dummy neuron N."""
    matrix = np.concatenate([weights.w_in, weights.w_rec], 1, dtype=np.float64)
    mask = np.concatenate([weights.mask_in, weights.mask_rec], 1)
    N, S = mask.shape
    source, target = np.nonzero(mask.T)
    idle = np.repeat(np.arange(S), -mask.sum(0) % LANES)
    start, target = grouped(np.append(source, idle), np.append(target, np.full(len(idle), N)), S)
    w = np.pad(matrix, ((0, 1), (0, 0)))[target, np.repeat(np.arange(S), np.diff(start))]
    w_out = np.array(weights.w_out.T, np.float64, order="C")  # a copy: training changes it in place
    return Synapses(
        start=start,
        target=target,
        w=w,
        w_first=w.copy(),
        w_out=w_out,
        mask_out=np.ascontiguousarray(weights.mask_out.T).astype(np.uint8),
        w_first_out=w_out.copy(),
        **{name: np.zeros(len(w)) for name in ("e_bar", "e_reg", "g", "eps", "pending", "m", "v")},
        **{f"{name}_out": np.zeros(w_out.shape) for name in ("g", "pending", "m", "v")},
    )
