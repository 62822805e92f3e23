"""Operation counts: products of the classical layers match a hand count; none are claimed for a circuit."""

from typing import Any

import pytest
import torch

from neurobench.metrics.operations import total
from neurobench.models.qcnn.learner import HybridQCNNLearner, operations
from tests.models.qcnn.conftest import SHAPE, bars, learner

# Each output applies its kernel once: 24 x 24 places of 25 pixels onto 6 channels, 8 x 8 places of 150 onto 16.
TRUNK = 24 * 24 * 6 * 25 + 8 * 8 * 16 * 150 + 256 * 64
TRUNK_PARAMETERS = 6 * 26 + 16 * 151 + 64 * 257


def counted(made: HybridQCNNLearner, x: Any) -> tuple[dict[str, float], dict[str, str]]:
    return total([operations(made, x)])


@pytest.mark.parametrize(
    ("fields", "head_products", "head_parameters"),
    [
        ({}, 64, 65),
        ({"head": "sigmoid"}, 64, 65),
        ({"head": "tanh", "n_qubits": 4}, 4 * 64 + 3 * 4, 4 * 65 + 1 + 3 * 5),
        ({"head": "mlp", "n_qubits": 4}, 4 * 64 + 4 * 4 + 3 * 4, 4 * 65 + 4 * 4 + 1 + 3 * 5),
        ({"head": "linear", "n_qubits": 4, "depth": 2}, 4 * 64 + 3 * 4, 4 * 65 + 2 * 4 * 2 + 1 + 3 * 5),
        ({"head": "linear", "n_qubits": 3, "depth": 1, "zz": True}, 3 * 64 + 3 * 6, 3 * 65 + 3 * 2 + 1 + 3 * 7),
    ],
)
def test_dense_products_and_parameters_match_a_hand_count(
    fields: dict[str, Any], head_products: int, head_parameters: int
) -> None:
    classes = 2 if fields.get("head", "binary") in ("binary", "sigmoid") else 3
    made = learner(classes=classes, **fields)
    figures, undefined = counted(made, bars(5, classes).x)
    assert figures["dense_operations"] == figures["dense_operations_per_step"] == TRUNK + head_products
    assert figures["parameter_count"] == TRUNK_PARAMETERS + head_parameters
    assert figures["footprint_bytes"] == 4 * figures["parameter_count"]
    assert figures["connection_sparsity"] == 0
    assert 0 < figures["effective_macs"] < figures["dense_operations"]
    assert figures["effective_acs"] == 0  # every product is of two graded numbers
    assert "membrane_updates" not in figures
    assert "membrane" in undefined["membrane_updates"]


def test_products_with_a_zero_factor_and_no_others_are_left_out_of_effective_macs() -> None:
    """Pixels of 1/2 are 0 for the network; biases are chosen so that channel 0 alone is active, through one weight."""
    made = learner()
    p = made.main.named()
    for part in p.values():
        part.zero_()
    p["conv1.bias"][0] = 1.0  # channel 0 of the first layer is 1 everywhere, 12 x 12
    p["conv2.weight"][3, 0, 0, 0] = 1.0  # one weight, at 8 x 8 places, onto one channel of 16
    p["hidden.weight"][7] = 1.0  # a neuron that receives all 256
    p["z.weight"][0] = 1.0
    figures, _ = counted(made, torch.full((2, *SHAPE), 0.5))
    assert figures["effective_macs"] == 0 + 64 + 16 + 1  # 4 x 4 of 256 reach the neuron, which alone reaches z
    weights = 150 + 2400 + 64 * 256 + 64
    assert figures["connection_sparsity"] == 1 - (0 + 1 + 256 + 64) / weights
    assert figures["activation_sparsity_conv1"] == 1 - 1 / 6
    assert figures["activation_sparsity_conv2"] == 1 - 1 / 16
    assert figures["activation_sparsity_hidden"] == 1 - 1 / 64
    units = 6 * 144 + 256 + 64
    assert figures["activation_sparsity"] == pytest.approx(1 - (144 + 16 + 1) / units, rel=1e-12)


def test_circuit_operations_are_undefined_for_a_circuit_and_absent_for_a_classical_twin() -> None:
    x = bars(3).x
    for head in ("binary", "sigmoid"):
        figures, undefined = counted(learner(head=head), x)
        assert "circuit_operations" not in figures
        assert ("device_costs" in undefined.get("circuit_operations", "")) == (head == "binary")


def test_operation_counts_do_not_depend_on_the_batches() -> None:
    made, x = learner(classes=3, head="linear", n_qubits=2, depth=1), bars(6, 3).x
    assert isinstance(x, torch.Tensor)
    whole, parts = operations(made, x), [operations(made, x[:2]), operations(made, x[2:])]
    assert total([whole]) == total(parts)
