"""Tests of snapshots of real processors: their data, layouts, routing, and noise by qubit and coupler."""

import gzip
import itertools
import json
import math
import statistics
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, get_args

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.circuit import extract
from neurobench.devices.circuit import layouts as module
from neurobench.devices.circuit.chips import Chip, chips
from neurobench.devices.circuit.layouts import edges_within, layouts
from neurobench.devices.circuit.mock_chip import SeatNoise
from neurobench.devices.circuit.mock_noise import PAULIS, Fused, fused
from neurobench.devices.circuit.routing import route
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.devices.circuit.specs import PROFILES, ChipName
from neurobench.devices.spec import Demand
from neurobench.models.qcnn.circuits import layered, one_qubit
from neurobench.problems.circuit import Angles, Gate, Program
from tests.devices.aer import aer_expectations
from tests.devices.processors import processor, qpu
from tests.devices.test_circuit import lifted, numpy_expectations, of_sample, random_angles, random_program
from tests.devices.test_qpu import channel, depolarizing_kraus, on_pair, on_wire, relaxation_kraus

CPU = torch.device("cpu")
IDEAL = StatevectorDevice(CPU)
LINE = {n: frozenset((i, i + 1) for i in range(n - 1)) for n in range(1, 9)}
FEW = ["fez", "brisbane", "garnet"]  # cz and SX, ecr and SX, cz and a pulse of any angle


# --- the data ---


def test_stored_chips_have_the_allowed_names_and_three_vendors_in_less_than_150_kb() -> None:
    assert tuple(chips()) == get_args(ChipName)
    assert sum(chip.vendor == "IBM" for chip in chips().values()) >= 10
    assert len({chip.vendor for chip in chips().values()}) >= 3
    assert extract.FILE.stat().st_size < 150_000


@pytest.mark.parametrize("chip", chips().values(), ids=chips())
def test_working_qubits_and_couplers_have_physically_possible_values(chip: Chip) -> None:
    for qubit in chip.qubits.values():
        assert 0 < qubit.error < 0.5
        assert qubit.p1_given_0 + qubit.p0_given_1 < 1
        assert 0 < qubit.t2 <= 2 * qubit.t1
        assert 10 < qubit.time < 100
    for (a, b), pair in chip.pairs.items():
        assert {a, b} <= set(chip.qubits)
        assert (b, a) not in chip.pairs
        assert 0 < pair.error < 0.5
    assert len(chip.qubits) > 0.9 * chip.size


@pytest.mark.parametrize("name", [name for name in PROFILES if name in chips()])
def test_medians_of_a_snapshot_equal_the_profile_derived_from_it(name: str) -> None:
    chip, profile = chips()[name], PROFILES[name]
    pairs, qubits = chip.pairs.values(), chip.qubits.values()
    assert statistics.median(pair.error for pair in pairs) == pytest.approx(profile.error_2q, rel=5e-3)
    for key, value in (("error", profile.error_1q), ("t1", profile.t1), ("t2", profile.t2)):
        assert statistics.median(getattr(qubit, key) for qubit in qubits) == pytest.approx(value, rel=2e-2)
    for key in ("p1_given_0", "p0_given_1"):
        assert statistics.median(getattr(qubit, key) for qubit in qubits) == pytest.approx(
            getattr(profile, key), rel=2e-2
        )


def test_stored_snapshots_of_ibm_equal_those_of_qiskit_ibm_runtime() -> None:
    try:
        package = distribution("qiskit-ibm-runtime")
    except PackageNotFoundError:
        pytest.skip("qiskit-ibm-runtime is not installed")
    shipped = [entry for entry in json.loads(gzip.decompress(extract.FILE.read_bytes())) if entry["vendor"] == "IBM"]
    if shipped[0]["source"] != f"qiskit-ibm-runtime {package.version}":
        pytest.skip(f"the file was made from {shipped[0]['source']}, installed is {package.version}")
    assert extract.ibm(package) == shipped


