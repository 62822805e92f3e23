"""Tests of circuit simulation, against products of Kronecker matrices in numpy."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.devices.circuit.sim_statevector import ONE_QUBIT, StatevectorDevice
from neurobench.devices.spec import Demand
from neurobench.models.qcnn.circuits import layered, one_qubit
from neurobench.problems.circuit import GATES, Angles, Gate, Program, ProgramError
from tests.draws import normal
from tests.specs import spec

CPU = torch.device("cpu")
DEVICES = {"compiled": StatevectorDevice(CPU), "torch": StatevectorDevice(CPU, compiled=False)}
Z = np.diag([1.0, -1.0])


@pytest.fixture(params=list(DEVICES))
def device(request: pytest.FixtureRequest) -> StatevectorDevice:
    return DEVICES[request.param]


def gate_matrix(name: str, angle: float) -> np.ndarray:
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return {
        "h": np.array([[1, 1], [1, -1]]) / math.sqrt(2),
        "x": np.array([[0, 1], [1, 0]]),
        "ry": np.array([[c, -s], [s, c]]),
        "rz": np.diag([complex(c, -s), complex(c, s)]),
        "cz": np.diag([1, 1, 1, -1]),
        "cx": np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]),
    }[name]


def lifted(gate: Gate, angle: float, n: int) -> np.ndarray:
    """Matrix of a gate on n wires, wire 0 the leftmost factor; for two wires, from its effect on each basis state."""
    U = gate_matrix(gate.name, angle)
    if len(gate.wires) == 1:
        full = np.eye(1)
        for wire in range(n):
            full = np.kron(full, U if wire == gate.wires[0] else np.eye(2))
        return full
    full = np.zeros((2**n, 2**n), complex)
    first, second = (n - 1 - wire for wire in gate.wires)
    for state in range(2**n):
        column = 2 * (state >> first & 1) + (state >> second & 1)
        for row in range(4):
            other = state & ~(1 << first) & ~(1 << second) | (row >> 1) << first | (row & 1) << second
            full[other, state] += U[row, column]
    return full


def numpy_state(program: Program, angles: np.ndarray) -> np.ndarray:
    psi = np.zeros(2**program.n, complex)
    psi[0] = 1
    for gate in program.gates:
        psi = lifted(gate, 0.0 if gate.slot is None else angles[gate.slot], program.n) @ psi
    return psi


def numpy_expectations(program: Program, psi: np.ndarray) -> np.ndarray:
    found = []
    for wires in program.observables:
        operator = np.eye(1)
        for wire in range(program.n):
            operator = np.kron(operator, Z if wire in wires else np.eye(2))
        found.append((psi.conj() @ operator @ psi).real)
    return np.array(found)


def random_program(n: int, length: int, seed: int) -> Program:
    """Random program with gates of every kind; per-sample and shared slots are mixed."""
    draw = np.random.default_rng(seed)
    names, rotations = [], 0
    while len(names) < length:
        name = GATES[draw.integers(len(GATES))]
        if name in ("cz", "cx") and n == 1:
            continue
        names.append(name)
        rotations += name in ("ry", "rz")
    slots = iter(draw.permutation(rotations))
    gates = []
    for name in names:
        wires = tuple(int(w) for w in draw.permutation(n)[: 2 if name in ("cz", "cx") else 1])
        gates.append(Gate(name, wires, int(next(slots)) if name in ("ry", "rz") else None))
    own = rotations // 2
    pairs = [(i, j) for i in range(n) for j in range(i)]
    return Program(n, own, rotations - own, tuple(gates), (*((i,) for i in range(n)), *pairs[:2]))


def random_angles(program: Program, batch: int, seed: int, dtype: torch.dtype = torch.float64) -> Angles:
    draw = torch.Generator().manual_seed(seed)
    sample = 2 * torch.randn(batch, program.n_sample, generator=draw, dtype=torch.float64)
    return Angles(sample.to(dtype), torch.randn(program.n_shared, generator=draw, dtype=torch.float64).to(dtype))


def of_sample(angles: Angles, index: int) -> np.ndarray:
    return torch.cat([angles.sample[index], angles.shared]).double().numpy()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_random_circuits_match_kronecker_products(
    device: StatevectorDevice, n: int, dtype: torch.dtype, tolerance: float
) -> None:
    program = random_program(n, 30, seed=n)
    angles = random_angles(program, 3, seed=n, dtype=dtype)
    z, p = device.expectation(program, angles).values, device.probabilities(program, angles)
    for index in range(3):
        psi = numpy_state(program, of_sample(angles, index))
        assert np.abs(p[index].numpy() - np.abs(psi) ** 2).max() < tolerance
        assert np.abs(z[index].numpy() - numpy_expectations(program, psi)).max() < tolerance


def test_wire_0_is_the_most_significant_bit(device: StatevectorDevice) -> None:
    program = Program(2, 0, 0, (Gate("x", (0,)),), ((0,), (1,)))
    angles = Angles(torch.zeros(1, 0), torch.zeros(0))
    assert device.probabilities(program, angles)[0].tolist() == [0, 0, 1, 0]
    assert device.expectation(program, angles).values[0].tolist() == [-1, 1]
    assert device.counts(program, angles, 9, seed=0).counts[0].tolist() == [0, 0, 9, 0]


def test_two_qubits_are_entangled_once_not_twice(device: StatevectorDevice) -> None:
    """CZ on (0, 1) and on (1, 0) would cancel."""
    program = layered(2, 1, reupload=False, zz=False)
    assert sum(gate.name == "cz" for gate in program.gates) == 1
    angles = random_angles(program, 4, seed=0)
    free = Program(2, 2, 4, tuple(gate for gate in program.gates if gate.name != "cz"), program.observables)
    assert (device.expectation(program, angles).values - device.expectation(free, angles).values).abs().max() > 0.01


def test_one_qubit_has_the_closed_form_and_the_general_path_agrees(device: StatevectorDevice) -> None:
    z = torch.linspace(-5, 5, 41, dtype=torch.float64)[:, None]
    program, angles = one_qubit(), Angles(z, z.new_zeros(0))
    assert program.gates == ONE_QUBIT
    general = Program(1, 1, 0, (Gate("x", (0,)), Gate("x", (0,)), *program.gates), ((0,),))
    assert torch.allclose(device.expectation(program, angles).values[:, 0], -z[:, 0].sin(), atol=1e-15)
    assert torch.allclose(
        device.expectation(general, angles).values, device.expectation(program, angles).values, atol=1e-14
    )
    assert torch.allclose(device.probabilities(general, angles), device.probabilities(program, angles), atol=1e-14)
    assert torch.allclose(device.probabilities(program, angles)[:, 1], (1 + z[:, 0].sin()) / 2, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_gradients_are_those_of_finite_differences(device: StatevectorDevice, n: int) -> None:
    program = random_program(n, 20, seed=10 + n)
    sample, shared = (part.requires_grad_() for part in random_angles(program, 3, seed=1))
    assert torch.autograd.gradcheck(lambda *a: device.expectation(program, Angles(*a)).values, (sample, shared))


def test_every_angle_has_a_nonzero_gradient(device: StatevectorDevice) -> None:
    program = layered(4, 2, reupload=True, zz=True)
    sample, shared = (part.requires_grad_() for part in random_angles(program, 5, seed=3))
    torch.autograd.backward(device.expectation(program, Angles(sample, shared)).values.square().sum())
    assert sample.grad is not None
    assert shared.grad is not None
    assert sample.grad.abs().min() > 1e-9
    assert shared.grad.abs().min() > 1e-9


@pytest.mark.parametrize("batch", [1, 15, 16, 17, 40])
def test_a_batch_gives_the_expectations_of_its_samples_one_by_one(device: StatevectorDevice, batch: int) -> None:
    program = layered(3, 2, reupload=False, zz=False)
    sample, shared = random_angles(program, batch, seed=5)
    together = device.expectation(program, Angles(sample, shared)).values
    single = torch.cat([device.expectation(program, Angles(row[None], shared)).values for row in sample])
    assert (together - single).abs().max() < 1e-12


def test_each_group_of_samples_uses_its_own_shared_angles(device: StatevectorDevice) -> None:
    program = layered(3, 2, reupload=False, zz=False)
    sample = normal(4, 18, 3, dtype=torch.float64, requires_grad=True)
    shared = normal(4, 1, 12, seed=1, dtype=torch.float64, requires_grad=True)
    z = device.expectation(program, Angles(sample, shared)).values
    slopes = torch.autograd.grad(z.square().sum(), (sample, shared))
    for group in range(4):
        own = [part[group].detach().requires_grad_() for part in (sample, shared[:, 0])]
        alone = device.expectation(program, Angles(*own)).values
        assert (z[group] - alone).abs().max() < 1e-12
        for whole, part in zip(slopes, torch.autograd.grad(alone.square().sum(), own), strict=True):
            assert (whole[group].reshape(part.shape) - part).abs().max() < 1e-12


def test_counts_follow_the_joint_distribution_of_all_wires() -> None:
    """Chi-square over all 8 states, below the 0.999 quantile of 7 degrees; wires of a Bell pair always agree."""
    device = DEVICES["compiled"]
    program = random_program(3, 25, seed=4)
    angles = random_angles(program, 1, seed=4)
    shots = 200_000
    counts = device.counts(program, angles, shots, seed=11).counts[0]
    expected = shots * device.probabilities(program, angles)[0]
    kept = expected > 5
    assert counts.sum() == shots
    assert float(((counts - expected)[kept].square() / expected[kept]).sum()) < 24.3
    bell = Program(2, 0, 0, (Gate("h", (0,)), Gate("cx", (0, 1))), ((0,), (1,), (1, 0)))
    found = device.counts(bell, Angles(torch.zeros(1, 0), torch.zeros(0)), 1000, seed=2).counts[0]
    assert found[1] == found[2] == 0
    assert 400 < found[0] < 600
    assert float(device.estimate(bell, found)[2]) == 1.0


def test_shot_error_is_that_of_the_binomial_distribution() -> None:
    """Root mean square error / sqrt((1 - z^2) / shots) is 1, and its log-log slope is -1/2, at 100 to 6400 shots."""
    device = DEVICES["compiled"]
    program = layered(4, 2, reupload=False, zz=False)
    angles = random_angles(program, 2000, seed=8)
    z = device.expectation(program, angles).values
    shots, errors = [100, 400, 1600, 6400], []
    for number in shots:
        estimate = device.estimate(program, device.counts(program, angles, number, seed=number).counts)
        error = float((estimate - z).square().mean().sqrt())
        errors.append(error)
        assert 0.97 < error / float(((1 - z.square()) / number).mean().sqrt()) < 1.03
    slope = np.polyfit(np.log(shots), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.02


def test_the_same_seed_gives_the_same_counts_and_another_seed_different_ones(device: StatevectorDevice) -> None:
    program = layered(3, 1, reupload=False, zz=False)
    angles = random_angles(program, 20, seed=1)
    once = device.counts(program, angles, 50, seed=2**62 + 1).counts
    device.counts(program, angles, 50, seed=7)
    assert torch.equal(once, device.counts(program, angles, 50, seed=2**62 + 1).counts)
    assert not torch.equal(once, device.counts(program, angles, 50, seed=3).counts)
    assert set(once.sum(-1).tolist()) == {50}


@pytest.mark.parametrize("shots", [0, -1, 1.5, True, float("nan"), "many"])
def test_shots_that_are_not_a_positive_integer_are_refused(shots: Any) -> None:
    angles = Angles(torch.zeros(1, 1), torch.zeros(0))
    with pytest.raises(ProgramError, match="is not an integer at least 1"):
        DEVICES["compiled"].counts(one_qubit(), angles, shots, seed=0)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ((0, 0, 0, (), ()), "0 wires"),
        ((1, 0, 0, (Gate("rx", (0,)),), ()), "gate 'rx' is unknown; there is h, x, ry, rz, cz, cx. Did you mean"),
        ((2, 0, 0, (Gate("cz", (0, 0)),), ()), "cz acts on 2 different"),
        ((2, 0, 0, (Gate("h", (2,)),), ()), "h acts on 1 different wire"),
        ((1, 1, 0, (Gate("ry", (0,)),), ()), "ry needs angle"),
        ((1, 1, 0, (Gate("h", (0,), 0),), ()), "h takes no angle"),
        ((1, 1, 0, (Gate("ry", (0,), 0), Gate("ry", (0,), 0)), ()), "slots used are"),
        ((1, 0, 0, (), ((1,),)), "observable \\(1,\\)"),
    ],
)
def test_malformed_programs_are_refused(fields: Any, sentence: str) -> None:
    with pytest.raises(ProgramError, match=sentence):
        Program(*fields)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (torch.tensor([[float("nan")]]), "not all finite"),
        (torch.tensor([[float("inf")]]), "not all finite"),
        (torch.zeros(0, 1), "an empty batch"),
        (torch.zeros(3, 2), "the last axis must be 1"),
        (torch.zeros(3, 1, dtype=torch.int64), "expected float32 or float64"),
    ],
)
def test_angles_with_invalid_values_shape_or_dtype_are_refused(
    device: StatevectorDevice, sample: torch.Tensor, sentence: str
) -> None:
    with pytest.raises(ProgramError, match=sentence):
        device.expectation(one_qubit(), Angles(sample, torch.zeros(0)))


def test_too_many_qubits_are_refused_with_the_memory_that_they_would_take(device: StatevectorDevice) -> None:
    words = spec("backend/sim", "circuit").refuse(Demand(qubits=20))
    assert words is not None
    assert "n_qubits=20 needs 2^20 numbers per sample, 8.39 GB for 1000 of them; at most 14" in words
    assert spec("backend/sim", "circuit").refuse(Demand(qubits=14)) is None
    gates = tuple(Gate("h", (wire,)) for wire in range(15))
    with pytest.raises(ProgramError, match="n_qubits=15 needs"):
        device.expectation(Program(15, 0, 0, gates, ((0,),)), Angles(torch.zeros(1, 0), torch.zeros(0)))
