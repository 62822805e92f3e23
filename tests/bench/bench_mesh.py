"""This package's architecture model of Loihi against SANA-FE's: `make bench-mesh`. Exit code 1 if any figure differs
by more than 5 %.

SANA-FE runs three networks in a separate process (it is under the GPL). From its spikes and the number of neurons that
changed state in each step, the model here computes messages, hops, synaptic operations, joules and seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from neurobench.devices.core.mesh import LOIHI, Activity, MeshCost, mesh_cost, placed

HERE = Path(__file__).resolve().parent
PEER = HERE.parents[1] / ".venv/peers/sanafe"
LIMIT = 0.05
FIGURES = ("hops", "synaptic_operations", "joules", "seconds")
STEPS, THRESHOLD, LEAK = 60, 64.0, 0.9
# Name -> widths, share of nonzero weights, share of inputs that spike in a step.
NETWORKS = {
    "dense 60-80-10": ((60, 80, 10), 1.0, 0.1),
    "layers over several cores 1500-1200-20": ((1500, 1200, 20), 0.02, 0.02),
    "deep and sparse, 40 cores apart": ((200, 300, 300, 200, 30), 0.1, 0.05),
}


def network(widths: tuple[int, ...], density: float, rate: float) -> tuple[list[torch.Tensor], torch.Tensor]:
    draw = torch.Generator().manual_seed(len(widths) + widths[0])
    weights = []
    for a, b in pairwise(widths):
        kept = torch.rand(a, b, generator=draw) < density
        weights.append(torch.randint(-20, 40, (a, b), generator=draw).where(kept, torch.tensor(0)))
    return weights, torch.rand(STEPS, widths[0], generator=draw) < rate


def ask(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    env = {**os.environ, "PYTHONPATH": str(PEER)}
    words = [sys.executable, str(HERE / "peers" / "sanafe_loihi.py")]
    done = subprocess.run(words, input=json.dumps(cases), env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"SANA-FE: {done.stderr.strip().splitlines()[-1]}; `make bench-mesh` installs it")
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def activity(widths: tuple[int, ...], weights: list[torch.Tensor], told: dict[str, Any]) -> Activity:
    """Convert SANA-FE's answer: spikes as reported; of the neurons that changed without firing only the number in each
    step is known, so arbitrary silent ones are marked: which ones does not affect a sum of joules."""
    spikes = [torch.zeros(1, STEPS, width, dtype=torch.bool) for width in widths]
    for step, fired in enumerate(told["fired"]):
        for name in fired:
            layer, neuron = name.removeprefix("layer").split(".")
            spikes[int(layer)][0, step, int(neuron)] = True
    updates = [each.clone() for each in spikes[1:]]
    for step, changed in enumerate(told["updated"]):
        wanted = changed - sum(int(each[0, step].sum()) for each in spikes)  # firing, of inputs too, counts as a change
        for each in updates:
            still = (~each[0, step]).nonzero().flatten()[: max(0, wanted)]
            each[0, step, still] = True
            wanted -= len(still)
    return Activity(weights, spikes, updates)


def main() -> int:
    cases, networks = [], {}
    for name, (widths, density, rate) in NETWORKS.items():
        weights, inputs = network(widths, density, rate)
        networks[name] = widths, weights
        cores = [each.tolist() for each in placed(LOIHI, widths)]
        neuron = {"threshold": THRESHOLD, "leak_decay": LEAK}
        matrices = [each.tolist() for each in weights]
        cases.append({"weights": matrices, "inputs": inputs.int().tolist(), "cores": cores, **neuron})
    worst = 0.0
    for (name, (widths, weights)), told in zip(networks.items(), ask(cases), strict=True):
        ours = mesh_cost(LOIHI, activity(widths, weights, told))
        print(f"{name}: {ours.messages} messages, {ours.spikes} spikes, {STEPS} steps")
        worst = max(worst, *(compared(figure, ours, told) for figure in FIGURES))
    print(f"largest difference {worst:.2%}, limit {LIMIT:.0%}")
    return int(worst > LIMIT)


def compared(figure: str, ours: MeshCost, told: dict[str, Any]) -> float:
    mine = ours.hops_along_rows + ours.hops_along_columns if figure == "hops" else getattr(ours, figure)
    theirs = told[figure]
    off = abs(mine - theirs) / theirs if theirs else float(mine != theirs)
    print(f"  {figure:20} {mine:12.6g}  SANA-FE {theirs:12.6g}  {off:8.3%}")
    return float(off)


if __name__ == "__main__":
    sys.exit(main())