# --- layouts and routing ---


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("kind", ["line", "star"])
def test_a_routed_circuit_uses_only_couplers_and_has_the_same_expectations(n: int, kind: str) -> None:
    edges = LINE[n] if kind == "line" else frozenset((0, i) for i in range(1, n))
    for program in (layered(n, 2, reupload=True, zz=True), random_program(n, 25, seed=n)):
        routed, angles = route(program, edges), random_angles(program, 2, seed=1)
        used = {tuple(sorted(gate.wires)) for gate in routed.program.gates if len(gate.wires) == 2}
        assert used <= edges
        before, after = (IDEAL.expectation(each, angles).values for each in (program, routed.program))
        assert (before - after).abs().max() < 1e-12


def test_swaps_and_cz_gates_of_a_ring_on_a_line_match_a_hand_computation() -> None:
    """Three wires: cz of 0, 1 and of 1, 2; then a swap of 0, 1, which with their cz takes two, and cz of 2, 0."""
    routed = route(layered(3, 1, reupload=False, zz=False), LINE[3])
    assert routed.swaps == 1
    assert sum(gate.name == "cz" for gate in routed.program.gates) == 4
    alone = route(Program(3, 0, 0, (Gate("cz", (0, 2)),), ((0,),)), LINE[3])
    assert [gate.name for gate in alone.program.gates].count("cz") == 3 + 1


def test_a_ring_of_four_needs_no_swap_on_a_square_lattice_and_two_on_a_heavy_hexagon() -> None:
    program = layered(4, 1, reupload=False, zz=False)
    device = qpu(chip="willow_pink", layout="best")
    assert device.processor.place(program).work["swaps"] == 0
    cost = device.counts(program, random_angles(program, 3, seed=0), 10, seed=0).cost
    assert (cost["two_qubit_gates"], cost["swaps"]) == (4 * 30, 0)
    assert qpu(chip="fez").processor.place(program).work["swaps"] == 2  # no square of qubits on a heavy hexagon


@pytest.mark.parametrize("name", FEW)
def test_best_median_and_worst_layout_are_chosen_among_all_paths_by_their_expected_errors(name: str) -> None:
    """Recomputed for paths of 3 qubits, each in its better order: errors of the routed circuit's gates and read-out."""
    chip, program = chips()[name], layered(3, 1, reupload=False, zz=False)

    def errors(layout: tuple[int, ...]) -> float:
        total = sum(-math.log1p(-(chip.qubits[q].p1_given_0 + chip.qubits[q].p0_given_1) / 2) for q in layout)
        basis = SeatNoise(chip, layout, "residual").basis  # an ecr takes further pulses, Willow and Garnet fewer
        for step in fused(route(program, edges_within(chip, layout)).program, basis):
            if isinstance(step, Fused):
                total -= step.pulses * math.log1p(-chip.qubits[layout[step.wire]].error)
            else:
                pair = chip.pairs[chip.direction(layout[step.wires[0]], layout[step.wires[1]])]
                total -= math.log1p(-pair.error)
        return total

    found = layouts(chip, program)
    for index in range(0, len(found.errors), 17):
        assert found.errors[index] == pytest.approx(errors(tuple(found.qubits[index].tolist())))
    paths = {
        frozenset((a, middle, b))
        for middle in chip.qubits
        for a, b in itertools.combinations(chip.neighbours[middle], 2)
    }
    assert {frozenset(row) for row in found.qubits.tolist()} == paths
    best, middle, worst = (errors(found.chosen(choice, 0)) for choice in ("best", "median", "worst"))
    assert best == pytest.approx(found.errors.min())
    assert worst == pytest.approx(found.errors.max())
    assert middle == pytest.approx(np.median(found.errors), rel=0.02)
    assert len({found.chosen("random", seed) for seed in range(30)}) > 10
    assert found.chosen("random", 4) == found.chosen("random", 4)


def test_if_paths_exceed_the_limit_that_many_distinct_paths_are_drawn_reproducibly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip, n = chips()["willow_pink"], 6
    every = {frozenset(path) for path in module._paths.__wrapped__(chip, n).tolist()}
    monkeypatch.setattr(module, "MOST", 200)
    drawn = module._paths.__wrapped__(chip, n)
    assert len({tuple(path) for path in drawn.tolist()}) == len(drawn) == 200
    assert {frozenset(path) for path in drawn.tolist()} <= every
    assert all(b in chip.neighbours[a] for path in drawn.tolist() for a, b in itertools.pairwise(path))
    assert np.array_equal(drawn, module._paths.__wrapped__(chip, n))


