"""Training speed of the e-prop network compared with NEST: python tests/bench/bench_eprop.py [SAMPLES]

Targets, with one thread each: `exact` at least 15 times NEST's samples per second, `online` 250 times, `minibatch`
(batches of 100) 1000 times. Each is printed as reached or missed, with its bottleneck. `minibatch` on a Zen 3 (about
165 us per sample on an idle machine) is bound by its additions: 160 float32 for each of about 3,900 input spikes per
sample, 35 us forward and 38 backward, near the bandwidth of the L2 cache (21 bytes per cycle; with all data in L1,
24 us). The neurons' steps take 31 forward and 9 backward, binning 13, grouping by source 8, Adam 5, readouts 3.
Registers of 512 bits gain nothing there. On a Xeon with AVX-512 (about 100 us) the additions take 19 and 24, the
neurons' steps 19 and 6, binning and grouping 9 each.

`online` on a Zen 4 (about 630 us, before the changes named below) is bound by the synapses of arriving spikes, 250,
whose 1.25 MB exceed the L2 cache; the ends of gaps and blocks take 200, the neurons' steps 95; then comes sorting each
step's spikes by source, which is no longer done. On the Xeon (about 445 us), whose L2 cache is large enough, half is
again spent on these synapses, 153,000 per sample. The same loop in C takes 1.22 ns for each, 0.99 if all are in the L1
cache, 0.95 if their weights are not added to their targets' inputs, number by number, and 1.04 if those of the next
source are prefetched and multiply-adds are fused, as here. Nothing is gained by eight at a time in registers of 512
bits, larger pages, contiguous records of synapses, or one list of a step's synapses, whose end a processor predicts.

NEST runs its tutorial's network in a separate process (`make .venv/peers/nest`) on the same recordings, wiring not
counted; a dense loop over time steps in torch represents code without a compiled kernel. Rounds alternate; medians.
Times are CPU time, since each contender has one thread: other processes on the machine disturb it less.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.experiment.plan import spawn
from neurobench.models.eprop.network import learning_rate
from neurobench.models.learner import Step, Task
from tests.bench.machine import print_machine
from tests.specs import spec

HERE = Path(__file__).parent
NEST = HERE.parents[1] / ".venv/peers/nest"
SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 100
ROUNDS = 3
TARGETS = {"exact": 15, "online": 250, "minibatch": 1000}
BOUND = {"online": "the synapses of arriving spikes", "minibatch": "additions of weights, spike by spike"}
REPEATS = {"exact": 1, "online": 3, "minibatch": 15}  # so that a round of each takes about equally long
NEST_STYLE = {"optimizer": "gradient_descent", "lr": 5e-3}


def learner(engine: str) -> Any:
    core = spec("backend/sim", "learning_core").open(0, torch.device("cpu"))
    fields: dict[str, Any] = {} if engine == "minibatch" else NEST_STYLE
    network = spec("model/eprop_rsnn", engine=engine, numpy_seed=1, **fields)
    return network.build(Task("events", (2, 34, 34), 10), spawn(0), {"learning_core": core}, torch.device("cpu"))


def nest(made: Any, batch: Any) -> float:
    """Seconds that NEST takes to simulate the samples."""
    c, weights = made.c, made.initial
    spikes = made.inputs.encode(batch.x, c.T)
    step = np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start))
    recurrent = {
        "C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "V_th": 0.6, "tau_m": 30.0, "t_ref": 0.0, "c_reg": c.c_reg,
        "eprop_isi_trace_cutoff": 100, "f_target": 10.0, "kappa": 0.99, "kappa_reg": 0.99,
        "surrogate_gradient_function": "piecewise_linear", "surrogate_gradient_height": 0.5,
        "surrogate_gradient_width": 1 / 1.7,
    }  # fmt: skip
    readout = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "tau_m": 100.0, "eprop_isi_trace_cutoff": 100}
    optimizer = {
        "type": "gradient_descent", "batch_size": 1, "optimize_each_step": False, "Wmin": -100.0, "Wmax": 100.0,
        "eta": learning_rate(made.spec),
    }  # fmt: skip
    how = {"T": c.T, "W": c.W, "model": "eprop_iaf", "record": False}
    how |= {"recurrent": recurrent, "readout": readout, "optimizer": optimizer}
    with tempfile.TemporaryDirectory() as folder:
        setting, answer = f"{folder}/setting.npz", f"{folder}/answer.npz"
        matrices = dict(zip(("w_in", "w_rec", "w_out", "feedback"), weights[:4], strict=True))
        time_of = step // (c.T + 1) * c.T + step % (c.T + 1)
        events = {"ev_t": time_of, "ev_i": spikes.source, "labels": batch.y.numpy(), "how": json.dumps(how)}
        np.savez(setting, **matrices, **events)
        environment = {**os.environ, "PYTHONPATH": str(NEST)}
        script = str(HERE / "peers/nest_eprop.py")
        subprocess.run([sys.executable, script, setting, answer], env=environment, check=True, capture_output=True)
        return float(np.load(answer)["seconds"])


def dense_loop(made: Any, batch: Any) -> float:
    """Seconds of a loop over time steps in torch: float32, traces of all synapses, weights fixed during the samples."""
    c, n = made.c, len(batch.y)
    spikes = made.inputs.encode(batch.x, c.T)
    x = torch.zeros(n, c.T, c.inputs)
    step = torch.from_numpy(np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start)))
    inside = step % (c.T + 1) < c.T
    where = (step // (c.T + 1))[inside], (step % (c.T + 1))[inside], torch.from_numpy(spikes.source)[inside]
    x.index_put_(where, torch.ones(int(inside.sum())), accumulate=True)
    w_in, w_rec, w_out, B = (torch.from_numpy(np.ascontiguousarray(w)).float() for w in made.initial[:4])
    begun = time.process_time()
    v, z, y, f = torch.zeros(n, c.N), torch.zeros(n, c.N), torch.zeros(n, c.K), torch.zeros(n, c.N)
    trace, eligible = torch.zeros(n, c.inputs), torch.zeros(n, c.N, c.inputs)
    gradient = torch.zeros(c.N, c.inputs)
    for t in range(c.T):
        v = c.alpha * v + x[:, t] @ w_in.T + z @ w_rec.T
        psi = 0.5 * (1 - (v - c.v_th).abs() / c.width).clamp(min=0)
        y = c.alpha_out * y + z @ w_out.T
        z = (v >= c.v_th).float()
        v = v - c.v_th * z
        f = c.kappa * f + (1 - c.kappa) * z
        trace = c.alpha * trace + x[:, t]
        eligible.mul_(c.kappa).add_(psi[:, :, None] * trace[:, None])
        signal = (1 - c.kappa) * c.c_reg * (f - c.f_target)
        if t >= c.T - c.W:
            signal = signal + (y - torch.nn.functional.one_hot(batch.y, c.K)) @ B.T
        gradient += torch.einsum("bn,bni->ni", signal, eligible)
    assert torch.isfinite(gradient).all()
    return time.process_time() - begun


def ours(made: Any, start: Any, batch: Any, repeats: int) -> float:
    """Seconds per update, always from NEST's initial weights, since a network trained for longer fires more."""
    seconds = 0.0
    for _ in range(repeats):
        made.load_state_dict(start)
        begun = time.process_time()
        made.learn(batch, Step(0, 1, 0))
        seconds += time.process_time() - begun
    return seconds / repeats


