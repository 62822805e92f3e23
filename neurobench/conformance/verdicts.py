"""Comparison of a framework's answer to a case with the exact answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch

from neurobench.conformance.cases import Case
from neurobench.models.nir_graph.dynamics import Dynamics
from neurobench.models.nir_graph.network import GraphNetwork
from neurobench.problems.nir_file import parse_nir
from neurobench.problems.spiking_graph import Neuron, SpikingGraph, Threshold

TOLERANCE = 1e-5  # relative to the largest value: float32 over forty steps
Word = Literal["faithful", "approximate", "unsupported", "wrong"]


class Answer(NamedTuple):
    """Answer of a framework: outputs and, if it reports them, membranes; or the error with which it stopped."""

    y: np.ndarray | None = None  # (T, B, *shape)
    v: np.ndarray | None = None
    refusal: str = ""  # error on reading the graph
    failure: str = ""  # error on running it


@dataclass(frozen=True)
class Verdict:
    case: str
    kind: str  # kind of node
    word: Word
    detail: str


class Exact(NamedTuple):
    y: np.ndarray
    v: np.ndarray | None  # if there is only one neuron


def exact(graph: SpikingGraph, x: np.ndarray, how: Dynamics) -> Exact:
    """Exact answer in float64."""
    membranes: dict[str, torch.Tensor] = {}
    network = GraphNetwork(graph, how, torch.device("cpu"), torch.float64)
    y = network.run(torch.from_numpy(x), membranes).numpy()
    return Exact(y, next(iter(membranes.values())).numpy() if len(membranes) == 1 else None)


def verdict(case: Case, answer: Answer) -> Verdict:
    graph = parse_nir(case.graph)
    word, detail = _judged(graph, case, answer)
    return Verdict(case.name, case.kind, word, detail)


def _judged(graph: SpikingGraph, case: Case, answer: Answer) -> tuple[Word, str]:
    if answer.refusal:
        return "unsupported", _short(answer.refusal)
    if answer.y is None:
        return "wrong", f"fails when run: {_short(answer.failure)}"
    truth = exact(graph, case.x, Dynamics(case.dt))
    if answer.y.shape[2:] != truth.y.shape[2:]:
        return "wrong", f"gives {answer.y.shape[2:]} for each sample and step, not {truth.y.shape[2:]}"
    if answer.y.shape != truth.y.shape:
        return "wrong", f"gives {answer.y.shape[:2]} steps and samples, not {truth.y.shape[:2]}"
    spikes = isinstance(graph.nodes[graph.output], Threshold) or _fires(graph)
    if _same(answer.y, truth.y, spikes):
        return _membranes(answer, truth)
    for word, name, variant in _variants(graph, case):
        if _same(answer.y, variant.y, spikes):
            return word, f"{name}; {_first(answer.y, truth.y, spikes)}"
    return "wrong", _first(answer.y, truth.y, spikes)


_UNSAID = "which NIR does not specify"
_BEFORE = "as in NIR before v_reset was introduced"


def _fires(graph: SpikingGraph) -> bool:
    node = graph.nodes[graph.output]
    return isinstance(node, Neuron) and node.v_threshold is not None


def _membranes(answer: Answer, truth: Exact) -> tuple[Word, str]:
    if answer.v is None or truth.v is None or answer.v.shape != truth.v.shape or _same(answer.v, truth.v, False):
        return "faithful", ""
    return "approximate", f"all spikes correct, membranes off by up to {np.abs(answer.v - truth.v).max():.2g}"


def _variants(graph: SpikingGraph, case: Case) -> Iterator[tuple[Word, str, Exact]]:
    """Answers of variants: other discretisations of the equations are approximations, other equations are not. Reset by
    subtraction was in NIR's equations before its neurons had a v_reset, which a file without one cannot tell from 0."""
    resets = [node.v_reset for node in graph.nodes.values() if isinstance(node, Neuron) and node.v_reset is not None]
    older: Word = "wrong" if any(each.any() for each in resets) else "approximate"
    ways: tuple[tuple[Word, str, Dynamics], ...] = (
        ("approximate", "exp(-dt / tau) in place of 1 - dt / tau", Dynamics(case.dt, "exponential")),
        ("approximate", "the voltage uses the current of the previous step", Dynamics(case.dt, "lagged")),
        ("approximate", f"v starts at v_leak, {_UNSAID}", Dynamics(case.dt, begins="leak")),
        ("approximate", f"v starts at v_reset, {_UNSAID}", Dynamics(case.dt, begins="reset")),
        ("wrong", "fires where v = threshold", Dynamics(case.dt, tie="reached")),
        (older, f"resets by subtraction, {_BEFORE}", Dynamics(case.dt, reset="subtract")),
        (older, f"exp(-dt / tau), resets by subtraction, {_BEFORE}", Dynamics(case.dt, "exponential", "subtract")),
    )
    for word, name, how in ways:
        yield word, name, exact(graph, case.x, how)
    late = exact(graph, case.x, Dynamics(case.dt)).y
    yield "approximate", "one step late", Exact(np.concatenate([np.zeros_like(late[:1]), late[:-1]]), None)


def _same(one: np.ndarray, other: np.ndarray, spikes: bool) -> bool:
    return not _differing(one, other, spikes).any()


def _differing(one: np.ndarray, other: np.ndarray, spikes: bool) -> np.ndarray:
    """Mask of the values that differ; one that is not a number always does."""
    if spikes:
        return one != other
    return ~(np.abs(one - other) <= TOLERANCE * max(1.0, np.abs(other).max()))


def _first(y: np.ndarray, truth: np.ndarray, spikes: bool) -> str:
    """Text with the first step and neuron that differ, and their values."""
    differs = _differing(y, truth, spikes)
    step, sample, *place = (int(part) for part in np.argwhere(differs)[0])
    at = (step, sample, *place)
    neuron = place[0] if len(place) == 1 else tuple(place)
    digits = 4 if abs(y[at] - truth[at]) > 1e-3 else 10  # a spike of 0.99999994
    share = f"{differs.sum()} of {differs.size} values differ"
    return f"first at step {step}, neuron {neuron}: {y[at]:.{digits}g} instead of {truth[at]:.4g}; {share}"


def _short(sentence: str) -> str:
    line = " ".join(sentence.split())
    return line if len(line) <= 160 else f"{line[:157]}..."
