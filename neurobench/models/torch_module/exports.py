"""A trained module for programs that know nothing of this one. Sources: torch.export, torch.onnx, safetensors.

pt2: the whole module as torch.export writes it; torch.export.load runs it without its class. onnx: the same for ONNX
runtimes. safetensors: the weights alone, under the names of the module's own state. All in evaluation, float32; batches
of any size.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch

from neurobench.config.errors import UserError
from neurobench.models.torch_module.learner import TorchModuleLearner


def formats(learner: TorchModuleLearner) -> Mapping[str, Callable[[], bytes]]:
    return {"pt2": lambda: pt2(learner), "onnx": lambda: onnx(learner), "safetensors": lambda: safetensors(learner)}


def pt2(learner: TorchModuleLearner) -> bytes:
    """Raises UserError where torch.export cannot follow the module's code."""
    memory = io.BytesIO()
    torch.export.save(_program(learner), memory)
    return memory.getvalue()


def onnx(learner: TorchModuleLearner) -> bytes:
    """Raises UserError also where ONNX has no such operation, or onnx or onnxscript is not installed."""
    for package in ("onnx", "onnxscript"):
        _extra(package)
    followed = _program(learner)
    try:
        program: Any = torch.onnx.export(followed, dynamo=True, verbose=False)
        return program.model_proto.SerializeToString()
    except Exception as error:  # an operation that ONNX has no word for, among others
        raise _beyond("torch.onnx", learner, error) from error


def safetensors(learner: TorchModuleLearner) -> bytes:
    """A copy each of tied weights, which share their memory: the format has no word for that."""
    state = {name: each.detach().cpu() for name, each in learner.net.state_dict().items()}
    copies = {name: each.clone(memory_format=torch.contiguous_format) for name, each in state.items()}
    return _extra("safetensors.torch").save(copies)


def _program(learner: TorchModuleLearner) -> Any:
    """The module in evaluation; x (B, *shape) -> logits (B, classes), B free."""
    net, x = learner.net.cpu().eval(), torch.zeros(2, *learner.task.shape)
    try:
        return torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # whatever somebody else's code raises
        raise _beyond("torch.export", learner, error) from error


def _beyond(what: str, learner: TorchModuleLearner, error: Exception) -> UserError:
    module = learner.spec.module
    return UserError(f"{what} cannot follow model.module={module}: {error!s:.300}. safetensors can.")


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as fault:
        package = name.partition(".")[0]
        raise UserError(f"this needs the package {package}: in a checkout, pip install -e '.[exchange]'") from fault
