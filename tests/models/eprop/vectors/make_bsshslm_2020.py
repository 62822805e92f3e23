"""Make bsshslm_2020.npz: NEST's `*_bsshslm_2020` models on the tiny network, once for each setting of SETTINGS.

    PYTHONPATH=.venv/peers/nest python tests/models/eprop/vectors/make_bsshslm_2020.py   # after make .venv/peers/nest

Inputs are those of tiny_gd.npz, every seventh event twice, none in step 1 of a sample: a source that spikes there
updates one step before the last learning signal of the previous sample returns, which this package does not repeat.
Events in step 0, which NEST drops, remain. Written for each setting, with matrices [target, source]:
w_in, w_rec, w_out after a forced last update; y (n, W, K) readouts of each sample's window; z (n, T, N) spikes.
Stored numbers are NEST 3.10.0's, with one thread.
"""

from pathlib import Path
from typing import Any

import nest
import numpy as np

HERE = Path(__file__).parent
T, W = 60, 10
MODELS = {name: f"eprop_{name}_bsshslm_2020" for name in ("iaf", "readout", "synapse", "learning_signal_connection")}
LATE = {"regular_spike_arrival": False}
ADAM = {"type": "adam", "eta": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
SETTINGS: dict[str, dict[str, Any]] = {
    "batch_1": {},
    "batch_3": {"optimizer": {"batch_size": 3}},
    "early_arrival": {"recurrent": LATE, "readout": LATE, "optimizer": {"eta": 1e-2}, "gain": 20.0},
    "average_gradient": {"average_gradient": True, "optimizer": {"batch_size": 2, "eta": 1e-3}},
    "adam": {"optimizer": {**ADAM, "batch_size": 2}},
    "cross_entropy": {"readout": {"loss": "cross_entropy"}},
    "refractory": {"recurrent": {"t_ref": 3.0, "V_min": -0.1, "surrogate_gradient_function": "exponential"}},
}  # fmt: skip


def run(given: Any, setting: dict[str, Any]) -> dict[str, np.ndarray]:
    """Simulate a setting; its `gain` scales W_in and W_rec."""
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
    nest.set(eprop_update_interval=T, eprop_learning_window=W, eprop_reset_neurons_on_update=True)
    gain, samples = setting.get("gain", 1.0), len(given["labels"])
    w_in, w_rec, w_out = gain * given["w_in0"], gain * given["w_rec0"], given["w_out0"]
    (N, inputs), K = w_in.shape, len(w_out)
    leak = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0}
    neuron = {
        **leak, "V_th": 0.6, "tau_m": 30.0, "t_ref": 0.0, "c_reg": 2.0, "f_target": 10.0,
        "surrogate_gradient_function": "piecewise_linear", "surrogate_gradient_height": 0.5,
        "surrogate_gradient_width": 1 / 1.7,
    }  # fmt: skip
    generators, parrots = nest.Create("spike_generator", inputs), nest.Create("parrot_neuron", inputs)
    recurrent = nest.Create(MODELS["iaf"], N, {**neuron, **setting.get("recurrent", {})})
    readout = nest.Create(MODELS["readout"], K, {**leak, "tau_m": 100.0, **setting.get("readout", {})})
    target, final = nest.Create("step_rate_generator", K), nest.Create("spike_generator")
    optimizer = {"type": "gradient_descent", "batch_size": 1, "eta": 2e-4, "optimize_each_step": False}
    common = {"optimizer": {**optimizer, **setting.get("optimizer", {})}}
    nest.SetDefaults(MODELS["synapse"], {**common, "average_gradient": setting.get("average_gradient", False)})
    one_to_one = [(w_in, parrots, recurrent), (w_rec, recurrent, recurrent), (w_out, recurrent, readout)]
    nest.Connect(generators, parrots, "one_to_one", {"delay": 1.0})
    for weights, pre, post in one_to_one:
        to, source = np.nonzero(weights)
        synapse = {"weight": weights[to, source], "delay": np.ones(len(to)), "tau_m_readout": np.full(len(to), 100.0)}
        pairs = np.array(pre.tolist())[source], np.array(post.tolist())[to]
        nest.Connect(*pairs, "one_to_one", {"synapse_model": MODELS["synapse"], **synapse})
    feedback = {"synapse_model": MODELS["learning_signal_connection"], "delay": 1.0, "weight": given["B"]}
    nest.Connect(readout, recurrent, "all_to_all", feedback)
    rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0, "receptor_type": 2}
    nest.Connect(target, readout, "one_to_one", rate)
    nest.Connect(readout, readout, {"rule": "all_to_all", "allow_autapses": False}, {**rate, "receptor_type": 1})
    nest.Connect(final, parrots, "all_to_all", {"weight": 1000.0, "delay": 1.0})
    nest.Connect(final, recurrent, "all_to_all", {"weight": 1000.0, "delay": 1.0})
    spikes, meter = nest.Create("spike_recorder"), nest.Create("multimeter", {"interval": 1.0, "record_from": ["V_m"]})
    nest.Connect(recurrent, spikes)
    nest.Connect(meter, readout)
    for i in range(inputs):
        generators[i].set(spike_times=np.sort(given["ev_t"][given["ev_i"] == i]) + 1.0)
    for k in range(K):
        labelled = (given["labels"] == k).astype(float)
        target[k].set(amplitude_times=np.arange(samples) * T + 4.0, amplitude_values=labelled)
    final.set(spike_times=[samples * T + 6.0])
    nest.Simulate(samples * T + 10.0)
    found = {}
    for name, (weights, pre, post) in zip(("w_in", "w_rec", "w_out"), one_to_one, strict=True):
        there = nest.GetConnections(pre, post, synapse_model=MODELS["synapse"]).get(["source", "target", "weight"])
        found[name] = np.zeros_like(weights)
        place = np.array(there["target"]) - min(post.tolist()), np.array(there["source"]) - min(pre.tolist())
        found[name][place] = there["weight"]
    found["z"] = _by_step(spikes.get("events"), recurrent, "times", samples, 3)[:, :, :N].astype(np.uint8)
    found["y"] = _by_step(meter.get("events"), readout, "V_m", samples, 4)[:, T - W :]
    return found


def _by_step(events: dict[str, np.ndarray], nodes: Any, what: str, samples: int, first: int) -> np.ndarray:
    """Table (n, T, units) of the recordings from time `first` on: their values, or 1 for each spike."""
    step, unit = np.array(events["times"]).astype(int) - first, np.array(events["senders"]) - min(nodes.tolist())
    table = np.zeros((samples * T, len(nodes)))
    there = (step >= 0) & (step < len(table))
    table[step[there], unit[there]] = 1.0 if what == "times" else np.array(events[what])[there]
    return table.reshape(samples, T, -1)


if __name__ == "__main__":
    tiny = dict(np.load(HERE / "tiny_gd.npz"))
    number = np.arange(len(tiny["ev_t"]))
    kept = np.repeat(number, (1 + (number % 7 == 0)) * (tiny["ev_t"] % T != 1))
    tiny["ev_t"], tiny["ev_i"] = tiny["ev_t"][kept], tiny["ev_i"][kept]
    found = {"ev_t": tiny["ev_t"], "ev_i": tiny["ev_i"], "labels": tiny["labels"]}
    for name, setting in SETTINGS.items():
        found |= {f"{name}_{key}": value for key, value in run(tiny, setting).items()}
    np.savez_compressed(HERE / "bsshslm_2020.npz", **found)
