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
    """Raises UserError also where onnx or onnxscript is not installed."""
    for package in ("onnx", "onnxscript"):
        _extra(package)
    program: Any = torch.onnx.export(_program(learner), dynamo=True, verbose=False)
    return program.model_proto.SerializeToString()


def safetensors(learner: TorchModuleLearner) -> bytes:
    state = {name: each.detach().cpu().contiguous() for name, each in learner.net.state_dict().items()}
    return _extra("safetensors.torch").save(state)


def _program(learner: TorchModuleLearner) -> Any:
    """The module in evaluation; x (B, *shape) -> logits (B, classes), B free."""
    net, x = learner.net.cpu().eval(), torch.zeros(2, *learner.task.shape)
    try:
        return torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # whatever somebody else's code raises
        module = learner.spec.module
        raise UserError(
            f"torch.export cannot follow model.module={module}: {error!s:.300}. safetensors can."
        ) from error


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as fault:
        package = name.partition(".")[0]
        raise UserError(f"this needs the package {package}: in a checkout, pip install -e '.[exchange]'") from fault
