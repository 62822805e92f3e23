"""Published properties of annealing chips."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

ChipName = Literal[
    "Advantage_system4", "Advantage_system6", "Advantage2_system1", "Advantage2_system2", "Advantage2_system4",
    "DW_2000Q_6",
]  # fmt: skip


@dataclass(frozen=True)
class Chip:
    """A chip as published, and the largest problems that would fit if every qubit worked. A unit with more neighbours
    than a qubit has couplers becomes a chain of qubits.

    Qubits and couplers: D-Wave's "QPU-Specific Characteristics" sheets. The source for DW_2000Q_6 could not be
    located again; its numbers are in D-Wave's range for the series (support.dwavesys.com, "What is the QPU Working
    Graph?":
    2,048 and 6,016 fabricated, more than 97 % of the qubits working). The largest problems were computed with
    minorminer's busclique on graphs without a broken qubit (176 + 176 units fail on P16). Chain lengths are those of
    the same embeddings: 15 for 172 + 172 and 169 + 128 units on P16, 9 for 100 + 64. The considerably smaller problems
    that fit on a chip with its faults are in `embeddings`.
    """

    name: str
    topology: str
    qubits: int  # that work
    couplers: int  # that work
    clique: int  # fully connected units
    layer: int  # units in each of two fully connected layers
    crossings: int  # chains of the other layer that a qubit can couple to

    @property
    def units(self) -> int:
        """Largest number of units of a problem."""
        return max(2 * self.layer, self.clique)

    @property
    def shape(self) -> tuple[str, int]:
        """Family of the graph and its size, as dwave-graphs takes them: ("pegasus", 16)."""
        family, size = self.topology.split()
        return family.lower(), int(size[1:])

    def chain_length(self, n_visible: int, n_hidden: int) -> int:
        """Qubits per unit of two fully connected layers."""
        return ceil(max(n_visible, n_hidden) / self.crossings)

    def clique_chain_length(self, n: int) -> int:
        """Qubits per unit of n fully connected units."""
        return 1 if n <= 1 else ceil(n / self.crossings) + 1

    def misfit(self, n_visible: int, n_hidden: int) -> str | None:
        """Reason why two fully connected layers do not fit, or None."""
        if max(n_visible, n_hidden) <= self.layer:
            return None
        return (
            f"{n_visible}x{n_hidden} units do not fit on {self.name} ({self.topology}): {n_visible * n_hidden:,} "
            f"couplers are needed, {self.couplers:,} are present, and the largest two layers that fit are "
            f"{self.layer}x{self.layer}"
        )

    def clique_misfit(self, n: int, couplings: int) -> str | None:
        """Reason why a problem of another shape does not fit, or None; its units count as fully connected."""
        if n <= self.clique:
            return None
        return (
            f"{n} units that are not two layers of at most {self.layer} do not fit on {self.name} ({self.topology}): "
            f"{couplings:,} couplers are needed, {self.couplers:,} are present, and at most {self.clique} fully "
            "connected units fit"
        )


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("Advantage_system4", "Pegasus P16", 5627, 40279, clique=180, layer=172, crossings=12),
        Chip("Advantage_system6", "Pegasus P16", 5612, 40088, clique=180, layer=172, crossings=12),
        Chip("Advantage2_system1", "Zephyr Z12", 4577, 41515, clique=184, layer=184, crossings=16),
        Chip("Advantage2_system2", "Zephyr Z12", 4514, 40409, clique=184, layer=184, crossings=16),
        Chip("Advantage2_system4", "Zephyr Z6", 1202, 10537, clique=88, layer=88, crossings=16),
        Chip("DW_2000Q_6", "Chimera C16", 2041, 5974, clique=64, layer=64, crossings=4),
    )
}