@pytest.mark.parametrize("name", chips())
def test_every_chip_has_a_working_layout_for_one_two_and_five_qubits(name: str) -> None:
    for n in (1, 2, 5):
        layout = qpu(chip=name).processor.layout(one_qubit() if n == 1 else layered(n, 1, reupload=False, zz=False))
        assert not chips()[name].faults(layout)
        assert len(layout) == n


# --- noise ---


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_a_chip_without_noise_gives_the_results_of_the_state_vector(name: str, method: str) -> None:
    """Results are in the order of the wires, whatever the swaps and the native gates."""
    device = qpu(chip=name, scale=0.0, method=method, trajectories=1)
    for program in (layered(4, 2, reupload=True, zz=True), random_program(3, 20, seed=5)):
        angles = random_angles(program, 3, seed=2)
        exact = IDEAL.expectation(program, angles).values
        assert (device.expectation(program, angles).values - exact).abs().max() < 1e-12
        if method == "density":
            p = device.probabilities(program, angles)
            assert (p - IDEAL.probabilities(program, angles)).abs().max() < 1e-12
        counts = device.counts(program, angles, 4000, seed=1).counts
        assert (device.estimate(program, counts) - exact).abs().max() < 0.1


def strengths(chip: Chip, layout: tuple[int, ...], wires: tuple[int, ...]) -> tuple[float, float]:
    """Strength of depolarization that with relaxation has the gate's average infidelity, and the gate's time in us."""
    qubits = [chip.qubits[layout[wire]] for wire in wires]
    gate: Any = qubits[0] if len(wires) == 1 else chip.pairs[chip.direction(layout[wires[0]], layout[wires[1]])]
    F, d, time = 1.0, 2 ** len(wires), gate.time / 1000
    for qubit in qubits:
        F *= (1 + 2 * math.exp(-time / qubit.t2) + math.exp(-time / qubit.t1)) / 4
    A = (d * F + 1) / (d + 1)
    return max(0.0, (gate.error - 1 + A) / (A - 1 / d)), time


def numpy_read_on_chip(device: Any, program: Program, angles: np.ndarray) -> np.ndarray:
    """Expectations (n_obs,) with read-out errors, by textbook Kraus operators after each gate."""
    placed, chip, layout, n = (
        device.processor.place(program),
        device.spec.snapshot(),
        device.processor.layout(program),
        program.n,
    )
    rho = np.zeros((2**n, 2**n), complex)
    rho[0, 0] = 1
    ecr = np.array([[0, 0, 1, 1j], [0, 0, 1j, 1], [1, -1j, 0, 0], [-1j, 1, 0, 0]]) / math.sqrt(2)  # Qiskit's ECRGate

    def noisy(rho: np.ndarray, wires: tuple[int, ...]) -> np.ndarray:
        strength, time = strengths(chip, layout, wires)
        lift = (lambda P: on_wire(P, wires[0], n)) if len(wires) == 1 else (lambda P: on_pair(P, wires, n))
        rho = channel(rho, [lift(K) for K in depolarizing_kraus(strength, len(wires))])
        for wire in wires:
            qubit = chip.qubits[layout[wire]]
            for kraus in relaxation_kraus(time, qubit.t1, qubit.t2):
                rho = channel(rho, [on_wire(K, wire, n) for K in kraus])
        return rho

    def turned(rho: np.ndarray, gate: Gate) -> np.ndarray:
        if gate.name == "ecr":
            basis = [on_pair(np.kron(P, Q), gate.wires, n) for P in PAULIS.numpy() for Q in PAULIS.numpy()]
            parts = [np.trace(np.kron(P, Q) @ ecr) / 4 for P in PAULIS.numpy() for Q in PAULIS.numpy()]
            U = sum(part * each for part, each in zip(parts, basis, strict=True))
        elif gate.name == "sdg":
            U = on_wire(np.diag([1, -1j]), gate.wires[0], n)
        else:
            U = lifted(gate, 0.0 if gate.slot is None else angles[gate.slot], n)
        return U @ rho @ U.conj().T

    for step in fused(placed.program, placed.noise.basis):
        for gate in step.gates if isinstance(step, Fused) else [step]:
            rho = turned(rho, gate)
        for wires in [(step.wire,)] * step.pulses if isinstance(step, Fused) else [step.wires]:
            rho = noisy(rho, wires)
    read = np.diag(rho).real
    for place, number in enumerate(layout):
        e10, e01 = chip.qubits[number].p1_given_0, chip.qubits[number].p0_given_1
        read = on_wire(np.array([[1 - e10, e01], [e10, 1 - e01]]), place, n) @ read
    signs = np.array([numpy_expectations(placed.program, state) for state in np.eye(2**n)])
    return np.asarray(read @ signs)


