"""Exports of a conventional network to other programs. Sources: torch.export, torch.onnx, safetensors.

All are in evaluation mode and float32, for batches of any size. torch is imported only when a file is made, since
specs import FORMATS.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from neurobench.config.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = {
    "pt2": "the network as torch.export writes it; runs without its class",
    "onnx": "the same for ONNX runtimes",
    "safetensors": "the weights alone, by their names",
}


class Network(NamedTuple):
    """Network to export. `compute`: samples (B, *shape) -> (B, O), a module or a function whose tensors become
    constants of the file; `name`: for the message if it cannot be traced."""

    name: str
    compute: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]
    weights: Callable[[], Mapping[str, Tensor]]

    def formats(self) -> Mapping[str, Callable[[], bytes]]:
        return {"pt2": self.pt2, "onnx": self.onnx, "safetensors": lambda: safetensors(self.weights())}

    def pt2(self) -> bytes:
        """The network as a torch.export file. Raises UserError if torch.export cannot trace the code."""
        import torch

        memory = io.BytesIO()
        program = self._program()
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # on parts of a tensor, which are correct
            torch.export.save(program, memory)
        return memory.getvalue()

    def onnx(self) -> bytes:
        """The network as an ONNX file. Raises UserError also if ONNX lacks an operation, or onnx or onnxscript is not
        installed."""
        import torch

        for package in ("onnx", "onnxscript"):
            _extra(package)
        followed = self._program()
        try:
            program: Any = torch.onnx.export(followed, dynamo=True, verbose=False)
            return program.model_proto.SerializeToString()
        except Exception as error:  # an operation that ONNX lacks, among others
            raise self._beyond("torch.onnx", error) from error

    def _program(self) -> Any:
        """Traced network, x (B, *shape) -> (B, O), for any B."""
        import torch

        net = self.compute.cpu().eval() if isinstance(self.compute, torch.nn.Module) else _module(self.compute)
        x = torch.zeros(2, *self.shape)
        try:
            return torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        except Exception as error:  # third-party code may raise anything
            raise self._beyond("torch.export", error) from error

    def _beyond(self, what: str, error: Exception) -> UserError:
        return UserError(f"{what} cannot trace {self.name}: {error!s:.300}. safetensors can.")


def safetensors(weights: Mapping[str, Tensor]) -> bytes:
    """Weights as a safetensors file; tied weights, which share memory, are copied, since the format cannot express
    that. Raises UserError if safetensors is not installed, or if one of them is no tensor."""
    import torch

    if others := [name for name, each in weights.items() if not isinstance(each, torch.Tensor)]:
        raise UserError(f"{', '.join(others)} is not a tensor, and safetensors files contain nothing else")
    state = {name: each.detach().cpu() for name, each in weights.items()}
    copies = {name: each.clone(memory_format=torch.contiguous_format) for name, each in state.items()}
    return _extra("safetensors.torch").save(copies)


def _module(compute: Callable[[Tensor], Tensor]) -> Any:
    """Wrap a function in a module, since torch.export takes modules alone."""
    import torch

    class Computed(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return compute(x)

    return Computed().eval()


def _extra(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as fault:
        package = name.partition(".")[0]
        raise UserError(f"this needs the package {package}: in a checkout, pip install -e '.[exchange]'") from fault
