"""Simulation of the e-prop tutorial's network in NEST, in a separate process:
python nest_eprop.py SETTING.npz ANSWER.npz

Run by `bench_eprop.py` and `tests/models/eprop/test_nest.py` with NEST on PYTHONPATH; numba in the same process would
make ResetKernel crash. SETTING contains w_in, w_rec, w_out, feedback, the events (ev_t: step kT + r, ev_i: input),
labels and, as JSON, everything else. ANSWER: seconds of simulation, weights after a forced last update, V, loss.
"""

import json
import sys
import time

import nest
import numpy as np


def main(setting: str, answer: str) -> None:
    given = np.load(setting)
    how = json.loads(str(given["how"]))
    T, W, samples = how["T"], how["W"], len(given["labels"])
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
    N, inputs = given["w_in"].shape
    K = len(given["w_out"])
    generators = nest.Create("spike_generator", inputs)
    parrots = nest.Create("parrot_neuron", inputs)
    recurrent = nest.Create(how["model"], N, how["recurrent"])
    readout = nest.Create("eprop_readout", K, how["readout"])
    target = nest.Create("step_rate_generator", K)
    learning = nest.Create("step_rate_generator")
    final = nest.Create("spike_generator", 1)
    common = {"optimizer": how["optimizer"]}
    nest.SetDefaults("eprop_synapse", common)
    static = {"synapse_model": "static_synapse", "delay": 1.0}
    nest.Connect(generators, parrots, "one_to_one", static)
    for weights, pre, post in (
        (given["w_in"], parrots, recurrent),
        (given["w_rec"], recurrent, recurrent),
        (given["w_out"], recurrent, readout),
    ):
        to, source = np.nonzero(weights)
        nest.Connect(
            np.array(pre.tolist())[source],
            np.array(post.tolist())[to],
            "one_to_one",
            {"synapse_model": "eprop_synapse", "weight": weights[to, source], "delay": np.ones(len(to))},
        )
    feedback = {"synapse_model": "eprop_learning_signal_connection", "delay": 1.0, "weight": given["feedback"]}
    nest.Connect(readout, recurrent, "all_to_all", feedback)
    rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
    nest.Connect(target, readout, "one_to_one", {**rate, "receptor_type": 2})
    nest.Connect(learning, readout, "all_to_all", {**rate, "receptor_type": 1})
    nest.Connect(final, parrots, "all_to_all", {"weight": 1000.0, "delay": 1.0})
    nest.Connect(final, recurrent, "all_to_all", {"weight": 1000.0, "delay": 1.0})
    meter = nest.Create("multimeter", {"interval": 1.0, "record_from": ["V_m"], "start": 2.0})
    if how["record"]:
        nest.Connect(meter, recurrent, "all_to_all", static)
    order = np.argsort(given["ev_t"], kind="stable")
    times, sources = given["ev_t"][order] + 1.0, given["ev_i"][order]
    for i in range(inputs):
        generators[i].set(spike_times=times[sources == i])
    starts = np.arange(samples) * T + 2.0
    for k in range(K):
        target[k].set(amplitude_times=starts, amplitude_values=(given["labels"] == k).astype(float))
    edges = np.stack([starts, starts + T - W], 1).ravel()
    learning.set(amplitude_times=edges, amplitude_values=np.tile([0.0, 1.0], samples))
    duration = samples * T + 3.0
    final.set(spike_times=[duration + 1.0])
    nest.Simulate(2.0)
    begun = time.process_time()
    nest.Simulate(samples * T)
    seconds = time.process_time() - begun
    nest.Simulate(duration - samples * T - 2.0 + 3.0)
    found = {"seconds": seconds}
    for name, pre, post in (
        ("w_in", parrots, recurrent),
        ("w_rec", recurrent, recurrent),
        ("w_out", recurrent, readout),
    ):
        there = nest.GetConnections(pre, post, synapse_model="eprop_synapse").get(["source", "target", "weight"])
        matrix = np.zeros(given[name].shape)
        to = np.array(there["target"]) - min(post.tolist())
        matrix[to, np.array(there["source"]) - min(pre.tolist())] = there["weight"]
        found[name] = matrix
    if how["record"]:
        events = meter.get("events")
        V = np.full((samples * T + 2, N), np.nan)
        rows = np.array(events["times"]).astype(int) - 1
        kept = rows < len(V)
        V[rows[kept], (np.array(events["senders"]) - min(recurrent.tolist()))[kept]] = np.array(events["V_m"])[kept]
        found["V"] = V
    np.savez(answer, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
