"""Comparison of a trained hybrid network on IBM's Marrakesh: Qiskit's snapshot and this package's.

    python tests/bench/bench_marrakesh.py [IMAGES] [RUN]

Both sides use the same parameters, first test images and physical qubits. Qiskit transpiles, routes and simulates with
Aer; this package does all of it itself. RUN is the path of a finished run of hybrid_qcnn; without it, two are
trained: two digits on one qubit, ten digits on four. The shot noise is printed: smaller differences are meaningless.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from rich.console import Console

from neurobench.experiment.execute import execute
from neurobench.experiment.reload import load_learner
from neurobench.experiment.request import plan_of
from neurobench.models.qcnn.network import trunk
from neurobench.storage.folder import RunFolder
from tests.specs import spec

IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 500
SHOTS = 4000
CPU = torch.device("cpu")
TRAINED = ("experiment=qutrunk_mnist_01_best", "experiment=qutrunk_ten_digits_4")


def trained(words: list[str], folder: str) -> RunFolder:
    plan, _ = plan_of([*words, f"outputs={folder}", "model.classical=[]"])
    return execute(plan, Console(quiet=True))


@torch.no_grad()
def side_by_side(folder: RunFolder) -> None:
    loaded: Any = load_learner(folder)
    learner, test = loaded.learner, loaded.splits().test.head(IMAGES)
    program, head, p = learner.runner.program, learner.main.head, learner.main.named()
    angles = head.angles(p, trunk(p, learner.images(test.x)).z)
    ours = spec("backend/mock", "circuit", chip="marrakesh", layout="best").open(0, CPU)
    layout = list(ours.processor.layout(program))
    theirs = spec("backend/qiskit", "circuit", device="FakeMarrakesh", layout=layout).open(0, CPU)
    print(f"\n{loaded.plan.label}: on qubits {layout} of the chip, {len(test)} test images, {SHOTS} shots")
    ideal = ours.ideal().expectation(program, angles).values
    values = {"ideal": ideal, "ours, exact": ours.expectation(program, angles).values}
    for name, device in (("ours", ours), ("Qiskit", theirs)):
        counts = device.counts(program, angles, SHOTS, seed=1).counts
        values[name] = device.estimate(program, counts).to(ideal.dtype)
    print(f"{'':12} {'accuracy':>9} {'mean |Z - ideal|':>17} {'mean (Z - ideal)':>17} {'mean |Z - Qiskit|':>18}")
    for name, z in values.items():
        right = (head.scores(p, z).argmax(1) == test.y).double().mean()
        from_ideal, from_qiskit = z - ideal, (z - values["Qiskit"]).abs().mean()
        print(f"{name:12} {right:9.4f} {from_ideal.abs().mean():17.4f} {from_ideal.mean():17.4f} {from_qiskit:18.4f}")
    noise = ((1 - values["ours, exact"] ** 2).clamp(min=0) / SHOTS).sqrt().mean() * math.sqrt(2 / math.pi)
    print(f"mean |error| of an exact value's estimate by {SHOTS} shots: {noise:.4f}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        side_by_side(RunFolder(Path(sys.argv[2])))
    else:
        with tempfile.TemporaryDirectory() as outputs:
            for experiment in TRAINED:
                side_by_side(trained([experiment], outputs))
