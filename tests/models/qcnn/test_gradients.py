"""Ways to differentiate a circuit: parameter shift, SPSA, straight-through."""

from typing import Any

import pytest
import torch

from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.models.qcnn import circuits as circuits_module
from neurobench.models.qcnn.circuits import CircuitRunner, layered, one_qubit
from neurobench.problems.circuit import Angles
from tests.devices.test_circuit import random_angles
from tests.models.qcnn.conftest import CPU, qpu

SIM, NOISY = StatevectorDevice(CPU), qpu(profile="bad")


def slopes(runner: CircuitRunner, angles: Angles, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Gradients of a loss that weights observables differently and is not linear in them."""
    own = [part.detach().clone().requires_grad_() for part in angles]
    z = runner.run(Angles(*own), seed)
    loss = (z * torch.linspace(0.5, 1.5, z.shape[1], dtype=z.dtype)).exp().sum()
    return torch.autograd.grad(loss, own, allow_unused=True)


@pytest.mark.parametrize("device", [SIM, NOISY], ids=["exact", "noisy"])
@pytest.mark.parametrize("reupload", [False, True])
def test_parameter_shift_equals_the_exact_derivative(device: CircuitDevice, reupload: bool) -> None:
    program = layered(3, 2, reupload, zz=True)
    angles = random_angles(program, 5, seed=1)
    by_shift = slopes(CircuitRunner(device, program, None, "param_shift"), angles)
    exact = slopes(CircuitRunner(device, program, None, "autograd"), angles)
    for one, other in zip(by_shift, exact, strict=True):
        assert (one - other).abs().max() < 1e-10


def test_parameter_shifts_run_in_parts_give_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    program = layered(3, 1, reupload=False, zz=False)
    angles = random_angles(program, 4, seed=2)
    runner = CircuitRunner(SIM, program, None, "param_shift")
    whole = slopes(runner, angles)
    monkeypatch.setattr(circuits_module, "_AT_ONCE", 1)
    for one, other in zip(whole, slopes(runner, angles), strict=True):
        assert (one - other).abs().max() < 1e-14


def test_the_slope_of_one_qubit_is_minus_the_cosine_and_the_tutorials_is_twice_that() -> None:
    z = torch.tensor([[0.3], [-1.2]], dtype=torch.float64, requires_grad=True)
    for factor in (0.5, 1.0):
        runner = CircuitRunner(SIM, one_qubit(), None, "param_shift", factor)
        (slope,) = torch.autograd.grad(runner.run(Angles(z, z.new_zeros(0)), 0).sum(), z)
        assert torch.allclose(slope, -2 * factor * z.cos())


@pytest.mark.parametrize("gradient", ["param_shift", "spsa"])
def test_gradients_from_shots_are_right_on_average(gradient: Any) -> None:
    """Mean over 400 draws, for a loss linear in z, within five standard errors."""
    program = layered(2, 1, reupload=False, zz=False)
    angles = random_angles(program, 2, seed=3)
    own = [part.detach().requires_grad_() for part in angles]
    exact = torch.autograd.grad(SIM.expectation(program, Angles(*own)).values.sum(), own)
    runner = CircuitRunner(SIM, program, 200, gradient)
    draws = [torch.autograd.grad(runner.run(Angles(*own), seed).sum(), own) for seed in range(400)]
    for k, truth in enumerate(exact):
        found = torch.stack([draw[k] for draw in draws])
        error = found.std(0) / 400**0.5
        bias = 0.02 if gradient == "spsa" else 0.0  # from its finite step
        assert ((found.mean(0) - truth).abs() <= 5 * error + bias).all()
        assert (found.std(0) > 0).all()


def test_straight_through_gives_the_sampled_value_and_the_exact_gradient() -> None:
    program = layered(2, 1, reupload=False, zz=False)
    angles = random_angles(program, 3, seed=4)
    own = [part.requires_grad_() for part in angles]
    runner = CircuitRunner(SIM, program, 10, "straight_through")
    z = runner.run(Angles(*own), 5)
    exact = SIM.expectation(program, Angles(*own)).values
    assert torch.allclose(z * 10, (z * 10).round(), atol=1e-9)  # tenths
    for one, other in zip(torch.autograd.grad(z.sum(), own), torch.autograd.grad(exact.sum(), own), strict=True):
        assert torch.equal(one, other)


def test_gradients_from_shots_repeat_with_the_same_seed_and_differ_with_another() -> None:
    program = one_qubit()
    angles = Angles(torch.zeros(64, 1, dtype=torch.float64), torch.zeros(0, dtype=torch.float64))
    runner = CircuitRunner(SIM, program, 20, "param_shift")
    one, again, other = (slopes(runner, angles, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("n", "depth", "reupload", "circuits"), [(1, 0, False, 3), (4, 2, False, 41), (4, 2, True, 2 * (4 * 3 + 16) + 1)]
)
def test_circuits_per_image_match_the_formula_of_each_gradient(
    n: int, depth: int, reupload: bool, circuits: int
) -> None:
    program = layered(n, depth, reupload, zz=False)
    assert CircuitRunner(SIM, program, 100, "param_shift").circuits_per_sample == circuits
    assert CircuitRunner(SIM, program, 100, "spsa").circuits_per_sample == 3
    assert CircuitRunner(SIM, program, None, "autograd").circuits_per_sample == 1
