"""Annealing chips as published, and what fits on them.

A unit that touches more others than a qubit has couplers becomes a chain of qubits. Qubits and couplers are those of
D-Wave's "QPU-Specific Characteristics" sheets. The largest problems were found with minorminer's busclique on graphs
without a broken qubit, so a real chip takes a little less: 172 + 172 units in two layers on Pegasus P16 (176 + 176
fail), 16 m - 8 in each layer on Zephyr Zm (184 on Z12, 88 on Z6). The lengths of chains were read off the same
embeddings: all 15 for 172 + 172 and for 169 + 128 units on P16, 9 for 100 + 64, 6 for 49 + 64.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Chip:
    """A chip and the largest problems that it takes."""

    name: str
    topology: str
    qubits: int  # that work
    couplers: int  # that work
    clique: int  # units that all touch each other
    layer: int  # units in each of two layers that touch all over
    crossings: int  # chains of the other layer that a qubit can meet

    def chain_length(self, n_visible: int, n_hidden: int) -> int:
        """Qubits a unit, of two layers."""
        return ceil(max(n_visible, n_hidden) / self.crossings)

    def clique_chain_length(self, n: int) -> int:
        """Qubits a unit, of n units that may all touch each other."""
        return 1 if n <= 1 else ceil(n / self.crossings) + 1

    def misfit(self, n_visible: int, n_hidden: int) -> str | None:
        """Why two layers that touch all over do not fit, or None."""
        if max(n_visible, n_hidden) <= self.layer:
            return None
        return (
            f"{n_visible}x{n_hidden} units do not fit on {self.name} ({self.topology}): {n_visible * n_hidden:,} "
            f"couplers are needed, {self.couplers:,} are present, and the largest two layers that fit are "
            f"{self.layer}x{self.layer}"
        )

    def clique_misfit(self, n: int, couplings: int) -> str | None:
        """Why a problem of another shape does not fit, or None. It is judged as if all its units touched."""
        if n <= self.clique:
            return None
        return (
            f"{n} units that are not two layers of at most {self.layer} do not fit on {self.name} ({self.topology}): "
            f"{couplings:,} couplers are needed, {self.couplers:,} are present, and at most {self.clique} units that "
            "may all touch each other fit"
        )


def _pegasus16(name: str, qubits: int, couplers: int) -> Chip:
    return Chip(name, "Pegasus P16", qubits, couplers, clique=180, layer=172, crossings=12)


def _zephyr(name: str, m: int, qubits: int, couplers: int) -> Chip:
    largest = 16 * m - 8
    return Chip(name, f"Zephyr Z{m}", qubits, couplers, clique=largest, layer=largest, crossings=16)


CHIPS = {
    chip.name: chip
    for chip in (
        _pegasus16("Advantage_system4", 5627, 40279),
        _pegasus16("Advantage_system6", 5612, 40088),
        _zephyr("Advantage2_system1", 12, 4577, 41515),
        _zephyr("Advantage2_system2", 12, 4514, 40409),
        _zephyr("Advantage2_system4", 6, 1202, 10537),
    )
}
