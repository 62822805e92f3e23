"""The learned circuit in OpenQASM 3, with the gates of its standard library. Source: openqasm.com/versions/3.0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from neurobench.problems.circuit import Program

if TYPE_CHECKING:
    from neurobench.models.qcnn.learner import HybridQCNNLearner


def exports(learner: HybridQCNNLearner) -> Mapping[str, Callable[[], bytes]]:
    """Nothing of a classical head."""
    return {"qasm3": lambda: trained_program(learner)} if learner.runner else {}


def trained_program(learner: HybridQCNNLearner) -> bytes:
    """The run's circuit with its learned weights; the angles that the trunk makes of an image stay open."""
    assert learner.runner is not None
    weights = learner.main.named().get("w")
    shared = [] if weights is None else weights.flatten().double().tolist()
    return to_qasm(learner.runner.program, None, shared).encode()


def to_qasm(program: Program, sample: list[float] | None, shared: list[float]) -> str:
    """The whole program, all wires measured; wire i is q[i] and is read into c[i].

    `sample`: the angles of one sample; None leaves them open, as inputs x0, x1, ... in radians.
    """
    inputs = [f"x{i}" for i in range(program.n_sample)]
    angles = [*(inputs if sample is None else map(repr, sample)), *map(repr, shared)]
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    if sample is None:
        lines += [f"input float[64] {name};" for name in inputs]
    lines += [f"qubit[{program.n}] q;", f"bit[{program.n}] c;"]
    for gate in program.gates:
        argument = "" if gate.slot is None else f"({angles[gate.slot]})"
        lines.append(f"{gate.name}{argument} {', '.join(f'q[{wire}]' for wire in gate.wires)};")
    lines += [f"c[{wire}] = measure q[{wire}];" for wire in range(program.n)]
    return "\n".join(lines) + "\n"
