"""Promises of the accuracies that a result is read beside: learned from training samples, counted on the test set."""

import pytest
import torch

from neurobench.data.dataset import Split, Splits
from neurobench.experiment import baselines as module
from neurobench.experiment.baselines import baselines


def split(x: list[list[float]], y: list[int]) -> Split:
    return Split(torch.tensor(x), torch.tensor(y), torch.arange(len(y)))


def test_the_commonest_class_is_that_of_the_training_samples() -> None:
    """2 in training and 0 in the test set: two of five test samples are a 2."""
    train, test = split([[0.0]] * 6, [2, 2, 2, 0, 0, 1]), split([[0.0]] * 5, [0, 0, 0, 2, 2])
    assert baselines(Splits(train, test, test, "", "", ""))["majority_class"] == pytest.approx(0.4)


def test_logistic_regression_is_fitted_on_the_training_samples_and_names_every_class() -> None:
    """On the test set the sign is the other way for one of four; class 2 is there alone."""
    train = split([[-1.0], [-1.1], [1.0], [1.1]] * 3, [0, 0, 1, 1] * 3)
    test = split([[-1.0], [1.0], [1.0], [-1.0]], [0, 1, 0, 2])
    told = baselines(Splits(train, test, test, "", "", ""))
    assert told["logistic_regression"] == 0.5
    assert told["majority_class"] in (0.25, 0.5)


def test_a_class_that_no_test_sample_is_of_can_be_named_all_the_same() -> None:
    """The last of three is; it lies where the fit puts class 2."""
    train = split([[-1.0], [0.0], [1.0]] * 4, [0, 1, 2] * 4)
    test = split([[-1.0], [-1.1], [1.0], [1.1]], [0, 0, 1, 1])
    assert baselines(Splits(train, test, test, "", "", ""))["logistic_regression"] == 0.5


def test_it_is_left_out_where_it_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    data = split([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    for most, names in ((4, {"majority_class", "logistic_regression"}), (3, {"majority_class"})):
        monkeypatch.setattr(module, "CHEAP", most)
        assert set(baselines(Splits(data, data, data, "", "", ""))) == names
