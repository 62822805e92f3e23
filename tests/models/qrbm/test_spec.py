"""Each bad value is refused with a reason."""

import warnings
from typing import Any

import pytest

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.experiment.plan import faults_of
from tests.specs import spec


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"n_hidden": 0}, "n_hidden=0 is not at least 1"),
        ({"pixels": "colour"}, "pixels='colour' is not one of binary, grey"),
        ({"threshold": 1.0}, "threshold=1.0 is not in [0, 1)"),
        ({"lr": 0.0}, "lr=0.0 is not above 0"),
        ({"lr": float("nan")}, "lr=nan is not above 0"),
        ({"lr_schedule": "cosine"}, "lr_schedule='cosine' is not one of linear, constant"),
        ({"momentum": 1.0}, "momentum=1.0 is not in [0, 1)"),
        ({"momentum": -0.1}, "momentum=-0.1 is not in [0, 1)"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0 is not at least 0"),
        ({"negative": "positive"}, "negative='positive' is not one of cd, pcd, device, random"),
        ({"downsample": 0}, "downsample=0 is not an integer at least 1 or null"),
        ({"features": "all"}, "features='all' is not one of probability, both"),
        ({"init_from": 3}, "init_from=3 is not a string or null"),
        ({"gibbs_steps": 0}, "gibbs_steps=0 is not at least 1"),
        ({"chains": 0}, "chains=0 is not at least 1"),
        ({"device_every": 0}, "device_every=0 is not at least 1"),
        ({"init_sd": -0.01}, "init_sd=-0.01 is not at least 0"),
        ({"l2": -1e-4}, "l2=-0.0001 is not at least 0"),
        ({"l2_candidates": [1e-4, -1.0]}, "l2_candidates="),
        ({"l2_candidates": []}, "l2_candidates=[] is empty"),
        ({"readout_iterations": 0}, "readout_iterations=0 is not at least 1"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(bad: dict[str, Any], sentence: str):
    with pytest.raises(BoundsError) as error:
        spec("model/qrbm", **bad)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"decay_factor": 0.99}, "decay_factor=0.99 is not at least 1"),
        ({"num_reads": 0}, "num_reads=0 is not at least 1"),
        ({"steps_per_epoch": 0}, "steps_per_epoch=0 is not at least 1"),
        ({"momentum": 1}, "momentum=1 is not in [0, 1)"),
    ],
)
def test_a_bad_value_of_the_tutorials_qrbm_is_refused_with_its_reason(bad: dict[str, Any], sentence: str):
    with pytest.raises(BoundsError) as error:
        spec("experiment/dynex_qrbm", "model", **bad)
    assert sentence in str(error.value)


def test_all_faults_of_a_spec_are_reported_at_once():
    with pytest.raises(BoundsError) as error:
        spec("model/qrbm", n_hidden=0, lr=-1.0, chains=0)
    assert [field for field, _ in error.value.faults] == ["n_hidden", "lr", "chains"]


def test_an_effective_rate_above_one_is_warned_of():
    with pytest.warns(UserWarning, match="effective rate of 4"):
        spec("model/qrbm", lr=0.2, momentum=0.95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec("model/qrbm", lr=0.1, momentum=0.9)


def test_an_rbm_too_big_for_the_chip_is_refused_and_both_suggested_remedies_work():
    with composer() as compose:
        asked = ["model=qrbm", "backend=mock_qpu"]
        (fault,) = faults_of(compose(asked))
        assert "784x300 units do not fit" in fault
        for number in ("235,200", "40,279", "156x156"):
            assert number in fault
        for way_out in (["backend.sampler.too_big=block"], ["model.downsample=13", "model.n_hidden=100"]):
            assert all(word in fault for word in way_out)
            assert faults_of(compose([*asked, *way_out])) == []
