"""Device costs of a run add up: each request is billed once, to its phase, also if the run was stopped and resumed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from neurobench.cli.main import main
from neurobench.data.dataset import Split
from neurobench.experiment import evaluate
from neurobench.models.learner import Step, TrainingRecord
from neurobench.models.qrbm.learner import QRBMLearner

SMALL = ["backend=mock", "scale=smoke", "scale.train=40", "scale.test=30", "threads=1", "figures=png", "-q"]
QRBM = ["model=qrbm", *SMALL, "training.batch_size=10", "model.downsample=4", "model.n_hidden=8"]


def run(outputs: Path, words: list[str], *options: str) -> int:
    return main(["run", *words, f"outputs={outputs}", *options])


def result(outputs: Path) -> dict[str, Any]:
    (file,) = outputs.glob("*/*/result.json")
    return json.loads(file.read_text())


@pytest.fixture
def asking_finalize(monkeypatch: pytest.MonkeyPatch) -> None:
    """The RBM's `finalize` takes 7 reads on the device."""
    finalize = QRBMLearner.finalize

    def asked(learner: QRBMLearner, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        learner.sampler.sample_rbm(learner.rbm, 7, 1)
        return finalize(learner, train, validation, record)

    monkeypatch.setattr(QRBMLearner, "finalize", asked)


@pytest.mark.parametrize("place", ["update", "test"])
def test_costs_of_a_run_stopped_anywhere_and_resumed_are_those_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asking_finalize: None, place: str
) -> None:
    words = [*QRBM, "training.checkpoint_every=1e-9"]
    assert run(tmp_path / "whole", words) == 0
    learn = QRBMLearner.learn

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def learn_until(learner: QRBMLearner, batch: Any, at: Step) -> Any:
        return stop() if at.k == 2 else learn(learner, batch, at)

    with monkeypatch.context() as patched:
        if place == "test":
            patched.setattr(evaluate, "evaluate", stop)
        else:
            patched.setattr(QRBMLearner, "learn", learn_until)
        assert run(tmp_path / "stopped", words) == 130
    assert run(tmp_path / "stopped", words, "--resume") == 0
    whole, stopped = result(tmp_path / "whole"), result(tmp_path / "stopped")
    assert stopped["device_costs_by_phase"] == whole["device_costs_by_phase"]
    assert whole["device_costs"]["sampler"]["reads"] == 40 + 7


def test_testing_costs_one_prediction_of_each_sample(tmp_path: Path) -> None:
    """Two layers of the perceptron, each a vector for each of 30 images; the loss is that of the same predictions."""
    assert run(tmp_path, ["model=hxtorch_mlp", *SMALL]) == 0
    made = result(tmp_path)
    by_phase = {name: costs["mac"]["vectors"] for name, costs in made["device_costs_by_phase"].items()}
    assert by_phase["test"] == by_phase["loss"] == 2 * 30
    measured = by_phase["validation"] + by_phase.get("training", 0)
    assert made["device_costs"]["mac"]["vectors"] == measured + 2 * 30


ANNEALER = [*QRBM, "backend=mock_qpu", "model.momentum=0", "model.lr=0.1", "model.chains=5", "model.device_every=2"]


@pytest.mark.parametrize(("negative", "calls"), [("device", 2), ("random", 0)])
def test_joules_have_a_source_and_a_source_has_joules(tmp_path: Path, negative: str, calls: int) -> None:
    """Four updates, two of which use the annealer: programming once, five reads, at 25 kW."""
    assert run(tmp_path, ANNEALER, f"model.negative={negative}") == 0
    made = result(tmp_path)
    seconds = calls * (14100 + 5 * (20 + 150 + 20.5)) * 1e-6
    joules = {name: costs["device_joules"] for name, costs in made["device_costs"].items()}
    assert joules == ({"sampler": pytest.approx(25e3 * seconds)} if calls else {})
    assert made["energy_source"].keys() == joules.keys()
