"""Promises of `datasets` and `encoders`: the data that a run sees, without a run."""

from pathlib import Path

import numpy as np
import pytest
import torch

import neurobench as nb
from neurobench.config.compose import choices
from neurobench.data.encode import latency
from neurobench.data.encoders import LATENCY
from tests.specs import CONF


def test_a_loaded_data_set_has_the_splits_of_a_run_with_the_same_seed(here: Path) -> None:
    run = nb.run("model=toy", "dataset=yin_yang", seed=3, progress=False)
    loaded = nb.datasets.load("yin_yang", seed=3)
    for name in ("train", "validation", "test"):
        assert torch.equal(getattr(loaded, name).x, getattr(run.data(), name).x)
    assert len(nb.datasets.load("yin_yang", train=50, validation=10).train) == 50
    assert {"mnist", "nmnist", "yin_yang"} <= set(nb.datasets.names())


def test_faulty_settings_of_data_sets_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(nb.ConfigError, match="there is no such dataset; .* Did you mean mnist"):
        nb.datasets.load("mnst")
    with pytest.raises(nb.ConfigError, match="dataset.trian: dataset has no key trian. Did you mean dataset.train"):
        nb.datasets.load("yin_yang", trian=3)
    with pytest.raises(nb.ConfigError, match="dataset.train=0 is not at least 1"):
        nb.datasets.load("yin_yang", train=0)
    with pytest.raises(nb.DataError):
        nb.datasets.load("nmnist", root=tmp_path / "nothing")


def test_every_shipped_encoder_is_a_function_of_the_encoders_module() -> None:
    assert set(choices("encoder")) - {"auto"} <= set(vars(nb.encoders))


def test_encoders_have_the_defaults_of_their_yaml_and_take_arrays() -> None:
    x = np.random.default_rng(0).random((5, 4), np.float32)
    made, expected = nb.encoders.latency(x), latency(LATENCY, torch.from_numpy(x), torch.arange(5))
    for field in ("t", "x", "y", "p", "start"):
        assert torch.equal(getattr(made, field), getattr(expected, field))
    assert nb.encoders.latency(x, cells=3).sensor == (1, 4, 3)
    assert nb.encoders.counts(made, bins=2).shape == (5, 2, 4, 16)
    assert nb.encoders.raster(x, side=8).shape == (5, 1, 8, 8)
    assert nb.encoders.square(x, side=8).shape == (5, 1, 8, 8)
    assert nb.encoders.flat(np.zeros((2, 3, 3))).shape == (2, 9)
    assert len(nb.encoders.rate(x, duration=10)) == 5


def test_a_custom_encoder_is_found_in_its_config_dir(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    text = (CONF / "encoder/latency.yaml").read_text().replace("name: latency", "name: late")
    (tmp_path / "encoder" / "late.yaml").write_text(text)
    x = np.random.default_rng(0).random((5, 4), np.float32)
    made = nb.encoders.encode("late", x, config_dir=tmp_path, cells=3)
    assert torch.equal(made.t, nb.encoders.latency(x, cells=3).t)
    with pytest.raises(nb.ConfigError, match="encoder=late: there is no such encoder"):
        nb.encoders.encode("late", x)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: nb.encoders.latency(np.zeros((2, 4)), windw=3), "Did you mean encoder.window"),
        (lambda: nb.encoders.latency(np.zeros((2, 4)), window=-3), "encoder.window=-3 is not"),
        (lambda: nb.encoders.latency(np.full((2, 4), 2.0)), r"samples are numbers in \[0, 1\]"),
        (lambda: nb.encoders.latency(np.full((2, 4), np.nan)), r"samples are numbers in \[0, 1\]"),
        (lambda: nb.encoders.latency([["a"]]), "samples are an array of numbers"),
        (lambda: nb.encoders.latency(np.zeros(4)), r"not \(4,\)"),
        (lambda: nb.encoders.counts(np.zeros((2, 4))), "Counts reads events, not vector"),
        (lambda: nb.encoders.camera(np.zeros((2, 8, 8))), r"the camera is fitted to images of \(1, 28, 28\)"),
        (lambda: nb.encoders.encode("auto", np.zeros((2, 4))), "depends on the model"),
    ],
)  # fmt: skip
def test_encoders_refuse_unsuitable_samples_and_settings(call, sentence: str) -> None:
    with pytest.raises(nb.UserError, match=sentence):
        call()
