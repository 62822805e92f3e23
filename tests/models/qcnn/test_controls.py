"""Controls of the circuit: without entanglement it is a product of single qubits in closed form; the classical map in
its place has the circuit's size and wiring."""

import math

import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.models.qcnn.circuits import layered
from neurobench.problems.circuit import Angles
from tests.models.qcnn.conftest import CPU, bars, hybrid, learner, train

LINEAR = {"head": "linear", "n_qubits": 4, "depth": 2, "classical": ()}
RING = {**LINEAR, "head": "ring"}


def single_qubit(x: float, turns: list[tuple[float, float]]) -> float:
    """<Z> after H, RY(x), then RZ(w) RY(v) per layer, by rotating the Bloch vector: H RY(x) leaves (cos x, 0, -sin x),
    RZ rotates it about z, RY about y."""
    bx, by, bz = math.cos(x), 0.0, -math.sin(x)
    for w, v in turns:
        bx, by = math.cos(w) * bx - math.sin(w) * by, math.sin(w) * bx + math.cos(w) * by
        bx, bz = math.cos(v) * bx + math.sin(v) * bz, math.cos(v) * bz - math.sin(v) * bx
    return bz


@pytest.mark.parametrize(("n", "depth"), [(1, 1), (2, 1), (4, 2), (5, 3)])
def test_without_entanglement_outputs_are_products_of_closed_forms_of_single_qubits(n: int, depth: int) -> None:
    draw = torch.Generator().manual_seed(n)
    x = 3 * torch.randn(6, n, generator=draw, dtype=torch.float64)
    w = torch.randn(depth, n, 2, generator=draw, dtype=torch.float64)
    program = layered(n, depth, reupload=False, zz=True, entangled=False)
    values = StatevectorDevice(CPU).expectation(program, Angles(x, w.flatten())).values
    single = [[single_qubit(float(row[i]), w[:, i].tolist()) for i in range(n)] for row in x]
    expected = [[math.prod(row[i] for i in wires) for wires in program.observables] for row in single]
    torch.testing.assert_close(values, torch.tensor(expected, dtype=values.dtype), atol=1e-6, rtol=0)


def test_with_entanglement_the_output_is_not_a_product_of_single_qubits() -> None:
    angles = Angles(torch.tensor([[0.3, -0.8]]), torch.tensor([0.4, 0.7, -0.2, 0.5]))
    device = StatevectorDevice(CPU)
    product, ringed = (device.expectation(layered(2, 1, False, True, on), angles).values[0] for on in (False, True))
    assert product[2] == pytest.approx(float(product[0] * product[1]), abs=1e-6)
    assert abs(float(ringed[2] - ringed[0] * ringed[1])) > 0.05


def test_removing_entanglement_removes_the_cz_gates_and_keeps_the_initial_parameters() -> None:
    whole, product = (learner(classes=10, **LINEAR, entangled=on) for on in (True, False))
    assert torch.equal(whole.main.params, product.main.params)
    assert not any(gate.name == "cz" for gate in product.main.head.program.gates)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_classical_map_has_as_many_parameters_inputs_and_outputs_as_the_circuit(n: int, depth: int) -> None:
    sizes = {"n_qubits": n, "depth": depth}
    circuit, ring = learner(classes=10, **{**LINEAR, **sizes}), learner(classes=10, **{**RING, **sizes})
    assert len(ring.main.params) == len(circuit.main.params)
    z = torch.zeros(3, n)
    assert ring.main.features(ring.main.named(), z, None, 0).shape == (3, n)
    assert circuit.main.features(circuit.main.named(), z, circuit.runner, 0).shape == (3, n)


@pytest.mark.parametrize("head", ["binary", "sigmoid", "tanh", "mlp"])
@pytest.mark.parametrize(("depth", "layers"), [(None, 1), (3, 3)])
def test_a_ring_trained_for_comparison_has_the_layers_that_are_set_or_one(
    head: str, depth: int | None, layers: int
) -> None:
    made = learner(head=head, classical=("ring",), depth=depth)
    assert made.networks["ring"].named()["b"].shape == (layers, 1)


def test_each_unit_of_the_classical_map_depends_on_itself_and_its_two_neighbours() -> None:
    made = learner(classes=10, **{**RING, "n_qubits": 5, "depth": 2})
    p, z = made.main.named(), torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    values = torch.tanh(z)
    for a, b in zip(p["a"] + 0.3, p["b"], strict=True):
        left, right = values[:, [4, 0, 1, 2, 3]], values[:, [1, 2, 3, 4, 0]]
        values = torch.tanh(a * values + b * (left + right))
    shifted = {**p, "a": p["a"] + 0.3}
    torch.testing.assert_close(made.main.head.features(shifted, z), values)


@pytest.mark.parametrize("fields", [{**LINEAR, "entangled": False}, RING])
def test_controls_learn_to_tell_bars_apart(fields: dict) -> None:
    made, data = learner(classes=2, **{**fields, "lr": 5e-3}), bars(64)
    train(made, data, 16, epochs=12)
    assert made.measure(data.batch(slice(0, 64))).correct >= 60


def test_a_checkpoint_with_entanglement_is_refused_by_a_model_without() -> None:
    whole, product = (learner(classes=10, **LINEAR, entangled=on) for on in (True, False))
    state = whole.state_dict()
    with pytest.raises(Exception, match="entangled=True in the checkpoint, False here"):
        product.load_state_dict(state)
    del state["settings"]["entangled"]  # as in an earlier version, in which every circuit was entangled
    whole.load_state_dict(state)
    with pytest.raises(Exception, match="entangled=True in the checkpoint, False here"):
        product.load_state_dict(state)


def test_entangled_false_is_refused_for_heads_without_a_cz_ring() -> None:
    for head in ("binary", "tanh", "ring"):
        with pytest.raises(BoundsError, match=f"removes the CZ ring from head=linear; head={head} has none"):
            hybrid(head=head, entangled=False)
