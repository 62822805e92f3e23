"""Exported files of a torch module, read by other programs: the same logits and weights."""

import io
import json
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.models.common.exchange import safetensors
from neurobench.models.learner import Seeds, Task
from neurobench.models.torch_module.learner import exports as formats
from tests.specs import spec

TASK = Task("image", (1, 12, 12), 3)
ARGUMENTS = {"channels": [2, 3], "hidden": 4, "dropout": 0.5}
X = torch.from_numpy(np.random.default_rng(0).random((5, 1, 12, 12), np.float32))


@pytest.fixture(scope="module")
def network() -> Any:
    made = spec("model/cnn", arguments=ARGUMENTS)
    return made.build(TASK, Seeds(0, 1, 2, 3), {}, torch.device("cpu"))


def test_an_exported_torch_program_gives_the_same_logits_without_the_class(network: Any) -> None:
    assert set(formats(network)) == set(network.spec.formats)
    program = torch.export.load(io.BytesIO(formats(network)["pt2"]()))
    torch.testing.assert_close(program.module()(X), network.predict(X))


def test_an_exported_safetensors_file_contains_the_weights(network: Any) -> None:
    """Read by hand: eight bytes of length, a header in JSON, the numbers in little-endian order."""
    pytest.importorskip("safetensors", reason="the extra exchange is not installed")
    content = formats(network)["safetensors"]()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    state = network.net.state_dict()
    assert set(header) - {"__metadata__"} == set(state)
    for name, tensor in state.items():
        begin, end = header[name]["data_offsets"]
        read = np.frombuffer(content[8 + length + begin : 8 + length + end], "<f4").reshape(header[name]["shape"])
        assert (read == tensor.numpy()).all()


class Tied(torch.nn.Module):
    """Two layers that share their weights."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.first, self.second = torch.nn.Linear(shape[0], shape[0]), torch.nn.Linear(shape[0], shape[0])
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


def tied() -> Any:
    """The attributes of a learner that the exports use."""
    return SimpleNamespace(net=Tied((3,)), task=Task("vector", (3,), 3), spec=SimpleNamespace(module="tests.Tied"))


def test_tied_weights_are_written_twice() -> None:
    package = pytest.importorskip("safetensors.torch", reason="the extra exchange is not installed")
    read = package.load(formats(tied())["safetensors"]())
    assert torch.equal(read["first.weight"], read["second.weight"])


def test_a_state_with_something_besides_tensors_is_refused_by_name() -> None:
    """The extra state of a module (`get_extra_state`) can be anything."""
    with pytest.raises(UserError, match="net._extra_state is not a tensor, and safetensors files contain nothing else"):
        safetensors({"net.weight": torch.zeros(2), "net._extra_state": {"a": 1}})  # type: ignore[dict-item]


def test_an_operation_that_onnx_lacks_is_reported_with_another_format(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*program: Any, **options: Any) -> None:
        raise torch.onnx.OnnxExporterError("no operation for aten.linalg_matrix_exp")

    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra exchange is not installed")
    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(
        UserError, match=r"torch.onnx cannot trace model.module=tests.Tied: no operation .*safetensors can"
    ):
        formats(tied())["onnx"]()


def test_an_onnx_runtime_gives_the_same_logits(network: Any) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra exchange is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime, an independent reader, is not installed")
    session = runtime.InferenceSession(formats(network)["onnx"]())
    (logits,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    np.testing.assert_allclose(logits, network.predict(X).numpy(), rtol=1e-4, atol=1e-5)
