"""A spiking network as a graph of nodes, read from a NIR file, run and trained by a model, compared with frameworks.

Equations: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15:8122 (2024), and the
docstrings of the package `nir`. Arrays follow that package: weights (outputs, inputs), times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]


class GraphError(ValueError):
    """Error of a node that cannot read its input or is invalid."""


class Weights(NamedTuple):
    """Linear and Affine: y = W x + b."""

    weight: np.ndarray  # (O, I)
    bias: np.ndarray | None  # (O,)

    def shape_after(self, shape: Shape) -> Shape:
        outputs, inputs = self.weight.shape
        if shape != (inputs,):
            raise GraphError(f"reads {inputs} values; its input has shape {shape}")
        return (outputs,)


class Scale(NamedTuple):
    """Element-wise scaling: y = s x."""

    scale: np.ndarray

    def shape_after(self, shape: Shape) -> Shape:
        return fitting(shape, {"scale": self.scale})


class Convolution(NamedTuple):
    """Cross-correlation over rows and columns, as in torch."""

    weight: np.ndarray  # (O, I / groups, rows, columns)
    bias: np.ndarray | None  # (O,)
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def shape_after(self, shape: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        if len(shape) != 3 or shape[0] != channels:
            raise GraphError(f"reads {channels} channels of rows and columns; its input has shape {shape}")
        kernel = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.weight.shape[2:], strict=True)]
        return (len(self.weight), *_slid(shape[1:], tuple(kernel), self.stride, self.padding))


class Pool(NamedTuple):
    """Sum or mean over windows of rows and columns; the padding counts as zeros."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    mean: bool

    def shape_after(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise GraphError(f"reads channels of rows and columns; its input has shape {shape}")
        return (shape[0], *_slid(shape[1:], self.kernel, self.stride, self.padding))


class Flatten(NamedTuple):
    """Flattening: axes first to last become one; axes are counted without those of time and samples."""

    first: int
    last: int

    def shape_after(self, shape: Shape) -> Shape:
        first, last = (axis + len(shape) if axis < 0 else axis for axis in self)
        if not 0 <= first <= last < len(shape):
            raise GraphError(f"joins axes {self.first} to {self.last}; its input has shape {shape}")
        return (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :])


class Delay(NamedTuple):
    """Delay: y(t) = x(t - delay)."""

    seconds: np.ndarray

    def shape_after(self, shape: Shape) -> Shape:
        return fitting(shape, {"delay": self.seconds})


class Threshold(NamedTuple):
    """Step function: 1 where x > threshold, else 0."""

    threshold: np.ndarray

    def shape_after(self, shape: Shape) -> Shape:
        return fitting(shape, {"threshold": self.threshold})


class Neuron(NamedTuple):
    """Neurons I, IF, LI, LIF, CubaLI and CubaLIF.

    tau_syn du/dt = -u + w_in x (u = x without tau_syn);  tau_mem dv/dt = v_leak - v + r u (dv/dt = r u without
    tau_mem);  a spike where v > v_threshold, then v = v_reset. Without a threshold the output is v.
    """

    r: np.ndarray
    tau_mem: np.ndarray | None = None
    v_leak: np.ndarray | None = None  # with tau_mem
    tau_syn: np.ndarray | None = None
    w_in: np.ndarray | None = None  # with tau_syn
    v_threshold: np.ndarray | None = None
    v_reset: np.ndarray | None = None  # with v_threshold

    def shape_after(self, shape: Shape) -> Shape:
        return fitting(shape, {name: value for name, value in self._asdict().items() if value is not None})


Node = Weights | Scale | Convolution | Pool | Flatten | Delay | Threshold | Neuron


class Edge(NamedTuple):
    source: str  # a node, or "" for the graph's input
    late: bool  # it closes a cycle: its values arrive one step later


@dataclass(frozen=True)
class SpikingGraph:
    """Nodes by name, in an order in which each comes after its sources except those of late edges. Values that arrive
    along several edges are summed. One input, one output."""

    nodes: dict[str, Node]
    sources: dict[str, tuple[Edge, ...]]  # of each node
    shapes: dict[str, Shape]  # of each node's output; "" is the input
    output: str  # the node connected to the output
    metadata: dict[str, Mapping[str, Any]]  # of each node; "" is the graph

    @property
    def dt(self) -> float | None:
        """Seconds per step, if the file states them. Raises GraphError if what it states is not a time above 0."""
        if "dt" not in self.metadata[""]:
            return None
        stated = self.metadata[""]["dt"]
        try:
            dt = float(stated)
        except (TypeError, ValueError):
            dt = 0.0
        if not 0 < dt < np.inf:
            raise GraphError(f"its metadata give a dt of {stated!s:.40}, which is not a number of seconds above 0")
        return dt

    @property
    def blocks(self) -> list[list[str]]:
        """Nodes in order; those joined by a late edge can only run together, step by step, and share one list."""
        place = {name: k for k, name in enumerate(self.nodes)}
        blocks: list[list[str]] = []
        end = -1
        for k, name in enumerate(self.nodes):
            if k > end:
                blocks.append([])
            blocks[-1].append(name)
            end = max(end, k, *(place[edge.source] for edge in self.sources[name] if edge.late))
        return blocks

    @property
    def is_recurrent(self) -> bool:
        return any(edge.late for edges in self.sources.values() for edge in edges)


def fitting(shape: Shape, parameters: dict[str, np.ndarray]) -> Shape:
    """Return the shape. Raises GraphError if a parameter does not fit it."""
    for name, value in parameters.items():
        try:
            fits = np.broadcast_shapes(value.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise GraphError(f"{name} has shape {value.shape}; its input has shape {shape}")
    return shape


def _slid(size: Shape, kernel: tuple[int, ...], stride: tuple[int, int], padding: tuple[int, int]) -> Shape:
    """Number of windows along each axis."""
    places = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True)]
    if min(places) < 1:
        raise GraphError(f"has windows of {kernel}; its input has {size} rows and columns")
    return tuple(places)