def on_layouts(name: str, n: int, seed: int) -> Iterator[tuple[Any, Any, Any, np.ndarray]]:
    """Yield the chip with its best, then its worst layout, with a circuit of n qubits, its angles and expectations."""
    program = layered(n, 1, reupload=False, zz=True)
    angles = random_angles(program, 1, seed=seed)
    for layout in ("best", "worst"):
        device = qpu(chip=name, layout=layout)
        yield device, program, angles, device.expectation(program, angles).values[0].numpy()


@pytest.mark.parametrize("name", FEW)
def test_expectations_of_a_noisy_chip_match_kraus_operators_of_its_qubits(name: str) -> None:
    for device, program, angles, ours in on_layouts(name, n=3, seed=3):
        assert np.abs(ours - numpy_read_on_chip(device, program, of_sample(angles, 0))).max() < 1e-12
        by_counts = device.estimate(program, device.probabilities(program, angles))[0].numpy()
        assert np.abs(ours - by_counts).max() < 1e-12


def test_a_read_out_error_above_one_half_is_emulated_and_not_scaled_up() -> None:
    """Qubit 132 of Kingston reads a 1 as 0 in 72 of 100 shots."""
    program = layered(2, 1, reupload=False, zz=True)
    angles = random_angles(program, 1, seed=2)
    device = qpu(chip="kingston", layout=(132, 133))
    assert chips()["kingston"].qubits[132].p0_given_1 > 0.7
    ours = device.expectation(program, angles).values[0].numpy()
    assert np.abs(ours - numpy_read_on_chip(device, program, of_sample(angles, 0))).max() < 1e-12
    assert chips()["kingston"].qubits[132].scaled(3.0).p0_given_1 == chips()["kingston"].qubits[132].p0_given_1
    assert [qpu(p0_given_1=0.7, scale=scale).processor.qubit.p0_given_1 for scale in (3.0, 0.5)] == [0.7, 0.35]


def test_a_chip_of_identical_qubits_gives_the_results_of_a_profile_with_their_values() -> None:
    values = {
        "error_1q": 1e-3,
        "error_2q": 2e-2,
        "p1_given_0": 0.03,
        "p0_given_1": 0.05,
        "noise": "depol",
        "scale": 1.5,
    }
    program = layered(2, 2, reupload=False, zz=True)
    angles = random_angles(program, 3, seed=1)
    for chosen in ({"method": "density"}, {"mitigation": True}, {"method": "trajectories", "trajectories": 7}):
        on_chip, on_profile = (qpu(chip=chip, **values, **chosen) for chip in ("fez", None))
        difference = on_chip.expectation(program, angles).values - on_profile.expectation(program, angles).values
        assert difference.abs().max() < 1e-12
        counts = on_chip.counts(program, angles, 50, seed=3).counts
        assert torch.equal(counts, on_profile.counts(program, angles, 50, seed=3).counts)


def test_mitigation_inverts_the_confusion_matrix_of_each_qubit() -> None:
    program = layered(3, 1, reupload=False, zz=True)
    angles = random_angles(program, 4, seed=5)
    device = qpu(chip="torino", layout="worst", mitigation=True)
    clean = device.variants().readout["gates_only"].expectation(program, angles).values
    assert (device.expectation(program, angles).values - clean).abs().max() < 1e-12
    assert (device.estimate(program, device.probabilities(program, angles)) - clean).abs().max() < 1e-12
    assert (device.variants().readout["raw"].expectation(program, angles).values - clean).abs().max() > 1e-3


