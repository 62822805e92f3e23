"""Effect of a chip on the hybrid network, over layouts: python tests/bench/bench_chips.py [EXPERIMENT [LAYOUTS]]

The newest run of the experiment's published setting with seed 0 (default: qutrunk_ten_digits with eight qubits, trained
without noise) is tested on each packaged chip, on LAYOUTS random layouts (default: 100): accuracy, mean -log P(class)
and mean |<Z> - ideal <Z>|, all exact, on the first 1000 test images. Writes EXPERIMENT.csv, .md and .png into
outputs/chips.
See `make table-chips`.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).parents[2]))

import torch

from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.devices.circuit.chips import Chip, chips
from neurobench.devices.circuit.mock_qpu import QPUDevice
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.experiment.reload import load_learner
from neurobench.models.qcnn.comparisons import likelihood
from neurobench.models.qcnn.heads import QuantumHead
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.models.qcnn.network import trunk
from neurobench.report.spread import Draw, markdown, violins, write
from neurobench.storage.store import default_outputs
from tests.bench.trained import trained_run
from tests.specs import spec

IMAGES = 1000
TITLES = {"accuracy": "accuracy", "exact_nll": "-log P(class)", "mean_abs_dz": "mean abs dZ"}
CPU = torch.device("cpu")


class Trained:
    """A trained network with its circuit angles for the test images, which are the same on every chip."""

    @torch.no_grad()
    def __init__(self, learner: HybridQCNNLearner, test: Split):
        assert learner.runner is not None
        assert isinstance(learner.main.head, QuantumHead)
        self.program, self.head, self.y = learner.runner.program, learner.main.head, test.y
        self.parameters = learner.main.named()
        self.angles = self.head.angles(self.parameters, trunk(self.parameters, learner.images(test.x)).z)
        self.simulator = learner.runner.device.ideal()
        self.ideal = self.simulator.expectation(self.program, self.angles).values

    @torch.no_grad()
    def on(self, device: CircuitDevice) -> dict[str, float]:
        z = device.expectation(self.program, self.angles).values
        p = self.head.probabilities(self.head.scores(self.parameters, z))
        accuracy = float((p.argmax(1) == self.y).double().mean())
        dz = float((z - self.ideal).abs().mean())
        return {"accuracy": accuracy, "exact_nll": likelihood(p, self.y)["exact_nll"], "mean_abs_dz": dz}


def draws(trained: Trained, chip: Chip, layouts: int) -> Iterator[Draw]:
    """Figures on `layouts` random layouts of a chip; a layout drawn twice counts twice."""
    known: dict[tuple[int, ...], dict[str, float]] = {}
    for seed in range(layouts):
        device = opened(chip, layout="random", layout_seed=seed)
        layout = device.processor.layout(trained.program)
        if layout not in known:
            known[layout] = trained.on(device)
        yield Draw(chip.name, described(chip), " ".join(map(str, layout)), known[layout])


def opened(chip: Chip, **fields: Any) -> QPUDevice:
    device = spec("backend/mock", "circuit", chip=chip.name, **fields).open(0, CPU)
    assert isinstance(device, QPUDevice)
    return device


def described(chip: Chip) -> str:
    return f"{chip.vendor} {chip.processor}, {chip.date or 'undated'}"


def main(experiment: str = "qutrunk_ten_digits", layouts: str = "100") -> None:
    outputs = default_outputs()
    loaded = load_learner(trained_run(experiment))
    assert isinstance(loaded.learner, HybridQCNNLearner)
    trained = Trained(loaded.learner, loaded.splits().test.head(IMAGES))
    random: list[Draw] = []
    single = [Draw("none", "ideal", "-", trained.on(trained.simulator))]
    for chip in chips().values():
        begin = time.process_time()
        random += draws(trained, chip, int(layouts))
        for choice in ("best", "median", "worst"):
            device = opened(chip, layout=choice)
            single.append(Draw(chip.name, described(chip), choice, trained.on(device)))
        print(f"{chip.name}: {time.process_time() - begin:.1f} s", flush=True)
    text = markdown(random, TITLES, "layouts", single)
    print(f"\n{experiment}, {len(trained.y)} test images\n\n{text}")
    for file in write(
        outputs / "chips", experiment, [*random, *single], text, violins(random, TITLES, single[0].metrics)
    ):
        print(file)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"{error}\nTrain it first: neurobench run experiment=qutrunk_ten_digits")
