"""Comparison of NEST with the engine `exact` on the e-prop tutorial's first samples:
python tests/bench/bench_nest.py [SAMPLES]

Groups of 100 of the bundled recordings, the tutorial's network, seed 1. Required: readouts, spikes and weights are
bit-identical with backend=nest and with backend=sim.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from neurobench.config.targets import is_installed
from neurobench.experiment.plan import spawn
from neurobench.models.eprop.network import learning_rate
from neurobench.models.learner import Task
from tests.specs import spec

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 300
GROUP = 100


def learner(backend: str) -> Any:
    core = spec(f"backend/{backend}", "learning_core").open(0, torch.device("cpu"))
    network = spec("model/eprop_rsnn", engine="exact", numpy_seed=1, optimizer="gradient_descent", lr=5e-3)
    return network.build(Task("events", (2, 34, 34), 10), spawn(0), {"learning_core": core}, torch.device("cpu"))


def compared(name: str, theirs: np.ndarray, ours: np.ndarray) -> bool:
    same = np.array_equal(theirs, ours)
    print(f"  {name:9} {ours.size:9,d} numbers {'equal to the bit' if same else 'DIFFER'}", flush=True)
    return same


if __name__ == "__main__":
    if not is_installed("nest"):
        sys.exit("NEST is not installed: pip install nest-simulator")
    torch.set_num_threads(1)
    data = spec("dataset/nmnist", validation=0).load(0).train
    made, equal = {name: learner(name) for name in ("nest", "sim")}, []
    for first in range(0, SAMPLES, GROUP):
        batch, responses = data.batch(slice(first, min(first + GROUP, SAMPLES))), {}
        for name, each in made.items():
            begun = time.perf_counter()
            rate, spikes = learning_rate(each.spec), each.encode(batch.x)
            responses[name] = each.engine.train_batch(spikes, batch.y.numpy(), rate, first)
            print(f"samples {first} to {first + len(batch.y)}, {name}: {time.perf_counter() - begun:.1f} s", flush=True)
        for part in ("window", "counts"):
            equal.append(compared(part, *(getattr(answer, part) for answer in responses.values())))
    for name, theirs, ours in zip(
        ("w_in", "w_rec", "w_out"), *(each.engine.weights() for each in made.values()), strict=True
    ):
        equal.append(compared(name, theirs, ours))
    sys.exit(not all(equal))
