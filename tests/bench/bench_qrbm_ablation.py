"""Ablation of the annealer and its errors in the QRBM: tables, and a figure for each.

    python tests/bench/bench_qrbm_ablation.py [--seeds 3] [--to outputs/bench]

All variants train the same RBM, which fits on a fault-free annealing chip: 13x13 pixels, 128 hidden units, one epoch of
all 60,000 images, batch 20, lr 0.1 without momentum, 20 chains. Accuracy of the logistic regression on its hidden
probabilities, on the full official test set; log-likelihood of the test images by annealed importance sampling.

starts: initial states of the chains of the negative phase, at 1, 4 and 16 Gibbs steps per update. cd: the data; pcd:
the last states; otherwise redrawn every 10 updates by coin tosses or by a device, and continued in between.
noise: the emulated quantum annealer makes every Gibbs step, at the RBM's temperature and without any errors except the
one that is varied.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numba
import torch
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.data.dataset import Splits
from neurobench.devices.spec import DeviceSpec
from neurobench.experiment.loop import epoch_order
from neurobench.experiment.plan import spawn
from neurobench.models.learner import Step, Task, TrainingRecord
from neurobench.models.qrbm.learner import QRBMLearner
from tests.models.qrbm.likelihood import log_likelihood
from tests.specs import spec

CPU = torch.device("cpu")
BATCH, STEPS = 20, (1, 4, 16)
UNIT = 1 / 6.35  # prefactor at which the emulated chip samples at the RBM's temperature

SIM = spec("backend/sim", "sampler")

STARTS: Mapping[str, tuple[str, DeviceSpec]] = {
    "cd": ("cd", SIM),
    "pcd": ("pcd", SIM),
    "random": ("random", SIM),
    "device: block Gibbs, 100 sweeps": ("device", SIM),
    "device: annealer": ("device", spec("backend/sim_annealer", "sampler")),
    "device: mock Dynex": ("device", spec("backend/mock", "sampler")),
    "device: mock QPU": ("device", spec("backend/mock_qpu", "sampler", prefactor=UNIT, faults="none")),
}

FAULTLESS: Mapping[str, Any] = {
    **dict.fromkeys(("sigma_h", "sigma_j", "offset_h", "offset_j", "flux", "h_scale_spread", "susceptibility"), 0.0),
    **dict.fromkeys(("chain_break", "readout"), 0.0),
    **dict.fromkeys(("h_dac", "j_dac"), (0.0, 0.0)),
    "faults": "none",
    "beta": 1.0,
    "annealing_time": 1.0,
    "sweeps_per_us": 1.0,
}
SWEEPS: Mapping[str, tuple[float, ...]] = {
    "error of a coefficient, sigma": (0.0, 0.003, 0.01, 0.03, 0.1),
    "inverse temperature, factor": (0.5, 1.0, 2.0, 4.0),
    "probability of a wrong readout": (0.0, 0.001, 0.01, 0.1),
}


class Outcome(NamedTuple):
    """Figures of one trained QRBM."""

    accuracy: float  # per cent
    mse: float
    likelihood: float  # nats per image


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--to", type=Path, default=Path("outputs/bench"), help="folder of the figures")
    words.add_argument("--only", choices=["starts", "noise"])
    asked = words.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    asked.to.mkdir(parents=True, exist_ok=True)
    splits = spec("dataset/mnist", validation=0).load(seed=0)
    seeds = range(asked.seeds)
    print(f"seeds 0 to {asked.seeds - 1}, 1 thread; mean ± sd")
    if asked.only != "noise":
        starts(splits, seeds, asked.to)
    if asked.only != "starts":
        noise(splits, seeds, asked.to)


def train(splits: Splits, seed: int, sampler: DeviceSpec, negative: str, gibbs_steps: int = 1) -> Outcome:
    seeds = spawn(seed)
    model = spec(
        "model/qrbm",
        downsample=13,
        n_hidden=128,
        lr=0.1,
        momentum=0.0,
        negative=negative,
        gibbs_steps=gibbs_steps,
        chains=BATCH,
        features="probability",
    )
    devices = {"sampler": sampler.open(seeds.device, CPU)}
    learner = QRBMLearner(model, Task("image", (1, 28, 28), 10), seeds, devices, CPU)
    learner.start(splits.train, None)
    order = epoch_order(len(splits.train), seeds.data, 0).split(BATCH)
    for k, index in enumerate(order):
        learner.learn(splits.train.batch(index), Step(k, len(order), 0))
    learner.finalize(splits.train, splits.train.head(0), TrainingRecord())
    test = splits.test.batch(slice(None))
    correct = (learner.predict(test.x).argmax(1) == test.y).double().mean()
    mse = learner.measure(test).extra["reconstruction_mse"] / len(test.y)
    v = learner.pixels(test.x)
    return Outcome(100 * float(correct), mse, log_likelihood(learner.rbm, v, seed))


def starts(splits: Splits, seeds: range, folder: Path) -> None:
    print(f"{'start':33} {'Gibbs steps':>11}  {'accuracy, %':14} {'test MSE':16} {'log-likelihood':15} {'s':>5}")
    found: dict[str, list[list[Outcome]]] = {}
    for name, (negative, sampler) in STARTS.items():
        for steps in STEPS:
            begun = time.perf_counter()
            outcomes = [train(splits, seed, sampler, negative, steps) for seed in seeds]
            found.setdefault(name, []).append(outcomes)
            print_row(f"{name:33} {steps:11}", outcomes, time.perf_counter() - begun)
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, 2)
    drawn = {"accuracy": "test accuracy, %", "likelihood": "log p(test image), nats"}
    for panel, (field, label) in zip(panels, drawn.items(), strict=True):
        for name, rows in found.items():
            bars(panel, STEPS, rows, field, name)
        panel.set_xscale("log")
        panel.set_xticks(STEPS, [str(n) for n in STEPS])
        panel.set_xticks([], minor=True)
        panel.set_xlabel("Gibbs steps an update")
        panel.set_ylabel(label)
    panels[1].legend(fontsize=7, frameon=False, loc="lower right")
    save(figure, folder / "qrbm_starts.png")


def noise(splits: Splits, seeds: range, folder: Path) -> None:
    print(f"{'mock QPU':33} {'value':>11}  {'accuracy, %':14} {'test MSE':16} {'log-likelihood':15} {'s':>5}")
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, len(SWEEPS))  # separate scales: one error costs a point, another everything
    for panel, (name, values) in zip(panels, SWEEPS.items(), strict=True):
        rows = []
        for value in values:
            begun = time.perf_counter()
            rows.append([train(splits, seed, faulty(name, value), "pcd") for seed in seeds])
            print_row(f"{name:33} {value:11g}", rows[-1], time.perf_counter() - begun)
        bars(panel, values, rows, "accuracy")
        if values[0] == 0:
            panel.set_xscale("symlog", linthresh=values[1])
        else:
            panel.set_xscale("log")
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.set_xticks([], minor=True)
        panel.set_xlabel(name)
        if name.startswith("error"):
            judge(values, rows)
    panels[0].set_ylabel("test accuracy, %")
    save(figure, folder / "qrbm_noise.png")


def faulty(name: str, value: float) -> DeviceSpec:
    fields = {"error": ("sigma_h", "sigma_j"), "inverse": ("beta",), "probability": ("readout",)}[name.split()[0]]
    return spec("backend/mock_qpu", "sampler", **{**FAULTLESS, **dict.fromkeys(fields, value)})


def judge(values: tuple[float, ...], rows: list[list[Outcome]]) -> None:
    for field in ("accuracy", "likelihood"):
        found = [spread([getattr(row, field) for row in outcomes]) for outcomes in rows]
        falls = all(after[0] <= before[0] for before, after in pairwise(found))
        within = all(after[0] <= before[0] + max(before[1], after[1]) for before, after in pairwise(found))
        verdict = "falls" if falls else "falls, but for less than the spread of seeds," if within else "does not fall"
        loss = found[0][0] - found[values.index(0.01)][0]
        print(f"{field} {verdict} from each sigma to the next; at 0.01 it has lost {loss:.2f}")


def print_row(head: str, outcomes: list[Outcome], seconds: float) -> None:
    accuracy, mse, likelihood = (spread([row[n] for row in outcomes]) for n in range(3))
    print(
        f"{head}  {accuracy[0]:5.2f} ± {accuracy[1]:4.2f}  {mse[0]:.4f} ± {mse[1]:.4f}  "
        f"{likelihood[0]:6.2f} ± {likelihood[1]:4.2f} {seconds / len(outcomes):6.1f}",
        flush=True,
    )


def spread(values: list[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def bars(panel: Any, x: tuple[float, ...], rows: list[list[Outcome]], field: str, label: str | None = None) -> None:
    middle, error = zip(*(spread([getattr(row, field) for row in outcomes]) for outcomes in rows), strict=True)
    panel.errorbar(x, middle, yerr=error, marker="o", markersize=4, capsize=2, linewidth=1, label=label)
    panel.grid(alpha=0.3)


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)
    print(f"figure {path}", flush=True)


if __name__ == "__main__":
    main()
