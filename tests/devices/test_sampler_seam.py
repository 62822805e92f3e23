"""Invalid answers of another package's sampler are refused with its name before a gradient is computed from them."""

import re
from typing import Any, ClassVar

import dimod
import numpy as np
import pytest
import torch

from neurobench.config import targets
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices.sampler.sampleset import checked_states, spread
from neurobench.devices.sampler.specs import DimodSampler
from neurobench.problems.rbm import RBM

CPU = torch.device("cpu")
MODE: list[str] = []  # how the stand-in answers


class StandIn(dimod.Sampler):
    """Sampler that returns the lowest states of a model, altered as MODE says."""

    properties: ClassVar[dict] = {}
    parameters: ClassVar[dict] = {"num_reads": [], "seed": []}

    def sample(self, bqm: dimod.BinaryQuadraticModel, num_reads: int = 1, seed: int = 0) -> Any:
        mode = MODE[-1]
        if mode == "spins":
            return dimod.ExactSolver().sample(bqm.change_vartype("SPIN", inplace=False)).truncate(num_reads)
        answer = dimod.ExactSolver().sample(bqm).truncate(num_reads)
        rows, energy, times = answer.record.sample.copy(), answer.record.energy.copy(), answer.record.num_occurrences
        order = list(answer.variables)
        if mode == "no rows":
            rows, energy, times = rows[:0], energy[:0], times[:0]
        elif mode == "aggregated":
            rows, energy, times = rows[:1], energy[:1], np.array([num_reads])
        elif mode == "fewer variables":
            rows, order = rows[:, :-1], order[:-1]
        elif mode == "other variables":
            order = [f"q{name}" for name in order]
        elif mode == "values":
            rows[0, 0] = 3
        elif mode == "energy":
            energy = energy + 0.5
        elif mode == "infinite":
            energy[0] = -np.inf
        elif mode == "a table":
            return rows
        elif mode == "too many rows":
            rows, energy, times = (np.repeat(part, 4, axis=0) for part in (rows, energy, times))
        return dimod.SampleSet.from_samples((rows, order), answer.vartype, energy, num_occurrences=times)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(targets, "ALLOWED", (__name__,))
    return DimodSampler(sampler=f"{__name__}.StandIn", options={}, parameters={}, composites=()).open(0, CPU)


@pytest.fixture(scope="module")
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(4, 3), (4,), (3,)]))


@pytest.mark.parametrize(
    ("mode", "fault"),
    [
        ("no rows", "without any sample"),
        ("fewer variables", r"without 1 of 7 variables \(first: 6\)"),
        ("other variables", "without 7 of 7 variables"),
        ("values", "with values 0, 1, 3, where only 0 and 1 are allowed"),
        ("energy", r"with the energy .* for a sample whose energy is"),
        ("infinite", "with an energy that is not a finite number"),
        ("a table", "with a ndarray, not with a dimod.SampleSet"),
    ],
)
def test_each_kind_of_invalid_answer_is_refused_with_its_own_message(
    device: Any, rbm: RBM, mode: str, fault: str
) -> None:
    MODE.append(mode)
    with pytest.raises(UserError, match=rf"{re.escape(__name__)}\.StandIn answered {fault}"):
        device.sample_rbm(rbm, 5, seed=1)


@pytest.mark.parametrize("mode", ["spins", "sorted", "aggregated", "too many rows"])
def test_valid_answers_in_other_forms_are_converted(device: Any, rbm: RBM, mode: str) -> None:
    MODE.append("sorted")
    expected = device.sample_rbm(rbm, 5, seed=1)
    MODE.append(mode)
    reads = device.sample_rbm(rbm, 5, seed=1)
    if mode == "aggregated":
        assert torch.equal(reads.v, expected.v[:1].expand(5, -1)), "the one row, as often as it occurred"
    else:
        assert torch.equal(reads.v, expected.v)
        assert torch.equal(reads.h, expected.h)


def test_surplus_rows_are_thinned_evenly_and_missing_ones_filled_by_repetition() -> None:
    rows = np.arange(10)[:, None]
    assert spread(rows, 5).ravel().tolist() == [0, 2, 4, 6, 8]
    assert spread(rows[:3], 7).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_energies_are_compared_in_the_vartype_of_the_problem(vartype: str) -> None:
    problem = dimod.BinaryQuadraticModel({0: 0.3, 1: -1.0}, {(0, 1): 0.7}, 2.0, vartype)
    answer = dimod.ExactSolver().sample(problem)
    assert len(checked_states(answer, 2, "x", problem)) == 4
    with pytest.raises(UserError, match="x answered with the energy"):
        checked_states(answer, 2, "x", problem * 1.1)


@pytest.mark.parametrize("name", ["token", "API_KEY", "password", "client_secret"])
def test_a_credential_is_refused_as_an_option_and_not_repeated_in_the_message(name: str) -> None:
    with pytest.raises(BoundsError, match=rf"options.{name} would be stored with every run") as refusal:
        DimodSampler(
            sampler="dwave.samplers.TabuSampler", options={name: "DEV-0123456789abcdef"}, parameters={}, composites=()
        )
    assert "0123456789abcdef" not in str(refusal.value)
