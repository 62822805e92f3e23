"""Contract of the circuit devices of all shipped backends."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from neurobench.models.qcnn.circuits import layered, one_qubit
from neurobench.problems.circuit import Angles, ProgramError
from tests.draws import normal
from tests.specs import CONF, spec

CPU = torch.device("cpu")
SECTIONS = {
    path.stem: yaml.safe_load(path.read_text()).get("circuit") for path in Path(CONF / "backend").glob("*.yaml")
}
# Devices of vendors' software only return counts: see test_qiskit.py, test_braket.py.
BACKENDS = sorted(name for name, part in SECTIONS.items() if part and "vendor_specs" not in part["_target_"])


@pytest.fixture(params=BACKENDS)
def device(request: pytest.FixtureRequest) -> Any:
    return spec(f"backend/{request.param}", "circuit").open(0, CPU)


def test_the_sim_and_mock_backends_ship_a_circuit_device() -> None:
    assert {"sim", "mock"} <= set(BACKENDS)


@pytest.mark.parametrize("n", [1, 3])
def test_expectations_counts_and_estimates_agree(device: Any, n: int) -> None:
    program = layered(n, 1, reupload=False, zz=n > 1)
    angles = Angles(normal(6, n), normal(2 * n, seed=1))
    kept = [part.clone() for part in angles]
    z = device.expectation(program, angles).values
    assert z.shape == (6, len(program.observables))
    assert z.abs().max() <= 1 + 1e-5
    counts = device.counts(program, angles, 4000, seed=1).counts
    assert counts.shape == (6, 2**n)
    assert counts.dtype == torch.int64
    assert counts.sum(-1).tolist() == [4000] * 6
    estimate = device.estimate(program, counts)
    assert estimate.dtype == torch.float64
    assert (estimate - z).abs().max() < 6 / 4000**0.5
    device.counts(program, angles, 10, seed=2)  # leaves no state behind
    assert torch.equal(counts, device.counts(program, angles, 4000, seed=1).counts)
    assert all(torch.equal(part, before) for part, before in zip(angles, kept, strict=True))


def test_expectations_have_derivatives(device: Any) -> None:
    assert device.exact
    program = layered(2, 1, reupload=False, zz=False)
    own = normal(3, 2, requires_grad=True), normal(4, seed=1, requires_grad=True)
    slopes = torch.autograd.grad(device.expectation(program, Angles(*own)).values.sum(), own)
    assert all(slope.abs().max() > 0 for slope in slopes)


@pytest.mark.parametrize(("backend", "fields"), [*((name, {}) for name in BACKENDS), ("mock", {"chip": "boston"})])
def test_results_cached_without_gradients_can_be_used_for_a_later_gradient(
    backend: str, fields: dict[str, Any]
) -> None:
    device = spec(f"backend/{backend}", "circuit", **fields).open(0, CPU)
    program = layered(3, 2, reupload=True, zz=True)
    own, shared = normal(2, program.n_sample).double(), normal(program.n_shared, seed=1).double()
    with torch.inference_mode():
        values = device.expectation(program, Angles(own.clone(), shared.clone())).values
    again = device.expectation(program, Angles(own, shared.requires_grad_())).values
    torch.testing.assert_close(values, again.detach(), atol=1e-14, rtol=0)  # MKL rounds products depending on addresses
    (slope,) = torch.autograd.grad(again.sum(), shared)
    assert slope.abs().max() > 0


def test_zero_shots_empty_batches_and_nonfinite_angles_are_refused(device: Any) -> None:
    with pytest.raises(ProgramError, match="shots=0 is not an integer at least 1"):
        device.counts(one_qubit(), Angles(torch.zeros(1, 1), torch.zeros(0)), 0, seed=0)
    with pytest.raises(ProgramError, match="an empty batch has no circuit to run"):
        device.expectation(one_qubit(), Angles(torch.zeros(0, 1), torch.zeros(0)))
    with pytest.raises(ProgramError, match="not all finite"):
        device.expectation(one_qubit(), Angles(torch.full((2, 1), float("nan")), torch.zeros(0)))


def test_answers_report_circuits_shots_and_device_seconds_as_cost(device: Any) -> None:
    program = layered(2, 1, reupload=False, zz=False)
    angles = Angles(normal(3, 5, 2), normal(4, seed=1))
    assert device.expectation(program, angles).cost == {"circuits": 15}
    cost = device.counts(program, angles, 20, seed=1).cost
    assert (cost["circuits"], cost["shots"]) == (15, 300)
    assert cost.get("device_seconds") == device.seconds(program, 15, 20)
    assert (device.seconds(program, 15, 20) is None) == (device.ideal() is device)


def test_the_ideal_device_is_noiseless_and_only_noisy_devices_have_variants(device: Any) -> None:
    ideal = device.ideal()
    program = one_qubit()
    angles = Angles(torch.linspace(-3, 3, 13)[:, None], torch.zeros(0))
    assert torch.allclose(ideal.expectation(program, angles).values, -angles.sample.sin(), atol=1e-6)
    variants = device.variants()
    assert bool(variants.readout) == bool(variants.noise) == (ideal is not device)
    for other in (*variants.readout.values(), *variants.noise.values()):
        assert other.expectation(program, angles).values.shape == (13, 1)
