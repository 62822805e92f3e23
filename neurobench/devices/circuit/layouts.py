"""Choice of a chip's qubits for a circuit: all paths along working couplers are candidates, ranked by expected errors.

For a circuit on a path's qubits, the errors of its gates after routing and of reading every qubit are summed as
-log(1 - error). Its wires follow the path, or it is folded so that both halves of a ring lie side by side, whichever
gives fewer errors.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache
from itertools import compress, islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurobench.devices.circuit.chips import Chip
from neurobench.devices.circuit.mock_noise import Basis, Fused, fused
from neurobench.devices.circuit.routing import Edges, route
from neurobench.problems.circuit import Program

Choice = Literal["best", "median", "worst", "random"]
MOST = 10_000  # paths of a chip that are ranked at most; if there are more, this many are drawn
_TRIES = 20  # walks per path that is drawn; many reach a dead end


class Layouts(NamedTuple):
    """Candidate layouts of a circuit and its errors on them."""

    qubits: NDArray[np.int64]  # (P, n), the qubit of each wire
    errors: NDArray[np.float64]  # (P,) expected number of errors in a run of the circuit

    def chosen(self, choice: Choice, seed: int) -> tuple[int, ...]:
        """Return the candidate at this place of the ranking; for "random", one drawn uniformly by `seed`."""
        if choice == "random":
            index = random.Random(seed).randrange(len(self.errors))
        else:
            place = {"best": 0, "median": (len(self.errors) - 1) // 2, "worst": -1}[choice]
            index = int(np.argsort(self.errors, kind="stable")[place])
        return tuple(self.qubits[index].tolist())


@lru_cache(maxsize=64)
def edges_within(chip: Chip, layout: tuple[int, ...]) -> Edges:
    """Couplers between the qubits of a layout, as pairs of their places in it."""
    seat = {qubit: place for place, qubit in enumerate(layout)}
    pairs = ((seat[a], seat[b]) for a, b in chip.pairs if a in seat and b in seat)
    return frozenset((min(pair), max(pair)) for pair in pairs)


@lru_cache(maxsize=16)
def layouts(chip: Chip, program: Program) -> Layouts:
    """Candidates for a program: every path in the better of its two orders."""
    paths = _paths(chip, program.n)
    orders = [np.array(order) for order in dict.fromkeys([tuple(range(program.n)), _fold(program.n)])]
    ranked = [_errors(chip, paths[:, order], program) for order in orders]
    errors, better = np.min(ranked, axis=0), np.argmin(ranked, axis=0)
    return Layouts(np.take_along_axis(paths, np.stack(orders)[better], axis=1), errors)


def _fold(n: int) -> tuple[int, ...]:
    """Place of each wire on the path: wires i and n - 1 - i side by side, every other such pair reversed."""
    pairs = [[i, n - 1 - i][:: 1 if i % 2 == 0 else -1] for i in range(n // 2)]
    along = [wire for pair in pairs for wire in pair] + [n // 2] * (n % 2)
    return tuple(along.index(wire) for wire in range(n))


@lru_cache(maxsize=16)
def _paths(chip: Chip, n: int) -> NDArray[np.int64]:
    """Paths (P, n), each once, in one of its directions."""
    paths = list(islice(_walks(chip, n), MOST + 1))
    if len(paths) > MOST:
        paths = _drawn(chip, n)
    return np.array(paths, dtype=np.int64)


def _walks(chip: Chip, n: int) -> Iterator[tuple[int, ...]]:
    """Generate every path, depth first."""
    waiting: list[tuple[int, ...]] = [(start,) for start in sorted(chip.qubits, reverse=True)]
    while waiting:
        path = waiting.pop()
        if len(path) < n:
            waiting += [(*path, step) for step in chip.neighbours[path[-1]] if step not in path]
        elif path[0] <= path[-1]:
            yield path


def _drawn(chip: Chip, n: int) -> list[tuple[int, ...]]:
    """Draw different paths by random walks, the same ones in each call."""
    draw, starts = random.Random(0), sorted(chip.qubits)
    paths: dict[tuple[int, ...], None] = {}
    for _ in range(_TRIES * MOST):
        path = [draw.choice(starts)]
        while len(path) < n and (steps := [step for step in chip.neighbours[path[-1]] if step not in path]):
            path.append(draw.choice(steps))
        if len(path) == n:
            paths[tuple(path if path[0] <= path[-1] else path[::-1])] = None
        if len(paths) == MOST:
            break
    return list(paths)


def _errors(chip: Chip, layouts: NDArray[np.int64], program: Program) -> NDArray[np.float64]:
    """Expected errors (P,). Layouts with the same couplers between seats share the circuit in the chip's gates."""
    pair_cost, pulse_cost, read_cost = _costs(chip)
    errors = read_cost[layouts].sum(1)
    for couplers, rows in _alike(chip, layouts).items():
        basis = Basis(chip.pulses, couplers if chip.entangler == "ecr" else frozenset())
        pulses, pairs = _tally(program, couplers, basis)
        errors[rows] += pulse_cost[layouts[rows]] @ pulses
        for (a, b), count in pairs.items():
            errors[rows] += count * pair_cost[layouts[rows, a], layouts[rows, b]]
    return errors


def _alike(chip: Chip, layouts: NDArray[np.int64]) -> dict[Edges, list[int]]:
    """Group rows of the layouts by the couplers between their seats: in the order of an ecr, which takes further pulses
    on either side, else in both orders."""
    coupled = np.zeros((chip.size, chip.size), dtype=bool)
    for a, b in chip.pairs:
        coupled[a, b], coupled[b, a] = True, coupled[b, a] or chip.entangler != "ecr"
    first, second = np.nonzero(~np.eye(layouts.shape[1], dtype=bool))
    within = coupled[layouts[:, first], layouts[:, second]]
    kinds: dict[bytes, list[int]] = {}
    for row, key in enumerate(np.packbits(within, axis=1)):
        kinds.setdefault(key.tobytes(), []).append(row)
    seats = list(zip(first.tolist(), second.tolist(), strict=True))
    return {frozenset(compress(seats, within[rows[0]])): rows for rows in kinds.values()}


def _costs(chip: Chip) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Arrays of -log(1 - error) of a pair's gate (inf if there is none), of a pulse and of reading, by qubit."""
    pair = np.full((chip.size, chip.size), np.inf)
    pulse, read = np.full(chip.size, np.inf), np.full(chip.size, np.inf)
    for (a, b), gate in chip.pairs.items():
        pair[a, b] = pair[b, a] = -np.log1p(-gate.error)
    for number, qubit in chip.qubits.items():
        pulse[number] = -np.log1p(-qubit.error)
        read[number] = -np.log1p(-(qubit.p1_given_0 + qubit.p0_given_1) / 2)
    return pair, pulse, read


def _tally(program: Program, couplers: Edges, basis: Basis) -> tuple[NDArray[np.float64], dict[tuple[int, int], int]]:
    """Numbers of pulses of each seat, and of gates of each pair, in the routed circuit."""
    edges = frozenset((min(pair), max(pair)) for pair in couplers)
    pulses, pairs = np.zeros(program.n), dict.fromkeys(edges, 0)
    for step in fused(route(program, edges).program, basis):
        if isinstance(step, Fused):
            pulses[step.wire] += step.pulses
        else:
            pairs[min(step.wires), max(step.wires)] += 1
    return pulses, pairs
