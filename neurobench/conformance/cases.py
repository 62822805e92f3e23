"""Reference graphs, each as small as possible. Time constants are whole numbers of steps, weights and inputs multiples
of 1/8, so that a step in float32 differs from the exact one only by its rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from neurobench.problems.nir_file import nir_package

STEPS, SAMPLES = 40, 2
DT = 1e-4  # s; what most importers assume
OFF_GRID = 1.01  # a threshold that no sum of eighths equals


@dataclass(frozen=True)
class Case:
    name: str
    kind: str  # of the node under test
    graph: Any  # nir.NIRGraph
    x: np.ndarray  # (STEPS, SAMPLES, *shape) float32
    dt: float  # s per step
    own_dt: bool  # the test needs this dt; otherwise any will do, with time constants in proportion


class _Maker:
    """Factory of nodes and graphs at one dt."""

    def __init__(self, dt: float):
        self.nir, self.dt = nir_package(), dt

    def full(self, value: Any, n: int = 3) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, np.float32), n).copy()

    def lif(self, steps: Any = 8, r: Any = 1, leak: Any = 0, threshold: Any = OFF_GRID, reset: Any = 0) -> Any:
        tau = self.dt * np.asarray(steps)
        return self.nir.LIF(*(self.full(each) for each in (tau, r, leak, threshold, reset)))

    def cuba(self, *, n: int = 3, threshold: Any = OFF_GRID, reset: Any = 0, leak: Any = 0, **how: Any) -> Any:
        syn, mem = np.asarray(how.get("syn", 4)), np.asarray(how.get("mem", 8))
        r, w_in = how.get("r", mem), how.get("w_in", syn)
        times = (self.dt * syn, self.dt * mem)
        return self.nir.CubaLIF(*(self.full(each, n) for each in (*times, r, leak, threshold, reset, w_in)))

    def linear(self, outputs: int, inputs: int, seed: int = 0, scale: float = 1.0) -> Any:
        return self.nir.Linear((scale * _eighths(seed, (outputs, inputs))).astype(np.float32))

    def conv(self, stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1)) -> Any:
        weight, bias = _eighths(3, (4, 2, 3, 3)), _eighths(4, 4)
        return self.nir.Conv2d((6, 6), weight, stride, padding, dilation, 1, bias)

    def chain(self, shape: tuple[int, ...], *nodes: Any, names: tuple[str, ...] = ()) -> Any:
        """Graph of Input, the nodes and Output; the shape of the output is that of the last node."""
        named = dict(zip(names or [f"node{k}" for k in range(len(nodes))], nodes, strict=True))
        return self.graph(shape, named, [*pairwise(["input", *named, "output"])])

    def graph(self, shape: tuple[int, ...], nodes: dict[str, Any], edges: list[tuple[str, str]]) -> Any:
        nir, last = self.nir, nodes[next(one for one, other in edges if other == "output")]
        shown = next(iter(last.output_type.values()))
        output = nir.Output({"output": None if shown is None else np.array(shown)})
        everything = {"input": nir.Input({"input": np.array(shape)}), **nodes, "output": output}
        return nir.NIRGraph(everything, edges, metadata={"dt": self.dt})

    def loop(self, neuron: Any) -> Any:
        """Graph of Linear and a neuron whose spikes are fed back through weights."""
        nodes = {"w_in": self.linear(3, 4, 5), "lif": neuron, "w_rec": self.linear(3, 3, 6, 0.5)}
        edges = [("input", "w_in"), ("w_in", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
        return self.graph((4,), nodes, edges)


def _eighths(seed: int, shape: Any) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-8, 9, shape) / 8).astype(np.float32)


def _graded(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return _eighths(seed, (STEPS, SAMPLES, *shape))


def _spikes(shape: tuple[int, ...], share: float = 0.5, seed: int = 2) -> np.ndarray:
    return (np.random.default_rng(seed).random((STEPS, SAMPLES, *shape)) < share).astype(np.float32)


def _currents(n: int = 3) -> np.ndarray:
    """Constant currents, different for each neuron, so that each fires now and then."""
    return np.broadcast_to(np.linspace(0.5, 3, n, dtype=np.float32), (STEPS, SAMPLES, n)).copy()


Made = tuple[str, str, Any, np.ndarray]


def _stateless(m: _Maker) -> Iterator[Made]:
    nir, image = m.nir, (2, 6, 6)
    yield "linear", "Linear", m.chain((4,), m.linear(3, 4)), _graded((4,))
    yield "affine", "Affine", m.chain((4,), nir.Affine(_eighths(0, (3, 4)), _eighths(7, 3))), _graded((4,))
    zero = nir.Affine(_eighths(0, (3, 4)), np.zeros(3, np.float32))
    yield "affine, bias of 0", "Affine", m.chain((4,), zero), _graded((4,))
    yield "scale", "Scale", m.chain((3,), nir.Scale(m.full([0.5, -1, 2]))), _graded((3,))
    yield "threshold", "Threshold", m.chain((3,), nir.Threshold(m.full([0.25, 0, -0.5]))), _graded((3,))
    yield "conv", "Conv2d", m.chain(image, m.conv()), _graded(image)
    yield "conv, stride and padding", "Conv2d", m.chain(image, m.conv((2, 2), (1, 1))), _graded(image)
    yield "conv, dilation", "Conv2d", m.chain(image, m.conv(dilation=(2, 2))), _graded(image)
    for name, kind in (("sum", nir.SumPool2d), ("mean", nir.AvgPool2d)):
        two, none, one = np.array([2, 2]), np.array([0, 0]), np.array([1, 1])
        yield f"{name} pool", kind.__name__, m.chain(image, kind(two, two, none)), _spikes(image)
        yield f"{name} pool, graded", kind.__name__, m.chain(image, kind(two, two, none)), _graded(image)
        yield f"{name} pool, padding", kind.__name__, m.chain(image, kind(two, two, one)), _spikes(image)
    for first, name in ((0, "flatten all"), (1, "flatten, first axis kept")):
        flatten = nir.Flatten({"input": np.array(image)}, first, -1)
        yield name, "Flatten", m.chain(image, flatten), _spikes(image)
    yield "delay", "Delay", m.chain((3,), nir.Delay(m.full(3 * m.dt))), _spikes((3,))
    yield "delay of each", "Delay", m.chain((3,), nir.Delay(m.full(m.dt * np.array([0, 2, 5])))), _spikes((3,))


def _integrators(m: _Maker) -> Iterator[Made]:
    nir, per_step = m.nir, 1 / m.dt
    yield "I", "I", m.chain((3,), nir.I(m.full(per_step))), _graded((3,))
    for name, r, reset, x in (
        ("IF, r = 1 / dt", per_step, 0, _spikes((3,)) / 2),
        ("IF, r = 1", 1, 0, _currents() / np.float32(m.dt) / 4),
        ("IF, reset to -0.5", per_step, -0.5, _currents() / 4),
        ("IF, twice the threshold at once", per_step, 0, 2.75 * _spikes((3,), 0.3)),
    ):
        yield name, "IF", m.chain((3,), nir.IF(m.full(r), m.full(OFF_GRID), m.full(reset))), x.astype(np.float32)
    for name, r, leak in (("LI", 1, 0), ("LI, r = 4", 4, 0), ("LI, leak to 0.5", 1, 0.5)):
        yield name, "LI", m.chain((3,), nir.LI(*map(m.full, (8 * m.dt, r, leak)))), _graded((3,))
    for name, r, w_in in (("CubaLI", 1, 1), ("CubaLI, r and w_in", 8, 4)):
        node = nir.CubaLI(*map(m.full, (4 * m.dt, 8 * m.dt, r, 0, w_in)))
        yield name, "CubaLI", m.chain((3,), node), _graded((3,))


def _spiking(m: _Maker) -> Iterator[Made]:
    varied = {"steps": [4, 8, 16], "threshold": [0.51, 1.01, 1.51]}
    for name, node in (
        ("LIF", m.lif()),
        ("LIF, r = tau / dt", m.lif(r=8)),
        ("LIF, r = 2", m.lif(r=2)),
        ("LIF, reset to -0.5", m.lif(reset=-0.5)),
        ("LIF, leak to 0.25", m.lif(leak=0.25)),
        ("LIF, leak and reset to 0.25", m.lif(leak=0.25, reset=0.25)),
        ("LIF, each its own", m.lif(**varied)),
    ):
        x = _spikes((3,)) / 2 if "tau / dt" in name else _currents()
        yield name, "LIF", m.chain((3,), node), x.astype(np.float32)
    for name, node in (
        ("CubaLIF, r = tau_mem / dt, w_in = tau_syn / dt", m.cuba()),
        ("CubaLIF, r = w_in = 1", m.cuba(r=1, w_in=1)),
        ("CubaLIF, w_in = 1", m.cuba(w_in=1)),
        ("CubaLIF, reset to -0.5", m.cuba(reset=-0.5)),
        ("CubaLIF, leak to 0.25", m.cuba(leak=0.25)),
        ("CubaLIF, each its own", m.cuba(syn=[2, 4, 8], mem=[4, 8, 16], threshold=[0.51, 1.01, 1.51])),
        ("CubaLIF, tau_syn = dt", m.cuba(syn=1)),
    ):
        x = _currents() if "r = w_in" in name or "w_in = 1" in name else _spikes((3,), 0.4) / 4
        yield name, "CubaLIF", m.chain((3,), node), x.astype(np.float32)


def _joined(m: _Maker) -> Iterator[Made]:
    nir, linear, spikes = m.nir, m.linear(3, 4, 5), _spikes((4,))
    yield "loop of LIF", "recurrent edge", m.loop(m.lif(r=8)), spikes
    yield "loop of CubaLIF", "recurrent edge", m.loop(m.cuba()), spikes
    inner = m.chain((3,), m.cuba(), names=("neuron",))
    yield "a graph in a graph", "NIRGraph", m.graph((4,), {"w": linear, "sub": inner}, _row("w", "sub")), spikes
    two = m.chain((4,), linear, m.cuba(), m.linear(3, 3, 8), m.cuba())
    yield "two layers", "edge", two, spikes
    named = m.chain((4,), linear, m.cuba(), names=("if", "lif.0"))
    yield "names: if, lif.0", "edge", named, spikes
    skip = {"w": linear, "a": m.cuba(), "b": m.linear(3, 3, 9)}
    edges = [("input", "w"), ("w", "a"), ("a", "b"), ("w", "b"), ("b", "output")]
    yield "two edges to one node", "edge", m.graph((4,), skip, edges), spikes
    flatten = nir.Flatten({"input": np.array((4, 2, 2))}, 0, -1)
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    ones = np.ones((4, 4, 4), np.float32)
    neuron = nir.CubaLIF(*(each * ones for each in (4 * m.dt, 8 * m.dt, 8, 0, OFF_GRID, 0, 4)))
    parts = (m.conv(), neuron, pool, flatten, m.linear(3, 16, 10), m.cuba())
    yield "conv - CubaLIF - pool - flatten - CubaLIF", "edge", m.chain((2, 6, 6), *parts), _spikes((2, 6, 6), 0.3)


def _row(*names: str) -> list[tuple[str, str]]:
    return [*pairwise(["input", *names, "output"])]


def _at_own_dt() -> Iterator[tuple[float, Made]]:
    """Cases at a dt of 1 ms, and at a power of 2, for a potential that equals the threshold to the bit."""
    m = _Maker(1e-3)
    yield m.dt, ("LIF, dt = 1 ms", "LIF", m.chain((3,), m.lif()), _currents())
    yield m.dt, ("CubaLIF, dt = 1 ms", "CubaLIF", m.chain((3,), m.cuba()), _spikes((3,), 0.4) / np.float32(4))
    m = _Maker(2.0**-13)
    tied = m.nir.IF(m.full(1 / m.dt), m.full(1), m.full(0))
    yield m.dt, ("IF, v = threshold", "IF", m.chain((3,), tied), _spikes((3,)) / np.float32(4))


FAMILIES: tuple[Callable[[_Maker], Iterator[Made]], ...] = (_stateless, _integrators, _spiking, _joined)


def cases(dt: float = DT) -> list[Case]:
    """All reference cases; those that need no particular dt use this one."""
    maker = _Maker(dt)
    anywhere = [Case(*made, dt, False) for family in FAMILIES for made in family(maker)]
    return [*anywhere, *(Case(*made, step, True) for step, made in _at_own_dt())]
