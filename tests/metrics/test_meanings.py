"""Metrics are grouped by kind, each listed once."""

import pytest

from neurobench.metrics.meanings import grouped, sentence


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("test_accuracy", "Accuracy and loss"),
        ("readout_validation_accuracy", "Accuracy and loss"),
        ("test_reconstruction_mse", "Accuracy and loss"),
        ("accuracy_at_100_shots", "Shots and noise"),
        ("error_iteration_10", "Course of training"),
        ("epoch_0_validation_loss", "Course of training"),
        ("epoch19_test_loss", "Course of training"),
        ("layer2_most_u", "Layer by layer"),
        ("activation_sparsity_layer2", "Size and operations"),
        ("effective_acs_per_step", "Size and operations"),
        ("energy_joules", "Energy"),
        ("input_cap", "Accuracy and loss"),
        ("sme", "Accuracy and loss"),
        ("noise_std", "The model"),
        ("calibrated_gain_error", "The model"),
    ],
)
def test_a_metric_is_listed_under_the_title_of_its_kind(name: str, title: str) -> None:
    assert grouped([name]) == {title: [name]}


def test_every_metric_is_listed_once_and_no_title_is_empty() -> None:
    names = ["energy_joules", "gain", "test_loss", "test_accuracy"]
    assert grouped(names) == {
        "Accuracy and loss": ["test_loss", "test_accuracy"], "The model": ["gain"], "Energy": ["energy_joules"],
    }  # fmt: skip


def test_a_sentence_describes_only_the_metric_whose_whole_name_matches() -> None:
    assert sentence("effective_macs_per_step") == "the same per time step"
    assert sentence("effective_macs").startswith("products of a non-zero weight")
    assert sentence("layer1_rate") == sentence("calibrated_gain_error") == ""
