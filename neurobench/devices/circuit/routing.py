"""Routing of a circuit on qubits of which not every pair is coupled: swaps make the two of a gate neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from neurobench.problems.circuit import Gate, Program

Edges = frozenset[tuple[int, int]]  # pairs of seats, each once, the lower first


class Routed(NamedTuple):
    """A circuit over seats, the places of a layout, with gates along couplers only."""

    program: Program  # wires are seats; observables are on the final seats of their wires
    seats: tuple[int, ...]  # seat of each wire at the end
    swaps: int


@lru_cache(maxsize=256)
def route(program: Program, edges: Edges) -> Routed:
    """Route a program, whose wire i starts on seat i. `edges` must connect all seats.

    The cz gates of a run commute: those of neighbours come first, in their order. Then one end of the nearest pair
    moves along a shortest path, at whichever side leaves shorter distances to the others. A swap is three cz with H
    around them; together with a preceding cz of the same pair it is two.
    """
    return _Router(program, edges).routed()


class _Router:
    def __init__(self, program: Program, edges: Edges):
        self.program, self.edges = program, edges
        self.distance = distances(program.n, edges)
        self.seat = list(range(program.n))  # of each wire
        self.gates: list[Gate] = []
        self.swaps = 0

    def routed(self) -> Routed:
        for paired, run in groupby(self.program.gates, key=lambda gate: gate.name if len(gate.wires) == 2 else ""):
            for block in [list(run)] if paired == "cz" else [[gate] for gate in run]:
                self._block(block)
        observables = tuple(tuple(self.seat[wire] for wire in wires) for wires in self.program.observables)
        n, n_sample, n_shared = self.program.n, self.program.n_sample, self.program.n_shared
        program = Program(n, n_sample, n_shared, tuple(self.gates), observables)
        return Routed(program, tuple(self.seat), self.swaps)

    def _block(self, pending: list[Gate]) -> None:
        while pending:
            ready = [gate for gate in pending if len(gate.wires) == 1 or self._apart(gate) == 1]
            self.gates += [gate._replace(wires=tuple(self.seat[wire] for wire in gate.wires)) for gate in ready]
            pending = [gate for gate in pending if gate not in ready]
            if pending:
                self._swap(min(self._steps(pending))[-1])

    def _apart(self, gate: Gate) -> int:
        a, b = (self.seat[wire] for wire in gate.wires)
        return self.distance[a][b]

    def _steps(self, pending: Sequence[Gate]) -> Iterator[tuple[int, bool, tuple[int, int]]]:
        """Swaps that bring the nearest pair closer: remaining distances, whether it costs three cz, seats."""
        nearest = min(pending, key=self._apart)
        ends = [self.seat[wire] for wire in nearest.wires]
        for start, goal in (ends, ends[::-1]):
            for a, b in self.edges:
                other = b if a == start else a if b == start else None
                if other is not None and self.distance[other][goal] < self.distance[start][goal]:
                    yield self._left(pending, (a, b)), self._fresh(a, b) is None, (a, b)

    def _left(self, pending: Sequence[Gate], swap: tuple[int, int]) -> int:
        moved = {swap[0]: swap[1], swap[1]: swap[0]}
        places = [[moved.get(self.seat[wire], self.seat[wire]) for wire in gate.wires] for gate in pending]
        return sum(self.distance[a][b] for a, b in places)

    def _fresh(self, a: int, b: int) -> int | None:
        """Index of the last cz of the two seats if only cz have followed on either, else None."""
        for index in reversed(range(len(self.gates))):
            gate = self.gates[index]
            if gate.name == "cz" and {*gate.wires} == {a, b}:
                return index
            if gate.name != "cz" and {*gate.wires} & {a, b}:
                break
        return None

    def _swap(self, seats: tuple[int, int]) -> None:
        a, b = seats
        cz, both = Gate("cz", seats), [Gate("h", (a,)), Gate("h", (b,))]
        if (index := self._fresh(a, b)) is not None:
            del self.gates[index]
            self.gates += [*both, cz, *both, cz, *both]
        else:
            self.gates += [both[1], cz, *both, cz, *both, cz, both[1]]
        moved = {a: b, b: a}
        self.seat = [moved.get(seat, seat) for seat in self.seat]
        self.swaps += 1


@lru_cache(maxsize=64)
def distances(n: int, edges: Edges) -> list[list[int]]:
    """Distances between seats in couplers (Floyd and Warshall)."""
    far = [[0 if a == b else 1 if (min(a, b), max(a, b)) in edges else n for b in range(n)] for a in range(n)]
    for via in range(n):
        for a in range(n):
            for b in range(n):
                far[a][b] = min(far[a][b], far[a][via] + far[via][b])
    return far
