"""Reading a NIR file as a checked graph: all faults are reported at once, with the names of their nodes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurobench.config.errors import UserError
from neurobench.problems.spiking_graph import (
    Convolution,
    Delay,
    Edge,
    Flatten,
    GraphError,
    Neuron,
    Node,
    Pool,
    Scale,
    Shape,
    SpikingGraph,
    Threshold,
    Weights,
)


def nir_package() -> Any:
    """Import the package nir. Raises UserError if it is not installed."""
    try:
        return import_module("nir")
    except ImportError as fault:
        raise UserError("this needs the package nir: in a checkout, pip install -e '.[spiking]'") from fault


def read_nir(content: bytes, name: str) -> SpikingGraph:
    """Graph of a file's content, called `name` in messages. Raises UserError with all faults."""
    nir = nir_package()
    try:
        graph = nir.read(io.BytesIO(content), type_check=False)
    except Exception as error:  # whatever the reader raises on a foreign file
        raise UserError(f"{name} is not a NIR graph: {type(error).__name__}: {error}") from error
    if not isinstance(graph, nir.NIRGraph):
        raise UserError(f"{name} contains a single {type(graph).__name__}, not a graph with an input and an output.")
    try:
        return parse_nir(graph)
    except GraphError as fault:
        raise UserError(f"{name}: {fault}") from fault


def read_nir_file(path: Path) -> SpikingGraph:
    """Graph of a file. Raises UserError, also if there is no such file."""
    try:
        return read_nir(path.read_bytes(), str(path))
    except OSError as fault:
        raise UserError(f"{path} cannot be read: {fault.strerror}") from fault


def parse_nir(graph: Any) -> SpikingGraph:
    """Graph of a `nir.NIRGraph`. Raises GraphError with every fault."""
    flat = _contracted(_flat(graph))
    faults = list(flat.faults())
    nodes: dict[str, Node] = {}
    for key, node in flat.nodes.items():
        try:
            nodes[key] = _node(node)
        except GraphError as fault:
            faults.append(f"node {key} {fault}")
    if faults:
        raise GraphError(". ".join(faults))
    order, sources = _ordered(flat)
    ordered = {key: nodes[key] for key in order}
    shapes = _shapes_of_one(ordered, sources, flat.input_shape)
    metadata = {"": graph.metadata or {}, **{key: flat.nodes[key].metadata or {} for key in order}}
    return SpikingGraph(ordered, sources, shapes, flat.shown[0], metadata)


class _Flat(NamedTuple):
    """Graph without subgraphs. The input is called ""; `shown` are the sources of the output."""

    nodes: dict[str, Any]
    edges: list[tuple[str, str]]
    inputs: list[Any]
    shown: list[str]

    @property
    def input_shape(self) -> Shape:
        return tuple(int(size) for size in np.ravel(next(iter(self.inputs[0].input_type.values()))))

    def faults(self) -> Iterator[str]:
        if len(self.inputs) != 1:
            yield f"it has {len(self.inputs)} inputs; give it one"
        if len(self.shown) != 1:
            yield f"its output shows {len(self.shown)} nodes ({', '.join(self.shown)}); give it one"
        if "" in self.shown:
            yield "its input is its output: there is nothing between them to run"
        ends = [*(end for edge in self.edges for end in edge), *self.shown]
        if missing := [end for end in dict.fromkeys(ends) if end and end not in self.nodes]:
            yield f"its edges name {', '.join(missing)}, which it does not have"
        reached = _reached(self.edges)
        if lost := [key for key in self.nodes if key not in reached]:
            yield f"nothing leads from the input to {', '.join(lost)}"


