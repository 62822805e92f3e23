"""Errors in the configuration of a sampler are reported before any data is read."""

from collections.abc import Iterator

import pytest

from neurobench.config.compose import Composer, composer
from neurobench.experiment.plan import faults_of


@pytest.fixture(scope="module")
def compose() -> Iterator[Composer]:
    with composer() as compose_:
        yield compose_


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["backend=sim", "backend.sampler.sweeps=0"], "backend.sampler.sweeps=0 is not at least 1"),
        (["backend=sim", "backend.sampler.beta=0"], "backend.sampler.beta=0 is not above 0"),
        (["backend=sim_annealer", "backend.sampler.beta_start=9"], "beta_start=9 is not below beta_end=5"),
        (["backend=sim_neal", "backend.sampler.parameters.num_sweeps=0"], "parameters.num_sweeps=0 is not at least 1"),
        (["backend=sim_neal", "backend.sampler.sampler=dwave.samplers.Tabu"], "dwave.samplers.Tabu is not allowed"),
        (["backend=sim_neal", "+backend.sampler.parameters.seed=1"], "it follows from the seed of the run"),
        (["backend=sim_tabu", "backend.sampler.parameters.timeout=0"], "timeout=0 is not above 0 (in milliseconds)"),
        (["backend=mock", "backend.sampler.clones=200"], "backend.sampler.clones=200 is not in [1, 128]"),
        (["backend=mock_qpu", "backend.sampler.readout=0.6"], "backend.sampler.readout=0.6 is not in [0, 0.5]"),
        (["backend=mock_qpu", "backend.sampler.sigma_j=-0.1"], "backend.sampler.sigma_j=-0.1 is not in [0, 1]"),
        (["backend=mock_qpu", "backend.sampler.h_range=[4,-4]"], "h_range=[4, -4] is not [lowest, highest]"),
        (["backend=mock_qpu", "+backend.sampler.noise=1"], "backend.sampler has no key noise"),
    ],
)
def test_an_invalid_value_is_reported_once_with_a_specific_message(
    compose: Composer, words: list[str], sentence: str
) -> None:
    faults = faults_of(compose(["model=qrbm", *words]))
    assert len(faults) == 1
    assert sentence in faults[0]


def test_a_model_too_big_for_the_chip_is_refused_with_the_numbers_and_working_remedies(compose: Composer) -> None:
    words = ["model=qrbm", "backend=mock_qpu"]
    (fault,) = faults_of(compose(words))
    assert fault.startswith("model=qrbm, backend=mock_qpu: 784x300 units do not fit on Advantage_system4")
    assert "235,200 couplers are needed, 40,279 are present" in fault
    assert "what fits is at most 156x156 units, or no layer of 784 units" in fault
    assert faults_of(compose([*words, "backend.sampler.too_big=block"])) == []
    assert "model.downsample=13 model.n_hidden=100" in fault
    assert faults_of(compose([*words, "model.downsample=13", "model.n_hidden=100"])) == []
    (fault,) = faults_of(compose([*words, "model.downsample=13", "model.n_hidden=128"]))
    assert "beside 169 units of one layer 103 of the other" in fault
    perfect = ["backend.sampler.faults=none", "model.downsample=13", "model.n_hidden=128"]
    assert faults_of(compose([*words, *perfect])) == []
    assert faults_of(compose(["model=qrbm", "backend=mock"])) == [], "no problem is too big for the other device"


def test_downsampling_to_more_pixels_than_an_image_has_is_reported(compose: Composer) -> None:
    (fault,) = faults_of(compose(["model=qrbm", "backend=mock_qpu", "model.downsample=40"]))
    assert "model.downsample=40 is more than the 28 pixels" in fault
