"""The schedule: learning rates of torch's schedulers, and phases that meet without a gap."""

import pytest
import torch

from neurobench.models.hxtorch.learner import learning_rate
from neurobench.models.hxtorch.spec import Phase, position
from neurobench.models.learner import Step
from tests.models.hxtorch.conftest import TUTORIAL

PHASES = {name: Phase(**fields) for name, fields in TUTORIAL.items()}


def phase(**changed: object) -> Phase:
    return Phase(**{**TUTORIAL["host"], **changed})  # type: ignore[arg-type]


def positions(phases: dict[str, Phase], n: int) -> list[tuple[str, int, int]]:
    return [tuple(position(phases, Step(k, n, 0))) for k in range(n)]  # type: ignore[misc]


def test_with_as_many_updates_as_steps_the_phases_are_exactly_the_tutorials() -> None:
    visited = positions(PHASES, 217)
    assert visited == [("host", j, 201) for j in range(201)] + [("loop", j, 16) for j in range(16)]


@pytest.mark.parametrize("n", [1, 2, 13, 100, 5000])
def test_other_numbers_of_updates_stretch_the_phases_in_proportion(n: int) -> None:
    visited = positions(PHASES, n)
    host = sum(name == "host" for name, _, _ in visited)
    assert host == round(n * 201 / 217)
    for name, length in (("host", host), ("loop", n - host)):
        assert [at for at in visited if at[0] == name] == [(name, j, length) for j in range(length)]


@pytest.mark.parametrize(
    ("schedule", "torchs"),
    [
        ("exponential", lambda adam: torch.optim.lr_scheduler.StepLR(adam, step_size=1, gamma=0.99)),
        ("cosine", lambda adam: torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=201)),
    ],
)
def test_rates_are_those_of_torchs_schedulers(schedule: str, torchs: object) -> None:
    adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torchs(adam)  # type: ignore[operator]
    mine = phase(schedule=schedule)
    for k in range(201):
        assert learning_rate(mine, position({"host": mine}, Step(k, 201, 0))) == pytest.approx(
            scheduler.get_last_lr()[0], rel=1e-9
        )
        adam.step()
        scheduler.step()


def test_the_last_update_of_the_host_phase_has_the_tutorials_final_rate() -> None:
    last = position(PHASES, Step(200, 217, 0))
    assert last.ends_phase
    assert learning_rate(PHASES["host"], last) == pytest.approx(0.134, abs=5e-4)


def test_a_stretched_schedule_spans_the_same_rates() -> None:
    short = positions(PHASES, 2170)
    assert learning_rate(PHASES["host"], position(PHASES, Step(2009, 2170, 0))) == pytest.approx(0.99**200.9, rel=1e-6)
    assert short[2009][:2] == ("host", 2009)
