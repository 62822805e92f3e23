"""Tests of the emulated processor, against textbook Kraus operators on density matrices in numpy."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.circuit.mock_noise import (
    PAULI_PAIRS,
    PAULIS,
    Noise,
    depolarizing,
    duration,
    mitigated,
    native,
    on_bits,
    relaxation,
    strength,
)
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.devices.circuit.specs import PROFILES
from neurobench.devices.spec import Demand
from neurobench.kernels.random import derive
from neurobench.models.qcnn.circuits import layered, one_qubit
from neurobench.problems.circuit import Angles, Gate, Program, ProgramError
from tests.devices.processors import processor, qpu
from tests.devices.test_circuit import (
    gate_matrix,
    lifted,
    numpy_expectations,
    of_sample,
    random_angles,
    random_program,
)

CPU = torch.device("cpu")
SHOWN = {"profile": "bad"}  # noise large enough for errors in it to show


# --- Kraus operators of the textbook (Nielsen and Chuang, chapter 8) ---


def depolarizing_kraus(probability: float, wires: int) -> list[np.ndarray]:
    """Kraus operators of rho -> (1 - p) rho + p 1/d as a mixture of all Paulis, each with p / d^2."""
    basis = [np.array(P) for P in (PAULIS if wires == 1 else PAULI_PAIRS).numpy()]
    weights = [1 - probability * (1 - 1 / len(basis)), *[probability / len(basis)] * (len(basis) - 1)]
    return [math.sqrt(weight) * P for weight, P in zip(weights, basis, strict=True)]


def relaxation_kraus(time: float, t1: float, t2: float) -> list[list[np.ndarray]]:
    """Kraus operators of amplitude damping, then of phase damping."""
    g = 1 - math.exp(-time / t1)
    phase = 1 - math.exp(-2 * time / t2) / (1 - g)
    amplitude = [np.diag([1, math.sqrt(1 - g)]), np.array([[0, math.sqrt(g)], [0, 0]])]
    return [amplitude, [np.diag([1, math.sqrt(1 - phase)]), np.diag([0, math.sqrt(phase)])]]


def on_wire(K: np.ndarray, wire: int, n: int) -> np.ndarray:
    return np.kron(np.kron(np.eye(2**wire), K), np.eye(2 ** (n - wire - 1)))


def on_pair(P: np.ndarray, wires: tuple[int, ...], n: int) -> np.ndarray:
    """Matrix on n wires of a Pauli pair on two wires, in the given order."""
    for a in PAULIS.numpy():
        for b in PAULIS.numpy():
            if abs(abs(np.trace(np.kron(a, b).conj().T @ P)) - 4 * np.abs(P).max()) < 1e-9:
                return np.abs(P).max() * on_wire(a, wires[0], n) @ on_wire(b, wires[1], n)
    raise AssertionError


def channel(rho: np.ndarray, kraus: list[np.ndarray]) -> np.ndarray:
    return sum(K @ rho @ K.conj().T for K in kraus)


def relaxed(rho: np.ndarray, wire: int, n: int, time: float, noise: Noise) -> np.ndarray:
    if noise.relaxing:
        for kraus in relaxation_kraus(time, noise.qubit.t1, noise.qubit.t2):
            rho = channel(rho, [on_wire(K, wire, n) for K in kraus])
    return rho


def numpy_density(program: Program, angles: np.ndarray, noise: Noise) -> np.ndarray:
    """Density matrix, gate by gate; successive gates on one wire are followed by the pulses of their fused gate."""
    n, qubit = program.n, noise.qubit
    rho = np.zeros((2**n, 2**n), complex)
    rho[0, 0] = 1
    waiting: dict[int, list[str]] = {wire: [] for wire in range(n)}

    def pulses(rho: np.ndarray, wire: int) -> np.ndarray:
        names, waiting[wire] = waiting[wire], []
        count = 2 if "ry" in names else min(2, sum(name in ("h", "x") for name in names))
        for _ in range(count):
            rho = channel(rho, [on_wire(K, wire, n) for K in depolarizing_kraus(noise.strengths[0], 1)])
            rho = relaxed(rho, wire, n, qubit.time_1q / 1000, noise)
        return rho

    for gate in native(program):
        if len(gate.wires) == 2:
            for wire in gate.wires:
                rho = pulses(rho, wire)
        U = lifted(gate, 0.0 if gate.slot is None else angles[gate.slot], n)
        rho = U @ rho @ U.conj().T
        if len(gate.wires) == 1:
            waiting[gate.wires[0]].append(gate.name)
            continue
        rho = channel(rho, [on_pair(P, gate.wires, n) for P in depolarizing_kraus(noise.strengths[1], 2)])
        for wire in gate.wires:
            rho = relaxed(rho, wire, n, qubit.time_2q / 1000, noise)
    for wire in range(n):
        rho = pulses(rho, wire)
    return rho


def numpy_read(rho: np.ndarray, n: int, e10: float, e01: float) -> np.ndarray:
    confusion = np.eye(1)
    for _ in range(n):
        confusion = np.kron(confusion, np.array([[1 - e10, e01], [e10, 1 - e01]]))
    return confusion @ np.diag(rho).real


@pytest.mark.parametrize("noise", ["residual", "depol", "added"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_noisy_circuits_match_textbook_kraus_operators(n: int, noise: str) -> None:
    device = qpu(profile="bad", noise=noise)
    program = random_program(n, 18, seed=20 + n)
    angles = random_angles(program, 2, seed=n)
    z, p = device.expectation(program, angles).values, device.probabilities(program, angles)
    signs = np.array([numpy_expectations(program, state) for state in np.eye(2**n)])
    for index in range(2):
        rho = numpy_density(program, of_sample(angles, index), device.processor.noise)
        read = numpy_read(rho, n, 0.05, 0.10)
        assert np.abs(p[index].numpy() - read).max() < 1e-12
        assert np.abs(z[index].numpy() - read @ signs).max() < 1e-12


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("reupload", [False, True])
def test_expectations_agree_with_probabilities_and_without_noise_with_the_state_vector(n: int, reupload: bool) -> None:
    program = layered(n, 2, reupload, zz=n > 1)
    angles = random_angles(program, 3, seed=n)
    ideal = StatevectorDevice(CPU)
    for fields in ({"scale": 0.0}, SHOWN):
        device = qpu(**fields)
        z, p = device.expectation(program, angles).values, device.probabilities(program, angles)
        assert (z - device.estimate(program, p)).abs().max() < 1e-12
        if not device.spec.scale:
            assert (z - ideal.expectation(program, angles).values).abs().max() < 1e-12
            assert (p - ideal.probabilities(program, angles)).abs().max() < 1e-12
        else:
            assert (z - ideal.expectation(program, angles).values).abs().max() > 0.01


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("mode", ["residual", "depol", "added"])
def test_noise_channels_are_completely_positive_and_preserve_the_trace(profile: str, mode: str) -> None:
    """The Choi matrix of each channel has no negative eigenvalue; K^dagger K of its Kraus operators sum to one."""
    noise = Noise(PROFILES[profile], mode)
    for R, basis in ((noise.pulse, PAULIS), (noise.pair, PAULI_PAIRS)):
        d = basis.shape[1]
        choi = (
            sum(R[i, j] * torch.kron(basis[j].T.contiguous(), basis[i]) for i in range(d * d) for j in range(d * d)) / d
        )
        values, vectors = torch.linalg.eigh(choi)
        assert values.min() > -1e-12
        kraus = [
            math.sqrt(max(0.0, float(value))) * vector.reshape(d, d).T
            for value, vector in zip(values, vectors.T, strict=True)
        ]
        whole = torch.stack([K.conj().T @ K for K in kraus]).sum(0)
        assert (whole - torch.eye(d)).abs().max() < 1e-12


def test_probabilities_stay_nonnegative_and_normalised_for_one_to_three_layers() -> None:
    device = qpu(**SHOWN)
    whole = layered(3, 3, reupload=False, zz=False)
    angles = random_angles(whole, 2, seed=0)
    for depth in (1, 2, 3):
        program = layered(3, depth, reupload=False, zz=False)
        p = device.probabilities(program, Angles(angles.sample, angles.shared[: 6 * depth]))
        assert p.min() > -1e-12
        assert (p.sum(-1) - 1).abs().max() < 1e-12


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "bad"])
def test_average_gate_infidelity_is_the_quoted_error_or_that_of_relaxation_if_larger(profile: str) -> None:
    """The average infidelity of a channel, 1 - (Tr R / d + 1) / (d + 1), is the profile's, or that of relaxation alone
    if it is already larger."""
    qubit = PROFILES[profile]
    noise = Noise(qubit, "residual")
    for R, d, error, of in ((noise.pulse, 2, qubit.error_1q, 0), (noise.pair, 4, qubit.error_2q, 1)):
        infidelity = 1 - (float(R.trace()) / d + 1) / (d + 1)
        if noise.strengths[of] > 0:
            assert infidelity == pytest.approx(error, rel=1e-9)
        else:
            assert infidelity >= error


def test_depolarization_strengths_match_a_hand_computation() -> None:
    """Both strengths of Marrakesh; without relaxation they are 2 r and 4 r / 3 for errors r."""
    qubit = PROFILES["marrakesh"]
    assert Noise(qubit, "residual").strengths == pytest.approx((1.96e-4, 3.51e-3), rel=2e-3)
    assert Noise(qubit, "depol").strengths == pytest.approx((2 * 2.30e-4, 4 / 3 * 3.23e-3))
    assert strength(1e-9, 1, 0.036, 197, 118, "residual") == 0.0


def test_relaxation_ends_in_the_ground_state_and_coherence_falls_with_t2() -> None:
    plus = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    one = torch.tensor([1.0, 0.0, 0.0, -1.0], dtype=torch.float64)
    step = relaxation(3.0, t1=50, t2=30)
    assert float((step @ plus)[1]) == pytest.approx(math.exp(-3 / 30))
    assert float((step @ one)[3]) == pytest.approx(1 - 2 * math.exp(-3 / 50))
    assert torch.allclose(relaxation(1e6, 50, 30) @ one, torch.tensor([1.0, 0, 0, 1], dtype=torch.float64))
    assert torch.allclose(depolarizing(1.0, 1) @ plus, torch.tensor([1.0, 0, 0, 0], dtype=torch.float64))


@pytest.mark.parametrize("chip", [None, "fez"])
@pytest.mark.parametrize("t1", [1e-4, 1e-3, 2e-3, 3e-3])
def test_qubits_that_relax_within_a_gate_are_read_as_0_whatever_the_circuit(t1: float, chip: str | None) -> None:
    """Nothing survives the last gate, after which every qubit is in its ground state."""
    device = qpu(chip=chip, t1=t1, t2=t1, p1_given_0=0.0, p0_given_1=0.0, error_1q=0.5, error_2q=0.75)
    program = layered(3, 1, reupload=True, zz=False)
    angles = random_angles(program, 4, 0)
    survived = math.exp(-0.024 / t1)  # of an excitation, in the shortest gate
    z = device.expectation(program, angles).values
    torch.testing.assert_close(z, torch.ones_like(z), rtol=0, atol=1e-12 + 3 * survived)
    trajectories = qpu(chip=chip, t1=t1, t2=t1, method="trajectories")
    assert trajectories.counts(program, angles, 20, seed=0).counts.sum(-1).tolist() == [20] * 4


def test_mitigation_restores_exact_probabilities() -> None:
    device = qpu(**SHOWN)
    program = random_program(3, 20, seed=1)
    angles = random_angles(program, 4, seed=1)
    before = qpu(profile="bad", p1_given_0=0.0, p0_given_1=0.0).probabilities(program, angles)
    read = on_bits(before, device.processor.confusion, 3)
    assert (read - device.probabilities(program, angles)).abs().max() < 1e-12
    assert (mitigated(read, device.processor.confusion, 3) - before).abs().max() < 1e-12


def test_mitigated_counts_are_as_accurate_as_counts_without_read_out_errors() -> None:
    program = layered(4, 2, reupload=False, zz=False)
    angles = random_angles(program, 200, seed=2)
    exact = StatevectorDevice(CPU).expectation(program, angles).values
    variants = qpu(**SHOWN).variants().readout
    off = {}
    for name, device in variants.items():
        z = device.estimate(program, device.counts(program, angles, 20_000, seed=3).counts)
        off[name] = float((z - exact).abs().mean())
        limit = device.expectation(program, angles).values
        assert (z - limit).abs().max() < 0.06
    assert off["mitigated"] < 1.1 * off["gates_only"] < off["raw"]


@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_the_same_seed_gives_the_same_counts(method: str) -> None:
    device = qpu(profile="bad", method=method, trajectories=5)
    program = layered(3, 1, reupload=False, zz=False)
    angles = random_angles(program, 6, seed=1)
    once = device.counts(program, angles, 103, seed=2**62 + 1).counts
    device.counts(program, angles, 10, seed=7)
    assert torch.equal(once, device.counts(program, angles, 103, seed=2**62 + 1).counts)
    assert set(once.sum(-1).tolist()) == {103}
    assert torch.equal(device.expectation(program, angles).values, device.expectation(program, angles).values)


def test_the_mean_of_trajectories_converges_to_the_density_matrix_without_drift() -> None:
    """Without drift to |0> (T1 huge) twirling changes nothing: both methods describe the same channel."""
    fields = {"profile": "bad", "noise": "added", "t1": 1e9, "t2": 5.0}
    program = layered(3, 1, reupload=False, zz=True)
    angles = random_angles(program, 3, seed=4)
    density = qpu(**fields).expectation(program, angles).values
    runs, copies = 2500, 50  # each row has its own draws: many rows in a few runs
    device = qpu(**fields, method="trajectories", trajectories=runs // copies)
    rows = device.expectation(program, Angles(angles.sample.repeat(copies, 1), angles.shared)).values
    random = rows.unflatten(0, (copies, 3)).mean(0)
    assert (random - density).abs().max() < 5 / math.sqrt(runs)
    assert (random - density).square().mean().sqrt() < 1 / math.sqrt(runs)
    assert (StatevectorDevice(CPU).expectation(program, angles).values - density).abs().max() > 0.1


def test_more_than_8_qubits_run_by_trajectories() -> None:
    program = layered(9, 1, reupload=False, zz=False)
    angles = random_angles(program, 2, seed=4)
    device = qpu(trajectories=20)
    counts = device.counts(program, angles, 2000, seed=1).counts
    exact = StatevectorDevice(CPU).expectation(program, angles).values
    assert counts.sum(-1).tolist() == [2000, 2000]
    assert (device.estimate(program, counts) - exact).abs().max() < 0.2


def test_derivatives_are_those_of_finite_differences_under_noise() -> None:
    device = qpu(**SHOWN)
    for reupload in (False, True):
        program = layered(2, 1, reupload, zz=True)
        sample, shared = (part.requires_grad_() for part in random_angles(program, 2, seed=3))
        assert torch.autograd.gradcheck(
            lambda *a, p=program: device.expectation(p, Angles(*a)).values, (sample, shared)
        )


def test_cost_is_shots_times_reset_gates_and_readout() -> None:
    """Ring of 4 in two layers: per layer 4 cz in sequence, except for one pair; 164,000 circuits take 12 hours."""
    device = qpu()
    assert duration(one_qubit(), device.processor.noise) == 2 * 36
    program = layered(4, 2, reupload=False, zz=False)
    seconds = device.seconds(program, 164_000, 1024)
    assert seconds == pytest.approx(
        164_000 * 1024 * (250 + 2.584 + duration(program, device.processor.noise) / 1000) / 1e6
    )
    assert 11 < seconds / 3600 < 13
    queued = qpu(queue=2.0, job=100).seconds(program, 250, 10)
    assert queued - qpu().seconds(program, 250, 10) == pytest.approx(3 * 2.0)
    assert qpu(queue=2.0).seconds(program, 250, 0) == 0


def test_a_cx_is_a_cz_between_two_h() -> None:
    gates = native(Program(2, 0, 0, (Gate("cx", (1, 0)),), ()))
    U = np.eye(4)
    for gate in gates:
        U = lifted(gate, 0.0, 2) @ U
    assert np.allclose(U, lifted(Gate("cx", (1, 0)), 0.0, 2))
    assert gate_matrix("h", 0).shape == (2, 2)


@pytest.mark.parametrize(("scale", "levels"), [(1.0, 5), (5.0, 4), (100.0, 2)])
def test_any_permitted_scale_has_variants_up_to_the_largest(scale: float, levels: int) -> None:
    """They are needed after training, where a refusal would lose the run."""
    variants = qpu(scale=scale).variants()
    assert [*variants.noise] == [0.0, 1.0, 3.0, 10.0, 30.0][:levels]
    assert [device.spec.scale for device in variants.noise.values()] == [scale * level for level in variants.noise]
    mitigable = scale < 50  # read-out errors of 0.0054 and 0.0134 times 100 are capped at one half
    assert [*variants.readout] == ["gates_only", "raw", *["mitigated"] * mitigable]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"profile": "marakesh"}, "profile='marakesh' is not one of sherbrooke, brisbane, torino, fez, marrakesh"),
        ({"error_1q": 1.5}, "error_1q=1.5 is not a number in [0, 1] or null"),
        ({"error_2q": -0.1}, "error_2q=-0.1 is not a number in [0, 1] or null"),
        ({"error_1q": 0.6}, "error_1q=0.6 is more than 0.5"),
        ({"p1_given_0": float("nan")}, "p1_given_0=nan is not a number in [0, 1] or null"),
        ({"t1": 0.0}, "t1=0.0 is not a number above 0 or null"),
        ({"t2": -1.0}, "t2=-1.0 is not a number above 0 or null"),
        ({"t1": 10.0, "t2": 20.1}, "t2=20.1 us is more than twice t1=10 us"),
        ({"t1": 10.0, "noise": "depol"}, "t1=10 has no effect with noise=depol"),
        ({"t2": 20.0, "noise": "depol", "chip": "fez"}, "t2=20 has no effect with noise=depol"),
        ({"mitigation": True, "p1_given_0": 0.6, "p0_given_1": 0.4}, "mitigation=True cannot undo"),
        ({"trajectories": 0}, "trajectories=0 is not"),
        ({"scale": -1.0}, "scale=-1.0 is not in [0, 100]"),
    ],
)
def test_unknown_profiles_and_impossible_values_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        processor(**fields)
    assert sentence in str(refusal.value)


def test_too_many_qubits_are_refused_with_the_memory_that_they_would_take() -> None:
    words = processor(method="density").refuse(Demand(qubits=9))
    assert words is not None
    assert "n_qubits=9 needs density matrices of 4^9 numbers, 1.05 GB for 1000 samples; at most 8" in words
    assert processor().refuse(Demand(qubits=9)) is None
    assert "at most 14" in str(processor().refuse(Demand(qubits=15)))
    program = layered(9, 1, reupload=False, zz=False)
    with pytest.raises(ProgramError, match="method=trajectories"):
        qpu(method="density").expectation(program, random_angles(program, 1, seed=derive(0) % 100))
