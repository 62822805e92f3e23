"""A fake CUDA device, for tests without a GPU: its tensors say that they are on cuda:0, and compute on the CPU.

As on a GPU, an operation that mixes devices, `numpy()` of such a tensor and a generator of the other device are errors.
To torch's own code they are on the device `meta`, since autograd starts a thread for each device of CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

_FORK, _NORMAL = torch.random.fork_rng, torch.Tensor.normal_
META = torch.device("meta")
DRAWS = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "binomial", "multinomial")
MADE = ("tensor", "empty", "zeros", "ones", "full", "eye", "arange", "linspace")


class OnCuda(torch.Tensor):
    """A tensor on the fake device; `numbers` holds its values on the CPU."""

    numbers: torch.Tensor
    device = property(lambda self: torch.device("cuda", 0))  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, numbers: torch.Tensor) -> OnCuda:
        layout = {"strides": numbers.stride(), "storage_offset": numbers.storage_offset(), "dtype": numbers.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, numbers.shape, **layout, device=META)  # type: ignore[attr-defined]
        made.numbers = numbers.detach()
        return made

    def __deepcopy__(self, memo: Any) -> OnCuda:
        return OnCuda(self.numbers.clone())

    @classmethod
    def __torch_dispatch__(cls, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operator, args, kwargs or {})


class Generator:
    """torch.Generator of either device."""

    real = torch.Generator

    def __init__(self, device: Any = "cpu"):
        self.device, self.generator = torch.device(device), Generator.real()

    def manual_seed(self, seed: int) -> Generator:
        self.generator.manual_seed(seed)
        return self


class _Operators(TorchDispatchMode):
    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operator, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """What torch computes before it dispatches: devices by name, transfers, values as Python's or NumPy's."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(function, "__name__", "")
        first = args[0] if args else None
        if name == "device":
            return function(*args, **kwargs)
        if isinstance(first, OnCuda):
            if name in ("numpy", "__array__"):
                raise TypeError("can't convert cuda:0 device type tensor to numpy")
            if name == "tolist":
                return first.detach().numbers.tolist()
            if name == "new_tensor":
                return OnCuda(torch.tensor(args[1], dtype=kwargs.get("dtype", first.dtype)))
        if name == "as_tensor" and _is_cuda(kwargs.get("device")):
            made = function(*args, **{**kwargs, "device": None})
            return made if isinstance(made, OnCuda) else OnCuda(made)
        args, kwargs = tree_map(lambda value: META if _is_cuda(value) else value, (args, kwargs))
        return function(*args, **kwargs)


def _is_cuda(value: Any) -> bool:
    return isinstance(value, str | torch.device) and str(value).startswith("cuda")


def _numbers(value: Any) -> Any:
    return value.numbers if isinstance(value, OnCuda) else value


def _placed(value: Any) -> Any:
    return OnCuda(value) if isinstance(value, torch.Tensor) and not isinstance(value, OnCuda) else value


def _run(operator: Any, args: Any, kwargs: Any) -> Any:
    """Compute an operator on the CPU; its results are on the device of the arguments, or on the one named."""
    device, name = kwargs.get("device"), operator._schema.name
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    on_cuda = any(isinstance(each, OnCuda) for each in tensors)
    inner, options = tree_map(_numbers, (args, kwargs))
    if device is not None:
        options["device"] = torch.device("cpu")
    if name in ("aten::copy_", "aten::_local_scalar_dense"):
        values = operator(*inner, **options)
        return args[0] if name == "aten::copy_" else values
    if device is not None:
        values = operator(*inner, **options)
        return values if torch.device(device).type == "cpu" else tree_map(_placed, values)
    if not on_cuda or name == "aten::_to_copy":
        return tree_map(_placed, operator(*inner, **options)) if on_cuda else operator(*inner, **options)
    by_index = isinstance(args[0], OnCuda) and "index" in name and name not in ("aten::index_select", "aten::index_add")
    mixed = [each for each in tensors if not isinstance(each, OnCuda) and each.dim()]
    if mixed and not by_index:  # CUDA takes indices from the CPU, and scalars
        raise RuntimeError(f"{name}: a tensor {tuple(mixed[0].shape)} of the CPU meets one of cuda:0")
    values = tree_map(_placed, operator(*inner, **options))
    aliased = operator._schema.is_mutable or any(each.alias_info for each in operator._schema.returns)
    return return_and_correct_aliasing(operator, args, kwargs, values) if aliased else values


def _drawn(real: Any) -> Callable[..., Any]:
    """A function that draws random numbers, with a `Generator`."""

    def draw(*args: Any, generator: Generator | None = None, device: Any = None, **kwargs: Any) -> Any:
        where = next((each.device for each in args if isinstance(each, torch.Tensor)), torch.device(device or "cpu"))
        options = {} if generator is None else {"generator": generator.generator}
        if generator is not None and generator.device.type != where.type:
            raise RuntimeError(f"expected a generator of {where}, not of {generator.device}")
        values = real(*map(_numbers, args), **options, **kwargs)
        return OnCuda(values) if where.type == "cuda" else values

    return draw


def _normal(x: torch.Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> torch.Tensor:
    """`Tensor.normal_` of a tensor on the CPU. The mode calls it a second time, with a generator of torch."""
    return _NORMAL(x, *args, generator=getattr(generator, "generator", generator), **kwargs)


def _made(real: Any) -> Callable[..., Any]:
    """A function that makes tensors: within autograd's backward pass no mode is active."""

    def make(*args: Any, device: Any = None, **kwargs: Any) -> Any:
        values = real(*map(_numbers, args), **kwargs)
        return OnCuda(values) if _is_cuda(device) else values

    return make


@contextmanager
def fake_cuda() -> Iterator[torch.device]:
    """Context manager: torch finds a CUDA device, which is returned. Nothing runs Triton's kernels on it."""
    with ExitStack() as stack:
        for name in DRAWS:
            stack.enter_context(patch.object(torch, name, _drawn(getattr(torch, name))))
        for name in MADE:
            stack.enter_context(patch.object(torch, name, _made(getattr(torch, name))))
        stack.enter_context(patch.object(torch, "Generator", Generator))
        stack.enter_context(patch.object(torch.Tensor, "normal_", _normal))
        stack.enter_context(patch("torch.cuda.is_available", lambda: True))
        stack.enter_context(patch("torch.random.fork_rng", lambda devices: _FORK([])))
        stack.enter_context(
            patch(
                "torch.optim.optimizer.Optimizer._accelerator_graph_capture_health_check",
                lambda self: None,
                create=True,
            )
        )
        for module in ("network", "gpu_engine", "learner"):
            stack.enter_context(patch(f"neurobench.models.slayer.{module}.runs_triton", lambda device: False))
        stack.enter_context(_Functions())
        stack.enter_context(_Operators())
        yield torch.device("cuda")
