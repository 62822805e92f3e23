"""Comparisons of the hybrid network: with a twin chosen on held-out images, and with its own parameters under noise."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from neurobench.data.dataset import Split, Splits
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.models.learner import TrainingRecord
from neurobench.models.qcnn import comparisons
from neurobench.models.qcnn.circuits import CircuitRunner
from neurobench.models.qcnn.comparisons import likelihood, tutorial_metrics
from tests.models.qcnn.conftest import bars, learner, qpu


@pytest.mark.parametrize(("held", "tested"), [(0, 1), (1, 0)])
def test_the_classical_twin_is_chosen_on_held_out_images_and_not_on_the_test_set(held: int, tested: int) -> None:
    """One twin always predicts 0, the other 1: one of them is right on every held-out image and on no test image."""
    made = learner(classical=("sigmoid", "tanh"))
    made.networks["sigmoid"].named()["z.bias"].fill_(20.0)
    made.networks["tanh"].named()["out.bias"].copy_(torch.tensor([-20.0, 20.0]))
    data = bars(12)
    validation, test = (replace(data, y=torch.full((12,), label)) for label in (held, tested))
    figures = tutorial_metrics(made, Splits(data, validation, test, "", "", ""), TrainingRecord())
    assert figures["classical_accuracy"] == 0
    assert figures["gain_over_classical"] == float((made.predict(test.x).argmax(1) == tested).double().mean())


def test_the_gain_over_the_classical_twin_is_that_of_the_device_also_if_it_was_not_used_in_training() -> None:
    """A single shot per circuit of an untrained network: as good as a coin, and so different from the ideal circuit."""
    made, data = learner(shots=1, train_on="ideal", classical=("sigmoid",)), bars(40)
    right = made.predict(data.x).argmax(1) == data.y
    assert int(right.sum()) != made.measure(data.batch(slice(None))).correct
    figures = tutorial_metrics(made, Splits(data, data, data, "", "", ""), TrainingRecord())
    assert figures["gain_over_classical"] == pytest.approx(float(right.double().mean()) - figures["classical_accuracy"])


def test_without_held_out_images_the_classical_twin_is_the_first_named() -> None:
    made, data = learner(classical=("sigmoid", "tanh")), bars(12)
    made.networks["sigmoid"].named()["z.bias"].fill_(20.0)
    made.networks["tanh"].named()["out.bias"].copy_(torch.tensor([-20.0, 20.0]))
    test = replace(data, y=(torch.arange(12) % 4 > 0).long())
    figures = tutorial_metrics(made, Splits(data, data.head(0), test, "", "", ""), TrainingRecord())
    assert figures["classical_accuracy"] == 0.25, "of 12 images 3 are of class 0"
    right = float((made.predict(test.x).argmax(1) == test.y).double().mean())
    assert figures["gain_over_classical"] == pytest.approx(right - 0.25)
    assert figures["exact_accuracy"] == right, "of a device without noise"


def test_accuracy_lost_at_n_shots_is_the_ideal_accuracy_minus_that_at_n_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    made = learner(qpu(profile="bad"), shots=50, train_on="ideal")
    by_shots = {1: 0.5, 10: 0.625, 100: 0.75, 1024: 0.9375}

    def accuracy(learner: Any, split: Split, runner: CircuitRunner) -> float:
        """Accuracy by the number of shots of the noisy device, or that of the ideal device if there are none."""
        assert isinstance(runner.device, StatevectorDevice) == (runner.shots is None)
        return by_shots[runner.shots] if runner.shots else 0.875

    monkeypatch.setattr(comparisons, "accuracy", accuracy)
    data = bars(8)
    figures = tutorial_metrics(made, Splits(data, data, data, "", "", ""), TrainingRecord())
    assert {f"accuracy_at_{n}_shots": value for n, value in by_shots.items()}.items() <= figures.items()
    assert figures["ideal_accuracy"] == 0.875
    assert figures["accuracy_lost_at_100_shots"] == 0.125, "what is lost is positive"
    assert figures["accuracy_lost_at_1024_shots"] == -0.0625, "and negative where noise happened to help"


def test_a_noisy_device_is_compared_on_a_limited_number_of_images_and_an_ideal_one_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit SAMPLED, 2000 in use, is 6 here; an ideal device takes no time."""
    seen: list[int] = []
    monkeypatch.setattr(comparisons, "SAMPLED", 6)
    monkeypatch.setattr(comparisons, "accuracy", lambda learner, split, runner: seen.append(len(split)) or 0.0)
    data = bars(8)
    for circuit, n in ((qpu(), 6), (None, 8)):
        tutorial_metrics(learner(circuit), Splits(data, data, data, "", "", ""), TrainingRecord())
        assert set(seen) == {n}
        seen.clear()


def test_a_noisy_device_is_compared_on_images_of_every_class_if_they_are_sorted_by_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[set[int]] = []
    monkeypatch.setattr(comparisons, "SAMPLED", 4)
    monkeypatch.setattr(comparisons, "accuracy", lambda learner, split, runner: seen.append({*split.y.tolist()}) or 0.0)
    data = bars(8)
    test = data.only(data.y.argsort(stable=True))
    assert test.head(4).y.unique().numel() == 1
    tutorial_metrics(learner(qpu()), Splits(data, data, test, "", "", ""), TrainingRecord())
    assert all(classes == {0, 1} for classes in seen)
    assert seen


def test_likelihood_and_calibration_error_match_a_hand_computation() -> None:
    """Two predictions with confidence 0.8 (bin 12 of 15), one of them right; 0.6, 0.7, 0.9 (bins 9, 10, 13), all right;
    one certain (the last bin) and wrong."""
    rows = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.05, 0.9, 0.05], [1.0, 0.0, 0.0]]
    figures = likelihood(torch.tensor(rows, dtype=torch.float64), torch.tensor([0, 0, 0, 2, 1, 1]))
    assert figures["mean_p_correct"] == pytest.approx((0.8 + 0.1 + 0.6 + 0.7 + 0.9 + 0) / 6)
    log = torch.tensor([0.8, 0.1, 0.6, 0.7, 0.9, 1e-6], dtype=torch.float64).log()
    assert figures["exact_nll"] == pytest.approx(-float(log.mean()))
    by_bin = abs(2 * 0.8 - 1) + abs(0.6 - 1) + abs(0.7 - 1) + abs(0.9 - 1) + abs(1 - 0)
    assert figures["calibration_error"] == pytest.approx(by_bin / 6)


def test_a_probability_that_rounding_puts_above_1_has_a_loss_of_0() -> None:
    rounded = torch.tensor([[1 + 1e-7, -1e-7]], dtype=torch.float64)
    assert likelihood(rounded, torch.tensor([0]))["exact_nll"] == 0
