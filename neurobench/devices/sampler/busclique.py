"""Embeddings in a working graph, computed by minorminer's busclique (extra `embedding`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from neurobench.config.targets import import_extra
from neurobench.devices.sampler.chips import Chip
from neurobench.devices.sampler.working_graph import OWNER, perfect_graph, without_missing_crossings, working_graph

TRIES = 3  # sets of qubits left out in turn; layers are sought only for the one that leaves the largest clique
Chains = Sequence[Sequence[int]]  # qubits of each unit, short chains first
Sides = tuple[Chains, ...]  # chains of a clique, or of two layers
Embedding = dict[int, tuple[int, ...]]  # unit -> qubits


class Search:
    """All embeddings that busclique finds in a working graph; cliques and layers are each computed once, on first use.

    `busgraph_cache.find_biclique_embedding` would miss most layers of different sizes: it searches only pairs whose
    smaller layer is as large as the larger of the requested ones.
    """

    def __init__(self, graph: Any, perfect: Any):
        busclique = import_extra("minorminer.busclique", "embedding", OWNER)
        intact = (without_missing_crossings(graph, perfect, seed) for seed in range(TRIES))
        self._tries = [busclique.busgraph_cache(graph)._graph for graph in intact]

    @cached_property
    def _cliques(self) -> list[list[Sides]]:
        return [[(_sorted(chains),) for chains in one.cliques()["raw"] if chains] for one in self._tries]

    @cached_property
    def cliques(self) -> list[Sides]:
        """Embeddings of fully connected units."""
        return [sides for embedded in self._cliques for sides in embedded]

    @cached_property
    def layers(self) -> list[Sides]:
        """Embeddings of two fully connected layers; the larger layer first."""
        best = max(range(TRIES), key=lambda k: max(len(chains) for (chains,) in self._cliques[k]))
        bicliques = self._tries[best].bicliques()["raw"].items()
        sides = ((_sorted(chains[:first]), _sorted(chains[first:])) for (first, _), chains in bicliques)
        return [(one, other) if len(one) >= len(other) else (other, one) for one, other in sides]

    def clique(self, n: int) -> Embedding:
        """Embedding of n fully connected units whose longest chain is as short as possible; {} if the search fails."""
        return _shortest([chains[:n] for (chains,) in self.cliques if len(chains) >= n])

    def two_layers(self, n_visible: int, n_hidden: int) -> Embedding:
        """Embedding of two fully connected layers, chosen likewise, visible units first."""
        turned = (sides for pair in self.layers for sides in (pair, pair[::-1]))
        return _shortest(
            [
                [*visible[:n_visible], *hidden[:n_hidden]]
                for visible, hidden in turned
                if len(visible) >= n_visible and len(hidden) >= n_hidden
            ]
        )


def _sorted(chains: Iterable[Any]) -> Chains:
    return sorted(chains, key=len)


def _shortest(candidates: list[Chains]) -> Embedding:
    best = min(candidates, key=lambda chains: (max(map(len, chains), default=0), sum(map(len, chains))), default=())
    return {unit: tuple(chain) for unit, chain in enumerate(best)}


def capacity(chip: Chip, draw: int) -> dict[str, list[Any]]:
    """{"cliques": [...], "layers": [[larger, smaller], ...]}, chains as `run_lengths` encodes them: all embeddings but
    those that another matches or beats in every number of units with chains as short. Short chains come first."""
    search = Search(working_graph(chip, draw), perfect_graph(chip))
    return {
        "cliques": [run_lengths(chains) for (chains,) in _unbeaten(search.cliques)],
        "layers": [[run_lengths(chains) for chains in sides] for sides in _unbeaten(search.layers)],
    }


def run_lengths(chains: Chains) -> list[int]:
    """[shortest length, number of chains with it, number of chains with one qubit more, ...]"""
    lengths = [len(chain) for chain in chains]
    return [lengths[0], *(lengths.count(length) for length in range(lengths[0], lengths[-1] + 1))]


def _unbeaten(embeddings: Iterable[Sides]) -> list[Sides]:
    best: dict[tuple[int, ...], tuple[int, Sides]] = {}  # longest chain, units of each side -> fewest qubits
    for sides in embeddings:
        key = (max(len(chains[-1]) for chains in sides), *map(len, sides))
        qubits = sum(len(chain) for chains in sides for chain in chains)
        if key not in best or qubits < best[key][0]:
            best[key] = qubits, sides
    largest: list[tuple[int, ...]] = []
    for key in sorted(best, key=lambda k: (k[0], *(-n for n in k[1:]))):  # short chains and large layers first
        if not any(all(a >= b for a, b in zip(other[1:], key[1:], strict=True)) for other in largest):
            largest.append(key)
    return [best[key][1] for key in largest]
