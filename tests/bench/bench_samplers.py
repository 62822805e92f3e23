"""Energies that samplers reach in equal time: `python tests/bench/bench_samplers.py [--checkpoint RUN/checkpoint.pt]`.

The problem is the QRBM's: 784x300, trained for one epoch on MNIST (here, if no checkpoint is given). In each round
every sampler is called once, with as many reads as fit into the same wall time, one thread each. The time of a call
includes all work of the sampler itself, but not building the binary quadratic model. Tables of mean and lowest energy;
a verdict against dwave-samplers' simulated annealing, with the best setting for either energy.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import dimod
import numba
import torch
from dwave.samplers import SimulatedAnnealingSampler, SteepestDescentSampler, TabuSampler
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.models.learner import Seeds, Step, Task
from neurobench.problems.bqm import to_bqm
from neurobench.problems.rbm import RBM, energy
from tests.bench.machine import print_machine
from tests.specs import spec

CPU = torch.device("cpu")
OURS, THEIRS = "annealer", "simulated annealing"
Call = Callable[[int, int], Tensor]  # reads, seed -> energies


class Entry(NamedTuple):
    sampler: str
    setting: str
    call: Call


class Round(NamedTuple):
    seconds: float
    reads: int
    mean: float
    lowest: float


def main() -> None:
    print_machine()
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--checkpoint", type=Path, help="of a QRBM run; default: train for one epoch first")
    words.add_argument("--seconds", type=float, default=2.0, help="of each call")
    words.add_argument("--rounds", type=int, default=3)
    asked = words.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    rbm = loaded(asked.checkpoint) if asked.checkpoint else trained()
    found = compare(entries(rbm), asked.seconds, asked.rounds)
    print_table(found, asked.seconds, asked.rounds)


def loaded(path: Path) -> RBM:
    return RBM(**torch.load(path, weights_only=True)["learner"]["rbm"])


def trained() -> RBM:
    """Train a QRBM for one epoch with default settings."""
    train = spec("dataset/mnist", validation=5000).load(0).train
    devices = {"sampler": spec("backend/sim", "sampler").open(0, CPU)}
    task, seeds = Task("image", (1, 28, 28), 10), Seeds(data=0, init=1, training=2, device=3)
    learner = spec("model/qrbm").build(task, seeds, devices, CPU)
    learner.start(train, None)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).split(100)
    for k, index in enumerate(order):
        learner.learn(train.batch(index), Step(k, len(order), 0))
    return RBM(**learner.state_dict()["rbm"])


def entries(rbm: RBM) -> list[Entry]:
    bqm = to_bqm(rbm)

    def ours(backend: str, **changes: float) -> Call:
        device = spec(f"backend/{backend}", "sampler", **changes).open(0, CPU)

        def call(reads: int, seed: int) -> Tensor:
            answer = device.sample_rbm(rbm, reads, seed)
            return energy(rbm, answer.v, answer.h)

        return call

    def theirs(sampler: dimod.Sampler, **parameters: object) -> Call:
        def call(reads: int, seed: int) -> Tensor:
            found = sampler.sample(bqm, num_reads=reads, seed=seed, **parameters)
            return torch.tensor(found.record.energy.tolist())

        return call

    annealing = SimulatedAnnealingSampler()
    return [
        *(
            Entry(OURS, f"{sweeps} sweeps, beta {hot:g} to 5", ours("sim_annealer", sweeps=sweeps, beta_start=hot))
            for sweeps, hot in ((100, 0.05), (100, 0.5), (1000, 0.5), (5000, 0.5))
        ),
        *(
            Entry(THEIRS, f"{n} sweeps, its own range of beta", theirs(annealing, num_sweeps=n))
            for n in (10, 100, 1000)
        ),
        *(
            Entry(THEIRS, f"{n} sweeps, beta 0.5 to 5", theirs(annealing, num_sweeps=n, beta_range=[0.5, 5.0]))
            for n in (100, 1000)
        ),
        Entry("steepest descent", "", theirs(SteepestDescentSampler())),
        Entry(
            "tabu",
            "its own defaults, timeout 100 ms",
            theirs(TabuSampler(), timeout=100),
        ),
        Entry("block Gibbs", "100 sweeps at beta 1", ours("sim")),
        Entry("mock Dynex", "best read alone", ours("mock")),
    ]


def compare(all_: list[Entry], seconds: float, rounds: int) -> dict[Entry, list[Round]]:
    """Call the samplers in turn, so that other load on the machine affects all of them."""
    reads = {entry: affordable(entry.call, seconds) for entry in all_}
    found: dict[Entry, list[Round]] = {entry: [] for entry in all_}
    for seed in range(1, rounds + 1):
        for entry in all_:
            begun = time.perf_counter()
            energies = entry.call(reads[entry], seed)
            spent = time.perf_counter() - begun
            found[entry].append(Round(spent, reads[entry], float(energies.mean()), float(energies.min())))
    return found


def affordable(call: Call, seconds: float) -> int:
    """Number of reads that fit into the time, found by trial because a call has a fixed cost."""
    call(1, 0)
    reads = 1
    for _ in range(8):
        spent = timed(call, reads)
        if abs(spent - seconds) < 0.1 * seconds:
            break
        reads = max(1, int(reads * min(30.0, seconds / spent)))
    return reads


def timed(call: Call, reads: int) -> float:
    begun = time.perf_counter()
    call(reads, 0)
    return time.perf_counter() - begun


def print_table(found: dict[Entry, list[Round]], seconds: float, rounds: int) -> None:
    print(f"784x300, {seconds:g} s a call, 1 thread, {rounds} rounds (seeds 1 to {rounds}); medians over rounds")
    print(f"{'sampler':20} {'setting':32} {'reads':>7} {'s':>6} {'ms/read':>8} {'mean E':>8} {'lowest E':>9}")
    for entry, rows in found.items():
        spent, reads, mean, lowest = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{entry.sampler:20} {entry.setting:32} {int(reads):7} {spent:6.2f} {1e3 * spent / reads:8.2f} "
            f"{mean:8.1f} {lowest:9.1f}"
        )
    for what, column in (("mean", 2), ("lowest", 3)):
        best = {
            name: min(statistics.median(row[column] for row in rows) for e, rows in found.items() if e.sampler == name)
            for name in (OURS, THEIRS)
        }
        verdict = "beats" if best[OURS] < best[THEIRS] else "does not beat"
        print(f"{what}: {OURS} {best[OURS]:.1f} {verdict} {THEIRS} {best[THEIRS]:.1f}, each at its best setting")


if __name__ == "__main__":
    main()
