"""What a chip costs the hybrid network, over layouts: python tests/bench/bench_chips.py [EXPERIMENT [LAYOUTS]]

The newest run of the experiment (qutrunk_ten_digits unless given: eight qubits, trained without noise) is tested on
each chip that ships, on LAYOUTS random layouts (100 unless given): accuracy, mean -log P(class) and mean
|<Z> - ideal <Z>|, all exact, on the first 1000 test images. Writes EXPERIMENT.csv, .md and .png into outputs/chips.
See `make table-chips`.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).parents[2]))

import torch

from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.devices.circuit.chips import Chip, chips
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.experiment.reload import load_learner
from neurobench.models.qcnn.comparisons import likelihood, mean_abs_dz, scores
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.report.spread import Draw, markdown, violins, write
from neurobench.storage.store import default_outputs, find_run
from tests.specs import spec

IMAGES = 1000
TITLES = {"accuracy": "accuracy", "exact_nll": "-log P(class)", "mean_abs_dz": "|dZ|"}
CPU = torch.device("cpu")


@torch.no_grad()
def measured(learner: HybridQCNNLearner, test: Split, device: CircuitDevice) -> dict[str, float]:
    assert learner.runner is not None
    exact = scores(learner, test, replace(learner.runner, device=device, shots=None))
    figures = likelihood(learner.main.head.probabilities(exact), test.y)
    accuracy = float((exact.argmax(1) == test.y).double().mean())
    return {"accuracy": accuracy, "exact_nll": figures["exact_nll"], "mean_abs_dz": mean_abs_dz(learner, test, device)}


def draws(learner: HybridQCNNLearner, test: Split, chip: Chip, layouts: int) -> Iterator[Draw]:
    """`layouts` random layouts; those that come twice count twice, as they are drawn alike."""
    assert learner.runner is not None
    program = learner.runner.program
    known: dict[tuple[int, ...], dict[str, float]] = {}
    for seed in range(layouts):
        device = spec("backend/mock", "circuit", chip=chip.name, layout="random", layout_seed=seed).open(0, CPU)
        layout = device.machine.layout(program)
        if layout not in known:
            known[layout] = measured(learner, test, device)
        yield Draw(chip.name, f"{chip.vendor} {chip.processor}, {chip.date or 'undated'}", f"{layout}", known[layout])


def main(experiment: str = "qutrunk_ten_digits", layouts: str = "100") -> None:
    outputs = default_outputs()
    loaded = load_learner(find_run(outputs, experiment, finished=True))
    learner, test = loaded.learner, loaded.splits().test.head(IMAGES)
    assert isinstance(learner, HybridQCNNLearner)
    assert learner.runner is not None
    ideal = measured(learner, test, learner.runner.device.ideal())
    found: list[Draw] = []
    for chip in chips().values():
        begin = time.perf_counter()
        found += draws(learner, test, chip, int(layouts))
        print(f"{chip.name}: {layouts} layouts, {time.perf_counter() - begin:.1f} s", flush=True)
    text = markdown(found, TITLES, "layouts", ideal)
    print(f"\n{experiment}, {len(test)} test images\n\n{text}")
    for file in write(outputs / "chips", experiment, found, text, violins(found, TITLES, ideal)):
        print(file)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"{error}\nTrain it first: neurobench run experiment=qutrunk_ten_digits")
