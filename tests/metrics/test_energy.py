"""Energy: published joules times counts, checked by hand; no figure if none is published."""

import pytest
import torch

from neurobench.config.compose import composer
from neurobench.devices.core.specs import Loihi2
from neurobench.devices.learning_core.specs import ReckOn
from neurobench.devices.sampler.specs import AnnealingQPU
from neurobench.experiment.build import energies
from neurobench.experiment.plan import parse
from neurobench.metrics.costs import SIMULATED, Energy, energy_sources, joules_of_sample, with_joules
from neurobench.metrics.operations import Operations, Population, linear

# 2 samples of 5 steps, 3 inputs -> 2 neurons: 4 spikes meet two weights each, and one layer of graded inputs.
X = torch.zeros(10, 3)
X[:4, 0] = 1
TOLD = Operations(
    samples=2,
    steps=10,
    connections=[linear("in", torch.ones(2, 3), X, spikes=True), linear("graded", torch.ones(2, 3), X, spikes=False)],
    populations=[Population("hidden", 1, 20, 7), Population("readout", 0, 0, 3), Population("relu", 2, 8)],
    parameters={},
)


def test_the_energy_of_a_prediction_on_loihi_2_matches_a_hand_computation() -> None:
    """8 accumulations, 7 + 3 updates and 13 steps of a neuron at rest, for two samples."""
    joules = joules_of_sample({"core": Loihi2.energy}, [TOLD])
    assert joules == pytest.approx((8 * 23.6e-12 + 10 * 81e-12 + 13 * 52e-12) / 2, rel=1e-12)


def test_the_energy_of_a_prediction_on_reckon_matches_a_hand_computation_for_any_batches() -> None:
    assert joules_of_sample({"learning_core": ReckOn.energy}, [TOLD]) == pytest.approx(8 * 5.3e-12 / 2, rel=1e-12)
    assert joules_of_sample({"learning_core": ReckOn.energy}, [TOLD, TOLD]) == pytest.approx(8 * 5.3e-12 / 2, rel=1e-12)
    assert joules_of_sample({"core": Energy("updates alone", update=1e-12)}, [TOLD]) == pytest.approx(10e-12 / 2)


def test_a_systems_power_gives_the_joules_of_a_run_but_not_of_a_sample() -> None:
    """0.2 s at 25 kW."""
    told = {"sampler": {"calls": 3.0, "device_seconds": 0.2}}
    priced = with_joules({"sampler": AnnealingQPU.energy}, told)
    assert priced["sampler"] == {"calls": 3.0, "device_seconds": 0.2, "device_joules": pytest.approx(5000.0)}
    assert "device_joules" not in told["sampler"]
    reason = joules_of_sample({"sampler": AnnealingQPU.energy}, [TOLD])
    assert isinstance(reason, str)
    assert "device_costs" in reason
    assert with_joules({"sampler": Energy("per spike alone", accumulation=1.0)}, told) == told


def test_a_device_without_published_energy_has_a_reason_instead_of_a_figure() -> None:
    assert joules_of_sample({"mac": "nobody says"}, [TOLD]) == "nobody says"
    assert joules_of_sample({}, [TOLD]) == "this model uses no device"
    assert energy_sources({"mac": "nobody says", "core": Loihi2.energy}).keys() == {"core"}


@pytest.mark.parametrize("backend", ["sim", "mock", "mock_qpu"])
def test_every_device_of_a_backend_states_its_energy_with_a_source_or_a_reason_for_none(backend: str) -> None:
    with composer() as compose:
        for model in ("qrbm", "hxtorch_mlp", "slayer_snn", "hybrid_qcnn", "eprop_rsnn"):
            config = compose([f"model={model}", f"backend={backend}", "scale=smoke"])
            if len(config.backend) < 4 and model != "qrbm":  # mock_qpu offers only a sampler
                continue
            if backend == "mock_qpu":
                config.model.downsample, config.model.n_hidden = 13, 100  # as many units as fit
            ((name, told),) = energies(parse(config)).items()
            if backend == "sim":
                assert told == SIMULATED
            elif isinstance(told, Energy):
                assert len(told.source) > 40
                assert max(told.accumulation, told.power) > 0
            else:
                assert "published" in told, name


def test_a_model_without_a_device_has_no_energy() -> None:
    with composer() as compose:
        assert energies(parse(compose(["model=pixels_lr"]))) == {}
