"""Promises of the baseline accuracies: learned from training samples, measured on the test set."""

import pytest
import torch

from neurobench.data.dataset import Split, Splits
from neurobench.experiment import baselines as module
from neurobench.experiment.baselines import baselines


def split(x: list[list[float]], y: list[int]) -> Split:
    return Split(torch.tensor(x), torch.tensor(y), torch.arange(len(y)))


def test_the_majority_class_is_that_of_the_training_samples() -> None:
    """Class 2 in training and class 0 in the test set: two of five test samples are of class 2."""
    train, test = split([[0.0]] * 6, [2, 2, 2, 0, 0, 1]), split([[0.0]] * 5, [0, 0, 0, 2, 2])
    assert baselines(Splits(train, test, test, "", "", ""))["majority_class"] == pytest.approx(0.4)


def test_logistic_regression_is_fitted_to_training_samples_and_misses_a_class_without_any() -> None:
    """In the test set, one of four samples has the opposite sign, and class 2 occurs only there."""
    train = split([[-1.0], [-1.1], [1.0], [1.1]] * 3, [0, 0, 1, 1] * 3)
    test = split([[-1.0], [1.0], [1.0], [-1.0]], [0, 1, 0, 2])
    told = baselines(Splits(train, test, test, "", "", ""))
    assert told["logistic_regression"] == 0.5
    assert told["majority_class"] in (0.25, 0.5)


def test_logistic_regression_may_predict_a_class_without_test_samples() -> None:
    """Class 2, the last of three, has no test sample; two of class 1 lie where the fit predicts class 2."""
    train = split([[-1.0], [0.0], [1.0]] * 4, [0, 1, 2] * 4)
    test = split([[-1.0], [-1.1], [1.0], [1.1]], [0, 0, 1, 1])
    assert baselines(Splits(train, test, test, "", "", ""))["logistic_regression"] == 0.5


def test_logistic_regression_is_left_out_for_training_data_above_the_size_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = split([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    for most, names in ((4, {"majority_class", "logistic_regression"}), (3, {"majority_class"})):
        monkeypatch.setattr(module, "CHEAP", most)
        assert set(baselines(Splits(data, data, data, "", "", ""))) == names