def test_scaling_the_noise_does_not_change_the_layout() -> None:
    program = layered(4, 1, reupload=False, zz=False)
    device = qpu(chip="kingston")
    moved = {other.processor.layout(program) for other in device.variants().noise.values()}
    assert moved == {device.processor.layout(program)}


def test_derivatives_on_a_chip_are_those_of_finite_differences() -> None:
    device, program = qpu(chip="brisbane", layout="worst"), layered(3, 1, reupload=False, zz=True)
    sample, shared = (part.requires_grad_() for part in random_angles(program, 2, seed=3))
    assert torch.autograd.gradcheck(lambda *a: device.expectation(program, Angles(*a)).values, (sample, shared))


def test_time_of_a_one_qubit_shot_is_reset_plus_two_pulses_plus_read_out() -> None:
    chip = chips()["fez"]
    device = qpu(chip="fez", layout=[3])
    qubit = chip.qubits[3]
    want = 100 * (250 + (2 * qubit.time + qubit.time_readout) / 1000) / 1e6
    assert device.seconds(one_qubit(), 1, 100) == pytest.approx(want)


# --- Qiskit Aer ---


@pytest.mark.parametrize("name", list(chips())[:12])
def test_expectations_are_those_of_aers_density_matrix(name: str) -> None:
    pytest.importorskip("qiskit_aer", reason="extra quantum-check is not installed")
    for device, program, angles, ours in on_layouts(name, n=4, seed=1):
        assert np.abs(ours - aer_expectations(device, program, of_sample(angles, 0))).max() < 1e-6


# --- refusals ---


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"chip": "bosten"}, "chip='bosten' is not one of boston, pittsburgh"),
        ({"chip": "nighthawk"}, "chip='nighthawk' is not one of"),
        ({"chip": "fez", "layout": "finest"}, "layout='finest' is not one of best, median, worst, random"),
        ({"chip": "fez", "layout": (3, 4, 156)}, "layout=[3, 4, 156]: fez has the qubits 0 to 155, not 156"),
        ({"chip": "fez", "layout": (-1, 4)}, "layout=[-1, 4]: fez has the qubits 0 to 155, not -1"),
        ({"chip": "fez", "layout": (3, 4, 3)}, "layout=[3, 4, 3] names 3 more than once"),
        ({"chip": "fez", "layout": (3, 4, 90)}, "layout=[3, 4, 90] is not connected on fez: no working coupler"),
        ({"chip": "kingston", "layout": (146,)}, "layout=[146]: 146 did not work on kingston at 2026-04-15"),
        ({"chip": "fez", "layout": ()}, "layout=[] names no qubit"),
        ({"layout": "worst"}, "layout=worst names qubits of a chip, but chip is null"),
        ({"layout": (1, 2)}, "layout=[1, 2] names qubits of a chip, but chip is null"),
        ({"chip": "fez", "layout_seed": -1}, "layout_seed=-1 is not at least 0"),
        ({"chip": "fez", "layout_seed": 3}, "layout_seed=3 has no effect unless layout=random"),
        ({"chip": "fez", "t1": 10.0}, "is more than twice t1=10 us of a qubit of fez"),
        ({"chip": "fez", "error_2q": 0.8}, "error_2q=0.8 is more than 0.75"),
        ({"chip": "fez", "p1_given_0": 0.6, "p0_given_1": 0.5, "mitigation": True}, "mitigation=True cannot undo"),
    ],
)
def test_unknown_chips_invalid_layouts_and_impossible_noise_values_are_refused(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BoundsError) as error:
        processor(**fields)
    assert sentence in str(error.value)


def test_layouts_of_the_wrong_size_and_too_many_qubits_are_refused_before_anything_runs() -> None:
    device = processor(chip="fez", layout=(3, 4, 5))
    assert device.refuse(Demand(qubits=3)) is None
    refused = device.refuse(Demand(qubits=8)) or ""
    assert "n_qubits=8, and backend.circuit.layout=[3, 4, 5] names 3; name 8" in refused
    assert "at most 14 qubits" in (processor(chip="fez").refuse(Demand(qubits=15)) or "")
    assert "at most 8 qubits" in (processor(chip="fez", method="density").refuse(Demand(qubits=9)) or "")
    more = processor(chip="garnet").refuse(Demand(qubits=14))
    assert more is None
