"""Reading a NIR file as a checked graph: all faults are reported at once, with the names of their nodes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurobench.config.errors import UserError
from neurobench.problems.nir_nodes import read_node
from neurobench.problems.spiking_graph import Edge, GraphError, Node, Shape, SpikingGraph


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
            nodes[key] = read_node(node)
        except GraphError as fault:
            faults.append(f"node {key} {fault}")
        except (TypeError, ValueError) as fault:  # NumPy's, of values that are no numbers or too many
            faults.append(f"node {key} has values that cannot be read: {fault}")
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
    nodes = {key: node for key, node in graph.nodes.items() if type(node).__name__ != "NIRGraph"}
    edges, entry, exits = [], {}, {}
    for key, node in graph.nodes.items():
        if key in nodes:
            continue
        inner, links = _flat(node)
        named = {f"{key}.{name}": each for name, each in inner.items()}
        if twice := [name for name in named if name in nodes]:
            raise GraphError(f"{', '.join(twice)} is the name of a node and of one in the graph {key}; rename one")
        nodes |= named
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
