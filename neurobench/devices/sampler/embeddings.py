"""Embeddings that fit on a chip with its faults: tabulated beforehand, or computed when they are needed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from neurobench.devices.sampler.busclique import capacity
from neurobench.devices.sampler.chips import CHIPS, Chip
from neurobench.phases import phase

DRAWS = 20  # of each chip's faults that `embed_chips` makes
TABLE = Path(__file__).with_name("embeddings.json.gz")  # `embed_chips` writes it

Lengths = tuple[int, ...]  # qubits of each chain, ascending


@dataclass(frozen=True)
class FaultyChip:
    """A chip with the faults of one draw. Of several embeddings, units use the one whose longest chain is shortest, and
    the shortest chains of each side."""

    chip: Chip
    draw: int
    cliques: tuple[Lengths, ...]  # short chains first
    layers: tuple[tuple[Lengths, Lengths], ...]  # larger and smaller side; short chains first

    @property
    def clique(self) -> int:
        """Largest number of fully connected units."""
        return max(map(len, self.cliques))

    @property
    def layer(self) -> int:
        """Largest number of units in each of two fully connected layers."""
        return max(len(smaller) for _, smaller in self.layers)

    @property
    def units(self) -> int:
        """Largest number of units of a problem."""
        return max(self.clique, *(len(larger) + len(smaller) for larger, smaller in self.layers))

    def partner_size(self, units: int) -> int:
        """Largest number of units of a layer next to one of this size; 0 if none fits."""
        sides = (pair for layers in self.layers for pair in (layers, layers[::-1]))
        return max((len(other) for one, other in sides if len(one) >= units), default=0)

    def fits(self, n_visible: int, n_hidden: int) -> bool:
        return self.partner_size(n_visible) >= n_hidden

    def chain_length(self, n_visible: int, n_hidden: int) -> Lengths:
        """Number of qubits of each unit of two layers that fit, visible units first."""
        many, few = sorted((n_visible, n_hidden), reverse=True)
        sides = _shortest(
            (larger[:many], smaller[:few])
            for larger, smaller in self.layers
            if len(larger) >= many and len(smaller) >= few
        )
        return sides[0] + sides[1] if n_visible >= n_hidden else sides[1] + sides[0]

    def clique_chain_length(self, n: int) -> Lengths:
        """Number of qubits of each of n fully connected units that fit."""
        return _shortest((chains[:n],) for chains in self.cliques if len(chains) >= n)[0]

    def misfit(self, n_visible: int, n_hidden: int) -> str | None:
        """Reason why two fully connected layers do not fit, or None."""
        if self.fits(n_visible, n_hidden):
            return None
        chip, many = self.chip, max(n_visible, n_hidden)
        pairing = f"beside {many} units of one layer {self.partner_size(many)} of the other"
        return (
            f"{n_visible}x{n_hidden} units do not fit on {chip.name} ({chip.topology}) with its faults: "
            f"{n_visible * n_hidden:,} couplers are needed, {chip.couplers:,} are present, and what fits is at most "
            f"{self.layer}x{self.layer} units, or {pairing if self.partner_size(many) else f'no layer of {many} units'}"
        )

    def clique_misfit(self, n: int, couplings: int) -> str | None:
        """Reason why a problem of another shape does not fit, or None; its units count as fully connected."""
        if n <= self.clique:
            return None
        chip = self.chip
        return (
            f"{n} units that are not two layers do not fit on {chip.name} ({chip.topology}) with its faults: "
            f"{couplings:,} couplers are needed, {chip.couplers:,} are present, and at most {self.clique} fully "
            "connected units fit"
        )


def draw_of(name: str, chip_seed: int) -> int:
    """Index of the tabulated draw for a chip's seed: the seed modulo the number of draws."""
    return chip_seed % len(_table()[name])


@cache
def tabulated(name: str, draw: int) -> FaultyChip:
    """Chip with the faults of a draw, from the table that ships."""
    return _faulty(name, draw, _table()[name][draw])


def all_tabulated(name: str) -> list[FaultyChip]:
    return [tabulated(name, draw) for draw in range(len(_table()[name]))]


@cache
def embedded(name: str, draw: int) -> FaultyChip:
    """Chip with the faults of any draw, embedded now. Raises UserError without the extra `embedding`."""
    with phase(f"embedding on {name}"):
        return _faulty(name, draw, capacity(CHIPS[name], draw))


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    return json.loads(gzip.decompress(TABLE.read_bytes()))


def _shortest(embeddings: Iterable[tuple[Lengths, ...]]) -> tuple[Lengths, ...]:
    """Embedding whose longest chain is shortest; of several, the one with the fewest qubits."""
    return min(embeddings, key=lambda sides: (max(max(chains, default=0) for chains in sides), sum(map(sum, sides))))


def _faulty(name: str, draw: int, draws: dict[str, list[Any]]) -> FaultyChip:
    cliques = tuple(_chains(*clique) for clique in draws["cliques"])
    layers = tuple((_chains(*larger), _chains(*smaller)) for larger, smaller in draws["layers"])
    return FaultyChip(CHIPS[name], draw, cliques, layers)


def _chains(shortest: int, *counts: int) -> Lengths:
    return tuple(shortest + extra for extra, count in enumerate(counts) for _ in range(count))
