"""Make rate_change.npz: NEST on the tiny network, with its learning rate changed between groups as in the tutorial.

    PYTHONPATH=.venv/peers/nest python tests/models/eprop/vectors/make_rate_change.py   # after make .venv/peers/nest

The tutorial's `run_phase` sets a group's rate, simulates the three steps that end the previous group, and only then
evaluates that group. Events are those of tiny_gd.npz and, in the last two steps of every fourth sample, one of every
input, so that sources arrive twice in the steps that a change of rate affects. Written: the events, the rates, and for
each group readout (4, W, K) and loss, as that script computes it. Numbers are NEST 3.10.0's, with one thread.
"""

from pathlib import Path

import nest
import numpy as np

HERE = Path(__file__).parent
T, W, GROUP = 60, 10, 4
RATES = (4e-5, 4e-6, 0.0)  # of each group; larger than the tutorial's, to make a wrong one visible
SCALE = 1 - 0.99


def run(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
    (N, inputs), K, samples = given["w_in0"].shape, len(given["w_out0"]), len(given["labels"])
    leak = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "eprop_isi_trace_cutoff": 100}
    neuron = {
        **leak, "V_th": 0.6, "tau_m": 30.0, "t_ref": 0.0, "c_reg": 2 / T / SCALE**2, "f_target": 10.0, "kappa": 0.99,
        "kappa_reg": 0.99, "surrogate_gradient_function": "piecewise_linear", "surrogate_gradient_height": 0.5,
        "surrogate_gradient_width": 1 / 1.7,
    }  # fmt: skip
    generators, parrots = nest.Create("spike_generator", inputs), nest.Create("parrot_neuron", inputs)
    recurrent = nest.Create("eprop_iaf", N, neuron)
    readout = nest.Create("eprop_readout", K, {**leak, "tau_m": 100.0})
    target, window = nest.Create("step_rate_generator", K), nest.Create("step_rate_generator")
    optimizer = {"type": "gradient_descent", "batch_size": 1, "optimize_each_step": False}
    nest.SetDefaults("eprop_synapse", {"optimizer": optimizer})
    nest.Connect(generators, parrots, "one_to_one", {"delay": 1.0})
    layers = (parrots, recurrent), (recurrent, recurrent), (recurrent, readout)
    for name, (pre, post) in zip(("w_in0", "w_rec0", "w_out0"), layers, strict=True):
        weights = given[name]
        to, source = np.nonzero(weights)
        synapse = {"synapse_model": "eprop_synapse", "weight": weights[to, source], "delay": np.ones(len(to))}
        nest.Connect(np.array(pre.tolist())[source], np.array(post.tolist())[to], "one_to_one", synapse)
    feedback = {"synapse_model": "eprop_learning_signal_connection", "delay": 1.0, "weight": given["B"]}
    nest.Connect(readout, recurrent, "all_to_all", feedback)
    rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
    nest.Connect(target, readout, "one_to_one", {**rate, "receptor_type": 2})
    nest.Connect(window, readout, "all_to_all", {**rate, "receptor_type": 1})
    meter = nest.Create("multimeter", {"interval": 1.0, "record_from": ["readout_signal"], "start": 2.0})
    nest.Connect(meter, readout)
    for i in range(inputs):
        generators[i].set(spike_times=np.sort(given["ev_t"][given["ev_i"] == i]) + 1.0)
    starts = np.arange(samples) * T + 2.0
    for k in range(K):
        target[k].set(amplitude_times=starts, amplitude_values=(given["labels"] == k).astype(float))
    window.set(
        amplitude_times=np.stack([starts, starts + T - W], 1).ravel(), amplitude_values=np.tile([0.0, 1.0], samples)
    )
    for eta in RATES:
        nest.SetDefaults("eprop_synapse", {"optimizer": {**optimizer, "eta": eta}})
        for steps in (2.0, 1.0, GROUP * T - 3.0):
            nest.Simulate(steps)
    nest.Simulate(3.0)
    events = meter.get("events")
    y = np.stack([events["readout_signal"][events["senders"] == unit] for unit in readout.tolist()], 1)
    y = y[: samples * T].reshape(samples, T, K)[:, T - W :]
    error = y - np.eye(K)[given["labels"]][:, None]
    loss = 0.5 * (error**2).sum(1).mean(1).reshape(-1, GROUP).mean(1)
    return {"readout": y, "loss": loss}


if __name__ == "__main__":
    tiny = dict(np.load(HERE / "tiny_gd.npz"))
    inputs = tiny["w_in0"].shape[1]
    ends = [T * (GROUP * g + GROUP) - back for g in range(len(RATES)) for back in (2, 1)]
    events = {*zip(tiny["ev_t"].tolist(), tiny["ev_i"].tolist(), strict=True)}
    events |= {(t, i) for t in ends for i in range(inputs)}
    tiny["ev_t"], tiny["ev_i"] = (np.array(part) for part in zip(*sorted(events), strict=True))
    found = {"ev_t": tiny["ev_t"], "ev_i": tiny["ev_i"], "rates": np.array(RATES), **run(tiny)}
    np.savez_compressed(HERE / "rate_change.npz", **found)
