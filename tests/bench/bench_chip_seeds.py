"""Effect of chip variation, over emulated copies: python tests/bench/bench_chip_seeds.py [COPIES [PART ...]]

COPIES (100 unless given) of BrainScaleS-2 and of each annealer, drawn by `chip_seed`; anything that is the same for all
copies is computed once. Each part writes PART.csv, .md and .png into outputs/chips. See `make table-chip-seeds`.

bss2_copies: the weights that hxtorch_yin_yang_best (seed 0) learned on the host's model are tested on every copy,
unchanged and after 16 more training steps in the loop with the copy: test accuracy, mean -log P(class), and mean
|logit - logit on the host's model of the copy|.

annealer_copies: the RBM of dynex_qrbm_qpu_device, trained on 3,000 images with an exact sampler, is sampled by each
copy with 100 reads, as in training: mean |<s> - exact <s>| over all units, s = 2x - 1. The row of the exact sampler
shows how much of it is due to the small number of reads.

annealer_trainings: that RBM trained with each copy, which is sampled at every fifth update (in the experiment at every
50th): test accuracy and mean -log P(class) of its readout. Two to four seconds of one core per copy.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).parents[2]))

import torch
from rich.console import Console
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.data.dataset import Split, Splits
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.sampler.protocol import Sampler
from neurobench.experiment.build import build_learner, load_splits
from neurobench.experiment.evaluate import scores_of
from neurobench.experiment.plan import Plan, parse
from neurobench.experiment.progress import meter_for
from neurobench.experiment.reload import load_learner
from neurobench.experiment.training import training_loop
from neurobench.metrics.costs import Ledger
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.hxtorch.spec import Phase
from neurobench.models.learner import Step, TrainingRecord
from neurobench.models.qrbm.learner import QRBMLearner
from neurobench.problems.rbm import RBM
from neurobench.report.spread import Draw, markdown, violins, write
from neurobench.storage.store import default_outputs
from tests.bench.trained import trained_run
from tests.specs import spec

BSS2 = "hxtorch_yin_yang_best"
CPU = torch.device("cpu")
ANNEALERS = ("Advantage_system4", "Advantage_system6", "Advantage2_system1", "Advantage2_system2")  # the RBM fits
SHORT = ["scale=quick", "scale.train=3000", "model.device_every=5", "threads=1", "device=cpu"]
READS, EXACT_READS = 100, 5000  # READS: as many as training requests
GROUPS = {"bss2_copies": "weights"}  # title of the first column, if not the chip
TITLES = {"test_accuracy": "test accuracy", "test_nll": "-log P(class) (nat)"}


def figures(scores: Tensor, y: Tensor, logit_scale: float = 1.0) -> dict[str, float]:
    accuracy, loss = (scores.argmax(1) == y).double().mean(), cross_entropy(logit_scale * scores, y)
    return {"test_accuracy": float(accuracy), "test_nll": float(loss)}


def bss2_copies(copies: int) -> Iterator[Draw]:
    loaded = load_learner(trained_run(BSS2))
    plan, phases = loaded.plan, loaded.plan.model.plan
    weights = loaded.record.snapshots["end/host"]["weights"]
    num_sends, batch = loaded.learner.state_dict()["num_sends"], plan.training.batch_size
    n, begin, steps = sum(phase.steps for phase in phases.values()), phases["host"].steps, phases["loop"].steps
    splits = load_splits(replace(plan, dataset=replace(plan.dataset, train=steps * batch)))
    for seed in range(copies):
        copy = replace(plan, devices={"mac": replace(plan.devices["mac"], chip_seed=seed)})
        learner = build_learner(copy, CPU, Ledger())
        assert isinstance(learner, HXTorchMLPLearner)
        learner.net = learner.net.with_weights(weights, num_sends)
        name, before = f"chip_seed={seed}", on_copy(learner, splits.test, phases["loop"])
        yield Draw("transferred", "the host's weights", name, before)
        for k in range(steps):
            learner.learn(splits.train.batch(slice(k * batch, (k + 1) * batch)), Step(begin + k, n, 0, n))
        what = f"after {steps} steps in its loop"
        yield Draw("in the loop", what, name, on_copy(learner, splits.test, phases["loop"]))


def on_copy(learner: HXTorchMLPLearner, test: Split, phase: Phase) -> dict[str, float]:
    logits = scores_of(learner, test.x, learner.task.n_classes)
    on_host = learner.forward(learner.inputs(test.x), learner.host, 0).logits
    return {**figures(logits, test.y, phase.logit_scale), "mean_abs_dz": float((logits - on_host).abs().mean())}


def annealer_copies(copies: int) -> Iterator[Draw]:
    plan, splits = annealing()
    block = spec("backend/sim", "sampler")
    learner, gibbs = trained(replace(plan, devices={"sampler": block}), splits), block.open(0, CPU)
    expected = mean_spins(gibbs, learner.rbm, EXACT_READS, seed=1)
    for draw, device in [*copies_of(plan, copies), (Draw("none", "exact sampler", "-", {}), block)]:
        spins = mean_spins(device.open(0, CPU), learner.rbm, READS, seed=2)
        yield draw._replace(metrics={"mean_abs_dz": float((spins - expected).abs().mean())})


def annealer_trainings(copies: int) -> Iterator[Draw]:
    plan, splits = annealing()
    exact = (Draw("none", "exact sampler", "-", {}), spec("backend/sim", "sampler"))
    for draw, device in [*copies_of(plan, copies), exact]:
        learner = trained(replace(plan, devices={"sampler": device}), splits)
        learner.finalize(splits.train, splits.validation, TrainingRecord())
        yield draw._replace(metrics=figures(scores_of(learner, splits.test.x, plan.task.n_classes), splits.test.y))


def annealing() -> tuple[Plan, Splits]:
    with composer() as compose:
        plan = parse(compose(["experiment=dynex_qrbm_qpu_device", *SHORT]))
    return plan, load_splits(plan)


def copies_of(plan: Plan, copies: int) -> Iterator[tuple[Draw, Any]]:
    """Copies of every annealer, each as a draw without metrics yet, and the spec of its device."""
    for chip in ANNEALERS:
        for seed in range(copies):
            device = replace(plan.devices["sampler"], chip=chip, chip_seed=seed)
            yield Draw(chip, CHIPS[chip].topology, f"chip_seed={seed}", {}), device


def trained(plan: Plan, splits: Splits) -> QRBMLearner:
    """Train a QRBM without fitting its readout."""
    learner = build_learner(plan, CPU, Ledger())
    training_loop(plan, learner, splits, meter_for(Console(quiet=True)), Ledger()).run()
    assert isinstance(learner, QRBMLearner)
    return learner


def mean_spins(sampler: Sampler, rbm: RBM, reads: int, seed: int) -> Tensor:
    """Mean spins <s> of visible and hidden units, (V + H,) in [-1, 1]."""
    drawn = sampler.sample_rbm(rbm, reads, seed)
    return 2 * torch.cat([drawn.v, drawn.h], 1).mean(0) - 1


PARTS: dict[str, tuple[Callable[[int], Iterator[Draw]], dict[str, str]]] = {
    "bss2_copies": (bss2_copies, {**TITLES, "mean_abs_dz": "mean abs dZ (LSB)"}),
    "annealer_copies": (annealer_copies, {"mean_abs_dz": "mean abs d<s>"}),
    "annealer_trainings": (annealer_trainings, TITLES),
}


def main(copies: str = "100", *parts: str) -> None:
    for part in parts or PARTS:
        begin, (draws_of, titles) = time.process_time(), PARTS[part]
        draws = list(draws_of(int(copies)))
        singles, drawn = ([one for one in draws if (one.chip == "none") == single] for single in (True, False))
        text = markdown(drawn, titles, "copies", singles, GROUPS.get(part, "chip"))
        print(f"{part}, {time.process_time() - begin:.0f} s of a core\n\n{text}", flush=True)
        ideal, label = (singles[0].metrics, singles[0].what) if singles else ({}, "")
        for file in write(default_outputs() / "chips", part, draws, text, violins(drawn, titles, ideal, label)):
            print(file, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"{error}\nTrain it first: neurobench run experiment={BSS2} seed=0")
