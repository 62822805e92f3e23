"""Exported conventional networks, and conventional parts of hybrid ones: other programs compute the same from them."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurobench.config.targets import load
from neurobench.data.dataset import Split
from neurobench.models.learner import Seeds, Task, TrainingRecord
from neurobench.models.qcnn import network
from tests.specs import spec

TASK = Task("image", (1, 16, 16), 3)
RANDOM = np.random.default_rng(0)
X = torch.from_numpy(RANDOM.random((60, 1, 16, 16), np.float32))
SPLIT = Split(X, torch.arange(60) % 3, torch.arange(60))
CPU = torch.device("cpu")


def built(name: str, **changed: Any) -> Any:
    made = spec(f"model/{name}", **changed).build(TASK, Seeds(0, 1, 2, 3), {"sampler": None, "circuit": None}, CPU)
    made.finalize(SPLIT, SPLIT, TrainingRecord())
    return made


NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[Any], Tensor]]] = {
    "mlp": (lambda: built("mlp", hidden=5), lambda it: it.predict(X)),
    "qrbm": (lambda: built("qrbm", n_hidden=7, downsample=6), lambda it: it.predict(X)),
    "qrbm, both": (lambda: built("qrbm", n_hidden=7, features="both"), lambda it: it.predict(X)),
    "pixels_lr": (lambda: built("pixels_lr"), lambda it: it.predict(X)),
    "random_features": (lambda: built("random_features", n_hidden=9), lambda it: it.predict(X)),
    "sklearn_rbm": (lambda: built("sklearn_rbm", n_hidden=7), lambda it: it.predict(X)),
    "hybrid_qcnn, tanh": (lambda: built("hybrid_qcnn", head="tanh", n_qubits=3), lambda it: it.predict(X)),
}


def files(learner: Any) -> Mapping[str, Callable[[], bytes]]:
    return load(learner.spec.exports)(learner)


@pytest.mark.filterwarnings("error:No complete tensor")
@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_torch_program_computes_the_learners_scores(name: str) -> None:
    make, scores = NETWORKS[name]
    learner = make()
    program = torch.export.load(io.BytesIO(files(learner)["pt2"]()))
    torch.testing.assert_close(program.module()(X), scores(learner), rtol=1e-4, atol=1e-4)


def test_the_exported_part_before_a_circuit_computes_the_z_of_which_its_angles_are_made(monkeypatch: Any) -> None:
    from tests.models.qcnn.conftest import learner

    made = learner(head="linear", n_qubits=2, depth=1)
    x = torch.rand(4, *made.task.shape, generator=torch.Generator().manual_seed(0))
    program = torch.export.load(io.BytesIO(files(made)["pt2"]()))
    torch.testing.assert_close(program.module()(x), network.trunk(made.main.named(), x).z)


def test_an_onnx_runtime_computes_the_learners_scores() -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra exchange is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime, an independent reader, is not installed")
    for name in ("mlp", "qrbm", "hybrid_qcnn, tanh"):
        make, scores = NETWORKS[name]
        learner = make()
        session = runtime.InferenceSession(files(learner)["onnx"]())
        (read,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
        np.testing.assert_allclose(read, scores(learner).numpy(), rtol=1e-3, atol=1e-4)


def test_safetensors_files_contain_the_weights_under_their_names() -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="the extra exchange is not installed")
    learner = NETWORKS["qrbm"][0]()
    read = safetensors.load(files(learner)["safetensors"]())
    assert set(read) == {"rbm.W", "rbm.a", "rbm.b", *(f"readout.{part}" for part in learner.fitted._fields)}
    assert torch.equal(read["rbm.W"], learner.rbm.W)
    assert torch.equal(read["readout.weight"], learner.fitted.weight)
