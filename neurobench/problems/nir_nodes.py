"""Nodes of a NIR file as checked nodes of a spiking graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from neurobench.problems.spiking_graph import (
    Convolution,
    Delay,
    Flatten,
    GraphError,
    Neuron,
    Node,
    Pool,
    Scale,
    Shape,
    Threshold,
    Weights,
)


def read_node(node: Any) -> Node:
    """Convert a node of nir. Raises GraphError naming the type or value that was read."""
    kind = type(node).__name__
    if kind not in _READERS:
        raise GraphError(f"is a {kind}; supported are {', '.join(_READERS)}")
    for field, value in vars(node).items():
        if not isinstance(value, np.ndarray | np.generic):
            continue
        if value.dtype.kind == "c":
            raise GraphError(f"has {field} of complex numbers; only real ones are supported")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise GraphError(f"has {field} that is not finite")
    return _READERS[kind](node)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, np.float64)


def _weights(node: Any) -> Weights:
    """Read Linear or Affine; a bias of zeros becomes None."""
    weight, bias = _array(node.weight), getattr(node, "bias", None)
    if weight.ndim != 2:
        raise GraphError(f"has weights of shape {weight.shape}; only two axes are supported")
    bias = None if bias is None or not np.any(bias) else _array(bias)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise GraphError(f"has a bias of shape {bias.shape} for {len(weight)} outputs")
    return Weights(weight, bias)


def _convolution(node: Any) -> Convolution:
    weight, groups = _array(node.weight), int(node.groups)
    if weight.ndim != 4 or 0 in weight.shape:
        raise GraphError(f"has weights of shape {weight.shape}; they need four axes, none of them empty")
    if groups < 1 or len(weight) % groups:
        raise GraphError(f"has {len(weight)} output channels in {groups} groups, which cannot be of one size")
    bias = _array(node.bias) if np.any(node.bias) else None
    if bias is not None and bias.shape != weight.shape[:1]:
        raise GraphError(f"has a bias of shape {bias.shape} for {len(weight)} channels")
    stride, dilation = _pair(node, "stride", 1), _pair(node, "dilation", 1)
    padding = _padding(node, weight.shape[2:], stride, dilation)
    return Convolution(weight, bias, stride, padding, dilation, groups)


def _padding(node: Any, kernel: Shape, stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    value = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(value, str):
        return _pair(node, "padding", 0)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if value == "valid":
        return (0, 0)
    if value != "same" or stride != (1, 1) or any(each % 2 for each in reach):
        raise GraphError(f"has padding {value!r} of a kernel {kernel} with stride {stride}, which cannot be run")
    return (reach[0] // 2, reach[1] // 2)


def _pair(node: Any, field: str, least: int) -> tuple[int, int]:
    """Read whole numbers for rows and columns, of which a file may have one for both."""
    value = np.ravel(getattr(node, field))
    stated = f"has a {field} of {tuple(value.tolist())}"
    if len(value) not in (1, 2) or (value != np.rint(value)).any():
        raise GraphError(f"{stated}; it is one or two whole numbers")
    if (value < least).any():
        raise GraphError(f"{stated}; it is at least {least}")
    rows, columns = np.broadcast_to(value, 2)
    return int(rows), int(columns)


def _pool(node: Any, mean: bool) -> Pool:
    kernel, padding = _pair(node, "kernel_size", 1), _pair(node, "padding", 0)
    if any(2 * pad > size for pad, size in zip(padding, kernel, strict=True)):
        raise GraphError(f"has padding {padding}, more than half of its windows of {kernel}, which cannot be run")
    return Pool(kernel, _pair(node, "stride", 1), padding, mean)


def _delay(node: Any) -> Delay:
    seconds = _array(node.delay)
    if (seconds < 0).any():
        raise GraphError(f"has a delay of {seconds.min():g} s; delays are at least 0")
    return Delay(seconds)


def _neuron(node: Any) -> Neuron:
    """Read a neuron; LI and LIF call the membrane's time constant `tau`."""
    names = {"tau": "tau_mem"}
    values = {names.get(key, key): value for key, value in vars(node).items()}
    fields = {key: _array(values[key]) for key in Neuron._fields if values.get(key) is not None}
    for key in ("tau_mem", "tau_syn"):
        if key in fields and not (fields[key] > 0).all():
            raise GraphError(f"has {key} of {fields[key].min():g} s; time constants are above 0")
    return Neuron(**fields)


_READERS: dict[str, Callable[[Any], Node]] = {
    "Linear": _weights,
    "Affine": _weights,
    "Scale": lambda node: Scale(_array(node.scale)),
    "Conv2d": _convolution,
    "SumPool2d": partial(_pool, mean=False),
    "AvgPool2d": partial(_pool, mean=True),
    "Flatten": lambda node: Flatten(int(node.start_dim), int(node.end_dim)),
    "Delay": _delay,
    "Threshold": lambda node: Threshold(_array(node.threshold)),
    **dict.fromkeys(("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"), _neuron),
}