def against_target(engine: str, ratio: float) -> str:
    if ratio >= TARGETS[engine]:
        return f"target {TARGETS[engine]}x: reached"
    return f"target {TARGETS[engine]}x: missed" + (f", bound by {BOUND[engine]}" if engine in BOUND else "")


if __name__ == "__main__":
    print_machine()
    torch.set_num_threads(1)
    data = spec("dataset/nmnist", validation=0).load(0).train
    batch, few = data.batch(slice(0, SAMPLES)), data.batch(slice(0, 10))
    engines = {name: learner(name) for name in TARGETS}
    starts = {name: deepcopy(made.state_dict()) for name, made in engines.items()}
    for made in engines.values():
        made.learn(data.batch(slice(0, 2)), Step(0, 1, 0))  # compile the kernels
    contenders: dict[str, Callable[[], float]] = {}
    if (NEST / "nest").exists():
        contenders["NEST"] = lambda: nest(engines["exact"], batch) / SAMPLES
    else:
        print("NEST is not there: make .venv/peers/nest")
    for name, made in engines.items():
        contenders[name] = lambda name=name, made=made: ours(made, starts[name], batch, REPEATS[name]) / SAMPLES  # type: ignore[misc]
    contenders["dense loop in torch, batch 10"] = lambda: dense_loop(engines["exact"], few) / 10
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, work in contenders.items():
            times[name].append(work())
    median = {name: statistics.median(values) for name, values in times.items()}
    base = "NEST" if "NEST" in median else "exact"
    for name, value in median.items():
        ratio = median[base] / value
        target = f", {against_target(name, ratio)}" if name in TARGETS and base == "NEST" else ""
        print(f"{name:30s} {1 / value:9.1f} samples/s  {ratio:7.1f}x {base}{target}", flush=True)
