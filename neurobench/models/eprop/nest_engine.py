"""Engine that runs the network in NEST: backend=nest. It describes the neurons as NEST's tutorial does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import NO_TARGET, Matrices, Response, Weights
from neurobench.models.eprop.spec import EpropRSNN
from neurobench.models.eprop.stream import ExactEngine

MODELS = {
    "iaf": "eprop_iaf",
    "iaf_adapt": "eprop_iaf_adapt",
    "psc_delta": "eprop_iaf_psc_delta",
    "psc_delta_adapt": "eprop_iaf_psc_delta_adapt",
}
Batch = tuple[Spikes, np.ndarray, float]


class NestNetwork(Protocol):
    def learn(self, at: np.ndarray, source: np.ndarray, labels: np.ndarray, rates: tuple[float, float]) -> Any: ...

    def predict(self, at: np.ndarray, source: np.ndarray, labels: np.ndarray, rates: tuple[float, float]) -> Any: ...

    def weights(self, final: bool) -> dict[str, np.ndarray]: ...


class NestEngine:
    """Engine that trains and predicts in NEST. A state of NEST cannot be stored: a checkpoint contains the training
    batches, and a resumed run learns them again, to the same bits."""

    ascending = True

    def __init__(self, spec: EpropRSNN, c: Constants, weights: Weights, build: Callable[[dict[str, Any]], NestNetwork]):
        self.c, self.initial, self.final, self.last = c, weights, False, 0.0
        self.network = build(setting(spec, c, weights))
        self.history: list[Batch] = []

    def train_batch(self, spikes: Spikes, labels: np.ndarray, lr: float, k: int, last: bool = False) -> Response:
        """Train on a batch. The last one is followed by the test phase, whose learning rate is 0."""
        self.history.append((spikes, labels, lr))
        return Response(*self.network.learn(*self._events(spikes), labels, (lr, 0.0 if last else lr)))

    def predict(self, spikes: Spikes, n: int) -> Response:
        """Continue the stream without targets, at learning rate 0; a source still applies its last gradient when it
        fires, as in NEST's test phase."""
        return self.test([(spikes, np.full(n, NO_TARGET))])[0]

    def test(self, batches: Sequence[tuple[Spikes, np.ndarray]]) -> list[Response]:
        """Continue the stream at learning rate 0 through all batches of spikes and labels; its state is unchanged."""
        whole = Spikes(*(np.concatenate(part) for part in zip(*_in_a_row([s for s, _ in batches]), strict=True)))
        labels = np.concatenate([labels for _, labels in batches])
        window, counts = self.network.predict(*self._events(whole), labels, (0.0, 0.0))
        ends = np.cumsum([len(labels) for _, labels in batches])[:-1]
        return [Response(*each) for each in zip(np.split(window, ends), np.split(counts, ends), strict=True)]

    def copy(self) -> NestEngine:
        """Return the engine itself: neither predictions nor `apply_pending` change the stream."""
        return self

    def apply_pending(self) -> None:
        """Make `weights` return those after a last spike of every source; the stream is unchanged."""
        self.final = True

    def weights(self) -> Matrices:
        weights = self.network.weights(self.final)
        return weights["w_in"], weights["w_rec"], weights["w_out"]

    def at_rest(self) -> ExactEngine:
        """`ExactEngine` at rest with the current weights, for counting operations."""
        return ExactEngine(
            self.c, self.initial._replace(**dict(zip(("w_in", "w_rec", "w_out"), self.weights(), strict=True)))
        )

    def _events(self, spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
        """Step gT + r in the stream of each input spike, and its source."""
        step, T = spikes.steps(), self.c.T
        return step // (T + 1) * T + step % (T + 1), spikes.source

    def state_dict(self) -> dict[str, Any]:
        history = [
            {"start": torch.from_numpy(spikes.start), "source": torch.from_numpy(spikes.source.astype(np.int32)),
             "labels": torch.from_numpy(labels), "lr": lr}
            for spikes, labels, lr in self.history
        ]  # fmt: skip
        return {"history": history, "final": self.final}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for batch in state["history"]:
            spikes = Spikes(batch["start"].numpy(), batch["source"].numpy().astype(np.int64))
            self.train_batch(spikes, batch["labels"].numpy(), batch["lr"], 0)
        self.final = state["final"]


def _in_a_row(batches: Sequence[Spikes]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Starts and sources of each batch, offset to follow the batch before; all but the last omit their end."""
    before = 0
    for number, spikes in enumerate(batches, 1):
        yield (spikes.start if number == len(batches) else spikes.start[:-1]) + before, spikes.source
        before += len(spikes.source)


def setting(spec: EpropRSNN, c: Constants, weights: Weights) -> dict[str, Any]:
    """Settings of the network in NEST's names and units: ms, spikes / s, and pA on a membrane of 1 pF."""
    rest = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "eprop_isi_trace_cutoff": spec.cutoff}
    recurrent = {
        **rest, "V_th": spec.v_th, "tau_m": spec.tau_m, "t_ref": float(spec.t_ref), "c_reg": c.c_reg,
        "f_target": spec.f_target, "kappa": spec.kappa, "kappa_reg": spec.kappa_reg,
        "surrogate_gradient_function": spec.surrogate, "surrogate_gradient_height": spec.surrogate_height,
        "surrogate_gradient_width": spec.surrogate_width,
    }  # fmt: skip
    if spec.v_min is not None:
        recurrent["V_min"] = spec.v_min
    if spec.neuron.startswith("psc_delta"):
        recurrent |= {"V_reset": spec.v_reset, "refractory_input": spec.refractory_input}
    if spec.neuron.endswith("_adapt"):
        recurrent |= {"adapt_beta": spec.adapt_beta, "adapt_tau": spec.adapt_tau}
    optimizer = {
        "type": spec.optimizer, "batch_size": spec.batch, "optimize_each_step": spec.each_step,
        "Wmin": spec.w_min, "Wmax": spec.w_max,
    }  # fmt: skip
    if spec.optimizer == "adam":
        optimizer |= {"beta_1": spec.beta_1, "beta_2": spec.beta_2, "epsilon": spec.epsilon}
    matrices = dict(zip(("w_in", "w_rec", "w_out", "feedback"), weights[:4], strict=True))
    neurons = {"model": MODELS[spec.neuron], "recurrent": recurrent, "readout": {**rest, "tau_m": spec.tau_out}}
    return {"T": c.T, "W": c.W, **neurons, "optimizer": optimizer, **matrices}
