"""Operation counts: small networks are counted by hand, and figures do not depend on how samples are batched."""

import pytest
import torch

from neurobench.metrics.operations import (
    Operations,
    convolution,
    linear,
    membrane_updates,
    population,
    synapses,
    total,
)

# 3 inputs -> 2 outputs; one synapse is missing
W = torch.tensor([[1.0, 0.0, 2.0], [3.0, 4.0, -1.0]])
X = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])  # sample 0 meets 2 + 2 weights, sample 1 meets 1
HIDDEN = torch.tensor([[0.5, 0.0], [0.0, 0.0]])


def operations(x: torch.Tensor, hidden: torch.Tensor, spikes: bool = True) -> Operations:
    return Operations(
        samples=len(x),
        steps=len(x),
        connections=[
            linear("first", W, x, spikes=spikes),
            linear("second", torch.ones(1, 2), hidden, spikes=False),
        ],
        populations=[population("hidden", hidden)],
        parameters={"W": W, "b": torch.zeros(2, dtype=torch.float64)},
        buffers={"mean": torch.zeros(3, dtype=torch.int8)},
    )


def test_counts_of_two_layers_match_a_count_by_hand() -> None:
    figures, undefined = total([operations(X, HIDDEN)])
    assert figures["effective_acs"] == (4 + 1) / 2
    assert figures["effective_macs"] == 1 / 2
    assert figures["dense_operations"] == 6 + 2
    assert figures["connection_sparsity"] == pytest.approx(1 / 8)
    assert figures["activation_sparsity"] == figures["activation_sparsity_hidden"] == 3 / 4
    assert figures["parameter_count"] == 8
    assert figures["footprint_bytes"] == 6 * 4 + 2 * 8 + 3
    assert undefined == {"membrane_updates": "no unit of this model has a membrane"}


def test_operation_counts_do_not_depend_on_the_batches() -> None:
    whole = total([operations(X, HIDDEN)])
    assert total([operations(X[:1], HIDDEN[:1]), operations(X[1:], HIDDEN[1:])]) == whole


def test_the_declared_type_of_inputs_not_their_values_decides_what_is_counted() -> None:
    """Ones and zeros in a single sample look like spikes; declared as graded, they are multiplied."""
    figures, _ = total([operations(X[:1], HIDDEN[:1], spikes=False)])
    assert figures["effective_acs"] == 0
    assert figures["effective_macs"] == 5


def test_counts_per_step_are_the_counts_of_a_sample_divided_by_its_steps() -> None:
    """One sample over 4 steps: input 0 spikes in steps 0 and 3, input 2 in step 1."""
    x = torch.zeros(4, 1, 3)
    x[0, 0, 0] = x[3, 0, 0] = x[1, 0, 2] = 1
    told = Operations(1, 4, [linear("in", W, x, spikes=True)], [population("out", torch.zeros(4, 1, 2), 7)], {"W": W})
    figures, undefined = total([told])
    assert (figures["effective_acs"], figures["effective_acs_per_step"]) == (6, 1.5)
    assert (figures["dense_operations"], figures["dense_operations_per_step"]) == (24, 6)
    assert (figures["membrane_updates"], figures["membrane_updates_per_step"]) == (7, 1.75)
    assert not undefined


def test_counts_per_input_from_a_kernel_give_the_same_figures_as_the_inputs() -> None:
    from_inputs = linear("in", W, X, spikes=True)
    from_counts = synapses("in", W, torch.tensor([1, 1, 1]), 2, spikes=True)
    assert (from_counts.effective, from_counts.dense) == (from_inputs.effective, from_inputs.dense)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (2, 1), (3, 2)])
def test_a_convolution_counts_its_products_of_nonzero_weights_and_inputs(stride: int, padding: int) -> None:
    """If ones replace all nonzero values, the sum of the outputs is the number of products."""
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(4, 2, 3, 3, generator=draw) * (torch.rand(4, 2, 3, 3, generator=draw) < 0.6)
    x = torch.rand(5, 2, 8, 7, generator=draw) * (torch.rand(5, 2, 8, 7, generator=draw) < 0.4)
    told = convolution("conv", weight, x, spikes=False, stride=stride, padding=padding)
    conv = torch.nn.functional.conv2d
    ones, dense = (weight != 0).float(), torch.ones_like(weight)
    assert told.effective == conv((x != 0).float(), ones, stride=stride, padding=padding).sum()
    assert told.dense == conv(torch.ones_like(x), dense, stride=stride, padding=padding).sum()
    assert (told.weights, told.nonzero) == (72, int(ones.sum()))


def test_a_membrane_update_is_counted_in_each_step_in_which_the_potential_changes() -> None:
    """Two units. Step 0 counts both; in step 1 the first fires and is reset to where it was, the second leaks."""
    held = torch.tensor([[0.0, 0.5], [0.0, 0.4], [0.0, 0.4], [0.3, 0.4]])
    assert membrane_updates(held) == 2 + 1 + 0 + 1


def test_a_count_that_a_model_declares_undefined_has_a_reason_and_no_figure() -> None:
    told = operations(X, HIDDEN)
    figures, undefined = total([Operations(**{**told.__dict__, "undefined": {"effective_macs": "a circuit has none"}})])
    assert "effective_macs" not in figures
    assert "effective_macs_per_step" not in figures
    assert undefined["effective_macs"] == "a circuit has none"
