"""Printouts of runs with the tutorials' figures: word for word what the tutorials print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from neurobench.config.targets import load
from neurobench.data.dataset import Splits
from neurobench.models.hxtorch.printout import printout as of_hxtorch
from neurobench.models.learner import Finished, Step, Task, TrainingRecord
from neurobench.models.qcnn.printout import printout as of_qcnn
from neurobench.models.qrbm.printout import printout as of_qrbm
from neurobench.models.qrbm.spec import TutorialQRBM
from neurobench.models.qrbm.tutorial import tutorial_metrics
from neurobench.models.slayer.printout import printout as of_slayer
from tests.models.hxtorch.conftest import learner, phases
from tests.models.qrbm.conftest import CPU, SEEDS, bars
from tests.specs import spec

LAVA = """
[Epoch 99/100]
Train loss =     0.07434 (min =     0.07396)    accuracy = 0.97933 (max = 0.97993)
Test  loss =     0.05019 (min =     0.04633)    accuracy = 0.98540 (max = 0.98720)
""".strip().splitlines()
QUTRUNK = """
epoch:0 | time:11.5436 | train_loss:-0.7767 | acc:0.9062 | eval_loss:-0.9643 | val_acc:0.9938
Best Accuracy for Validation :0.9938 at epoch 0
epoch:1 | time:22.3013 | train_loss:-0.9766 | acc:0.9988 | eval_loss:-0.9844 | val_acc:0.9988
Best Accuracy for Validation :0.9988 at epoch 1
""".strip().splitlines()
HXTORCH = """
Model(
  (classifier): Sequential(
    (0): Linear(in_features=4, out_features=128, num_sends=20, mock=True)
    (1): ConvertingReLU(shift=1)
    (2): Linear(in_features=128, out_features=3, num_sends=4, avg=5, mock=True)
  )
)
""".strip().splitlines()  # the tutorial's summary, in which avg=5 is not shown


def finished(rows: list[dict[str, Any]], metrics: dict[str, float] | None = None, updates: int = 0) -> Finished:
    record = TrainingRecord(epochs=rows, updates={"loss": [0.5] * updates})
    return Finished(cast(Any, None), record, metrics or {}, {})


def test_lava_dl_printout_shows_the_best_figures_of_earlier_epochs() -> None:
    def row(train: tuple[float, float], test: tuple[float, float]) -> dict[str, float]:
        names = ("train_lava_loss", "train_accuracy", "test_lava_loss", "test_accuracy")
        return dict(zip(names, (*train, *test), strict=True))

    worse, best = row((0.2, 0.5), (0.2, 0.5)), row((0.07396, 0.97993), (0.04633, 0.98720))
    rows = [worse] * 98 + [best, row((0.07434, 0.97933), (0.05019, 0.98540))]
    lines = list(of_slayer(cast(Any, None), finished(rows)))
    assert [line for line in lines if line.startswith("[")] == [f"[Epoch {n}/100]" for n in (19, 39, 59, 79, 99)]
    assert lines[-4:-1] == LAVA


def test_lava_dl_printout_without_test_figures_shows_the_training_figures() -> None:
    lines = list(of_slayer(cast(Any, None), finished([{"train_lava_loss": 0.5, "train_accuracy": 0.25}])))
    assert lines == ["[Epoch  0/1]", "Train loss =     0.50000    accuracy = 0.25000", ""]


def test_qutrunk_printout_shows_elapsed_time_and_the_best_validation_accuracy_so_far() -> None:
    names = ("elapsed", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    figures = [(11.5436, -0.7767, 0.9062, -0.9643, 0.9938), (22.3013, -0.9766, 0.9988, -0.9844, 0.9988)]
    rows = [dict(zip(names, each, strict=True)) for each in figures]
    assert list(of_qcnn(cast(Any, None), finished(rows))) == QUTRUNK
    lines = list(of_qcnn(cast(Any, None), finished([*rows, {**rows[0], "elapsed": 33.0}])))
    assert lines[-1] == "Best Accuracy for Validation :0.9988 at epoch 1"  # the tutorial prints the current epoch


def test_hxtorch_printout_has_the_tutorials_num_sends_of_20_and_4() -> None:
    made = learner(phases=phases(host=201, loop=16))
    lines = list(of_hxtorch(made, finished([], {"host_accuracy": 0.87}, updates=217)))
    assert lines[3 : 3 + len(HXTORCH)] == HXTORCH
    assert lines[3 + len(HXTORCH)] == "phase host, 201 steps: test accuracy 87.00%"
    assert lines[0] == f"gain factor: {made.mac.gain:.5f}"
    assert sum("mock=False" in line for line in lines) == 2
    stretched = list(of_hxtorch(made, finished([], {"host_accuracy": 0.87}, updates=240)))
    assert stretched[3 + len(HXTORCH)] == "phase host: test accuracy 87.00%"  # no longer of 201 steps


def test_dynex_printout_counts_the_weights_that_are_equal_after_save_and_load(tmp_path: Path) -> None:
    values = {"n_hidden": 12, "threshold": 0.5, "lr": 0.05, "momentum": 0.9, "decay_factor": 1.00005, "init_sd": 0.001}
    model = TutorialQRBM(**values, num_reads=10, steps_per_epoch=6, readout_iterations=20, sampler="sampler")
    sampler = spec("backend/sim", "sampler", sweeps=5).open(0, CPU)
    made = model.build(Task("image", (1, 6, 6), 3), SEEDS, {"sampler": sampler}, CPU)
    train, test = bars(120, 0), bars(200, 1)
    splits = Splits(train, train.head(0), test, source="", sha256="", evaluated_on="")
    made.start(train, None)
    made.learn(train.batch(slice(None)), Step(0, 1, 0))
    made.finalize(train, splits.validation, TrainingRecord())
    torch.save(made.state_dict(), tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    metrics = tutorial_metrics(cast(Any, made), splits, TrainingRecord())
    done = Finished(splits, TrainingRecord(epochs=[{"epoch": 1}]), metrics, saved)
    lines = list(of_qrbm(cast(Any, made), done))
    accuracy = [line for line in lines if line.startswith("Accuracy: ")]
    assert accuracy == [f"Accuracy: {100 * metrics['lr_150_fit_and_scored']} %"] * 2
    assert f"SME: {metrics['sme']:.6f} ACCURACY: {metrics['published_accuracy_percent']:.6f}%" in lines
    assert "432 of 432 weights are equal" in lines
    assert "[[ True  True  True ...  True  True  True]" in lines
    for title in ("target   :", "predicted:"):
        (row,) = [line for line in lines if line.startswith(title)]
        assert len(re.findall(r"\d+", row)) == 30
    saved["rbm"]["W"][0, 0] += 1
    assert "431 of 432 weights are equal" in list(of_qrbm(cast(Any, made), done))


@pytest.mark.parametrize("name", ["qrbm", "hxtorch", "slayer", "qcnn"])
def test_every_tutorial_that_prints_has_a_printout(name: str) -> None:
    specs = {"qrbm": "qrbm.spec.TutorialQRBM", "hxtorch": "hxtorch.spec.HXTorchMLP"}
    specs |= {"slayer": "slayer.spec.SlayerSNN", "qcnn": "qcnn.spec.HybridQCNN"}
    assert callable(load(load(f"neurobench.models.{specs[name]}").printout))
