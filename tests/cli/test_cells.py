"""Tests of every model on every kind of data on the mock hardware, from the command to the output of `show`."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from neurobench.metrics.catalog import printed
from tests.cli.conftest import Neurobench

FEW = ("scale=smoke", "scale.train=40", "scale.test=20")  # a moment each
MODELS = ("qrbm", "hxtorch_mlp", "slayer_snn", "eprop_rsnn", "hybrid_qcnn", "eventprop_snn")
CELLS = [*product(MODELS, ("mnist", "nmnist", "yin_yang"), ["mock"]), ("qrbm", "mnist", "mock_qpu")]


@pytest.mark.parametrize(("model", "dataset", "backend"), CELLS)
def test_every_model_runs_on_every_data_set_on_mock_hardware_and_is_shown(
    model: str, dataset: str, backend: str, neurobench: Neurobench, tmp_path: Path
) -> None:
    small = ["model.downsample=4", "model.n_hidden=8"] if backend == "mock_qpu" else []  # its chip has no room for more
    done = neurobench("run", f"model={model}", f"dataset={dataset}", f"backend={backend}", *FEW, *small)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs").glob("*/*")
    with np.load(folder / "predictions.npz") as file:
        accuracy = (file["predicted"] == file["target"]).mean()
    assert json.loads((folder / "result.json").read_text())["metrics"]["test_accuracy"] == accuracy
    shown = neurobench("show", "latest")
    assert shown.returncode == 0, shown.stderr
    for text in (done.stdout, shown.stdout):
        assert printed("test_accuracy", accuracy) in text