def _flat(graph: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """All nodes as `subgraph.node`, and the edges between them; an edge to a subgraph goes to its input."""
    nodes: dict[str, Any] = {}
    edges, entry, exits = [], {}, {}
    for key, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            nodes[key] = node
            continue
        inner, links = _flat(node)
        nodes |= {f"{key}.{name}": each for name, each in inner.items()}
        edges += [(f"{key}.{one}", f"{key}.{other}") for one, other in links]
        kinds = {type(each).__name__: f"{key}.{name}" for name, each in node.nodes.items()}
        entry[key], exits[key] = kinds.get("Input", key), kinds.get("Output", key)
    edges += [(exits.get(one, one), entry.get(other, other)) for one, other in graph.edges]
    return nodes, list(dict.fromkeys(edges))


def _contracted(flat: tuple[dict[str, Any], list[tuple[str, str]]]) -> _Flat:
    """Graph without Input and Output nodes: sources of an inner one are connected to its targets."""
    nodes, edges = flat
    kinds = {key: type(node).__name__ for key, node in nodes.items()}
    inputs = [key for key, kind in kinds.items() if kind == "Input" and all(key != other for _, other in edges)]
    outputs = [key for key, kind in kinds.items() if kind == "Output" and all(key != one for one, _ in edges)]
    for key in (key for key, kind in kinds.items() if kind in ("Input", "Output") and key not in (*inputs, *outputs)):
        before, after = [a for a, b in edges if b == key], [b for a, b in edges if a == key]
        edges = [edge for edge in edges if key not in edge] + [(a, b) for a in before for b in after]
    edges = [("" if a in inputs else a, b) for a, b in edges]
    shown = [a for a, b in edges if b in outputs]
    inner = {key: node for key, node in nodes.items() if kinds[key] not in ("Input", "Output")}
    return _Flat(inner, [(a, b) for a, b in edges if b not in outputs], [nodes[key] for key in inputs], shown)


def _reached(edges: list[tuple[str, str]]) -> set[str]:
    reached, open_ends = {""}, [""]
    while open_ends:
        one = open_ends.pop()
        new = [b for a, b in edges if a == one and b not in reached]
        reached |= set(new)
        open_ends += new
    return reached


def _ordered(flat: _Flat) -> tuple[list[str], dict[str, tuple[Edge, ...]]]:
    """Order the nodes depth first from the input: an edge back to a node on the current path closes a cycle."""
    following: dict[str, list[str]] = {}
    for one, other in flat.edges:
        following.setdefault(one, []).append(other)
    finished: list[str] = []
    late: set[tuple[str, str]] = set()
    path, open_ends = [""], [iter(following.get("", ()))]
    while path:
        onward = next(open_ends[-1], None)
        if onward is None:
            finished.append(path.pop())
            open_ends.pop()
        elif onward in path:
            late.add((path[-1], onward))
        elif onward not in finished:
            path.append(onward)
            open_ends.append(iter(following.get(onward, ())))
    order = finished[::-1][1:]
    return order, {key: tuple(Edge(a, (a, b) in late) for a, b in flat.edges if b == key) for key in order}


def _shapes_of_one(nodes: dict[str, Node], sources: dict[str, tuple[Edge, ...]], shape: Shape) -> dict[str, Shape]:
    """Output shapes of the nodes, if need be without the axis of one sample that some exporters traced and left in the
    input's shape: (1, 2312) for 2312."""
    try:
        return _shapes(nodes, sources, shape)
    except GraphError:
        if len(shape) < 2 or shape[0] != 1:
            raise
        return _shapes(nodes, sources, shape[1:])


def _shapes(nodes: dict[str, Node], sources: dict[str, tuple[Edge, ...]], shape: Shape) -> dict[str, Shape]:
    """Output shapes of the nodes. Raises GraphError at the first node that cannot read its input."""
    shapes = {"": shape}
    for key, node in nodes.items():
        arriving = {shapes[edge.source] for edge in sources[key] if edge.source in shapes}
        if len(arriving) != 1:
            raise GraphError(f"node {key} gets {len(arriving)} shapes, {sorted(arriving)}, along its edges")
        try:
            shapes[key] = node.shape_after(*arriving)
        except GraphError as fault:
            raise GraphError(f"node {key} {fault}") from fault
    for key in nodes:
        for edge in sources[key]:
            if edge.late and shapes[edge.source] != next(shapes[e.source] for e in sources[key] if not e.late):
                raise GraphError(f"node {key} gets another shape from {edge.source} than from its other sources")
    return shapes


def _node(node: Any) -> Node:
    """Convert a node of nir. Raises GraphError naming the type or value that was read."""
    kind = type(node).__name__
    if kind not in _READERS:
        raise GraphError(f"is a {kind}; supported are {', '.join(_READERS)}")
    for field, value in vars(node).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
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
    weight = _array(node.weight)
    bias = _array(node.bias) if np.any(node.bias) else None
    if bias is not None and bias.shape != weight.shape[:1]:
        raise GraphError(f"has a bias of shape {bias.shape} for {len(weight)} channels")
    stride, dilation = _pair(node.stride), _pair(node.dilation)
    padding = _padding(node.padding, weight.shape[2:], stride, dilation)
    return Convolution(weight, bias, stride, padding, dilation, int(node.groups))


def _padding(value: Any, kernel: Shape, stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    value = value.decode() if isinstance(value, bytes) else value
    if not isinstance(value, str):
        return _pair(value)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if value == "valid":
        return (0, 0)
    if value != "same" or stride != (1, 1) or any(each % 2 for each in reach):
        raise GraphError(f"has padding {value!r} of a kernel {kernel} with stride {stride}, which cannot be run")
    return (reach[0] // 2, reach[1] // 2)


def _pair(value: Any) -> tuple[int, int]:
    rows, columns = np.broadcast_to(np.ravel(value), 2)
    return int(rows), int(columns)


def _pool(node: Any, mean: bool) -> Pool:
    return Pool(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding), mean)


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
