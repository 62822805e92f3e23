"""NEST in a separate process, which `nest_core` starts: numba in the same process would make its ResetKernel crash.

    python nest_process.py FD

It takes requests over the socket FD, one tuple (verb, arguments) at a time, and answers ("done", value) or ("failed",
text). NEST cannot return to an earlier state: a look ahead, which must have no effect, is done by a copy of the process
(`os.fork`).

Clock: step n of the network is time n + 1 of a recorder. Sample k takes steps kT + 2 to kT + T + 1.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any

import nest
import numpy as np

SET_PDEATHSIG = 1  # of prctl
FORCED = 1000.0  # pA, makes any neuron fire


class Network:
    """Network of inputs, recurrent neurons and readouts, connected as in NEST's tutorial."""

    def __init__(self, setting: dict[str, Any]):
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.ResetKernel()
        nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
        self.T, self.W, self.optimizer = setting["T"], setting["W"], dict(setting["optimizer"])
        self.n, self.waiting = 0, (np.zeros(0), np.zeros(0, np.int64))  # input spikes not yet presented
        (N, inputs), K = setting["w_in"].shape, len(setting["w_out"])
        self.generators = nest.Create("spike_generator", inputs)
        self.parrots = nest.Create("parrot_neuron", inputs)
        self.recurrent = nest.Create(setting["model"], N, setting["recurrent"])
        self.readout = nest.Create("eprop_readout", K, setting["readout"])
        self.target = nest.Create("step_rate_generator", K)
        self.window = nest.Create("step_rate_generator")
        self.final = nest.Create("spike_generator")
        self.meter = nest.Create("multimeter", {"interval": 1.0, "record_from": ["V_m"]})
        self.spikes = nest.Create("spike_recorder")
        self._connect(setting)

    def _connect(self, setting: dict[str, Any]) -> None:
        nest.SetDefaults("eprop_synapse", {"optimizer": self.optimizer})
        static = {"synapse_model": "static_synapse", "delay": 1.0}
        nest.Connect(self.generators, self.parrots, "one_to_one", static)
        for name, pre, post in self._plastic():
            to, source = np.nonzero(setting[name])
            synapses = {
                "synapse_model": "eprop_synapse",
                "weight": setting[name][to, source],
                "delay": np.ones(len(to)),
            }
            nest.Connect(np.array(pre.tolist())[source], np.array(post.tolist())[to], "one_to_one", synapses)
        feedback = {"synapse_model": "eprop_learning_signal_connection", "delay": 1.0, "weight": setting["feedback"]}
        nest.Connect(self.readout, self.recurrent, "all_to_all", feedback)
        rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
        nest.Connect(self.target, self.readout, "one_to_one", {**rate, "receptor_type": 2})
        nest.Connect(self.window, self.readout, "all_to_all", {**rate, "receptor_type": 1})
        for neurons in (self.parrots, self.recurrent):
            nest.Connect(self.final, neurons, "all_to_all", {"weight": FORCED, "delay": 1.0})
        nest.Connect(self.meter, self.readout, "all_to_all", static)
        nest.Connect(self.recurrent, self.spikes, "all_to_all", static)

    def _plastic(self) -> list[tuple[str, Any, Any]]:
        return [
            ("w_in", self.parrots, self.recurrent),
            ("w_rec", self.recurrent, self.recurrent),
            ("w_out", self.recurrent, self.readout),
        ]

    def learn(
        self, at: np.ndarray, source: np.ndarray, labels: np.ndarray, rates: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Learn G samples with input spikes at steps `at`, gT + r. labels (G,), -1 for none. `rates`: learning rates,
        of this and the next call. Returns the readouts (G, W, K) in their windows and the spike counts (G, N) of
        recurrent neurons.

        The last two steps of the last sample are left to the next call, with its learning rate; here a copy simulates
        them ahead.
        """
        T, G = self.T, len(labels)
        self._set_rate(rates[0])
        self._present(at + self.n + 1.0, source, self.n + G * T)
        self._demand(labels)
        self.meter.n_events = self.spikes.n_events = 0
        nest.Simulate(float(G * T))
        self.n += G * T
        y, fired = copied(lambda: self._ahead(G * T, rates[1]))
        whole = slice(2, 2 + G * T)
        return y[whole].reshape(G, T, -1)[:, T - self.W :], fired[whole].reshape(G, T, -1).sum(1)

    def predict(self, *arguments: Any) -> Any:
        """Return what `learn` returns, computed by a copy of this process."""
        return copied(lambda: self.learn(*arguments))

    def weights(self) -> dict[str, np.ndarray]:
        """Weights as spikes transmit them now, [target, source]; 0 where there is no synapse."""
        matrices = {}
        for name, pre, post in self._plastic():
            synapses = nest.GetConnections(pre, post, synapse_model="eprop_synapse").get(["source", "target", "weight"])
            matrix = np.zeros((len(post), len(pre)))
            to = np.array(synapses["target"]) - min(post.tolist())
            matrix[to, np.array(synapses["source"]) - min(pre.tolist())] = synapses["weight"]
            matrices[name] = matrix
        return matrices

    def final_weights(self) -> dict[str, np.ndarray]:
        """Weights after a last spike of every source, which applies the pending gradients."""
        return copied(self._forced)

    def _forced(self) -> dict[str, np.ndarray]:
        self.window.set(amplitude_times=[self.n + 2.0], amplitude_values=[0.0])
        self.final.spike_times = [self.n + 4.0]
        nest.Simulate(10.0)
        return self.weights()

    def _present(self, times: np.ndarray, source: np.ndarray, end: float) -> None:
        """Set the input spikes until `end`; later ones are set once more with those of the next call."""
        times, source = np.concatenate([self.waiting[0], times]), np.concatenate([self.waiting[1], source])
        order = np.lexsort((times, source))
        parts = np.split(times[order], np.cumsum(np.bincount(source, minlength=len(self.generators)))[:-1])
        self.generators.set([{"spike_times": part} for part in parts])
        self.waiting = times[times > end], source[times > end]

    def _demand(self, labels: np.ndarray) -> None:
        """Set the targets of the samples, and the windows in which errors count."""
        starts = self.n + np.arange(len(labels)) * self.T + 2.0
        for k, generator in enumerate(self.target):
            generator.set(amplitude_times=starts, amplitude_values=(labels == k).astype(float))
        edges = np.stack([starts, starts + self.T - self.W], 1).ravel()
        values = np.stack([np.zeros(len(labels)), (labels >= 0).astype(float)], 1).ravel()
        self.window.set(amplitude_times=edges, amplitude_values=values)

    def _set_rate(self, eta: float) -> None:
        nest.SetDefaults("eprop_synapse", {"optimizer": {**self.optimizer, "eta": eta}})

    def _ahead(self, steps: int, eta: float) -> tuple[np.ndarray, np.ndarray]:
        """Simulate ahead and return the recordings of the last `steps` steps and two more."""
        self._set_rate(eta)
        self.window.set(amplitude_times=[self.n + 2.0], amplitude_values=[0.0])
        nest.Simulate(4.0)
        return self._recorded(self.n - steps, steps + 2)

    def _recorded(self, n0: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Readouts (steps, K) and spikes (steps, N) of steps n0, n0 + 1, ...; a recorder lags a step behind."""
        y, fired = np.zeros((steps, len(self.readout))), np.zeros((steps, len(self.recurrent)), np.int64)
        for recorder, neurons, table in ((self.meter, self.readout, y), (self.spikes, self.recurrent, fired)):
            events = recorder.get("events")
            row = np.rint(events["times"]).astype(int) - 1 - n0
            known = (row >= 0) & (row < steps)
            column = np.asarray(events["senders"]) - min(neurons.tolist())
            table[row[known], column[known]] = np.asarray(events["V_m"])[known] if recorder is self.meter else 1
        return y, fired


def copied(work: Callable[[], Any]) -> Any:
    """Return the result of `work`, computed by a copy of this process."""
    reader, writer = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        end_with_parent()
        writer.send(answered(work))
        os._exit(0)
    writer.close()
    try:
        state, value = reader.recv()
    except EOFError:
        state, value = "failed", "a copy of NEST's process ended without a message"
    os.waitpid(pid, 0)
    if state == "failed":
        raise RuntimeError(value)
    return value


def answered(work: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "done", work()
    except Exception as error:  # whatever NEST raises is reported, not lost with the process
        return "failed", f"{type(error).__name__}: {error}"


def end_with_parent() -> None:
    """End this process when its parent ends, if the system can do so (Linux)."""
    if prctl := getattr(ctypes.CDLL(None), "prctl", None):
        prctl(SET_PDEATHSIG, signal.SIGKILL)


def main(fd: int) -> None:
    end_with_parent()
    requests, network = Connection(fd), None
    while True:
        try:
            verb, arguments = requests.recv()
        except EOFError:
            return
        if verb == "build":
            state, value = answered(lambda: Network(*arguments))  # noqa: B023
            network, value = (value, None) if state == "done" else (None, value)
        else:
            state, value = answered(lambda: getattr(network, verb)(*arguments))  # noqa: B023
        requests.send((state, value))


if __name__ == "__main__":
    main(int(sys.argv[1]))
