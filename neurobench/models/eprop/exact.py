"""The engine `exact`: NEST's stream of samples, step by step and bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from neurobench.kernels.eprop import exact
from neurobench.kernels.eprop.exact import Network
from neurobench.kernels.eprop.online_synapses import OnlineSources, OnlineSynapses, Sums
from neurobench.kernels.eprop.records import Constants, Past, Sources, Synapses
from neurobench.kernels.eprop.stream import Learning, Steps, delay
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.stream_state import Recorded

NOTHING = -1  # label of a sample without a target


class Spikes(NamedTuple):
    """Input spikes of G samples, by step 0 to T of each sample and then by source."""

    start: np.ndarray  # (G (T + 1) + 1,) int64
    source: np.ndarray  # (E,) int64


class Answer(NamedTuple):
    window: np.ndarray  # (G, W, K) float64 readout in each sample's window
    counts: np.ndarray  # (G, N) int64 spikes of each recurrent neuron
    recorded: Recorded


class ExactEngine:
    """A stream: nothing is reset between samples. Between calls `n`, the next step, is a multiple of T: the last two
    steps of the last sample wait for the learning rate of the next call, as they do in NEST."""

    ascending = True

    def __init__(self, c: Constants, weights: Weights):
        self.c, self.B = c, np.ascontiguousarray(weights.feedback)
        self.s = stream_state.neurons(c)
        self.n, self.label, self.first = 0, NOTHING, -1.0  # first: learning rate ever
        self.waiting = np.zeros(4, np.int64), np.zeros(0, np.int64)  # spikes of the next three steps
        self._keep(stream_state.synapses(weights))

    def _keep(self, synapses: Synapses) -> None:
        """What is kept of synapses, of their sources, and of the past."""
        c = self.c
        self.syn: Synapses | OnlineSynapses = synapses
        self.src: Sources | OnlineSources = stream_state.sources(c)
        self.past: Past | Sums = stream_state.past(c)
        self.plain = not (c.each_step or c.adam or c.batch > 1 or c.adapt_beta != 0.0)

    def learn(self, spikes: Spikes, labels: np.ndarray, eta: float, record: int = 0, frozen: bool = False) -> Answer:
        """G samples. labels (G,), NOTHING where there is no target; `record` that many steps from the first; frozen:
        nothing is learned, and nothing can be learned afterwards."""
        c, G = self.c, len(labels)
        steps, k0 = G * c.T, self.n // c.T
        window, counts = np.zeros((G, c.W, c.K)), np.zeros((G, c.N), np.int64)
        rec = stream_state.recording(c, self.n, min(record, steps))
        start, source = delay(*spikes, *self.waiting, c.T)
        if self.first < 0:
            self.first = eta
        known = np.array([self.label, *labels, NOTHING], np.int64)
        learning, n = Learning(eta, self.first, self.plain, frozen), self.n + steps
        self._run(learning, Steps(self.n, n, k0, start, source, known), window, counts, rec)
        self.label = int(labels[-1])
        self.waiting = start[steps:] - start[steps], source[start[steps] :].copy()
        ahead = self.copy()  # the two steps that end the last sample
        none = stream_state.recording(c, 0, 0)
        last = Steps(n, n + 2, k0, *self.waiting, np.array([self.label, NOTHING]))
        ahead._run(learning, last, window, counts, none)
        return Answer(window, counts, rec)

    def _kernel(self) -> tuple[Callable[..., None], Any]:
        """The loop over steps, and the state that it changes."""
        return exact.run, Network(self.c, self.syn, self.src, self.s, self.past, self.B)  # type: ignore[arg-type]

    def _run(self, learning: Learning, steps: Steps, window: np.ndarray, counts: np.ndarray, rec: Recorded) -> None:
        run, network = self._kernel()
        run(network, learning, steps, window, counts, rec)
        self.n = steps.n1

    def group(self, spikes: Spikes, labels: np.ndarray, rate: float, k: int) -> Answer:
        return self.learn(spikes, labels, rate)

    def answer(self, spikes: Spikes, n: int) -> Answer:
        """The readouts of n samples that go on from here with the weights as they are; the engine stays as it is."""
        return self.copy().learn(spikes, np.full(n, NOTHING), 0.0, frozen=True)

    def settle(self) -> None:
        """Apply the gradients that wait for their source's next spike, by a last arrival of every source."""
        if self.first >= 0:
            _, network = self._kernel()
            exact.flush(network, Learning(0.0, self.first, self.plain, False), self.n)

    def weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W_in (N, I), W_rec (N, N), W_out (K, N) as they are delivered: [target, source]."""
        return stream_state.dense(self.syn, self.c)

    def copy(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        for name in ("syn", "src", "s", "past"):
            setattr(other, name, stream_state.copied(getattr(self, name)))
        return other

    def state_dict(self) -> dict[str, Any]:
        records = {name: stream_state.stored(getattr(self, name)) for name in ("syn", "src", "s", "past")}
        waiting = [torch.from_numpy(part.copy()) for part in self.waiting]
        return {**records, "n": self.n, "label": self.label, "first": self.first, "waiting": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("syn", "src", "s", "past"):
            setattr(self, name, stream_state.restore(getattr(self, name), state[name]))
        self.n, self.label, self.first = state["n"], state["label"], state["first"]
        self.waiting = state["waiting"][0].numpy().copy(), state["waiting"][1].numpy().copy()
